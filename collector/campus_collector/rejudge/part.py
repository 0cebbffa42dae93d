"""One file of an archive, a town's month, judged by the policy of the archive and by another one. Needs the archive's files and nothing else.

What a worker is given and what it answers travels as bytes, so that processes and a cluster do exactly the same.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from hashlib import file_digest
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from campus_base.messages import Message, message
from campus_base.system_errors import error_words
from campus_collector.domain.days import EPOCH
from campus_collector.domain.schools import School, Subject
from campus_collector.judge.month import Month, parse_month
from campus_collector.judge.policy import Policy, lessons_of, read_policy
from campus_collector.judge.rules import BY_LESSON_MINUTES, RULES, TARGETS_OF
from campus_collector.judge.two_policies import decide_by
from campus_collector.judge.verdict import Decision
from campus_collector.store.archive.errors import ArchiveDamaged, DuckdbMissing
from campus_collector.store.archive.format import CONTEXT, Context, results_file
from campus_collector.store.archive.read import ArchivedMonth
from campus_collector.store.stored import decode_stored
from campus_wire.bandwidth import Verdict
from campus_wire.records import AnyResult
from campus_wire.version import VERSION

_MINUTE = timedelta(minutes=1)
_MINUTE_MICROS = 60_000_000
_JUDGED = (
    "kind IN ('interruption', 'lesson_stream', 'throughput', 'service') OR kind = 'room' AND subject = 'recording_room'"
)
"""The results that a rule reads; those of single rooms, ports and gateways explain, and change no verdict."""


class Part(msgspec.Struct, frozen=True):
    """A town's month in the archive `folder`; `policy` is the text of the other policy, "" without one. Only the same `program` answers."""

    folder: str
    month: str
    town: str
    policy: str
    program: str = VERSION


class ChangedSubject(msgspec.Struct, frozen=True):
    """A subject whose verdict differs, with what was counted by either policy."""

    target: str
    school: str
    subject: str
    name: str
    archived: Verdict
    other: Verdict
    archived_passing: int
    archived_valid: int
    other_passing: int
    other_valid: int


_Key = tuple[str, str, str]
"""Target, school and subject of a verdict; school, kind and id of a subject."""
Counts = dict[str, dict[Verdict, int]]
"""Subjects by target and verdict."""


class SchoolOutcome(msgspec.Struct, frozen=True):
    """A school's subjects by the policy of the archive and by the other one."""

    school: str
    name: str
    archived: Counts
    other: Counts


class Unequal(msgspec.Struct, frozen=True):
    """A verdict that the policy of the archive does not give as it was published; "" where there is none."""

    month: str
    target: str
    school: str
    subject: str
    published: str
    judged: str


class PartOutcome(msgspec.Struct, frozen=True, tag="outcome"):
    """What judging a part gave. `compared` published verdicts were looked at, of which `unequal` differ."""

    month: str
    town: str
    town_name: str
    schools: list[SchoolOutcome]
    changed: list[ChangedSubject]
    results: int
    compared: int
    unequal: int
    first_unequal: Unequal | None


class PartFailure(msgspec.Struct, frozen=True, tag="failure"):
    """Why a part was not judged."""

    words: Message


encode_part = msgspec.msgpack.Encoder().encode
decode_answer = msgspec.msgpack.Decoder(PartOutcome | PartFailure).decode
_decode_part = msgspec.msgpack.Decoder(Part).decode


def judge_part(wanted: bytes) -> bytes:
    """A `Part` to its `PartOutcome`, or a `PartFailure`: for another version's part, and where the archive cannot be read."""
    part = _decode_part(wanted)
    answer: PartOutcome | PartFailure
    if part.program != VERSION:
        answer = PartFailure(other_program(VERSION, part.program))
    else:
        try:
            answer = _outcome(part)
        except (ArchiveDamaged, DuckdbMissing) as error:
            answer = PartFailure(error.text)
    return msgspec.msgpack.encode(answer)


