"""The verdicts of a month, and what the school's classrooms have in common; kept until something of theirs arrives."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from campus_collector.judge.agreement import Agreement, total
from campus_collector.judge.area import SharedCause, shared_cause
from campus_collector.judge.month import Month, month_of
from campus_collector.judge.policy import Policy
from campus_collector.judge.rules import RULES
from campus_collector.judge.verdict import About, AreaVerdict, SubjectVerdict, areas_of, judge_month
from campus_collector.judging import Judging, Progress, required_of
from campus_collector.store.interface import Change, Store, Subject
from campus_wire.records import Segment

TARGETS_OF: dict[str, tuple[str, ...]] = {
    kind: tuple(target for target, rule in RULES.items() if rule.subject_kind == kind)
    for kind in {rule.subject_kind for rule in RULES.values()}
}
TARGET_OF = {kind: targets[0] for kind, targets in TARGETS_OF.items()}
"""The target a kind of subject is there for; an uplink has a second one."""
KEPT_MONTHS = 3
"""So many months' verdicts are kept in memory; others are put together from their days when asked for."""
_Key = tuple[str, str, str]


class Verdicts:
    """Ask for a month."""

    def __init__(self, store: Store, policy: Policy, zone: ZoneInfo) -> None:
        """Subscribes to the store's changes."""
        self._store = store
        self.policy = policy
        self.zone = zone
        self.judging = Judging(store, policy, zone)
        self._lock = threading.Lock()
        self._known: OrderedDict[Month, dict[_Key, SubjectVerdict]] = OrderedDict()
        self._changes = 0
        self._inventory = store.inventory.version()
        store.subscribe(self._forget)

    def this_month(self) -> Month:
        """The month of now."""
        return month_of(datetime.now(UTC), self.zone)

    def catch_up(self, progress: Progress | None = None) -> None:
        """Judge what has arrived since last time."""
        if not self.judging.waiting:
            return
        changed = self.judging.catch_up(progress)
        with self._lock:
            self._changes += 1
            for target, school, subject, month in changed:
                self._known.get(month, {}).pop((target, school, subject), None)

    def subjects(self, month: Month, school: str | None = None) -> list[SubjectVerdict]:
        """Every subject's verdict for a month, by target, town, school, subject."""
        self.catch_up()
        self._look_at_inventory()
        towns = {one.id: one.town for one in self._store.schools(month.start)}
        by_school: dict[str, list[Subject]] = {}
        for subject in self._store.subjects(
            school, month.start, month.end
        ):  # whoever removes a room does not mend its month
            if subject.school in towns:
                by_school.setdefault(subject.school, []).append(subject)
        with self._lock:
            known, changes = dict(self._known.get(month, {})), self._changes
        fresh: dict[_Key, SubjectVerdict] = {}
        found = []
        for school_id, subjects in by_school.items():
            wanted = [(one, target) for one in subjects for target in TARGETS_OF[one.kind]]
            missing = [pair for pair in wanted if (pair[1], school_id, pair[0].id) not in known]
            for verdict in self._judge(missing, month, towns[school_id]):
                fresh[verdict.target, verdict.school, verdict.subject] = verdict
            for one, target in wanted:
                key = (target, school_id, one.id)
                found.append(fresh[key] if key in fresh else known[key])
        with self._lock:
            if changes == self._changes:  # else something arrived while we judged
                self._known.setdefault(month, {}).update(fresh)
                self._known.move_to_end(month)
                while len(self._known) > KEPT_MONTHS:
                    self._known.popitem(last=False)
        return sorted(found, key=lambda one: (one.target, one.town, one.school, one.subject))

    def areas(self, month: Month) -> list[AreaVerdict]:
        """Every target in the county ("") and in each town."""
        return areas_of(self.subjects(month))

    def agreement(self, month: Month) -> dict[Segment, Agreement]:
        """Quick tests against references, by segment, all schools together."""
        segments: dict[str, Segment] = {"classroom_bandwidth": "classroom", "uplink_bandwidth": "uplink"}
        verdicts = self.subjects(month)
        return {
            segment: total(one.agreement for one in verdicts if one.target == target)
            for target, segment in segments.items()
        }

    def shared_causes(self, month: Month, school: str | None = None) -> dict[str, SharedCause]:
        """Schools whose classrooms fail for one reason, with it."""
        return shared_causes(self.subjects(month, school))

    def _judge(self, wanted: list[tuple[Subject, str]], month: Month, town: str) -> Iterable[SubjectVerdict]:
        """A few are looked up one by one, many with all days of their school at once."""
        judging = self.judging
        rows = None
        if len(wanted) > 4:
            rows = judging.days_of_school(wanted[0][0].school, month.first_day, month.last_day)
        for subject, target in wanted:
            rule = self.policy.in_force(target, month.first_day)
            about = About(target, town, subject.school, subject.id, required_of(subject, rule), subject.exempt_reason)
            if rows is None:
                days = judging.days(subject, target, month)
            else:
                days = judging.read(subject, target, month, rows.get((target, subject.id), []))
            yield judge_month(about, days, month, self.policy)

    def _look_at_inventory(self) -> None:
        """The command `inventory import` works on the file of a collector that runs: its own process tells nobody."""
        version = self._store.inventory.version()
        if version != self._inventory:
            self._inventory = version
            self._forget(Change(inventory=True))

    def _forget(self, change: Change) -> None:
        """A new inventory changes who is judged, by what and in which town."""
        if change.inventory:
            with self._lock:
                self._changes += 1
                self._known.clear()


def shared_causes(verdicts: Iterable[SubjectVerdict]) -> dict[str, SharedCause]:
    """By school, from the verdicts of one month."""
    rooms: dict[str, list[SubjectVerdict]] = {}
    uplinks: dict[str, SubjectVerdict] = {}
    for one in verdicts:
        if one.target == "classroom_bandwidth":
            rooms.setdefault(one.school, []).append(one)
        elif one.target == "uplink_bandwidth":
            uplinks[one.school] = one
    found = {school: shared_cause(own, uplinks.get(school)) for school, own in rooms.items()}
    return {school: shared for school, shared in found.items() if shared is not None}
