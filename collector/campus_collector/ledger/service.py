"""Keeps the ledger: evaluates every school at the end of every complete day, opens, follows and strikes off problems.

What the classrooms of a school have in common is one problem of the school (subject ""); while it is open they have none of their own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from statistics import median

import msgspec

from campus_base.messages import message
from campus_collector.domain.days import day_number, day_of
from campus_collector.domain.evidence import DayRow
from campus_collector.domain.problem import Event, Problem
from campus_collector.domain.schools import School, Subject
from campus_collector.judge.causes import Case, Cause, causes_of
from campus_collector.judge.day import DayEvidence
from campus_collector.judge.evidence import evidence_of, symptoms_in
from campus_collector.judge.exemptions import exempt_days
from campus_collector.judge.month import Month, month_of_day
from campus_collector.judge.policy import Target, required_rate
from campus_collector.judge.rules import TARGETS_OF
from campus_collector.judge.service import Progress, Verdicts
from campus_collector.judge.shared_causes import OF_ALL, SharedCause, may_share, shared_cause
from campus_collector.judge.verdict import SubjectVerdict
from campus_collector.ledger.transitions import (
    SubjectHistory,
    followed,
    may_reopen,
    merged,
    opened,
    severity_on,
    withdrawn,
)
from campus_collector.store.errors import StoreBusy
from campus_collector.store.store import Store
from campus_collector.store.tables.ledger import OutdatedProblem
from campus_wire.bandwidth import Verdict

CLASSROOMS = "classroom_bandwidth"
LOOK_BACK_DAYS = 40
"""Enough for the longest window a policy may sensibly ask for."""
CAUSE_DAYS = 14
MOST_DAYS_AT_FIRST = 62
"""A ledger that begins on a store full of results looks back so far."""
MOST = 0.5
LEASE = "ledger"
LEASE_TIMEOUT_SECONDS = 120.0
"""A lease of a process that was killed runs out well before."""
MOST_TRIES = 20
SILENT = "agent_silent"
OFF = (SILENT, "all_endpoints_off")
"""Causes for which there is nothing to measure: any result shows that it is over."""

INSIDE_LESSONS = ("live_class", "recording_room")
"""Target and subject of what disturbs lessons inside the school: the verdict of the live class is that of the line, and does not count it."""

_Key = tuple[str, str]


@dataclass(slots=True)
class _LedgerSubject:
    """One subject and target of a school, with all its days."""

    subject: Subject
    target: str
    rule: Target
    days: dict[date, DayEvidence]
    since: date
    """Since when it could have been measured."""
    outcomes: dict[date, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A subject at the end of a day."""

    history: SubjectHistory
    severity: str


