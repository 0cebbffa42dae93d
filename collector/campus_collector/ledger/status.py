"""The status of a problem at the end of a day, worked out from its history. Pure.

An event that measurements caused belongs to the day that was measured, however late that was read; what people did, to the day they did it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo

from campus_collector.domain.problem import MEASUREMENTS, Event, Problem
from campus_collector.judge.explanations import EXPLANATIONS
from campus_collector.ledger.transitions import due_date

OPENING = ("opened", "reopened")
ENDING = ("closed", "merged", "withdrawn")


@dataclass(frozen=True, slots=True)
class ProblemStatus:
    """A problem at the end of a day: is it open, for which cause, who has to act (a unit's code, or the name somebody wrote), until when."""

    problem: Problem
    is_open: bool
    cause: str
    responsible: str
    due_on: date

    @property
    def unit(self) -> str:
        """Who has to act: as somebody assigned it, else whom the cause points to."""
        return self.responsible or EXPLANATIONS[self.cause].unit


@dataclass(frozen=True, slots=True)
class Balance:
    """A span of days: open before + opened - struck off - ended otherwise = open at its end."""

    before: int = 0
    opened: int = 0
    struck_off: int = 0
    ended_otherwise: int = 0

    @property
    def at_the_end(self) -> int:
        return self.before + self.opened - self.struck_off - self.ended_otherwise

    def __add__(self, other: "Balance") -> "Balance":
        return Balance(
            self.before + other.before,
            self.opened + other.opened,
            self.struck_off + other.struck_off,
            self.ended_otherwise + other.ended_otherwise,
        )


def day_of_event(event: Event, zone: tzinfo) -> date:
    """The local day an event belongs to: that of the measurements, or the one on which a person acted."""
    measured = event.values.get("day") if event.who == MEASUREMENTS else None
    return date.fromisoformat(measured) if measured else event.at.astimezone(zone).date()


def balance_of(events: Iterable[Event], first: date, last: date, zone: tzinfo) -> Balance:
    """What one problem's history adds to the balance of a span of days, both included."""
    counts = Balance()
    for event in events:
        day = day_of_event(event, zone)
        if day > last or event.what not in (*OPENING, *ENDING):
            continue
        begins = event.what in OPENING
        if day < first:
            counts = replace(counts, before=counts.before + (1 if begins else -1))
        elif begins:
            counts = replace(counts, opened=counts.opened + 1)
        elif event.what == "closed":
            counts = replace(counts, struck_off=counts.struck_off + 1)
        else:
            counts = replace(counts, ended_otherwise=counts.ended_otherwise + 1)
    return counts


def status_on(
    problem: Problem, events: Sequence[Event], day: date, zone: tzinfo, due_days: int
) -> ProblemStatus | None:
    """The status of a problem at the end of a day; None when it had not been opened by then.

    The history does not carry the due date of an opening: it is what the next change says was there before, or what is kept; where the problem
    was opened again later, it is what the rules gave it.
    """
    dated = sorted(((day_of_event(event, zone), event) for event in events), key=lambda pair: pair[0])
    status: ProblemStatus | None = None
    for position, (when, event) in enumerate(dated):
        if when > day:
            break
        if event.what in OPENING:
            by_rule = due_date(when, event.at.astimezone(zone).date(), due_days)
            due_on = _due_of_opening(problem, [later for _, later in dated[position + 1 :]], by_rule)
            responsible = status.responsible if status is not None else ""
            status = ProblemStatus(problem, True, event.values.get("cause", "unknown"), responsible, due_on)
        elif status is None:
            continue
        elif event.what in ENDING:
            status = replace(status, is_open=False)
        elif event.what == "changed":
            status = replace(status, cause=event.values.get("cause", status.cause))
        elif event.what == "assigned":
            status = replace(status, responsible=event.values.get("responsible", status.responsible))
        elif event.what == "due_changed" and "due_on" in event.values:
            status = replace(status, due_on=date.fromisoformat(event.values["due_on"]))
    return status


def _due_of_opening(problem: Problem, later: Sequence[Event], by_rule: date) -> date:
    for event in later:
        if event.what == "due_changed" and "before" in event.values:
            return date.fromisoformat(event.values["before"])
        if event.what == "reopened":
            return by_rule
    return problem.due_on


def status_now(problem: Problem) -> ProblemStatus:
    """The status as it is stored."""
    return ProblemStatus(problem, problem.is_open, problem.diagnosis, problem.responsible, problem.due_on)
