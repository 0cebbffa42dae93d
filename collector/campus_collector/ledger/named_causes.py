"""The verdicts of a month with the cause that the ledger names for each problem: pages, report and API read them here, so that all name the same."""

from collections.abc import Iterable, Sequence

from campus_collector.judge.month import Month
from campus_collector.judge.service import Verdicts, shared_causes
from campus_collector.judge.verdict import SubjectVerdict
from campus_collector.ledger.standing import Standing, by_subject, standing_now, standing_on, with_one_cause
from campus_collector.store.interface import Store


def standings_in(store: Store, verdicts: Verdicts, month: Month, school: str | None = None) -> list[Standing]:
    """The problems that had been opened by the end of a month, as they stood then; of the present month, as they stand now."""
    problems = store.ledger.problems(school)
    if month.first_day >= verdicts.this_month().first_day:
        return [standing_now(one) for one in problems if one.opened_on <= month.last_day]
    due_days = verdicts.policy.ledger.due_days
    found = (
        standing_on(one, store.ledger.events(one.id), month.last_day, month.zone, due_days)
        for one in problems
        if one.opened_on <= month.last_day
    )
    return [one for one in found if one is not None]


def with_one_cause_in(
    store: Store,
    verdicts: Verdicts,
    month: Month,
    judged: Sequence[SubjectVerdict],
    standings: Iterable[Standing] | None = None,
    school: str | None = None,
) -> list[SubjectVerdict]:
    """See `ledger.standing.with_one_cause`; `judged` are of all classrooms of the schools they are of."""
    if standings is None:
        standings = standings_in(store, verdicts, month, school)
    return with_one_cause(judged, by_subject(standings), shared_causes(judged))