def other_program(worker: str, program: str) -> Message:
    """A worker's version is not that of the program that asks it."""
    return message(
        "a worker has version {worker} of the program, this is version {program}: both must be the same",
        worker=worker,
        program=program,
    )


def context_of(archive: ArchivedMonth) -> Context:
    """What judging needs beside results, of a file that is as the manifest says. Raises ArchiveDamaged."""
    _check_file(archive, CONTEXT)
    return archive.context


def policies_of(context: Context, policy: str) -> list[Policy]:
    """The archive's policy and, where there is its text, another one, both with the workdays that were in force then."""
    workdays = frozenset(map(date.fromisoformat, context.workdays))
    texts = [context.policy, policy] if policy else [context.policy]
    return [replace(read_policy(text), workdays=workdays) for text in texts]


def _outcome(part: Part) -> PartOutcome:
    archive = ArchivedMonth(Path(part.folder))
    context = context_of(archive)
    month = parse_month(part.month, ZoneInfo(context.timezone))
    schools = {school.id: school for school in context.schools if school.town == part.town}
    subjects = [subject for subject in context.subjects if subject.school in schools]
    judge = _Judge(part, month, policies_of(context, part.policy), schools, context.timetables)
    judged: set[_Key] = set()
    if results_file(part.town) in archive.manifest.files:
        _check_file(archive, results_file(part.town))
        judged = _judge_results(judge, archive, part.town, subjects)
    for subject in subjects:
        if _key(subject) not in judged:
            judge.add(subject, [])
    published = {
        (target, school, subject): verdict
        for target, school, subject, verdict in context.published
        if school in schools
    }
    return judge.outcome(published)


def _judge_results(judge: "_Judge", archive: ArchivedMonth, town: str, subjects: Sequence[Subject]) -> set[_Key]:
    """Judge the subjects that have results; which those are. Raises ArchiveDamaged."""
    of_series: dict[_Key, list[Subject]] = {}
    for subject in subjects:
        for series in _series(subject):
            of_series.setdefault(series, []).append(subject)
    schools: set[str] = set()
    seen: set[_Key] = set()
    judged: set[_Key] = set()
    for school, of_school in groupby(_rows(archive, town), key=itemgetter(0)):
        if school in schools:
            raise ArchiveDamaged(archive.file_of(town), message("is not in order"))
        schools.add(school)
        held: dict[_Key, tuple[Subject, list[AnyResult]]] = {}
        for series, rows in groupby(of_school, key=itemgetter(0, 1, 2)):
            if series in seen:
                raise ArchiveDamaged(archive.file_of(town), message("is not in order"))
            seen.add(series)
            of_this = of_series.get(series, [])
            results = judge.read(of_this, rows) if of_this else []
            for subject in of_this:
                judged.add(_key(subject))
                if len(_series(subject)) > 1:  # an uplink: all its kinds are read first
                    held.setdefault(_key(subject), (subject, []))[1].extend(results)
                else:
                    judge.add(subject, results)
        for subject, results in held.values():
            judge.add(subject, results)
    return judged


def _rows(archive: ArchivedMonth, town: str) -> Iterator[tuple[Any, ...]]:
    """School, kind, subject, microseconds since 1970 and bytes of each result that a rule reads, in the file's order."""
    yield from archive.rows(town, "school, kind, subject, epoch_us(started_at), raw", _JUDGED)


def _series(subject: Subject) -> list[_Key]:
    """By which results a subject may be judged: an uplink by three kinds, whichever rule a policy has for its lessons."""
    kinds = {RULES[target].result_kind for target in TARGETS_OF[subject.kind]}
    if "live_class" in TARGETS_OF[subject.kind]:
        kinds.update(BY_LESSON_MINUTES.kinds)
    return [(subject.school, kind, subject.id) for kind in sorted(kinds)]


def _key(subject: Subject) -> _Key:
    return subject.school, subject.kind, subject.id


