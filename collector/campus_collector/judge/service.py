"""The evidence of days and the verdicts of months, kept up to date with the results in the store.

One lock and one queue. Whoever judges, or puts a month together, holds the lock: no reader sees a month that another thread is still
judging. The queue is the store's list of results that are not judged yet; what a commit changed otherwise waits in `_changes` until the
lock's next holder takes it out.
"""

import logging
import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from campus_collector.domain.change import Change
from campus_collector.domain.days import day_number, day_of
from campus_collector.domain.evidence import DayRow, Unjudged
from campus_collector.domain.pieces import pieces_of
from campus_collector.domain.schools import Subject
from campus_collector.judge.agreement import Agreement, total
from campus_collector.judge.day import DayEvidence, evidence_by_day, runs_of
from campus_collector.judge.month import Month, month_of, month_of_day, months_between, start_of_day
from campus_collector.judge.policy import Policy, required_rate
from campus_collector.judge.rules import RULES, TARGETS_OF, has_trusted_time, targets_changed_by
from campus_collector.judge.verdict import (
    AreaVerdict,
    JudgedSubject,
    SchoolVerdicts,
    SubjectVerdict,
    Tally,
    agreement_by_segment,
    areas_of,
    judge_month,
    school_verdicts,
)
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.store import Store
from campus_wire.records import AnyResult, RoomResult, Segment

LOCK_TIMEOUT_SECONDS = 0.2
"""A reader that has waited once (`catch_up_for_reader`) waits no longer than this for each list of verdicts."""
KEPT_MONTHS = 3
"""So many months' verdicts are kept in memory; others are put together from their days when asked for."""
MOST_SINGLE_SUBJECTS = 4
"""Of a school that misses more verdicts all days are read."""
SCHOOLS_AT_ONCE = 50
"""So many schools are read in one statement: their days of a month are held in memory together."""
SUBJECTS_AT_ONCE = 100
EVIDENCE_VERSION = 1
"""Grows when the program reads evidence otherwise: everything is then judged again."""
Progress = Callable[[int, int], None]
"""Called with how many of how many pieces are done."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(DayEvidence).decode
_Key = tuple[str, str]
"""Target and subject."""
_ReadResults = Callable[[str, str, datetime, datetime], list[AnyResult]]
"""A school's results of a subject and kind from one moment to another."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DataStatus:
    """How current the verdicts are: everything that had come until `as_of` is in them; None as long as nothing was ever complete.

    `waiting_schools` have results that are not judged yet: until they are, figures may change.
    """

    as_of: datetime | None
    waiting_schools: int

    @property
    def complete(self) -> bool:
        return self.waiting_schools == 0


@dataclass(slots=True)
class _SchoolMonth:
    """What is kept of one school's month: its subjects with their targets, and the verdicts that are put together."""

    town: str
    wanted: list[tuple[Subject, str]]
    verdicts: dict[_Key, SubjectVerdict] = field(default_factory=dict)
    _counted: SchoolVerdicts | None = None

    def forget(self, target: str, subject: str) -> None:
        self.verdicts.pop((target, subject), None)
        self._counted = None

    def missing(self) -> list[tuple[Subject, str]]:
        if self._counted is not None:
            return []
        return [(subject, target) for subject, target in self.wanted if (target, subject.id) not in self.verdicts]

    def counted(self) -> SchoolVerdicts:
        """When nothing is missing."""
        if self._counted is None:
            self._counted = school_verdicts([self.verdicts[target, subject.id] for subject, target in self.wanted])
        return self._counted


