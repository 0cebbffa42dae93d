"""A month day by day, as one target judges it: strips of cells, and what they come to."""

from dataclasses import dataclass
from datetime import date

from campus_collector.domain.schools import Subject
from campus_collector.http.pages.charts import day_strip
from campus_collector.http.pages.reader import Reader
from campus_collector.judge.day import NOTHING, DayEvidence
from campus_collector.judge.exemptions import exempt_days
from campus_collector.judge.month import Month
from campus_collector.judge.policy import Policy

DAYS_IN_A_STRIP = 16
"""A month is shown in two strips: beside each other on a desk, below each other on a phone."""


@dataclass(frozen=True, slots=True)
class DayState:
    """One day: how it is judged ("met", "not_met", "insufficient", "exempt", "none"), and its counts."""

    day: date
    judged: str
    evidence: DayEvidence


def day_states(
    subject: Subject, target: str, month: Month, policy: Policy, days: dict[date, DayEvidence]
) -> list[DayState]:
    """Every day of a month. A day is met when as many of its valid results pass as the month asks for."""
    rule = policy.in_force(target, month.first_day)
    free, _ = exempt_days(policy, target, subject.school, subject.id, month)

    def judged(day: date, evidence: DayEvidence) -> str:
        if day in free:
            return "exempt"
        if evidence.results == 0 or rule is None:
            return "none"
        passes = evidence.passes(rule.passing_share)
        return "insufficient" if passes is None else "met" if passes else "not_met"

    states = ((day, days.get(day, NOTHING)) for day in month.every_day())
    return [DayState(day, judged(day, evidence), evidence) for day, evidence in states]


def strips(reader: Reader, states: list[DayState], title: str, days: int = DAYS_IN_A_STRIP) -> list[str]:
    """The month as pictures of so many days."""
    spoken = f"{title}{reader.words('colon')}{counted(reader, states)}"
    cells = [(_label(reader, state), state.judged) for state in states]
    return [day_strip(cells[first : first + days], spoken) for first in range(0, len(cells), days)]


def counted(reader: Reader, states: list[DayState]) -> str:
    """How many days are what, in words."""
    counts = {
        name: sum(state.judged == name for state in states)
        for name in ("met", "not_met", "insufficient", "exempt", "none")
    }
    shown = [reader.words(f"days_{name}", count=count) for name, count in counts.items() if count]
    return reader.words("list_comma").join(shown)


def _label(reader: Reader, state: DayState) -> str:
    """The picture shows its last two letters below the cell: the day of the month."""
    evidence = state.evidence
    if state.judged == "none":
        return reader.words("strip_none", day=state.day.isoformat())
    return reader.words("strip_day", passing=evidence.passing, valid=evidence.valid, day=state.day.isoformat())
