"""The one cause that pages, report and API name for a subject: the ledger's, else the one its school's classrooms share, else its own leading one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from campus_base.messages import message
from campus_collector.judge.causes import Cause
from campus_collector.judge.month import Month
from campus_collector.judge.service import Verdicts
from campus_collector.judge.shared_causes import SharedCause, shared_causes
from campus_collector.judge.verdict import UNMET, SubjectVerdict
from campus_collector.ledger.status import ProblemStatus, status_now, status_on
from campus_collector.store.store import Store

_Key = tuple[str, str, str]
"""Target, school, subject."""


def statuses_in(store: Store, verdicts: Verdicts, month: Month, school: str | None = None) -> list[ProblemStatus]:
    """The problems that had been opened by the end of a month, with their status then; of the present month, with that of now."""
    problems = [problem for problem in store.ledger.problems(school) if problem.opened_on <= month.last_day]
    if month.first_day >= verdicts.this_month().first_day:
        return [status_now(problem) for problem in problems]
    due_days = verdicts.policy.ledger.due_days
    events = store.ledger.events_by_problem(school)
    statuses = (
        status_on(problem, events.get(problem.id, []), month.last_day, month.zone, due_days) for problem in problems
    )
    return [status for status in statuses if status is not None]


def with_named_causes(
    store: Store,
    verdicts: Verdicts,
    month: Month,
    judged: Sequence[SubjectVerdict],
    statuses: Iterable[ProblemStatus] | None = None,
    school: str | None = None,
) -> list[SubjectVerdict]:
    """The same verdicts, those that are not met with the named cause in front; `judged` are of all classrooms of the schools they are of."""
    if statuses is None:
        statuses = statuses_in(store, verdicts, month, school)
    problems, shared = _open_by_subject(statuses), shared_causes(judged)
    return [_with_named_cause(verdict, problems, shared) if verdict.verdict in UNMET else verdict for verdict in judged]


def _open_by_subject(statuses: Iterable[ProblemStatus]) -> dict[_Key, ProblemStatus]:
    """The open problem that covers a subject: its own, else the one of its whole school that covers it."""
    of_subject: dict[_Key, ProblemStatus] = {}
    of_school: dict[_Key, ProblemStatus] = {}
    for status in statuses:
        problem = status.problem
        if status.is_open and problem.subject:
            of_subject[problem.target, problem.school, problem.subject] = status
        elif status.is_open:
            of_school |= {(problem.target, problem.school, subject): status for subject in problem.covers}
    return of_school | of_subject


def _with_named_cause(
    verdict: SubjectVerdict, problems: Mapping[_Key, ProblemStatus], shared: Mapping[str, SharedCause]
) -> SubjectVerdict:
    status = problems.get((verdict.target, verdict.school, verdict.subject))
    common = shared.get(verdict.school)
    if status is not None:
        leading, responsible, number = _cause_of(status), status.responsible, status.problem.id
    elif common is not None and common.target == verdict.target and verdict.subject in common.subjects:
        leading, responsible, number = common.cause, "", None
    else:
        return verdict
    others = tuple(cause for cause in verdict.causes if cause.code != leading.code)
    return replace(verdict, causes=(leading, *others), responsible=responsible, problem=number)


def _cause_of(status: ProblemStatus) -> Cause:
    problem = status.problem
    evidence = message("ledger no. {id}", id=problem.id)
    if status.cause == problem.diagnosis and problem.evidence.template:
        evidence = message("{entry}: {evidence}", entry=evidence, evidence=problem.evidence)
    return Cause(status.cause, 1.0, evidence)
