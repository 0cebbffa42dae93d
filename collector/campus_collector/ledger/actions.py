"""What people do with a problem: acknowledge, assign, set a date, note a measure, comment, claim it fixed. Pure: problem in, problem and event out.

Nobody can close a problem: only measurements do.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import msgspec

from campus_base.dates import NotADay, parse_day
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.text import printable, printable_line
from campus_collector.domain.problem import Event, Problem
from campus_collector.store.errors import Conflict

ACTIONS = ("acknowledge", "assign", "due", "measure", "comment", "claim_fixed")
MAX_TEXT = 500
LATEST_DUE = timedelta(days=366)


class NotPossible(Conflict):
    """The action does not fit the problem; the words say why."""

    def __init__(self, text: Message) -> None:
        super().__init__(text.en)
        self.text = text

    def in_(self, language: Language) -> str:
        return self.text.in_(language)


def act(
    problem: Problem, action: str, values: Mapping[str, str], who: str, at: datetime, today: date
) -> tuple[Problem, Event]:
    """Do one thing. Raises NotPossible."""
    if action not in ACTIONS:
        listed = ", ".join(ACTIONS)
        raise NotPossible(message("action must be one of {listed}", listed=listed))
    text = _text(values)
    if not problem.is_open and action != "comment":
        raise NotPossible(message("the problem is struck off; it can only be commented on"))
    change, what = _DO[action](problem, text, values, today)
    event = Event(at=at, who=who, what=what, text=text, values=change[1])  # type: ignore[arg-type]
    return msgspec.structs.replace(problem, **change[0]), event


_Change = tuple[dict[str, object], dict[str, str]]


def _acknowledge(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    if problem.state != "open":
        raise NotPossible(message("it is acknowledged already"))
    return ({"state": "acknowledged"}, {}), "acknowledged"


def _assign(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    unit = printable_line(values.get("responsible", ""))
    if not unit or len(unit) > 100:
        raise NotPossible(message("name the responsible unit (at most 100 characters)"))
    return ({"responsible": unit}, {"responsible": unit}), "assigned"


def _due(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    try:
        due = parse_day(values.get("due_on", ""))
    except NotADay as error:
        raise NotPossible(message("due_on {text}", text=error.text)) from None
    if not problem.opened_on <= due <= today + LATEST_DUE:
        raise NotPossible(message("the due date lies before the opening, or more than a year ahead"))
    return ({"due_on": due}, {"due_on": due.isoformat(), "before": problem.due_on.isoformat()}), "due_changed"


def _measure(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    if not text:
        raise NotPossible(message("say which measure"))
    return ({"measure": text}, {}), "measure_noted"


def _comment(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    if not text:
        raise NotPossible(message("the comment is empty"))
    return ({}, {}), "commented"


def _claim(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    if problem.state == "claimed_fixed":
        raise NotPossible(message("it is claimed fixed already; measurements decide"))
    return ({"state": "claimed_fixed", "claimed_on": today, "passing_days": 0}, {}), "claimed_fixed"


_DO = {
    "acknowledge": _acknowledge,
    "assign": _assign,
    "due": _due,
    "measure": _measure,
    "comment": _comment,
    "claim_fixed": _claim,
}


def _text(values: Mapping[str, str]) -> str:
    text = printable(values.get("text", "")).strip()
    if len(text) > MAX_TEXT:
        raise NotPossible(message("at most {max_text} characters", max_text=MAX_TEXT))
    return text