class Verdicts:
    """Evidence and verdicts by policy. Every method may be called from any thread."""

    def __init__(self, store: Store, policy: Policy, zone: ZoneInfo) -> None:
        """Subscribes to the store's changes; judges nothing yet."""
        self._store = store
        self.policy = policy
        self.zone = zone
        self.reader_timeout_seconds: float | None = None
        """So long a reader waits for what is being judged; None: until it is. The server sets it: a page then says that it is not complete."""
        self._lock = threading.RLock()
        self._changes: SimpleQueue[Change] = SimpleQueue()
        self._cache: OrderedDict[Month, dict[str, _SchoolMonth]] = OrderedDict()
        self._complete: OrderedDict[Month, dict[str, SchoolVerdicts]] = OrderedDict()
        """The newest complete list of a month, by school: never changed, only replaced."""
        self._status = DataStatus(None, 0)
        self._inventory = store.inventory.version()
        self._fingerprints: dict[tuple[str, Month, float | None], str] = {}
        self._trusted_days: set[int] = set()
        self._first_share = secrets.randbelow(1 << 30)
        """Where in the queue this process begins: processes on one database that begin apart seldom judge the same school at once."""
        self._listeners: list[Callable[[frozenset[str] | None], None]] = []
        store.subscribe(self._note)

    def this_month(self) -> Month:
        return month_of(datetime.now(UTC), self.zone)

    def subscribe(self, listener: Callable[[frozenset[str] | None], None]) -> None:
        """Call the listener with the schools in which a verdict may have changed (None: any), from whatever thread noticed it."""
        self._listeners.append(listener)

    @contextmanager
    def lock_held(self, seconds: float | None = None) -> Iterator[bool]:
        """Hold the lock, waited for so long (None: for ever). False: another thread has it, and goes on judging."""
        held = self._lock.acquire(timeout=-1 if seconds is None else seconds)
        try:
            yield held
        finally:
            if held:
                self._lock.release()

    # Verdicts

    def catch_up(self, progress: Progress | None = None, seconds: float | None = None) -> DataStatus:
        """Judge what has arrived, whichever process stored it; with `seconds`, only the schools that can be begun in that time.

        Without, everything that had come when it was called is judged when it returns. Raises StoreUnavailable.
        """
        until = None if seconds is None else monotonic() + seconds
        with self.lock_held(seconds) as held:
            if not held:
                # the last school may be off the list already, and its old verdicts still in memory
                waiting = len(self._store.evidence.schools_unjudged()) or 1
                return DataStatus(self._status.as_of, waiting)
            begun = datetime.now(UTC)
            self._store.follow()
            self._note_inventory()
            self._forget_changes()
            waiting = self._judge_queue(progress, until)
            self._status = DataStatus(self._status.as_of if waiting else begun, waiting)
            return self._status

    def catch_up_for_reader(self) -> DataStatus:
        """`catch_up` for a reader, who waits at most `reader_timeout_seconds`."""
        return self.catch_up(seconds=self.reader_timeout_seconds)

    def subjects(self, month: Month, school: str | None = None) -> list[SubjectVerdict]:
        """Every subject's verdict for a month, by target, town, school, subject.

        While another thread judges for longer than a reader waits: the last complete list; before there was one, what is kept now.
        """
        by_school = self._for_reader(month, school)
        wanted = by_school.values() if school is None else [by_school[school]] if school in by_school else []
        verdicts = [verdict for of_school in wanted for verdict in of_school.verdicts]
        return sorted(verdicts, key=lambda verdict: (verdict.target, verdict.town, verdict.school, verdict.subject))

    def by_school(self, month: Month) -> Mapping[str, SchoolVerdicts]:
        """The same by school, counted: what a list of schools needs, without a look at each subject."""
        return self._for_reader(month, None)

    def of_school(self, month: Month, school: str, town: str) -> list[SubjectVerdict]:
        """One school's verdicts by what has been judged so far; only what changed is put together again."""
        with self._lock:
            return list(self._put_together(month, {school: town})[school].verdicts)

    def areas(self, month: Month) -> list[AreaVerdict]:
        """Every target in the county ("") and in each town."""
        tally: Tally = Counter()
        for of_school in self.by_school(month).values():
            tally.update(of_school.tally)
        return areas_of(tally)

    def agreement(self, month: Month) -> dict[Segment, Agreement]:
        """Quick tests against references, by segment, all schools together."""
        parts = [of_school.agreements for of_school in self.by_school(month).values()]
        segments = agreement_by_segment(())
        return {segment: total(part[segment] for part in parts) for segment in segments}

    def _for_reader(self, month: Month, school: str | None) -> dict[str, SchoolVerdicts]:
        timeout = self.reader_timeout_seconds
        seconds = None if timeout is None else min(timeout, LOCK_TIMEOUT_SECONDS)
        with self.lock_held(seconds) as held:
            if held:
                status = self.catch_up(seconds=seconds)
                by_school = self._put_together(month, self._towns(month, school))
                if school is None and status.complete:
                    self._complete[month] = by_school
                    _keep_newest(self._complete, month)
                return by_school
        # waits for nobody: all days of a school are read at once, so that no half of its evidence is seen
        return self._complete.get(month) or self._fill({}, month, self._towns(month, school), at_once=True)

    def _towns(self, month: Month, school: str | None) -> dict[str, str]:
        """The town of each school of a month, or of one school."""
        return {each.id: each.town for each in self._store.schools.all(month.start) if school in (None, each.id)}

    def _put_together(self, month: Month, towns: Mapping[str, str]) -> dict[str, SchoolVerdicts]:
        """By the holder of the lock: the verdicts of these schools, from the cache where nothing changed."""
        self._forget_changes()  # before anything is read: what changes from now on is forgotten next time
        cached = self._cache.setdefault(month, {})
        _keep_newest(self._cache, month)
        return self._fill(cached, month, towns)

    def _fill(
        self, cached: dict[str, _SchoolMonth], month: Month, towns: Mapping[str, str], *, at_once: bool = False
    ) -> dict[str, SchoolVerdicts]:
        """Add what `cached` lacks; many schools are read in one statement. `at_once`: all days of a school, however little is missing."""
        unlisted = [school for school, town in towns.items() if school not in cached or cached[school].town != town]
        for schools in pieces_of(unlisted, SCHOOLS_AT_ONCE):
            pairs = self._wanted(month, schools)
            cached |= {school: _SchoolMonth(towns[school], pairs.get(school, [])) for school in schools}
        few: list[tuple[Subject, str]] = []
        many: list[str] = []
        for school in towns:
            missing = cached[school].missing()
            if at_once or len(missing) > MOST_SINGLE_SUBJECTS:
                many.append(school)
            else:
                few += missing
        for schools in pieces_of(many, SCHOOLS_AT_ONCE):
            rows = self._rows_of_schools(schools, month)
            for school in schools:
                self._judge_month(cached[school], month, cached[school].missing(), rows)
        for pairs_read in pieces_of(few, SUBJECTS_AT_ONCE):
            rows = self._rows_of_subjects(pairs_read, month)
            for subject, target in pairs_read:
                self._judge_month(cached[subject.school], month, [(subject, target)], rows)
        return {school: cached[school].counted() for school in towns}

    def _wanted(self, month: Month, schools: Sequence[str]) -> dict[str, list[tuple[Subject, str]]]:
        """Subjects with their targets by school. Also those that were removed since: whoever removes a room does not mend its month."""
        wanted: dict[str, list[tuple[Subject, str]]] = {}
        for subject in self._store.subjects.of_schools(schools, month.start, month.end):
            wanted.setdefault(subject.school, []).extend((subject, target) for target in TARGETS_OF[subject.kind])
        return wanted

    def _judge_month(
        self,
        of_school: _SchoolMonth,
        month: Month,
        pairs: Sequence[tuple[Subject, str]],
        rows: Mapping[tuple[str, str, str], list[DayRow]],
    ) -> None:
        """From the rows of a month, by school, target and subject."""
        for subject, target in pairs:
            required = required_rate(subject, self.policy.in_force(target, month.first_day))
            about = JudgedSubject(target, of_school.town, subject.school, subject.id, required, subject.exempt_reason)
            of_subject = rows.get((subject.school, target, subject.id), [])
            days = self.evidence_from_rows(subject, target, month, of_subject)
            of_school.verdicts[target, subject.id] = judge_month(about, days, month, self.policy)

    def _rows_of_schools(self, schools: Sequence[str], month: Month) -> dict[tuple[str, str, str], list[DayRow]]:
        first, last = day_number(month.first_day), day_number(month.last_day)
        return _by_subject(self._store.evidence.of_schools(schools, first, last))

    def _rows_of_subjects(
        self, pairs: Sequence[tuple[Subject, str]], month: Month
    ) -> dict[tuple[str, str, str], list[DayRow]]:
        first, last = day_number(month.first_day), day_number(month.last_day)
        keys = [(subject.school, subject.id, target) for subject, target in pairs]
        return _by_subject(self._store.evidence.of_subjects(keys, first, last))

    def _note(self, change: Change) -> None:
        """From the store's writer thread, which waits for no lock. A new inventory changes who is judged, by what and in which town; an
        agent's announcement, in its school; `judged` are schools that some process judged."""
        schools = change.announced | change.judged
        if change.inventory or schools:
            self._changes.put(change)
            self._tell(None if change.inventory else schools)

    def _note_inventory(self) -> None:
        """A database that an older program opens at the same time numbers no changes: its imports are seen by their version."""
        version = self._store.inventory.version()
        if version != self._inventory:
            self._inventory = version
            self._note(Change(inventory=True))

    def _forget_changes(self) -> None:
        """By the holder of the lock: take out of the cache what changes since last time have made wrong."""
        while True:
            try:
                change = self._changes.get_nowait()
            except Empty:
                return
            if change.inventory:
                self._cache.clear()
            for schools in self._cache.values():
                for school in change.announced | change.judged:
                    schools.pop(school, None)

    def _tell(self, schools: frozenset[str] | None) -> None:
        for listener in self._listeners:
            listener(schools)

    # Evidence

    def evidence(self, subject: Subject, target: str, month: Month) -> dict[date, DayEvidence]:
        first, last = day_number(month.first_day), day_number(month.last_day)
        rows = self._store.evidence.of_subjects([(subject.school, subject.id, target)], first, last)
        return self.evidence_from_rows(subject, target, month, rows)

    def evidence_rows(self, school: str, first: date, last: date) -> dict[_Key, list[DayRow]]:
        """A school's evidence by (target, subject), for `evidence_from_rows`."""
        rows: dict[_Key, list[DayRow]] = {}
        for row in self._store.evidence.days(school, day_number(first), day_number(last)):
            rows.setdefault((row.target, row.subject), []).append(row)
        return rows

    def evidence_from_rows(
        self, subject: Subject, target: str, month: Month, rows: Sequence[DayRow]
    ) -> dict[date, DayEvidence]:
        """Evidence from its rows; what was judged by another rule is judged again, and kept."""
        fingerprint = self._rule_fingerprint(subject, target, month)
        stale = {day_of(row.day) for row in rows if row.rule_fingerprint != fingerprint}
        evidence = {day_of(row.day): _decode(row.body) for row in rows if row.rule_fingerprint == fingerprint}
        if stale:
            fresh = self._rows(subject, target, stale, self.reader_of(subject.school))
            if fresh:
                self._store.evidence.replace(subject.school, fresh)
            evidence |= {day_of(row.day): _decode(row.body) for row in fresh}
        return evidence

    def evidence_from_results(
        self, subject: Subject, target: str, first: date, last: date, read: _ReadResults | None = None
    ) -> dict[date, DayEvidence]:
        """The evidence of some days, worked out from the results themselves; one month's days, or more."""
        read = read or self.reader_of(subject.school)
        start, end = start_of_day(first, self.zone), start_of_day(last + timedelta(days=1), self.zone)
        results = read(subject.id, RULES[target].result_kind, start, end)
        supporting = _supporting_results(subject, target, results, start, end, read)
        evidence: dict[date, DayEvidence] = {}
        for month in months_between(first, last, self.zone):
            rule = self.policy.in_force(target, month.first_day)
            if rule is not None:
                begin, end_of_month = month.start, month.end
                of_month, supporting_month = (
                    [result for result in group if begin <= result.started_at < end_of_month]
                    for group in (results, supporting)
                )
                required = required_rate(subject, rule)
                evidence |= evidence_by_day(of_month, supporting_month, rule, self.policy, self.zone, required)
        return evidence

    def first_trusted_day(self, since: date | None = None) -> date | None:
        """The first day, from `since` on, that has a result of a trusted clock: an unreliable time begins nothing. None of none."""
        day = self._store.evidence.first_day(day_number(since) if since is not None else 0)
        while day is not None and not self._is_trusted(day):
            day = self._store.evidence.first_day(day + 1)
        return None if day is None else day_of(day)

    def _is_trusted(self, day: int) -> bool:
        """Has this day a result of a trusted clock? Only a yes is kept: trusted results may come later, and another process may store them."""
        if day not in self._trusted_days:
            start, end = (start_of_day(day_of(number), self.zone) for number in (day, day + 1))
            trusted = any(
                has_trusted_time(result)
                for school, subject, target in self._store.evidence.on_day(day)
                for kind in (RULES[target].result_kind, *RULES[target].supporting_kinds)
                for result in self._store.results.of_subject(school, subject, kind, start, end)
            )
            if not trusted:
                return False
            self._trusted_days.add(day)
        return True

    def _rule_fingerprint(self, subject: Subject, target: str, month: Month) -> str:
        """A short name of all that evidence depends on beside results. Stored with each day: the names and fields of the policy's classes
        are part of it, and whoever renames one has everything judged again."""
        rule = self.policy.in_force(target, month.first_day)
        required = required_rate(subject, rule)
        key = (target, month, required)
        if key not in self._fingerprints:
            policy = self.policy
            text = (
                f"{rule}{policy.tolerance_ratio}{policy.school_hours}{policy.maintenance}{required}{EVIDENCE_VERSION}"
            )
            self._fingerprints[key] = sha256(text.encode()).hexdigest()[:12]
        return self._fingerprints[key]

    def _judge_queue(self, progress: Progress | None, until: float | None) -> int:
        """How many schools still wait. What waits is read from the database each time: another process may have stored or judged something."""
        waiting = self._store.evidence.schools_unjudged()
        first = self._first_share % (len(waiting) or 1)
        schools = waiting[first:] + waiting[:first]
        failed = 0
        judged: set[str] = set()
        try:
            for done, school in enumerate(schools):
                if until is not None and monotonic() >= until:
                    return len(schools) - done + failed
                if progress is not None:
                    progress(done, len(schools))
                try:
                    self._judge_school(school)
                    judged.add(school)
                except StoreUnavailable:
                    raise
                except Exception:  # its results wait; those of the other schools do not
                    failed += 1
                    log.exception("a school's results are not judged; it is tried again", extra={"school": school})
        finally:
            if judged:
                self._tell(frozenset(judged))
        if progress is not None and schools:
            progress(len(schools), len(schools))
        return failed

    def _judge_school(self, school: str) -> None:
        """Once more when another process judged some of it meanwhile."""
        while waiting := self._store.evidence.unjudged(school):
            rows = self._judge_hours(school, waiting)
            stored = self._store.evidence.keep(school, rows, waiting)
            for row in rows:
                of_school = self._cache.get(month_of_day(day_of(row.day), self.zone), {}).get(school)
                if of_school is not None:
                    of_school.forget(row.target, row.subject)
            if stored:
                return

    def _judge_hours(self, school: str, waiting: Sequence[Unjudged]) -> list[DayRow]:
        """The days of these hours, judged again; each of a subject's results is read once, however many targets it serves."""
        subjects = {subject.id: subject for subject in self._store.subjects.all(school, since=_EPOCH)}
        days_of: dict[str, dict[str, set[date]]] = {}
        local_days = cache(self._local_days)
        for hour in waiting:
            for target in targets_changed_by(hour.kind, hour.subject):
                subject_id = "recording_room" if hour.kind == "room" else hour.subject
                days_of.setdefault(subject_id, {}).setdefault(target, set()).update(local_days(hour.hour))
        rows: list[DayRow] = []
        for subject_id, by_target in days_of.items():
            # one that is in no list: its results are kept with their evidence, should it become known
            unlisted = Subject(school, "classroom", subject_id, subject_id, None, "announced")
            read = self.reader_of(school)
            for target, days in by_target.items():
                rows += self._rows(subjects.get(subject_id, unlisted), target, days, read)
        return rows

    def _rows(self, subject: Subject, target: str, days: set[date], read: _ReadResults) -> list[DayRow]:
        """The evidence of these days, judged anew."""
        return [
            DayRow(
                subject.school,
                day_number(day),
                subject.id,
                target,
                self._rule_fingerprint(subject, target, month_of_day(day, self.zone)),
                _encode(evidence),
            )
            for first, last in runs_of(days)
            for day, evidence in self.evidence_from_results(subject, target, first, last, read).items()
            if day in days
        ]

    def reader_of(self, school: str) -> _ReadResults:
        """Reads a school's results, each once: it remembers them as long as it is kept."""

        @cache
        def read(subject: str, kind: str, start: datetime, end: datetime) -> list[AnyResult]:
            return list(self._store.results.of_subject(school, subject, kind, start, end))

        return read

    def _local_days(self, hour: int) -> set[date]:
        """The local day, or two, that an hour (since 1970) belongs to."""
        start = _EPOCH + hour * _HOUR
        return {moment.astimezone(self.zone).date() for moment in (start, start + _HOUR - timedelta(microseconds=1))}


def _by_subject(rows: Iterable[DayRow]) -> dict[tuple[str, str, str], list[DayRow]]:
    """By school, target and subject."""
    grouped: dict[tuple[str, str, str], list[DayRow]] = {}
    for row in rows:
        grouped.setdefault((row.school, row.target, row.subject), []).append(row)
    return grouped


def _keep_newest(months: OrderedDict[Month, Any], newest: Month) -> None:
    months.move_to_end(newest)
    while len(months) > KEPT_MONTHS:
        months.popitem(last=False)


def _supporting_results(
    subject: Subject, target: str, results: Sequence[AnyResult], start: datetime, end: datetime, read: _ReadResults
) -> list[AnyResult]:
    """Results that are not judged, and can explain: the ports of the subject; the rooms of a school that had none working."""
    supporting: list[AnyResult] = []
    for kind in RULES[target].supporting_kinds:
        supporting += read(subject.id, kind, start, end)
    if target == "recording_room":
        rooms = {
            room
            for result in results
            if isinstance(result, RoomResult) and result.record is not None and not result.record.up
            for room in result.record.down
        }
        for room in sorted(rooms):
            supporting += read(room, "room", start, end)
    return supporting
