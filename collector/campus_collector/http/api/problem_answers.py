"""What the routes of the ledger answer, made from its records."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

import msgspec

from campus_base.language import Language
from campus_collector.domain.days import day_of
from campus_collector.domain.problem import WHAT_WORDS, Event, Problem, State, What
from campus_collector.http.api.answers import Timestamp, Words, words_of
from campus_collector.http.service import Service
from campus_collector.judge.explanations import EXPLANATIONS
from campus_collector.ledger.table import AS_OF, WORKING, Names, problem_words


class EventAnswer(msgspec.Struct, frozen=True):
    """One line of a problem's history."""

    at: Timestamp
    who: str
    what: What
    words: Words
    text: str
    values: dict[str, str]


class ProblemAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A problem of the ledger."""

    id: int
    school: str
    town: str
    target: str
    subject: str
    state: State
    opened_on: date
    due_on: date
    diagnosis: str
    evidence_en: str
    evidence_zh: str
    unit: str
    failing_days: int
    covers: list[str]
    severity: Literal["failing", "silent"]
    reopened: int
    contradicted: int
    claimed_on: date | None
    closed_on: date | None
    last_failing_on: date | None
    passing_days: int
    measure: str
    responsible: str
    version: int
    school_name: str
    town_name: str
    text: Words
    advice: Words
    overdue: bool
    age_days: int


class ProblemWithHistory(ProblemAnswer, frozen=True, kw_only=True):
    """GET /v1/problems/ID."""

    history: list[EventAnswer]


class ProblemsAnswer(msgspec.Struct, frozen=True):
    """GET /v1/problems, and what `ledger --json` prints. `as_of`: the last day that is in the ledger; `complete`: as every complete day is."""

    problems: list[ProblemAnswer]
    as_of: date | None
    complete: bool


def problem_answer(problem: Problem, names: Names, today: date) -> ProblemAnswer:
    """One problem, with words in both languages."""
    return ProblemAnswer(**_fields(problem, names, today))


def problem_with_history(problem: Problem, events: Sequence[Event], names: Names, today: date) -> ProblemWithHistory:
    """The same with what happened to it, oldest first."""
    return ProblemWithHistory(**_fields(problem, names, today), history=[event_answer(event) for event in events])


def problems_answer(service: Service, problems: Sequence[Problem], names: Names, today: date) -> ProblemsAnswer:
    answers = [problem_answer(problem, names, today) for problem in problems]
    return ProblemsAnswer(answers, *ledger_status(service))


def ledger_status(service: Service) -> tuple[date | None, bool]:
    """The last day that is in the ledger, and whether every complete day is."""
    until = service.store.ledger.high_water_mark()
    complete = not service.ledger.is_behind(service.ledger.yesterday())
    return (day_of(until) if until is not None else None), complete


def status_words(service: Service, language: Language) -> str:
    """The last day that is in the ledger, and whether days are still missing, for an export."""
    as_of, complete = ledger_status(service)
    words = AS_OF.in_(language, day=as_of or "—")
    return words if complete else words + WORKING.in_(language)


def _fields(problem: Problem, names: Names, today: date) -> dict[str, Any]:
    fields = msgspec.structs.asdict(problem)
    evidence = fields.pop("evidence")
    return fields | {
        "evidence_en": evidence.en,
        "evidence_zh": evidence.zh,
        "school_name": names.schools.get(problem.school, problem.school),
        "town_name": names.towns.get(problem.town, problem.town),
        "text": Words(problem_words(problem, names, "en"), problem_words(problem, names, "zh")),
        "advice": words_of(EXPLANATIONS[problem.diagnosis].advice),
        "overdue": problem.overdue_on(today),
        "age_days": (today - problem.opened_on).days,
    }


def event_answer(event: Event) -> EventAnswer:
    return EventAnswer(
        event.at.isoformat(), event.who, event.what, words_of(WHAT_WORDS[event.what]), event.text, event.values
    )
