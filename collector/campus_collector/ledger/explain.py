"""The derivation of one subject's month, from the store: what `explain` prints and its page shows."""

from campus_collector.domain.schools import Subject
from campus_collector.judge.derivation import Derivation, derive
from campus_collector.judge.month import Month
from campus_collector.judge.policy import required_rate
from campus_collector.judge.rules import RULES, rule_of
from campus_collector.judge.service import Verdicts
from campus_collector.judge.verdict import JudgedSubject, judge_month
from campus_collector.ledger.named_cause import with_named_causes
from campus_collector.store.store import Store


def explain(
    store: Store, verdicts: Verdicts, target: str, school: str, subject_id: str, month: Month
) -> Derivation | None:
    """Everything is read and judged anew from the results; None for a subject that was not there in that month."""
    subject = next((subject for subject in _subjects(store, target, school, month) if subject.id == subject_id), None)
    if subject is None:
        return None
    town = next((each.town for each in store.schools.all(month.start) if each.id == school), "")
    rule = verdicts.policy.in_force(target, month.first_day)
    required, lessons = required_rate(subject, rule), verdicts.lessons(school, month)
    about = JudgedSubject(target, town, school, subject_id, required, subject.exempt_reason, lessons)
    read = verdicts.reader_of(school)
    days = verdicts.evidence_from_results(subject, target, month.first_day, month.last_day, read)
    verdict = judge_month(about, days, month, verdicts.policy)
    if verdict.causes:  # what the school's classrooms share, and what the ledger says, is found among all of them
        key = (target, subject_id)
        others = [other for other in verdicts.subjects(month, school) if (other.target, other.subject) != key]
        judged = with_named_causes(store, verdicts, month, [*others, verdict], school=school)
        verdict = next(verdict for verdict in judged if (verdict.target, verdict.subject) == key)
    reading = rule_of(target, rule)
    kinds = reading.kinds if rule is not None and rule.minutes is not None else (reading.result_kind,)
    results = [result for kind in kinds for result in read(subject_id, kind, month.start, month.end)]
    return derive(about, month, verdicts.policy, results, days, verdict)


def find_subjects(store: Store, target: str, text: str, month: Month) -> list[tuple[str, str]]:
    """(school, subject) that a reader may mean by `SUBJECT`, `SCHOOL/SUBJECT`, or a school's id where it has one such subject."""
    school, _, subject_id = text.rpartition("/")
    subjects = _subjects(store, target, school or None, month)
    exact = [(subject.school, subject.id) for subject in subjects if subject.id == subject_id]
    return exact or [
        (subject.school, subject.id) for subject in subjects if not school and subject.school == subject_id
    ]


def _subjects(store: Store, target: str, school: str | None, month: Month) -> list[Subject]:
    kind = RULES[target].subject_kind
    return [subject for subject in store.subjects.all(school, month.start, month.end) if subject.kind == kind]
