"""From results in the store to the evidence of days: only what arrived since last time is read again.

Joins two sides that do not know each other: the store has no policy, the judge no database.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from time import monotonic
from zoneinfo import ZoneInfo

import msgspec

from campus_collector.domain.records import DayRow, Subject, Unjudged
from campus_collector.judge.day import DayEvidence, day_number, day_of, evidence_by_day
from campus_collector.judge.month import Month
from campus_collector.judge.policy import Policy, Target
from campus_collector.judge.rules import RULES, has_trusted_time, targets_told_by
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.interface import Store
from campus_wire.records import AnyResult, RoomResult

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(DayEvidence).decode
log = logging.getLogger(__name__)
HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Progress = Callable[[int, int], None]
"""Told how many of how many pieces are done."""


class Judging:
    """Keeps the evidence of days up to date; says which subjects' months have changed. `catch_up` is called by one thread at a time."""

    def __init__(self, store: Store, policy: Policy, zone: ZoneInfo) -> None:
        """Nothing is judged yet."""
        self._store, self._policy, self._zone = store, policy, zone
        self._bases: dict[tuple[str, Month, float | None], str] = {}
        self._trusted_days: set[int] = set()

    def catch_up(
        self, progress: Progress | None = None, seconds: float | None = None
    ) -> tuple[set[tuple[str, str, str, Month]], int]:
        """Judge what waits in the store, or (`seconds`) the schools that can be begun in that time.

        Returns the (target, school, subject, month) that changed, and how many schools still wait. What waits is read from the
        database each time: another process may have stored or judged something.
        """
        changed: set[tuple[str, str, str, Month]] = set()
        schools = self._store.evidence.schools_unjudged()
        until = None if seconds is None else monotonic() + seconds
        failed = 0
        for done, school in enumerate(schools):
            if until is not None and monotonic() >= until:
                return changed, len(schools) - done + failed
            if progress is not None:
                progress(done, len(schools))
            try:
                changed |= self._school(school)
            except StoreUnavailable:
                raise
            except Exception:  # its results wait; those of the other schools do not
                failed += 1
                log.exception("a school's results are not judged; it is tried again", extra={"school": school})
        if progress is not None and schools:
            progress(len(schools), len(schools))
        return changed, failed

    def days(self, subject: Subject, target: str, month: Month) -> dict[date, DayEvidence]:
        """The evidence of a subject's month."""
        rows = self._store.evidence.of_subject(
            subject.school, subject.id, target, day_number(month.first_day), day_number(month.last_day)
        )
        return self.read(subject, target, month, rows)

    def days_of_school(self, school: str, first: date, last: date) -> dict[tuple[str, str], list[DayRow]]:
        """A school's evidence by (target, subject), for `read`."""
        found: dict[tuple[str, str], list[DayRow]] = {}
        for row in self._store.evidence.days(school, day_number(first), day_number(last)):
            found.setdefault((row.target, row.subject), []).append(row)
        return found

    def read(self, subject: Subject, target: str, month: Month, rows: Sequence[DayRow]) -> dict[date, DayEvidence]:
        """Evidence from its rows; what was judged by another rule is judged again, and kept."""
        basis = self.basis(subject, target, month)
        stale = {day_of(row.day) for row in rows if row.basis != basis}
        found = {day_of(row.day): _decode(row.body) for row in rows if row.basis == basis}
        if stale:
            fresh = [row for first, last in _runs(stale) for row in self._rows(subject, target, first, last, stale)]
            self._store.evidence.replace(fresh)
            found |= {day_of(row.day): _decode(row.body) for row in fresh}
        return found

    def from_results(self, subject: Subject, target: str, first: date, last: date) -> dict[date, DayEvidence]:
        """The evidence of some days, worked out from the results themselves; one month's days, or more."""
        name = RULES[target].result_kind
        start, end = self._start_of(first), self._start_of(last + timedelta(days=1))
        results = list(self._store.results(subject.school, subject.id, name, start, end))
        witnesses = self._witnesses(subject, target, results, start, end)
        found: dict[date, DayEvidence] = {}
        for month in _months(first, last, self._zone):
            rule = self._policy.in_force(target, month.first_day)
            if rule is not None:
                first_moment, end_moment = month.start, month.end
                own = [one for one in results if first_moment <= one.started_at < end_moment]
                others = [one for one in witnesses if first_moment <= one.started_at < end_moment]
                required = required_of(subject, rule)
                found |= evidence_by_day(own, others, rule, self._policy, self._zone, required)
        return found

    def first_day(self, since: date | None = None) -> date | None:
        """The first day, from `since` on, that has a result of a trusted clock: a time that nobody trusts begins nothing. None of none."""
        day = self._store.evidence.first_day(day_number(since) if since is not None else 0)
        while day is not None and not self._is_trusted(day):
            day = self._store.evidence.first_day(day + 1)
        return None if day is None else day_of(day)

    def _is_trusted(self, day: int) -> bool:
        """Has this day a result of a trusted clock? Only a yes is kept: trusted results may come later, and another process may store them."""
        if day not in self._trusted_days:
            start, end = self._start_of(day_of(day)), self._start_of(day_of(day + 1))
            trusted = any(
                has_trusted_time(result)
                for school, subject, target in self._store.evidence.on_day(day)
                for kind in (RULES[target].result_kind, *RULES[target].witness_kinds)
                for result in self._store.results(school, subject, kind, start, end)
            )
            if not trusted:
                return False
            self._trusted_days.add(day)
        return True

    def month_on(self, day: date) -> Month:
        """The month a local day belongs to."""
        return Month(day.year, day.month, self._zone)

    def basis(self, subject: Subject, target: str, month: Month) -> str:
        """What evidence depends on beside results; a short name of it."""
        rule = self._policy.in_force(target, month.first_day)
        required = required_of(subject, rule)
        key = (target, month, required)
        if key not in self._bases:
            text = f"{rule}{self._policy.tolerance_ratio}{self._policy.school_hours}{self._policy.maintenance}{required}{EVIDENCE_VERSION}"
            self._bases[key] = sha256(text.encode()).hexdigest()[:12]
        return self._bases[key]

    def _school(self, school: str) -> set[tuple[str, str, str, Month]]:
        """Once more when another process judged some of it meanwhile."""
        changed: set[tuple[str, str, str, Month]] = set()
        while waiting := self._store.evidence.unjudged(school):
            rows, found = self._judge(school, waiting)
            changed |= found
            if self._store.evidence.keep(school, rows, waiting):
                break
        return changed

    def _judge(self, school: str, waiting: Sequence[Unjudged]) -> tuple[list[DayRow], set[tuple[str, str, str, Month]]]:
        subjects = {one.id: one for one in self._all_subjects(school)}
        todo: dict[tuple[str, str], set[date]] = {}
        for one in waiting:
            for target in targets_told_by(one.kind, one.subject):
                subject = "recording_room" if one.kind == "room" else one.subject
                todo.setdefault((subject, target), set()).update(self._local_days(one))
        rows: list[DayRow] = []
        changed = set()
        for (name, target), days in todo.items():
            about = subjects.get(name) or _unknown(school, name)
            for first, last in _runs(days):
                rows += self._rows(about, target, first, last, days)
            changed |= {(target, school, name, self.month_on(day)) for day in days}
        return rows, changed

    def _rows(self, subject: Subject, target: str, first: date, last: date, days: Iterable[date]) -> list[DayRow]:
        evidence = self.from_results(subject, target, first, last)
        return [
            DayRow(
                subject.school,
                day_number(day),
                subject.id,
                target,
                self.basis(subject, target, self.month_on(day)),
                _encode(found),
            )
            for day, found in evidence.items()
            if day in days
        ]

    def _witnesses(
        self, subject: Subject, target: str, results: Sequence[AnyResult], start: datetime, end: datetime
    ) -> list[AnyResult]:
        """Results of other kinds that can explain: the ports of the subject; the rooms of a school that had none working."""
        found: list[AnyResult] = []
        for kind in RULES[target].witness_kinds:
            found += self._store.results(subject.school, subject.id, kind, start, end)
        if target == "recording_room":
            rooms = {
                room
                for one in results
                if isinstance(one, RoomResult) and one.record is not None and not one.record.up
                for room in one.record.down
            }
            for room in sorted(rooms):
                found += self._store.results(subject.school, room, "room", start, end)
        return found

    def _local_days(self, one: Unjudged) -> Iterator[date]:
        """The local day, or two, that an hour belongs to."""
        start = _EPOCH + one.hour * HOUR
        yield start.astimezone(self._zone).date()
        yield (start + HOUR - timedelta(microseconds=1)).astimezone(self._zone).date()

    def _all_subjects(self, school: str) -> list[Subject]:
        return self._store.subjects(school, since=_EPOCH)

    def _start_of(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._zone).astimezone(UTC)


EVIDENCE_VERSION = 1
"""Grows when the program reads evidence otherwise: everything is then judged again."""


def required_of(subject: Subject, target: Target | None) -> float | None:
    """The rate a subject is judged by: the policy's. The inventory may set another; an agent may only ask more of itself."""
    policy = target.required_bits_per_second if target else None
    own = subject.required_bits_per_second
    if own is None or policy is None or subject.source == "inventory":
        return own if own is not None else policy
    return max(own, policy)


def _unknown(school: str, name: str) -> Subject:
    """A subject that is in no list: its results are kept with their evidence, should it become known."""
    return Subject(school, "classroom", name, name, None, "announced")


def _months(first: date, last: date, zone: ZoneInfo) -> Iterator[Month]:
    """The months that some days lie in."""
    month = Month(first.year, first.month, zone)
    while month.first_day <= last:
        yield month
        month = month.next()


def _runs(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Days as runs of neighbours, at most a month long: what is read at once is bounded."""
    run: list[date] = []
    for day in sorted(days):
        if run and (day - run[-1] > timedelta(days=1) or len(run) >= 31):
            yield run[0], run[-1]
            run = []
        run.append(day)
    if run:
        yield run[0], run[-1]
