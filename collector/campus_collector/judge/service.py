"""The evidence of days and the verdicts of months, kept up to date with the results in the store.

One lock and one queue. Whoever judges, or counts a month, holds the lock: no reader sees a month that another thread is still judging.
The queue is the store's list of results that are not judged yet. What a month's verdicts add up to is kept in the store beside its evidence.
"""

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from campus_collector.domain.change import Change
from campus_collector.domain.days import day_number, day_of
from campus_collector.domain.evidence import DayRow, Unjudged
from campus_collector.domain.pieces import pieces_of
from campus_collector.domain.schools import Subject
from campus_collector.domain.tallies import KeptTally
from campus_collector.judge.day import NOTHING, DayEvidence, evidence_by_day, runs_of
from campus_collector.judge.lesson_minutes import LessonTime, Quality, qualities_by_minute
from campus_collector.judge.lesson_use import LessonUse, lesson_use
from campus_collector.judge.month import Month, month_of, month_of_day, months_between, start_of_day
from campus_collector.judge.policy import TARGET_NAMES, Lessons, Policy, lessons_of, required_rate
from campus_collector.judge.rules import (
    TARGETS_OF,
    Rule,
    has_trusted_time,
    interruptions_alone,
    planned_at,
    rule_of,
    stream_record,
    targets_changed_by,
)
from campus_collector.judge.tally import SchoolInTown, SchoolTally, ShortVerdicts, school_tally, short_verdicts
from campus_collector.judge.verdict import JudgedSubject, SubjectVerdict, judge_month
from campus_collector.store.errors import ArchiveLost, StoreUnavailable
from campus_collector.store.store import Store
from campus_wire.records import AnyResult, RoomResult
from campus_wire.version import VERSION