class Ledger:
    def __init__(self, store: Store, verdicts: Verdicts) -> None:
        self._store, self._verdicts = store, verdicts
        self._policy = verdicts.policy

    def catch_up(
        self,
        until: date | None = None,
        progress: Progress | None = None,
        timeout_seconds: float = LEASE_TIMEOUT_SECONDS,
    ) -> int:
        """Evaluate every complete day that was not evaluated yet, up to `until` (default: yesterday); how many days.

        One process at a time: another's work is waited for so many seconds. Raises StoreBusy when it goes on, StoreUnavailable.
        """
        yesterday = self.yesterday()
        last = min(until or yesterday, yesterday)
        self._verdicts.catch_up()
        if not self.is_behind(last):
            return 0
        with self._store.lease(LEASE, timeout_seconds) as lease:
            schools = self._store.schools.all()
            evaluated = self._store.ledger.high_water_mark()
            first = day_of(evaluated + 1) if evaluated is not None else self._first_day(last)
            if first is None or first > last:  # another process has done it while we waited
                return 0
            for done, school in enumerate(schools):
                lease.renew()
                if progress is not None:
                    progress(done, len(schools))
                self._bring_up_to_date(school, first, last)
            self._store.ledger.finish(day_number(last))
            if progress is not None:
                progress(len(schools), len(schools))
            return (last - first).days + 1

    def yesterday(self) -> date:
        return datetime.now(UTC).astimezone(self._verdicts.zone).date() - timedelta(days=1)

    def noted_at(self, day: date) -> datetime:
        """The time of the events of a day that is being evaluated: now. Overridden where days of the past are evaluated as they were then."""
        return datetime.now(UTC)

    def is_behind(self, last: date) -> bool:
        """Are there complete days with evidence, up to this one, that the ledger has not evaluated?"""
        evaluated = self._store.ledger.high_water_mark()
        if evaluated is not None:
            return day_of(evaluated) < last
        return self._first_day(last) is not None

    def _bring_up_to_date(self, school: School, first: date, last: date) -> None:
        """One school's days, again from what is there now when somebody changed a problem meanwhile."""
        for _ in range(MOST_TRIES):
            evaluated = self._store.ledger.high_water_mark(school.id)
            start = first if evaluated is None else max(first, day_of(evaluated + 1))
            days = [start + timedelta(days=number) for number in range((last - start).days + 1)]
            if not days:  # an earlier run ended half way, with this school done
                return
            try:
                self._store.ledger.put_days(school.id, self._changes(school, days), evaluated, day_number(last))
            except OutdatedProblem:
                continue
            return
        raise StoreBusy(message("the ledger of {school} was changed again and again", school=school.id))

    def _first_day(self, last: date) -> date | None:
        first = self._verdicts.first_trusted_day(last - timedelta(days=MOST_DAYS_AT_FIRST))
        return first if first is not None and first <= last else None

    def _changes(self, school: School, days: Sequence[date]) -> list[tuple[Problem, list[Event]]]:
        """What some days do to a school's problems, as they are kept now."""
        problems = {(problem.target, problem.subject): problem for problem in self._store.ledger.problems(school.id)}
        subjects = self._judged_subjects(school, days)
        touched: list[tuple[Problem, list[Event]]] = []
        newest: dict[_Key, int] = {}
        """Where in `touched` the newest problem of a subject is: in many days one may be struck off and another opened."""

        def note(problem: Problem, events: Sequence[Event]) -> None:
            key = (problem.target, problem.subject)
            problems[key] = problem
            if key in newest and not any(event.what == "opened" for event in events):
                position = newest[key]
                touched[position] = (problem, [*touched[position][1], *events])
            else:
                newest[key] = len(touched)
                touched.append((problem, list(events)))

        for day in days:
            for problem, events in self._day_of_school(school, subjects, problems, day):
                note(problem, events)
        judged = {(subject.target, subject.subject.id) for subject in subjects} | {(CLASSROOMS, "")}
        for key, problem in list(problems.items()):
            if problem.is_open and key not in judged:
                note(*withdrawn(problem, days[-1], self.noted_at(days[-1])))
        return touched

    def _judged_subjects(self, school: School, days: Sequence[date]) -> list[_LedgerSubject]:
        """The school's subjects that are judged, with their days from well before the first."""
        first, last = days[0] - timedelta(days=LOOK_BACK_DAYS), days[-1]
        rows = self._verdicts.evidence_rows(school.id, first, last)
        judged = []
        for subject in self._store.subjects.all(school.id):
            for target in TARGETS_OF[subject.kind] if not subject.exempt_reason else ():
                rule = self._policy.in_force(target, last.replace(day=1))
                if rule is not None:
                    evidence = self._evidence(subject, target, rows.get((target, subject.id), []))
                    outcomes = {day: of_day.passes(rule.passing_share) for day, of_day in evidence.items()}
                    valid = {day: passed for day, passed in outcomes.items() if passed is not None}
                    judged.append(
                        _LedgerSubject(subject, target, rule, evidence, self._since(subject, evidence), valid)
                    )
                    if rule.minutes is not None:
                        judged.append(_inside_lessons(subject, target, rule, evidence))
        return judged

    def _evidence(self, subject: Subject, target: str, rows: Sequence[DayRow]) -> dict[date, DayEvidence]:
        """Days that are surely what they say: not exempt, and measured by a trusted clock."""
        by_month: dict[Month, list[DayRow]] = {}
        for row in rows:
            by_month.setdefault(month_of_day(day_of(row.day), self._verdicts.zone), []).append(row)
        evidence: dict[date, DayEvidence] = {}
        for month, of_month in by_month.items():
            free, _ = exempt_days(self._policy, target, subject.school, subject.id, month)
            days = self._verdicts.evidence_from_rows(subject, target, month, of_month)
            evidence |= {day: of_day for day, of_day in days.items() if of_day.trusted and day not in free}
        return evidence

    def _day_of_school(
        self, school: School, subjects: Sequence[_LedgerSubject], problems: Mapping[_Key, Problem], day: date
    ) -> Iterable[tuple[Problem, list[Event]]]:
        at = self.noted_at(day)
        snapshots = {(subject.target, subject.subject.id): self._snapshot(school, subject, day) for subject in subjects}
        shared = self._shared(school, subjects, snapshots, day)
        whole = problems.get((CLASSROOMS, ""))
        covered: set[_Key] = set()
        off = False
        """Silence proves nothing: what failed before it stays a problem of its own."""
        if shared is not None or (whole is not None and whole.is_open):
            step = self._whole_school(school, shared, whole, snapshots, day, at)
            if step is not None:
                problem, events = step
                yield problem, events
                if problem.is_open:
                    covered = {(CLASSROOMS, name) for name in problem.covers}
                    off = problem.diagnosis in OFF
                    if shared is not None and shared.cause.code == SILENT:
                        covered |= {key for key, snapshot in snapshots.items() if _is_silent(snapshot)}
        for key, snapshot in snapshots.items():
            former = problems.get(key)
            if key in covered:
                if former is not None and former.is_open and not (off and former.severity == "failing"):
                    yield merged(former, day, at, school.id)
            elif former is not None and former.is_open:
                problem, events = followed(former, snapshot.history, day, at, snapshot.severity, self._policy.ledger)
                if problem != former:
                    yield problem, events
            elif snapshot.severity:
                yield self._opened(snapshot.history, former, day, at, snapshot.severity)

    def _opened(
        self, history: SubjectHistory, former: Problem | None, day: date, at: datetime, severity: str
    ) -> tuple[Problem, list[Event]]:
        earlier = former if former is not None and may_reopen(former, day, self._policy.ledger) else None
        return opened(history, day, at, severity, self._policy.ledger, earlier, self._verdicts.zone)

    def _snapshot(self, school: School, subject: _LedgerSubject, day: date) -> _Snapshot:
        history = SubjectHistory(
            school.id,
            school.town,
            subject.target,
            subject.subject.id,
            subject.outcomes,
            subject.since,
            causes=(),
        )
        severity = severity_on(history, day, self._policy.ledger, self._policy.is_school_day)
        if severity or subject.outcomes.get(day) is False:
            verdict = Verdict.INSUFFICIENT if severity == "silent" else Verdict.NOT_MET
            history = replace(history, causes=causes_of(self._case(subject, day, verdict)))
        return _Snapshot(history, severity)

    def _case(self, subject: _LedgerSubject, day: date, verdict: Verdict) -> Case:
        start = day - timedelta(days=CAUSE_DAYS)
        if verdict is Verdict.INSUFFICIENT:  # what came since its last valid result explains the silence
            start = max((when for when in subject.outcomes if when <= day), default=start)
        window = [of_day for when, of_day in subject.days.items() if start < when <= day]
        failing = [value for of_day in window for value in of_day.failing_values]
        required = required_rate(subject.subject, subject.rule)
        return Case(verdict, subject.rule, required, evidence_of(window), symptoms_in(window), failing)

    def _since(self, subject: Subject, days: Iterable[date]) -> date:
        since = subject.since
        listed = since.astimezone(self._verdicts.zone).date() if since is not None else date.max
        return min(listed, min(days, default=date.max))

    def _shared(
        self, school: School, subjects: Sequence[_LedgerSubject], snapshots: Mapping[_Key, _Snapshot], day: date
    ) -> SharedCause | None:
        """One cause for the whole school, on this day."""
        heard = [snapshot for key, snapshot in snapshots.items() if key != INSIDE_LESSONS]
        if len(heard) > 1 and all(_is_silent(snapshot) for snapshot in heard):
            rooms = tuple(name for target, name in snapshots if target == CLASSROOMS)
            evidence = message("nothing has come from this school")
            return SharedCause(school.id, CLASSROOMS, Cause(OF_ALL["no_report"], 1.0, evidence), rooms)
        severities = [snapshot.severity for (target, _), snapshot in snapshots.items() if target == CLASSROOMS]
        if not may_share(sum(map(bool, severities)), len(severities)):
            return None
        verdicts: dict[_Key, SubjectVerdict] = {}
        for subject in subjects:
            if subject.target in (CLASSROOMS, "uplink_bandwidth"):
                verdicts[subject.target, subject.subject.id] = self._as_verdict(
                    subject, snapshots[subject.target, subject.subject.id], day
                )
        classrooms = [verdict for (target, _), verdict in verdicts.items() if target == CLASSROOMS]
        return shared_cause(classrooms, verdicts.get(("uplink_bandwidth", "uplink")))

    def _as_verdict(self, subject: _LedgerSubject, snapshot: _Snapshot, day: date) -> SubjectVerdict:
        verdict = {"failing": Verdict.NOT_MET, "silent": Verdict.INSUFFICIENT}.get(snapshot.severity, Verdict.MET)
        case = self._case(subject, day, verdict)
        return SubjectVerdict(
            target=subject.target,
            town=snapshot.history.town,
            school=snapshot.history.school,
            subject=subject.subject.id,
            verdict=verdict,
            evidence=case.evidence,
            rule=subject.rule,
            policy_version=self._policy.version,
            causes=tuple(snapshot.history.causes),
            failing_median=median(case.failing_values) if case.failing_values else None,
        )

    def _whole_school(
        self,
        school: School,
        shared: SharedCause | None,
        whole: Problem | None,
        snapshots: Mapping[_Key, _Snapshot],
        day: date,
        at: datetime,
    ) -> tuple[Problem, list[Event]] | None:
        covers = list(shared.subjects) if shared else whole.covers if whole else []
        code = shared.cause.code if shared else whole.diagnosis if whole else ""
        parts = [snapshot.history.days for (_, name), snapshot in snapshots.items() if code == SILENT or name in covers]
        days = _majority(parts) if code not in OFF else _any_result(parts, 1 if code == SILENT else len(parts) / 2)
        causes: tuple[Cause, ...] = (shared.cause,) if shared else ()
        silent = shared is not None and code in OFF
        history = SubjectHistory(school.id, school.town, CLASSROOMS, "", days, date.min, causes)
        severity = "silent" if silent else "failing" if shared else ""
        if whole is not None and whole.is_open:
            problem, events = followed(whole, history, day, at, severity, self._policy.ledger)
            merged_covers = sorted(set(problem.covers) | set(covers))
            if merged_covers != problem.covers and problem.is_open:
                problem = msgspec.structs.replace(problem, covers=merged_covers)
            return problem, events
        if shared is None:
            return None
        problem, events = self._opened(history, whole, day, at, severity)
        return msgspec.structs.replace(problem, covers=covers), events


