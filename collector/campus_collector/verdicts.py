"""The verdicts of a month, and what the school's classrooms have in common; kept until something of theirs arrives."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import product
from zoneinfo import ZoneInfo

from campus_collector.judge.agreement import Agreement, total
from campus_collector.judge.area import SharedCause, shared_cause
from campus_collector.judge.month import Month, month_of
from campus_collector.judge.policy import Policy
from campus_collector.judge.rules import RULES
from campus_collector.judge.verdict import About, AreaVerdict, SubjectVerdict, areas_of, judge_month, tally_of
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
_Key = tuple[str, str]


class Verdicts:
    """Ask for a month."""

    def __init__(self, store: Store, policy: Policy, zone: ZoneInfo) -> None:
        """Subscribes to the store's changes."""
        self._store = store
        self.policy = policy
        self.zone = zone
        self.judging = Judging(store, policy, zone)
        self._lock = threading.Lock()
        self._known: OrderedDict[Month, dict[str, dict[_Key, SubjectVerdict]]] = OrderedDict()
        self._listeners: list[Callable[[frozenset[str] | None], None]] = []
        self._changes = 0
        self._inventory = store.inventory.version()
        store.subscribe(self._forget)

    def this_month(self) -> Month:
        """The month of now."""
        return month_of(datetime.now(UTC), self.zone)

    def subscribe(self, listener: Callable[[frozenset[str] | None], None]) -> None:
        """Be told in which schools a verdict may have changed; None: in any. From whatever thread found it."""
        self._listeners.append(listener)

    def catch_up(self, progress: Progress | None = None, seconds: float | None = None) -> None:
        """Judge what has arrived since last time; with `seconds`, only as much as can be begun in that time."""
        if not self.judging.waiting:
            return
        changed = self.judging.catch_up(progress, seconds)
        with self._lock:
            self._changes += 1
            for target, school, subject, month in changed:
                self._known.get(month, {}).get(school, {}).pop((target, subject), None)
        self._tell(frozenset(school for _, school, _, _ in changed))

    def subjects(self, month: Month, school: str | None = None) -> list[SubjectVerdict]:
        """Every subject's verdict for a month, by target, town, school, subject."""
        self.catch_up()
        self.look_at_inventory()
        towns = {one.id: one.town for one in self._store.schools(month.start)}
        schools = towns if school is None else [school] if school in towns else []
        found = [one for own in schools for one in self.of_school(month, own, towns[own])]
        return sorted(found, key=lambda one: (one.target, one.town, one.school, one.subject))

    def of_school(self, month: Month, school: str, town: str) -> list[SubjectVerdict]:
        """One school's verdicts by what has been judged so far; only what changed is put together again."""
        with self._lock:
            known, changes = dict(self._known.get(month, {}).get(school, {})), self._changes
        subjects = self._store.subjects(
            school, month.start, month.end
        )  # whoever removes a room does not mend its month
        wanted = [(one, target) for one in subjects for target in TARGETS_OF[one.kind]]
        missing = [pair for pair in wanted if (pair[1], pair[0].id) not in known]
        fresh = {(one.target, one.subject): one for one in self._judge(missing, month, town)}
        if fresh:
            self._keep(month, school, fresh, changes)
        known |= fresh
        return [known[target, one.id] for one, target in wanted]

    def areas(self, month: Month) -> list[AreaVerdict]:
        """Every target in the county ("") and in each town."""
        return areas_of(tally_of(self.subjects(month)))

    def agreement(self, month: Month) -> dict[Segment, Agreement]:
        """Quick tests against references, by segment, all schools together."""
        return agreement_in(self.subjects(month))

    def look_at_inventory(self) -> None:
        """The command `inventory import` works on the file of a collector that runs: its own process tells nobody."""
        version = self._store.inventory.version()
        if version != self._inventory:
            self._inventory = version
            self._forget(Change(inventory=True))

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

    def _keep(self, month: Month, school: str, fresh: dict[_Key, SubjectVerdict], changes: int) -> None:
        with self._lock:
            if changes != self._changes:  # something arrived while we judged
                return
            self._known.setdefault(month, {}).setdefault(school, {}).update(fresh)
            self._known.move_to_end(month)
            while len(self._known) > KEPT_MONTHS:
                self._known.popitem(last=False)

    def _forget(self, change: Change) -> None:
        """A new inventory changes who is judged, by what and in which town; an agent's announcement, in its school."""
        if not change.inventory and not change.announced:
            return
        with self._lock:
            self._changes += 1
            if change.inventory:
                self._known.clear()
            else:
                for schools, school in product(self._known.values(), change.announced):
                    schools.pop(school, None)
        self._tell(None if change.inventory else change.announced)

    def _tell(self, schools: frozenset[str] | None) -> None:
        for listener in self._listeners:
            listener(schools)


def agreement_in(verdicts: Iterable[SubjectVerdict]) -> dict[Segment, Agreement]:
    """Quick tests against references in some verdicts, by segment."""
    segments: dict[str, Segment] = {"classroom_bandwidth": "classroom", "uplink_bandwidth": "uplink"}
    parts: dict[Segment, list[Agreement]] = {segment: [] for segment in segments.values()}
    for one in verdicts:
        if one.target in segments:
            parts[segments[one.target]].append(one.agreement)
    return {segment: total(found) for segment, found in parts.items()}


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