LOCK_TIMEOUT_SECONDS = 0.2
"""A reader that has waited once (`catch_up_for_reader`) waits no longer than this for each list of verdicts."""
KEPT_MONTHS = 3
"""So many months' last complete lists are kept in memory, for readers who do not wait for the judge."""
MOST_SINGLE_SUBJECTS = 4
"""Where more subjects of a school were judged, its month is counted from all its days, when it is asked for."""
USE_EVERY_SECONDS = 300
"""Of what recorders tell, the first poll of so long is looked at: a month of one recorder is then at most 9 000 results."""
SCHOOLS_AT_ONCE = 50
"""So many schools are read in one statement: their days of a month are held in memory together."""
EVIDENCE_VERSION = 1
"""Grows when the program reads evidence otherwise: everything is then judged again."""
Progress = Callable[[int, int], None]
"""Called with how many of how many pieces are done."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(DayEvidence).decode
_decode_tally = msgspec.msgpack.Decoder(SchoolTally).decode
_decode_verdicts = msgspec.msgpack.Decoder(ShortVerdicts).decode
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
class _RuleNames:
    """What is remembered of months until the inventory changes: short names of the rules, and each school's lessons ("": of the others)."""

    bases: dict[Month, str] = field(default_factory=dict)
    fingerprints: dict[tuple[str, Month, float | None, Lessons], str] = field(default_factory=dict)
    lessons: dict[Month, dict[str, Lessons]] = field(default_factory=dict)


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
        self._complete: OrderedDict[Month, dict[str, SchoolInTown]] = OrderedDict()
        """The newest complete list of a month, by school: never changed, only replaced."""
        self._status = DataStatus(None, 0)
        self._names = _RuleNames()
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
            waiting = self._judge_queue(progress, until)
            self._status = DataStatus(self._status.as_of if waiting else begun, waiting)
            return self._status

    def catch_up_for_reader(self) -> DataStatus:
        """`catch_up` for a reader, who waits at most `reader_timeout_seconds`."""
        return self.catch_up(seconds=self.reader_timeout_seconds)

    def by_school(self, month: Month) -> dict[str, SchoolInTown]:
        """What each school's verdicts of a month add up to: what a list of schools and a rate need, without a look at each subject.

        While another thread judges for longer than a reader waits: the last complete list; before there was one, what is known now.
        """
        with self.lock_held(self._list_seconds) as held:
            if held:
                status = self.catch_up(seconds=self._list_seconds)
                by_school = self.history([month])[month]
                if status.complete:
                    self._complete[month] = by_school
                    _keep_newest(self._complete, month)
                return by_school
        return self._complete.get(month) or self.history([month])[month]

    def history(self, months: Sequence[Month], school: str | None = None) -> dict[Month, dict[str, SchoolInTown]]:
        """The same of several months, or of one school, by what has been judged: one read of the tallies, where they are kept."""
        if not months:
            return {}
        numbers = {day_number(month.first_day): month for month in months}
        bases = {number: self._basis(month) for number, month in numbers.items()}
        kept: dict[Month, dict[str, SchoolTally]] = {month: {} for month in months}
        for row in self._store.tallies.of_months(list(numbers), None if school is None else [school]):
            if row.basis == bases[row.month]:
                kept[numbers[row.month]][row.school] = _decode_tally(row.tally)
        by_month: dict[Month, dict[str, SchoolInTown]] = {}
        oldest, newest = (self._towns(end(months, key=str), school) for end in (min, max))
        for month, tallies in kept.items():
            # a month has the schools of the later ones, and those removed since
            towns = newest if oldest.keys() == newest.keys() else self._towns(month, school)
            missing = [school_id for school_id in towns if school_id not in tallies]
            tallies |= {school_id: school_tally(of_school) for school_id, of_school in self._count(month, missing)}
            by_month[month] = {school_id: SchoolInTown(town, tallies[school_id]) for school_id, town in towns.items()}
        return by_month

    def short_verdicts(self, month: Month, schools: Sequence[str] | None = None) -> dict[str, ShortVerdicts]:
        """Each subject's verdict of a month, by school, by what has been judged; of all schools, or of some."""
        basis = self._basis(month)
        wanted = list(self._towns(month, None)) if schools is None else schools
        rows = self._store.tallies.with_verdicts(day_number(month.first_day), schools)
        kept = {row.school: _decode_verdicts(row.verdicts) for row in rows if row.basis == basis}
        return kept | dict(self._count(month, [school for school in wanted if school not in kept]))

    def first_wrong_tally(self, school: str) -> Month | None:
        """The first month whose kept tally is not what the evidence of its days says; None when all are."""
        for number in self._store.tallies.months(school):
            month = month_of_day(day_of(number), self.zone)
            for kept in self._store.tallies.with_verdicts(number, [school]):
                if kept.basis == self._basis(month):
                    ((_, verdicts),) = self._from_days(month, {school: ""})
                    counted = short_verdicts(verdicts)
                    if _decode_verdicts(kept.verdicts) != counted or _decode_tally(kept.tally) != school_tally(counted):
                        return month
        return None

    def keep_tallies(self, month: Month, seconds: float) -> int:
        """Count what no tally is kept of, as many schools as can be begun in so many seconds; how many still lack one. Raises StoreUnavailable."""
        until = monotonic() + seconds
        lacking = self._store.tallies.lacking(day_number(month.first_day), self._basis(month))
        for done in range(0, len(lacking), SCHOOLS_AT_ONCE):
            if monotonic() >= until:
                return len(lacking) - done
            for _ in self._count(month, lacking[done : done + SCHOOLS_AT_ONCE]):
                pass
        return 0

    def subjects(self, month: Month, school: str | None = None) -> list[SubjectVerdict]:
        """Every subject's verdict for a month with all it rests on, by target, town, school, subject.

        While another thread judges for longer than a reader waits: of what has been judged, each school before or after it.
        """
        with self.lock_held(self._list_seconds) as held:
            if held:
                self.catch_up(seconds=self._list_seconds)
            towns = self._towns(month, school)
            verdicts = [verdict for _, of_school in self._from_days(month, towns) for verdict in of_school]
        return sorted(verdicts, key=lambda verdict: (verdict.target, verdict.town, verdict.school, verdict.subject))

    @property
    def _list_seconds(self) -> float | None:
        """So long a reader waits for one list of verdicts."""
        return None if self.reader_timeout_seconds is None else min(self.reader_timeout_seconds, LOCK_TIMEOUT_SECONDS)

    def _towns(self, month: Month, school: str | None) -> dict[str, str]:
        """The town of each school of a month, or of one school."""
        return {each.id: each.town for each in self._store.schools.all(month.start) if school in (None, each.id)}

    def _count(self, month: Month, schools: Sequence[str]) -> Iterator[tuple[str, ShortVerdicts]]:
        """From the days of some schools, and keep it: what changes meanwhile has raised the revision, and makes it hold no more."""
        number, basis = day_number(month.first_day), self._basis(month)
        for group in pieces_of(schools, SCHOOLS_AT_ONCE):
            revisions = self._store.tallies.revisions(number, group)  # before anything is read
            counted = {
                school: short_verdicts(verdicts)
                for school, verdicts in self._from_days(month, dict.fromkeys(group, ""))
            }
            with suppress(StoreUnavailable):  # whoever reads need not be able to write
                self._store.tallies.keep(
                    [_kept(school, number, revisions[school], basis, verdicts) for school, verdicts in counted.items()]
                )
            yield from counted.items()

    def _from_days(self, month: Month, towns: Mapping[str, str]) -> Iterator[tuple[str, list[SubjectVerdict]]]:
        """The verdicts of each school, from the evidence of its days; all days of a school are read at once."""
        for schools in pieces_of(list(towns), SCHOOLS_AT_ONCE):
            wanted = self._wanted(month, schools)
            rows = self._rows_of_schools(schools, month)
            for school in schools:
                yield school, self._judge_month(month, towns[school], wanted.get(school, []), rows)

    def _wanted(self, month: Month, schools: Sequence[str]) -> dict[str, list[tuple[Subject, str]]]:
        """Subjects with their targets by school. Also those that were removed since: whoever removes a room does not mend its month."""
        wanted: dict[str, list[tuple[Subject, str]]] = {}
        for subject in self._store.subjects.of_schools(schools, month.start, month.end):
            wanted.setdefault(subject.school, []).extend((subject, target) for target in TARGETS_OF[subject.kind])
        return wanted

    def _judge_month(
        self,
        month: Month,
        town: str,
        pairs: Sequence[tuple[Subject, str]],
        rows: Mapping[tuple[str, str, str], Sequence[DayRow]],
    ) -> list[SubjectVerdict]:
        """From the rows of a month, by school, target and subject."""
        verdicts = []
        for subject, target in pairs:
            required = required_rate(subject, self.policy.in_force(target, month.first_day))
            about = JudgedSubject(target, town, subject.school, subject.id, required, subject.exempt_reason)
            of_subject = rows.get((subject.school, target, subject.id), [])
            days = self.evidence_from_rows(subject, target, month, of_subject)
            verdicts.append(judge_month(about, days, month, self.policy))
        return verdicts

    def _rows_of_schools(self, schools: Sequence[str], month: Month) -> dict[tuple[str, str, str], list[DayRow]]:
        first, last = day_number(month.first_day), day_number(month.last_day)
        return _by_subject(self._store.evidence.of_schools(schools, first, last))

    def _rows_of_subjects(self, keys: Iterable[tuple[str, str, str]], month: Month) -> list[DayRow]:
        """By school, subject and target."""
        first, last = day_number(month.first_day), day_number(month.last_day)
        return self._store.evidence.of_subjects(sorted(keys), first, last)

    def _basis(self, month: Month) -> str:
        """A short name of all that a month's verdicts depend on beside evidence and subjects; each version of the program counts anew."""
        policy, names = self.policy, self._names
        if (basis := names.bases.get(month)) is None:
            rules = [policy.in_force(target, month.first_day) for target in TARGET_NAMES]
            exemptions = [
                each for each in policy.exemptions if each.first <= month.last_day and each.last >= month.first_day
            ]
            text = (
                f"{rules}{exemptions}{policy.tolerance_ratio}{policy.school_hours}{policy.maintenance}{month.zone.key}"
                f"{EVIDENCE_VERSION}{VERSION}"
            )
            if minutes := [rule.minutes for rule in rules if rule is not None and rule.minutes is not None]:
                text += f"{minutes}{sorted(self._lessons_by_school(month).items())}"
            basis = names.bases[month] = sha256(text.encode()).hexdigest()[:12]
        return basis

    def lessons(self, school: str, month: Month) -> Lessons:
        """A school's lessons by its timetable, as it is in force at the end of the month; () where there is none: school hours are then taken."""
        by_school = self._lessons_by_school(month)
        return by_school.get(school, by_school.get("", ()))

    def lesson_use(self, school: str, devices: Iterable[str], first: date, last: date, now: datetime) -> LessonUse:
        """How a school's recording rooms were used in the lessons of these days of one month, by what these devices told. Raises StoreUnavailable."""
        hours = self.lessons(school, month_of_day(first, self.zone)) or self.policy.school_hours
        when = LessonTime(hours, self.zone, planned_at(self.policy, "recording_room", school), self.policy.is_workday)
        start, end = start_of_day(first, self.zone), start_of_day(last + timedelta(days=1), self.zone)
        results = [
            result
            for device in sorted(devices)
            for result in self._store.results.sampled(school, device, "device", start, end, USE_EVERY_SECONDS)
        ]
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        return lesson_use(results, when, days, now)

    def minutes_of(self, school: str, day: date, start: int, end: int) -> list[Quality | None]:
        """The minutes of a day from `start` to `end` (since midnight) by the lesson stream; None where none was reported. Raises StoreUnavailable."""
        midnight = start_of_day(day, self.zone)
        # a record may have begun before the lesson, and an interruption may end long after it
        begin, until = midnight + timedelta(minutes=start - 10), midnight + timedelta(days=1)
        results = [
            result
            for kind in ("lesson_stream", "interruption")
            for result in self._store.results.of_subject(school, "uplink", kind, begin, until)
        ]
        records = {result.id: record for result in results if (record := stream_record(result)) is not None}
        limits = self.policy.minute_limits(day)
        qualities = qualities_by_minute(records, interruptions_alone(results), limits)
        return [qualities.get(midnight + timedelta(minutes=minute)) for minute in range(start, end)]

    def _lessons_by_school(self, month: Month) -> dict[str, Lessons]:
        names = self._names  # of the inventory as it is before it is read: what changes meanwhile makes new ones
        if (by_school := names.lessons.get(month)) is None:
            by_school = names.lessons[month] = {
                row.school: lessons_of(row.periods) for row in self._store.inventory.timetables(month.end)
            }
        return by_school

    def _note(self, change: Change) -> None:
        """From the store's writer thread, which waits for no lock. A new inventory changes who is judged, by what and in which town; an
        agent's announcement, in its school; `judged` are schools that some process judged."""
        schools = change.announced | change.judged
        if change.inventory:
            self._names = _RuleNames()
        if change.inventory or schools:
            self._tell(None if change.inventory else schools)

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
        evidence: dict[date, DayEvidence] = {}
        for month in months_between(first, last, self.zone):
            rule = self.policy.in_force(target, month.first_day)
            if rule is not None:
                start = start_of_day(max(first, month.first_day), self.zone)
                end = start_of_day(min(last, month.last_day) + timedelta(days=1), self.zone)
                reading = rule_of(target, rule)
                results = read(subject.id, reading.result_kind, start, end)
                supporting = _supporting_results(subject, target, reading, results, start, end, read)
                lessons = self.lessons(subject.school, month) if rule.minutes is not None else ()
                required = required_rate(subject, rule)
                evidence |= evidence_by_day(results, supporting, rule, self.policy, self.zone, required, lessons)
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
            month = month_of_day(day_of(day), self.zone)
            trusted = any(
                has_trusted_time(result)
                for school, subject, target in self._store.evidence.on_day(day)
                for kind in self._rule_of(target, month).kinds
                for result in self._store.results.of_subject(school, subject, kind, start, end)
            )
            if not trusted:
                return False
            self._trusted_days.add(day)
        return True

    def _rule_of(self, target: str, month: Month) -> Rule:
        return rule_of(target, self.policy.in_force(target, month.first_day))

    def _rule_fingerprint(self, subject: Subject, target: str, month: Month) -> str:
        """A short name of all that evidence depends on beside results. Stored with each day: the names and fields of the policy's classes
        are part of it, and whoever renames one has everything judged again."""
        rule, names = self.policy.in_force(target, month.first_day), self._names
        required = required_rate(subject, rule)
        by_minutes = rule is not None and rule.minutes is not None
        lessons = self.lessons(subject.school, month) if by_minutes else ()
        key = (target, month, required, lessons)
        if (fingerprint := names.fingerprints.get(key)) is None:
            policy = self.policy
            text = (
                f"{rule}{policy.tolerance_ratio}{policy.school_hours}{policy.maintenance}{required}{EVIDENCE_VERSION}"
            )
            if rule is not None and by_minutes:
                text += f"{rule.minutes}{lessons}"
            fingerprint = names.fingerprints[key] = sha256(text.encode()).hexdigest()[:12]
        return fingerprint

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
                except ArchiveLost as error:  # nothing is concluded without the results that are in it
                    failed += 1
                    log.error("results wait for an archive", extra={"school": school, "why": str(error)})
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
            if self._store.evidence.keep(school, rows, waiting, self._renewed(school, rows)):
                return

    def _renewed(self, school: str, rows: Sequence[DayRow]) -> list[KeptTally]:
        """A school's tallies, where they hold and few subjects were judged, with these days; the others are counted when they are asked for."""
        by_month: dict[Month, list[DayRow]] = {}
        for row in rows:
            by_month.setdefault(month_of_day(day_of(row.day), self.zone), []).append(row)
        renewed = []
        for month, judged in by_month.items():
            keys = {(school, row.subject, row.target) for row in judged}
            number, basis = day_number(month.first_day), self._basis(month)
            if len({subject for _, subject, _ in keys}) > MOST_SINGLE_SUBJECTS:
                continue
            for kept in self._store.tallies.with_verdicts(number, [school]):
                if kept.basis == basis:
                    verdicts = self._with_days(month, school, _decode_verdicts(kept.verdicts), judged)
                    renewed.append(_kept(school, number, kept.rests_on + 1, basis, verdicts))
        return renewed

    def _with_days(self, month: Month, school: str, verdicts: ShortVerdicts, judged: Sequence[DayRow]) -> ShortVerdicts:
        """The same verdicts, those of the judged subjects with these days in place of what is stored of them."""
        keys = {(school, row.subject, row.target) for row in judged}
        days = {(row.subject, row.target, row.day): row for row in self._rows_of_subjects(keys, month)}
        days |= {(row.subject, row.target, row.day): row for row in judged}
        pairs = [
            (subject, target)
            for subject, target in self._wanted(month, [school]).get(school, [])
            if (school, subject.id, target) in keys
        ]
        changed = short_verdicts(self._judge_month(month, "", pairs, _by_subject(days.values())))
        return verdicts | {target: verdicts.get(target, {}) | of_target for target, of_target in changed.items()}

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
        """The evidence of these days, judged anew. A day whose results the rule in force does not read has a row all the same: that a later
        rule, which reads them, judges it again."""
        evidence: dict[date, DayEvidence] = {}
        for first, last in runs_of(days):
            evidence |= self.evidence_from_results(subject, target, first, last, read)
        return [
            DayRow(
                subject.school,
                day_number(day),
                subject.id,
                target,
                self._rule_fingerprint(subject, target, month_of_day(day, self.zone)),
                _encode(evidence.get(day, NOTHING)),
            )
            for day in sorted(days)
            if day in evidence or self.policy.in_force(target, day.replace(day=1)) is not None
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


def _kept(school: str, month: int, rests_on: int, basis: str, verdicts: ShortVerdicts) -> KeptTally:
    return KeptTally(school, month, rests_on, basis, _encode(school_tally(verdicts)), _encode(verdicts))


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
    subject: Subject,
    target: str,
    rule: Rule,
    results: Sequence[AnyResult],
    start: datetime,
    end: datetime,
    read: _ReadResults,
) -> list[AnyResult]:
    """Results that are not judged, and can explain: the ports of the subject; the rooms of a school that had none working."""
    supporting: list[AnyResult] = []
    for kind in rule.supporting_kinds:
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