def _inside_lessons(uplink: Subject, target: str, rule: Target, days: Mapping[date, DayEvidence]) -> _LedgerSubject:
    """What disturbed lessons inside the school: a day fails on which the network or a required recorder was interrupted in a lesson.

    It is never silent: the line's own days say that nothing was observed.
    """
    inside = {day: _inside_day(of_day) for day, of_day in days.items() if of_day.valid}
    outcomes = {day: of_day.passing == of_day.valid for day, of_day in inside.items()}
    room = replace(uplink, id=INSIDE_LESSONS[1], kind="recording_room", name="")
    return _LedgerSubject(room, target, rule, inside, date.max, outcomes)


def _inside_day(of_day: DayEvidence) -> DayEvidence:
    """Only what was inside; `passing` are the minutes without the place that was interrupted longest."""
    symptoms = {name: count for name, count in of_day.symptoms.items() if name.startswith("inside:")}
    worst = max(symptoms.values(), default=0)
    return DayEvidence(valid=of_day.valid, passing=max(0, of_day.valid - worst), symptoms=symptoms)


def _is_silent(snapshot: _Snapshot) -> bool:
    return (
        snapshot.severity == "silent"
        and bool(snapshot.history.causes)
        and snapshot.history.causes[0].code == "no_report"
    )


def _any_result(parts: Sequence[Mapping[date, bool]], least: float) -> dict[date, bool]:
    """Days on which at least so many had any valid result."""
    counts = Counter(day for days in parts for day in days)
    return {day: True for day, count in counts.items() if count >= least}


def _majority(parts: Sequence[Mapping[date, bool]]) -> dict[date, bool]:
    """Classrooms as one: a day fails when more than half of those with results failed."""
    counts: dict[date, list[int]] = {}
    for days in parts:
        for day, passed in days.items():
            count = counts.setdefault(day, [0, 0])
            count[0] += 1
            count[1] += not passed
    return {day: failed <= MOST * whole for day, (whole, failed) in counts.items()}