def _check_file(archive: ArchivedMonth, name: str) -> None:
    """Is a file what the manifest says? Raises ArchiveDamaged."""
    file, listed = archive.folder / name, archive.manifest.files.get(name)
    if listed is None:
        raise ArchiveDamaged(file, message("is not in the manifest"))
    try:
        with file.open("rb") as stream:
            digest = file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ArchiveDamaged(file, error_words(error)) from None
    if digest != listed.sha256:
        raise ArchiveDamaged(file, message("is not the file that was archived: its SHA-256 is another"))


class _Judge:
    """Judges the subjects of one part, and adds up."""

    def __init__(
        self,
        part: Part,
        month: Month,
        policies: Sequence[Policy],
        schools: dict[str, School],
        timetables: dict[str, list[str]],
    ) -> None:
        self._part, self._month, self._policies, self._schools = part, month, policies, schools
        self._in_school_hours = self._school_hours()
        self._timetables = timetables
        self._verdicts: dict[_Key, Verdict] = {}
        self._counts: dict[str, tuple[Counter[tuple[str, Verdict]], Counter[tuple[str, Verdict]]]] = {
            school: (Counter(), Counter()) for school in schools
        }
        self._changed: list[ChangedSubject] = []
        self._results = 0

    def read(self, subjects: Sequence[Subject], rows: Iterable[tuple[Any, ...]]) -> list[AnyResult]:
        """The results of a series, without those that no rule looks at."""
        targets = {target for subject in subjects for target in TARGETS_OF[subject.kind]}
        hours_only = all(RULES[target].school_hours_only for target in targets)
        results = []
        for *_, micros, raw in rows:
            self._results += 1
            if hours_only and not self._in_school_hours(micros // _MINUTE_MICROS):
                continue
            if (result := decode_stored(raw)) is not None:
                results.append(result)
        return results

    def add(self, subject: Subject, results: Sequence[AnyResult]) -> None:
        lessons = lessons_of(self._timetables.get(subject.school, self._timetables.get("", ())))
        for target in TARGETS_OF[subject.kind]:
            decisions = decide_by(self._policies, subject, target, self._part.town, results, self._month, lessons)
            archived, other = decisions[0], decisions[-1]
            self._verdicts[target, subject.school, subject.id] = archived.verdict
            for counts, decision in zip(self._counts[subject.school], (archived, other), strict=True):
                counts[target, decision.verdict] += 1
            if archived.verdict is not other.verdict:
                self._changed.append(_changed(subject, target, archived, other))

    def outcome(self, published: dict[_Key, str]) -> PartOutcome:
        unequal = [
            Unequal(self._part.month, *key, published.get(key, ""), self._verdicts.get(key, ""))
            for key in sorted(published.keys() | self._verdicts.keys())
            if published.get(key) != self._verdicts.get(key)
        ]
        names = {school.town_name for school in self._schools.values()}
        return PartOutcome(
            self._part.month,
            self._part.town,
            min(names, default=self._part.town),
            [
                SchoolOutcome(school, self._schools[school].name, *map(_by_target, self._counts[school]))
                for school in sorted(self._schools)
            ],
            sorted(self._changed, key=lambda each: (each.target, each.school, each.subject)),
            self._results,
            len(published),
            len(unequal),
            unequal[0] if unequal else None,
        )

    def _school_hours(self) -> Callable[[int], bool]:
        """Is a minute (since 1970) within the school hours of any policy? Hours begin at whole minutes, as time zones do."""

        @cache
        def within(minute: int) -> bool:
            local = (EPOCH + minute * _MINUTE).astimezone(self._month.zone)
            return any(policy.in_school_hours(local) for policy in self._policies)

        return within


def _changed(subject: Subject, target: str, archived: Decision, other: Decision) -> ChangedSubject:
    return ChangedSubject(
        target,
        subject.school,
        subject.id,
        subject.name,
        archived.verdict,
        other.verdict,
        archived.evidence.passing_results,
        archived.evidence.valid_results,
        other.evidence.passing_results,
        other.evidence.valid_results,
    )


def _by_target(counts: Counter[tuple[str, Verdict]]) -> Counts:
    by_target: Counts = {}
    for (target, verdict), number in sorted(counts.items()):
        by_target.setdefault(target, {})[verdict] = number
    return by_target
