"""What a day of measurements does to the ledger. Pure: a subject's history up to a day, its problem if it has one, and the policy in;
the problem as it is then, with what happened, out.

Only complete days count. Days are those with valid results, except for silence, which is counted in school days. A problem never opens twice
for the same subject and target; the same again within the policy's days is the old one, reopened with its history.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

import msgspec

from campus_base.messages import verbatim
from campus_collector.domain.problem import MEASUREMENTS, Event, Problem
from campus_collector.judge.causes import Cause
from campus_collector.judge.explanations import EXPLANATIONS
from campus_collector.judge.policy import LedgerRule


@dataclass(frozen=True, slots=True)
class SubjectHistory:
    """A subject up to a day: the outcome of its days (True passed, False failed; absent: no valid result), and why it fails."""

    school: str
    town: str
    target: str
    subject: str
    days: Mapping[date, bool]
    first_day: date
    """Since when the subject is there: it cannot be silent before that."""
    causes: Sequence[Cause]


Step = tuple[Problem, list[Event]]


def severity_on(history: SubjectHistory, day: date, rule: LedgerRule, is_school_day: Callable[[date], bool]) -> str:
    """`failing`, `silent`, or "" at the end of a day."""
    if False in history.days.values():  # most subjects never fail
        last = sorted(earlier for earlier in history.days if earlier <= day)[-rule.open_window_days :]
        if sum(not history.days[earlier] for earlier in last) >= rule.open_failing_days and not history.days[last[-1]]:
            return "failing"
    silent = 0
    while silent < rule.silent_days:
        if day < history.first_day or day in history.days:
            return ""
        silent += is_school_day(day)
        day -= timedelta(days=1)
    return "silent"


def due_date(day: date, evaluated_on: date, due_days: int) -> date:
    """When a problem that a day's measurements opened is due. A day is evaluated when it is over; where its results came late, nobody
    could know of the problem before: then it counts from the last complete day before it was evaluated."""
    return max(day, evaluated_on - timedelta(days=1)) + timedelta(days=due_days)


def opened(
    history: SubjectHistory,
    day: date,
    at: datetime,
    severity: str,
    rule: LedgerRule,
    earlier: Problem | None,
    zone: tzinfo,
) -> Step:
    """A new problem, or the one that was struck off lately, opened again; `zone` is the county's, in which the day of `at` counts."""
    cause = history.causes[0] if history.causes else None
    code = cause.code if cause else "unknown"
    failing = sum(not passed for when, passed in history.days.items() if when <= day)
    values: dict[str, Any] = {
        "state": "open",
        "due_on": due_date(day, at.astimezone(zone).date(), rule.due_days),
        "diagnosis": code,
        "evidence": cause.evidence if cause else verbatim(""),
        "unit": EXPLANATIONS[code].unit,
        "failing_days": failing,
        "severity": severity,
        "last_failing_on": day,
        "passing_days": 0,
        "claimed_on": None,
        "closed_on": None,
    }
    if earlier is not None:
        problem = msgspec.structs.replace(earlier, reopened=earlier.reopened + 1, **values)
        return problem, [_event(at, "reopened", day, code)]
    problem = Problem(
        school=history.school,
        town=history.town,
        target=history.target,
        subject=history.subject,
        opened_on=day,
        **values,
    )
    return problem, [_event(at, "opened", day, code)]


def followed(
    problem: Problem, history: SubjectHistory, day: date, at: datetime, severity: str, rule: LedgerRule
) -> Step:
    """What one more complete day does to an open problem."""
    events: list[Event] = []
    passed = history.days.get(day)
    changed: dict[str, Any] = {"severity": severity} if severity not in ("", problem.severity) else {}
    if passed is False or (passed is None and severity == "silent"):
        changed |= {"passing_days": 0, "last_failing_on": day, "failing_days": problem.failing_days + (passed is False)}
        changed |= _diagnosed(problem, history)
        if "diagnosis" in changed:
            events.append(_event(at, "changed", day, str(changed["diagnosis"])))
        if problem.state == "claimed_fixed" and _contradicts(problem, history, day, severity, rule):
            changed |= {"state": "acknowledged", "contradicted": problem.contradicted + 1, "claimed_on": None}
            events.append(_event(at, "claim_contradicted", day))
    elif passed is True:
        passing = problem.passing_days + 1
        changed["passing_days"] = passing
        if passing >= rule.close_passing_days:
            changed |= {"state": "closed", "closed_on": day}
            events.append(_event(at, "closed", day))
    if not changed:
        return problem, []
    return msgspec.structs.replace(problem, **changed), events


def _contradicts(problem: Problem, history: SubjectHistory, day: date, severity: str, rule: LedgerRule) -> bool:
    """Enough failing days since the claim; silence is no proof that it is mended, and contradicts it as well."""
    if problem.claimed_on is None:
        return False
    failing = sum(not passed for when, passed in history.days.items() if problem.claimed_on < when <= day)
    return failing >= rule.contradict_failing_days or severity == "silent"


def _diagnosed(problem: Problem, history: SubjectHistory) -> dict[str, object]:
    """The cause as it is seen now, when it is another."""
    if not history.causes or history.causes[0].code in (problem.diagnosis, "unknown", "too_few", "too_few_days"):
        return {}
    cause = history.causes[0]
    return {
        "diagnosis": cause.code,
        "evidence": cause.evidence,
        "unit": EXPLANATIONS[cause.code].unit,
    }


def may_reopen(problem: Problem, day: date, rule: LedgerRule) -> bool:
    """Was it struck off so lately that a new failure is the old one?"""
    return problem.closed_on is not None and day - problem.closed_on <= timedelta(days=rule.reopen_within_days)


def merged(problem: Problem, day: date, at: datetime, into: str) -> Step:
    """A classroom's problem that turns out to be its school's."""
    closed = msgspec.structs.replace(problem, state="closed", closed_on=day)
    return closed, [_event(at, "merged", day, into)]


def withdrawn(problem: Problem, day: date, at: datetime) -> Step:
    """Its subject is not judged any more: removed from the inventory, or exempt."""
    closed = msgspec.structs.replace(problem, state="closed", closed_on=day)
    return closed, [_event(at, "withdrawn", day)]


def _event(at: datetime, what: str, day: date, code: str = "") -> Event:
    values = {"day": day.isoformat()} | ({"cause": code} if code else {})
    return Event(at=at, who=MEASUREMENTS, what=what, values=values)  # type: ignore[arg-type]
