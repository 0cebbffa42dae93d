"""Which problems does a reader want to see? By town, target, state, age; the worst first."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from typing import Literal

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.text import printable_line
from campus_collector.domain.inventory import InventorySchool
from campus_collector.domain.pieces import pieces_of
from campus_collector.domain.problem import ACTOR_WORDS, WHAT_WORDS, Event, Problem
from campus_collector.judge.explanations import CAUSE_WORDS as CAUSES
from campus_collector.judge.explanations import UNIT_WORDS
from campus_collector.ledger.table import NO_NAMES, Names
from campus_collector.store.store import Store

MAX_AGE_DAYS = 9999
"""Problems older than any of ours are asked for by no one."""
SUBJECTS_AT_ONCE = 100
"""The names of so many are read in one statement."""


Order = Literal["due", "opened", "failing", "school"]
ORDERS: dict[Order, Message] = {
    "due": message("most overdue first"),
    "opened": message("oldest first"),
    "failing": message("longest failing first"),
    "school": message("by school"),
}


@dataclass(frozen=True, slots=True)
class ProblemFilter:
    """A selection; None: whatever. `state` may also be `overdue`, `contradicted`, or `all`; without one: what is still open.

    `words` must all stand in what a problem says; `numbers` are problems picked one by one, whatever the rest says of their state.
    """

    town: str | None = None
    target: str | None = None
    state: str | None = None
    school: str | None = None
    older_than_days: int | None = None
    unit: str | None = None
    cause: str | None = None
    words: tuple[str, ...] = ()
    numbers: frozenset[int] = frozenset()
    order: Order = "due"

    @property
    def open_only(self) -> bool:
        """Can no problem that was struck off match?"""
        return not self.numbers and self.state not in ("closed", "all")


def select(problems: Sequence[Problem], selected: ProblemFilter, today: date, names: Names = NO_NAMES) -> list[Problem]:
    """In the order asked for; struck off ones last. `names` are needed for words only."""
    matching = [problem for problem in problems if _matches(problem, selected, today, names)]
    keys: dict[Order, Callable[[Problem], tuple[object, ...]]] = {
        "due": lambda each: (not each.overdue_on(today), each.due_on, each.id),
        "opened": lambda each: (each.opened_on, each.id),
        "failing": lambda each: (-each.failing_days, each.id),
        "school": lambda each: (each.town, each.school, each.target, each.subject, each.id),
    }
    return sorted(matching, key=lambda each: (not each.is_open, *keys[selected.order](each)))


def counts(
    problems: Sequence[Problem], selected: ProblemFilter, today: date, names: Names = NO_NAMES
) -> dict[str, int]:
    """How many of each state fit the rest of a selection, of those that are open; also `overdue` and `contradicted`."""
    states = ("open", "acknowledged", "claimed_fixed", "overdue", "contradicted")
    return {state: len(select(problems, replace(selected, state=state), today, names)) for state in states}


def _matches(problem: Problem, selected: ProblemFilter, today: date, names: Names) -> bool:
    if selected.numbers:
        return problem.id in selected.numbers and selected.town in (None, problem.town)
    if selected.unit not in (None, problem.unit) or selected.cause not in (None, problem.diagnosis):
        return False
    if selected.words and not _says(problem, selected.words, names):
        return False
    if selected.town not in (None, problem.town) or selected.target not in (None, problem.target):
        return False
    if selected.school not in (None, problem.school):
        return False
    if selected.older_than_days is not None and (today - problem.opened_on).days < selected.older_than_days:
        return False
    if selected.state is None:
        return problem.is_open
    if selected.state == "overdue":
        return problem.overdue_on(today)
    if selected.state == "contradicted":
        return problem.is_open and problem.contradicted > 0
    return selected.state in ("all", problem.state)


def _says(problem: Problem, words: Sequence[str], names: Names) -> bool:
    """Does each word stand in the names, the cause (both languages), the unit or the measure of a problem, or is it its number?"""
    cause = CAUSES[problem.diagnosis]
    subjects = [problem.subject, *problem.covers]
    texts = [
        f"#{problem.id}",
        *(names.schools.get(problem.school, ""), problem.school, names.towns.get(problem.town, ""), problem.town),
        *(names.subjects.get((problem.school, subject), subject) for subject in subjects),
        *(cause.zh, cause.en, problem.responsible, problem.measure),
        *(UNIT_WORDS[problem.unit].zh, UNIT_WORDS[problem.unit].en),
    ]
    whole = "\n".join(texts).casefold()
    return all(word in whole or word == str(problem.id) for word in words)


def names_in(store: Store, problems: Iterable[Problem], rows: Iterable[InventorySchool | None] = ()) -> Names:
    """What schools and towns are called, and the subjects of some problems; removed things included.

    `rows` are the schools' rows of the inventory, which name carriers and maintenance units.
    """
    schools = store.schools.all(datetime.fromtimestamp(0, UTC))
    subjects = sorted({(problem.school, problem.subject) for problem in problems if problem.subject})
    names = {
        (school, subject): printable_line(name) or subject
        for group in pieces_of(subjects, SUBJECTS_AT_ONCE)
        for school, subject, name in store.subjects.names(group)
    }
    units = {
        (row.id, unit): printable_line(name)
        for row in rows
        if row is not None
        for unit, name in (("carrier", row.carrier), ("integrator", row.unit))
        if name
    }
    return Names(
        {school.id: school.name for school in schools},
        {school.town: school.town_name for school in schools},
        names,
        units,
    )


def event_words(
    event: Event, zone: tzinfo, language: Language, *, numbered: bool = False
) -> tuple[str, str, str, str, str]:
    """One line of a history: when, who, what, in whose words, with which values; `numbered`: with the number of the problem in front."""
    who = ACTOR_WORDS[event.who].in_(language) if event.who in ACTOR_WORDS else event.who
    cause = CAUSES[event.values["cause"]].in_(language) if event.values.get("cause") in CAUSES else ""
    problem = message("ledger no. {id}", id=event.problem) if numbered and event.problem is not None else None
    values = [] if problem is None else [problem.in_(language)]
    values += [_value(key, value, language) for key, value in event.values.items() if key in _SHOWN_VALUES]
    values += [cause] if cause else []
    at = event.at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    return at, who, WHAT_WORDS[event.what].in_(language), event.text, " · ".join(values)


def _value(key: str, value: str, language: Language) -> str:
    if key == "version":
        return message("version {version}", version=value).in_(language)
    words = _VALUE_WORDS.get(key, {})
    return (
        message("+")
        .in_(language)
        .join(words[part].in_(language) if part in words else part for part in value.split(", "))
    )


_VALUE_WORDS: dict[str, dict[str, Message]] = {
    "role": {"viewer": message("viewer"), "operator": message("operator"), "admin": message("admin")},
    "proof": {
        "token": message("token"),
        "password": message("password"),
        "identity": message("single sign-on"),
    },
}
_SHOWN_VALUES = ("day", "responsible", "due_on", "person", "role", "town", "proof", "school", "version")
