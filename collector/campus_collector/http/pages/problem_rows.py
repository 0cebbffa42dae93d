"""Problems of the ledger as the pages of a school show them: what, since when, who acts and is called."""

from dataclasses import dataclass
from datetime import date

from campus_collector.domain.inventory import InventorySchool
from campus_collector.domain.problem import Problem
from campus_collector.domain.schools import School
from campus_collector.http.pages.reader import Reader
from campus_collector.http.pages.words import rate_words
from campus_collector.judge.explanations import EXPLANATIONS, UNIT_WORDS
from campus_collector.ledger.status import ProblemStatus
from campus_collector.ledger.table import Names, problem_words, state_words


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One problem. `days` are from its opening to its end, or to today."""

    number: int
    text: str
    since: date
    until: date | None
    days: int
    responsible: str
    measure: str
    due_on: date
    overdue: bool
    state: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Who is called about a school's network, as the inventory has it; "" where it has nothing."""

    carrier: str
    contract: str
    contract_bits_per_second: int | None
    unit: str
    contact: str
    phone: str

    @property
    def is_known(self) -> bool:
        return any((self.carrier, self.contract, self.unit, self.contact, self.phone))


NOBODY = Contact("", "", None, "", "", "")


def contact_of(row: InventorySchool | None) -> Contact:
    if row is None:
        return NOBODY
    return Contact(row.carrier, row.contract, row.contract_bits_per_second, row.unit, row.contact, row.phone)


def contract_rate(reader: Reader, contact: Contact) -> str:
    """What the contract promises; "" where it is not known."""
    rate = contact.contract_bits_per_second
    return reader.text(rate_words(rate)) if rate else ""


class ProblemRows:
    """Of one school, for one reader."""

    def __init__(self, reader: Reader, school: School, contact: Contact, names: Names, today: date) -> None:
        self._reader, self._school, self._contact = reader, school, contact
        self._names, self._today = names, today

    def open(self, standings: list[ProblemStatus]) -> list[ProblemRow]:
        """Those that are open, the oldest first."""
        problems = [standing.problem for standing in standings if standing.is_open]
        return [self._row(problem) for problem in sorted(problems, key=lambda each: (each.opened_on, each.id))]

    def closed(self, standings: list[ProblemStatus]) -> list[ProblemRow]:
        """Those that were struck off, the last one first."""
        problems = [standing.problem for standing in standings if not standing.is_open]
        ended = sorted(problems, key=lambda each: (each.closed_on or each.opened_on, each.id), reverse=True)
        return [self._row(problem) for problem in ended]

    def responsible(self, unit: str, assigned: str = "") -> str:
        """Who has to act: whom the ledger names, else the unit by its name, where the inventory has it."""
        if assigned:
            return assigned
        names = {"school": self._school.name, "carrier": self._contact.carrier, "integrator": self._contact.unit}
        return names.get(unit) or self._reader.text(UNIT_WORDS[unit])

    def _row(self, problem: Problem) -> ProblemRow:
        language = self._reader.language
        ended = problem.closed_on if not problem.is_open else None
        return ProblemRow(
            problem.id,
            problem_words(problem, self._names, language),
            problem.opened_on,
            ended,
            max(0, ((ended or self._today) - problem.opened_on).days),
            self.responsible(problem.unit, problem.responsible),
            problem.measure or self._reader.text(EXPLANATIONS[problem.diagnosis].advice),
            problem.due_on,
            problem.overdue_on(self._today),
            state_words(problem, self._today, language),
        )
