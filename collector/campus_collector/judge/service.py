"""The verdicts of a month, and what the school's classrooms have in common; kept until something of theirs arrives."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from time import monotonic
from zoneinfo import ZoneInfo

from campus_collector.domain.records import Change, Subject
from campus_collector.judge.agreement import Agreement, total
from campus_collector.judge.area import SharedCause, shared_cause
from campus_collector.judge.judging import Judging, Progress, required_of
from campus_collector.judge.month import Month, month_of
from campus_collector.judge.policy import Policy
from campus_collector.judge.rules import RULES
from campus_collector.judge.verdict import About, AreaVerdict, SubjectVerdict, areas_of, judge_month, tally_of
from campus_collector.store.interface import Store
from campus_wire.records import Segment

TARGETS_OF: dict[str, tuple[str, ...]] = {
    kind: tuple(target for target, rule in RULES.items() if rule.subject_kind == kind)
    for kind in {rule.subject_kind for rule in RULES.values()}
}
TARGET_OF = {kind: targets[0] for kind, targets in TARGETS_OF.items()}
"""The target a kind of subject is there for; an uplink has a second one."""
AGAIN_SECONDS = 0.2
"""A reader that has waited once (`look`) waits no longer than this for each list of verdicts."""
KEPT_MONTHS = 3
"""So many months' verdicts are kept in memory; others are put together from their days when asked for."""
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DataStatus:
    """How current the verdicts are: everything that had come until `as_of` is in them; None as long as nothing was ever complete.

    `waiting_schools` have results that are not judged yet: until they are, figures may change.
    """

    as_of: datetime | None
    waiting_schools: int

    @property
    def complete(self) -> bool:
        """Is everything judged that has come?"""
        return self.waiting_schools == 0


class Verdicts:
    """Ask for a month. One thread judges at a time, and whoever asks meanwhile waits for it."""

    def __init__(self, store: Store, policy: Policy, zone: ZoneInfo) -> None:
        """Subscribes to the store's changes."""
        self._store = store
        self.policy = policy
        self.zone = zone
        self.judging = Judging(store, policy, zone)
        self.patience_seconds: float | None = None
        """So long a reader waits for what is being judged; None: until it is. The server sets it: a page then says that it is not complete."""
        self._turn = threading.Lock()
        self._status = DataStatus(None, 0)
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

    def catch_up(self, progress: Progress | None = None, seconds: float | None = None) -> DataStatus:
        """Judge what has arrived, whichever process stored it; with `seconds`, only as much as can be begun in that time.

        Without, everything that had come when it was called is judged when it returns. Raises StoreUnavailable.
        """
        until = None if seconds is None else monotonic() + seconds
        if not self._turn.acquire(timeout=-1 if seconds is None else seconds):
            # the last school may be off the list already, and its old verdicts still in memory
            waiting = len(self._store.evidence.schools_unjudged()) or 1
            return DataStatus(self._status.as_of, waiting)
        try:
            begun = datetime.now(UTC)
            self._store.follow()
            self._look_at_inventory()
            changed, waiting = self.judging.catch_up(progress, None if until is None else max(0.0, until - monotonic()))
            with self._lock:
                self._changes += 1 if changed else 0
                for target, school, subject, month in changed:
                    self._known.get(month, {}).get(school, {}).pop((target, subject), None)
            self._status = DataStatus(self._status.as_of if waiting else begun, waiting)
        finally:
            self._turn.release()
        if changed:
            self._tell(frozenset(school for _, school, _, _ in changed))
        return self._status

    def look(self) -> DataStatus:
        """`catch_up` for a reader, who waits at most `patience_seconds`."""
        return self.catch_up(seconds=self.patience_seconds)

    def subjects(self, month: Month, school: str | None = None) -> list[SubjectVerdict]:
        """Every subject's verdict for a month, by target, town, school, subject."""
        self.catch_up(seconds=None if self.patience_seconds is None else min(self.patience_seconds, AGAIN_SECONDS))
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

    def _look_at_inventory(self) -> None:
        """A database that an older program opens at the same time numbers no changes: its imports are seen by their version."""
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
        """A new inventory changes who is judged, by what and in which town; an agent's announcement, in its school.

        `judged` are schools that another process judged; what this one judged `catch_up` takes out, subject by subject.
        """
        schools = change.announced | change.judged
        if not change.inventory and not schools:
            return
        with self._lock:
            self._changes += 1
            if change.inventory:
                self._known.clear()
            else:
                for known, school in product(self._known.values(), schools):
                    known.pop(school, None)
        self._tell(None if change.inventory else schools)

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
