"""Keeps the ledger: looks at every school on the evening of every complete day, opens, follows and strikes off problems.

What the classrooms of a school have in common is one problem of the school (subject ""); while it is open they have none of their own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import msgspec

from campus_base.language import Text
from campus_collector.domain.problem import Event, Problem
from campus_collector.domain.records import School, Subject
from campus_collector.judge.area import OF_ALL, SharedCause, shared_cause
from campus_collector.judge.causes import Case, Cause, causes_of
from campus_collector.judge.day import DayEvidence, day_number, day_of
from campus_collector.judge.evidence import evidence_of, signs_in
from campus_collector.judge.exemptions import exempt_days
from campus_collector.judge.judging import Progress, required_of
from campus_collector.judge.policy import Target
from campus_collector.judge.service import TARGETS_OF, Verdicts
from campus_collector.judge.verdict import SubjectVerdict
from campus_collector.ledger.transitions import Known, fails_now, followed, may_reopen, merged, opened, withdrawn
from campus_collector.store.errors import StoreBusy
from campus_collector.store.interface import Store
from campus_collector.store.ledger import Conflict
from campus_wire.bandwidth import Verdict

CLASSROOMS = "classroom_bandwidth"
LOOK_BACK_DAYS = 40
"""Enough for the longest window a policy may sensibly ask for."""
CAUSE_DAYS = 14
FIRST_LOOK_DAYS = 62
"""A ledger that begins on a store full of results looks back so far."""
MOST = 0.5
LEASE = "ledger"
PATIENCE_SECONDS = 120.0
"""A lease of a process that was killed runs out well before."""
MOST_TRIES = 20
SILENT = "agent_silent"
OFF = (SILENT, "all_endpoints_off")
"""Causes for which there is nothing to measure: any result shows that it is over."""

_Key = tuple[str, str]


@dataclass(slots=True)
class _Subject:
    """One subject and target of a school, with all its days."""

    about: Subject
    target: str
    rule: Target
    days: dict[date, DayEvidence]
    outcomes: dict[date, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Evening:
    """How a subject stands on the evening of a day."""

    known: Known
    severity: str


class Ledger:
    """The ledger of one collector."""

    def __init__(self, store: Store, verdicts: Verdicts) -> None:
        """Nothing is read yet."""
        self._store, self._verdicts = store, verdicts
        self._policy = verdicts.policy

    def catch_up(
        self, until: date | None = None, progress: Progress | None = None, patience_seconds: float = PATIENCE_SECONDS
    ) -> int:
        """Look at every complete day that was not looked at yet, up to `until` (default: yesterday); how many days.

        One process at a time: another's work is waited for so long. Raises StoreBusy when it goes on, StoreUnavailable.
        """
        yesterday = self.yesterday()
        last = min(until or yesterday, yesterday)
        self._verdicts.catch_up()
        if not self.is_behind(last):
            return 0
        with self._store.lease(LEASE, patience_seconds) as lease:
            schools = self._store.schools()
            looked = self._store.ledger.looked_until()
            first = day_of(looked + 1) if looked is not None else self._first_day(last)
            if first is None or first > last:  # another process has done it while we waited
                return 0
            for done, school in enumerate(schools):
                lease.renew()
                if progress is not None:
                    progress(done, len(schools))
                self._look_at(school, first, last)
            self._store.ledger.finish(day_number(last))
            if progress is not None:
                progress(len(schools), len(schools))
            return (last - first).days + 1

    def yesterday(self) -> date:
        """The last complete day."""
        return datetime.now(UTC).astimezone(self._verdicts.zone).date() - timedelta(days=1)

    def is_behind(self, last: date) -> bool:
        """Are there complete days with evidence, up to this one, that the ledger has not looked at?"""
        looked = self._store.ledger.looked_until()
        if looked is not None:
            return day_of(looked) < last
        return self._first_day(last) is not None

    def _look_at(self, school: School, first: date, last: date) -> None:
        """One school's days, again from what is there now when somebody changed a problem meanwhile."""
        for _ in range(MOST_TRIES):
            looked = self._store.ledger.looked_until(school.id)
            start = first if looked is None else max(first, day_of(looked + 1))
            days = [start + timedelta(days=number) for number in range((last - start).days + 1)]
            if not days:  # an earlier run ended half way, with this school done
                return
            try:
                self._store.ledger.put_days(school.id, self._school(school, days), looked, day_number(last))
            except Conflict:
                continue
            return
        raise StoreBusy(f"the ledger of {school.id} was changed again and again")

    def _first_day(self, last: date) -> date | None:
        first = self._verdicts.judging.first_day(last - timedelta(days=FIRST_LOOK_DAYS))
        return first if first is not None and first <= last else None

    def _school(self, school: School, days: Sequence[date]) -> list[tuple[Problem, list[Event]]]:
        """What some days do to a school's problems, as they are kept now."""
        problems = {(one.target, one.subject): one for one in self._store.ledger.problems(school.id)}
        subjects = self._read(school, days)
        touched: list[tuple[Problem, list[Event]]] = []
        newest: dict[_Key, int] = {}
        """Where in `touched` the newest problem of a subject stands: in many days one may be struck off and another opened."""

        def note(problem: Problem, events: Sequence[Event]) -> None:
            key = (problem.target, problem.subject)
            problems[key] = problem
            if key in newest and not any(event.what == "opened" for event in events):
                place = newest[key]
                touched[place] = (problem, [*touched[place][1], *events])
            else:
                newest[key] = len(touched)
                touched.append((problem, list(events)))

        for day in days:
            for problem, events in self._evening(school, subjects, problems, day):
                note(problem, events)
        judged = {(one.target, one.about.id) for one in subjects} | {(CLASSROOMS, "")}
        for key, problem in list(problems.items()):
            if problem.is_open and key not in judged:
                note(*withdrawn(problem, days[-1], datetime.now(UTC)))
        return touched

    def _read(self, school: School, days: Sequence[date]) -> list[_Subject]:
        """The school's subjects that are judged, with their days from well before the first."""
        judging = self._verdicts.judging
        first, last = days[0] - timedelta(days=LOOK_BACK_DAYS), days[-1]
        rows = judging.days_of_school(school.id, first, last)
        found = []
        for subject in self._store.subjects(school.id):
            if subject.exempt_reason:
                continue
            for target in TARGETS_OF[subject.kind]:
                rule = self._policy.in_force(target, last.replace(day=1))
                if rule is None:
                    continue
                evidence: dict[date, DayEvidence] = {}
                for month in sorted(
                    {judging.month_on(day_of(row.day)) for row in rows.get((target, subject.id), [])}, key=str
                ):
                    own = [
                        row for row in rows[target, subject.id] if month.first_day <= day_of(row.day) <= month.last_day
                    ]
                    free, _ = exempt_days(self._policy, target, school.id, subject.id, month)
                    read = judging.read(subject, target, month, own)
                    evidence |= {day: one for day, one in read.items() if one.trusted and day not in free}
                outcomes = {day: one.passes(rule.passing_share) for day, one in evidence.items()}
                known = {day: passed for day, passed in outcomes.items() if passed is not None}
                found.append(_Subject(subject, target, rule, evidence, known))
        return found

    def _evening(
        self, school: School, subjects: Sequence[_Subject], problems: Mapping[_Key, Problem], day: date
    ) -> Iterable[tuple[Problem, list[Event]]]:
        at = datetime.now(UTC)
        stands = {(one.target, one.about.id): self._stand(school, one, day) for one in subjects}
        shared = self._shared(school, subjects, stands, day)
        whole = problems.get((CLASSROOMS, ""))
        covered: set[_Key] = set()
        off = False
        """Silence proves nothing: what failed before it stays a problem of its own."""
        if shared is not None or (whole is not None and whole.is_open):
            step = self._whole_school(school, shared, whole, stands, day, at)
            if step is not None:
                problem, events = step
                yield problem, events
                if problem.is_open:
                    covered = {(CLASSROOMS, name) for name in problem.covers}
                    off = problem.diagnosis in OFF
                    if shared is not None and shared.cause.code == SILENT:
                        covered |= {key for key, one in stands.items() if _is_silent(one)}
        for key, one in stands.items():
            own = problems.get(key)
            if key in covered:
                if own is not None and own.is_open and not (off and own.severity == "failing"):
                    yield merged(own, day, at, school.id)
            elif own is not None and own.is_open:
                problem, events = followed(own, one.known, day, at, one.severity, self._policy.ledger)
                if problem != own:
                    yield problem, events
            elif one.severity:
                earlier = own if own is not None and may_reopen(own, day, self._policy.ledger) else None
                yield opened(one.known, day, at, one.severity, self._policy.ledger, earlier, self._verdicts.zone)

    def _stand(self, school: School, one: _Subject, day: date) -> _Evening:
        known = Known(school.id, school.town, one.target, one.about.id, one.outcomes, self._since(one), causes=())
        severity = fails_now(known, day, self._policy.ledger, self._policy.is_school_day)
        if severity or one.outcomes.get(day) is False:
            verdict = Verdict.INSUFFICIENT if severity == "silent" else Verdict.NOT_MET
            known = Known(
                known.school, known.town, known.target, known.subject, known.days, known.first_day,
                causes_of(self._case(one, day, verdict)),
            )  # fmt: skip
        return _Evening(known, severity)

    def _case(self, one: _Subject, day: date, verdict: Verdict) -> Case:
        start = day - timedelta(days=CAUSE_DAYS)
        if verdict is Verdict.INSUFFICIENT:  # why it is silent is told by what came since it was heard last
            start = max((when for when in one.outcomes if when <= day), default=start)
        window = [found for when, found in one.days.items() if start < when <= day]
        failing = [value for found in window for value in found.failing_values]
        required = required_of(one.about, one.rule)
        return Case(verdict, one.rule, required, evidence_of(window), signs_in(window), failing)

    def _since(self, one: _Subject) -> date:
        """Since when it could have been measured."""
        since = one.about.since
        known = since.astimezone(self._verdicts.zone).date() if since is not None else date.max
        return min(known, min(one.days, default=date.max))

    def _shared(
        self, school: School, subjects: Sequence[_Subject], stands: Mapping[_Key, _Evening], day: date
    ) -> SharedCause | None:
        """One cause for the whole school, on this evening."""
        if len(stands) > 1 and all(_is_silent(one) for one in stands.values()):
            rooms = tuple(name for target, name in stands if target == CLASSROOMS)
            said = Text("nothing has come from this school", "该校未上报任何数据")
            return SharedCause(school.id, CLASSROOMS, Cause(OF_ALL["no_report"], 1.0, said), rooms)
        verdicts: dict[_Key, SubjectVerdict] = {}
        for one in subjects:
            if one.target in (CLASSROOMS, "uplink_bandwidth"):
                verdicts[one.target, one.about.id] = self._as_verdict(one, stands[one.target, one.about.id], day)
        rooms_now = [one for (target, _), one in verdicts.items() if target == CLASSROOMS]
        return shared_cause(rooms_now, verdicts.get(("uplink_bandwidth", "uplink")))

    def _as_verdict(self, one: _Subject, stand: _Evening, day: date) -> SubjectVerdict:
        verdict = {"failing": Verdict.NOT_MET, "silent": Verdict.INSUFFICIENT}.get(stand.severity, Verdict.MET)
        case = self._case(one, day, verdict)
        failing = sorted(case.failing_values)
        return SubjectVerdict(
            one.target,
            stand.known.town,
            stand.known.school,
            one.about.id,
            verdict,
            case.evidence,
            one.rule,
            self._policy.version,
            tuple(stand.known.causes),
            failing_median=failing[len(failing) // 2] if failing else None,
        )

    def _whole_school(
        self,
        school: School,
        shared: SharedCause | None,
        whole: Problem | None,
        stands: Mapping[_Key, _Evening],
        day: date,
        at: datetime,
    ) -> tuple[Problem, list[Event]] | None:
        covers = list(shared.subjects) if shared else whole.covers if whole else []
        code = shared.cause.code if shared else whole.diagnosis if whole else ""
        parts = [one.known.days for (_, name), one in stands.items() if code == SILENT or name in covers]
        days = _together(parts) if code not in OFF else _anything(parts, 1 if code == SILENT else len(parts) / 2)
        causes: tuple[Cause, ...] = (shared.cause,) if shared else ()
        silent = shared is not None and code in OFF
        known = Known(school.id, school.town, CLASSROOMS, "", days, date.min, causes)
        severity = "silent" if silent else "failing" if shared else ""
        if whole is not None and whole.is_open:
            problem, events = followed(whole, known, day, at, severity, self._policy.ledger)
            merged_covers = sorted(set(problem.covers) | set(covers))
            if merged_covers != problem.covers and problem.is_open:
                problem = msgspec.structs.replace(problem, covers=merged_covers)
            return problem, events
        if shared is None:
            return None
        earlier = whole if whole is not None and may_reopen(whole, day, self._policy.ledger) else None
        problem, events = opened(known, day, at, severity, self._policy.ledger, earlier, self._verdicts.zone)
        return msgspec.structs.replace(problem, covers=covers), events


def _is_silent(one: _Evening) -> bool:
    return one.severity == "silent" and bool(one.known.causes) and one.known.causes[0].code == "no_report"


def _anything(parts: Sequence[Mapping[date, bool]], least: float) -> dict[date, bool]:
    """Days on which at least so many had any valid result."""
    counts = Counter(day for days in parts for day in days)
    return {day: True for day, count in counts.items() if count >= least}


def _together(parts: Sequence[Mapping[date, bool]]) -> dict[date, bool]:
    """Classrooms as one: a day fails when more than half of those with results failed."""
    counts: dict[date, list[int]] = {}
    for days in parts:
        for day, passed in days.items():
            count = counts.setdefault(day, [0, 0])
            count[0] += 1
            count[1] += not passed
    return {day: failed <= MOST * whole for day, (whole, failed) in counts.items()}
