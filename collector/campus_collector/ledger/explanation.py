"""The derivation of one subject's month, from the store: what `explain` prints and its page shows."""

from campus_collector.judge.derivation import Derivation, derive
from campus_collector.judge.judging import required_of
from campus_collector.judge.month import Month
from campus_collector.judge.rules import RULES
from campus_collector.judge.service import Verdicts
from campus_collector.judge.verdict import About, judge_month
from campus_collector.ledger.named_causes import with_one_cause_in
from campus_collector.store.interface import Store


def explain(
    store: Store, verdicts: Verdicts, target: str, school: str, subject_id: str, month: Month
) -> Derivation | None:
    """Everything is read and judged anew from the results; None for a subject that was not there in that month."""
    kind = RULES[target].subject_kind
    about = next(
        (one for one in store.subjects(school, month.start, month.end) if one.kind == kind and one.id == subject_id),
        None,
    )
    if about is None:
        return None
    town = next((one.town for one in store.schools(month.start) if one.id == school), "")
    required = required_of(about, verdicts.policy.in_force(target, month.first_day))
    whom = About(target, town, school, subject_id, required, about.exempt_reason)
    days = verdicts.judging.from_results(about, target, month.first_day, month.last_day)
    results = list(store.results(school, subject_id, RULES[target].result_kind, month.start, month.end))
    verdict = judge_month(whom, days, month, verdicts.policy)
    if verdict.causes:  # what the school's classrooms share, and what the ledger says, is found among all of them
        others = [one for one in verdicts.subjects(month, school) if (one.target, one.subject) != (target, subject_id)]
        judged = with_one_cause_in(store, verdicts, month, [*others, verdict], school=school)
        verdict = next(one for one in judged if (one.target, one.subject) == (target, subject_id))
    return derive(whom, month, verdicts.policy, results, days, verdict)


def find_subjects(store: Store, target: str, text: str, month: Month) -> list[tuple[str, str]]:
    """(school, subject) that a reader may mean by `SUBJECT`, `SCHOOL/SUBJECT`, or a school's id where it has one such subject."""
    school, _, subject = text.rpartition("/")
    kind = RULES[target].subject_kind
    known = [one for one in store.subjects(school or None, month.start, month.end) if one.kind == kind]
    found = [(one.school, one.id) for one in known if one.id == subject]
    return found or [(one.school, one.id) for one in known if not school and one.school == subject]
