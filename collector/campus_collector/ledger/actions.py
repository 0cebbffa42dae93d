"""What people do with a problem: acknowledge, assign, set a date, note a measure, comment, claim it fixed. Pure: problem in, problem and event out.

Nobody can close a problem: only measurements do.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import msgspec

from campus_base.dates import NotADay, parse_day
from campus_base.language import Language, Text
from campus_base.text import printable, printable_line
from campus_collector.domain.problem import Event, Problem
from campus_collector.store.errors import Conflict

ACTIONS = ("acknowledge", "assign", "due", "measure", "comment", "claim_fixed")
MAX_TEXT = 500
LATEST_DUE = timedelta(days=366)


class NotPossible(Conflict):
    """The action does not fit the problem; the words say why."""

    def __init__(self, text: Text) -> None:
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
        raise NotPossible(Text(f"action must be one of {listed}", f"操作只能是 {listed} 之一"))
    text = _text(values)
    if not problem.is_open and action != "comment":
        raise NotPossible(Text("the problem is struck off; it can only be commented on", "该问题已销号，只能添加备注"))
    change, what = _DO[action](problem, text, values, today)
    event = Event(at=at, who=who, what=what, text=text, values=change[1])  # type: ignore[arg-type]
    return msgspec.structs.replace(problem, **change[0]), event


_Change = tuple[dict[str, object], dict[str, str]]


def _acknowledge(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    if problem.state != "open":
        raise NotPossible(Text("it is acknowledged already", "该问题已受理"))
    return ({"state": "acknowledged"}, {}), "acknowledged"


def _assign(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    unit = printable_line(values.get("responsible", ""))
    if not unit or len(unit) > 100:
        raise NotPossible(Text("name the responsible unit (at most 100 characters)", "请填写责任单位（至多 100 字）"))
    return ({"responsible": unit}, {"responsible": unit}), "assigned"


def _due(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    try:
        due = parse_day(values.get("due_on", ""))
    except NotADay as error:
        raise NotPossible(Text(f"due_on {error.text.en}", f"完成时限{error.text.zh}")) from None
    if not problem.opened_on <= due <= today + LATEST_DUE:
        raise NotPossible(
            Text("the due date lies before the opening, or more than a year ahead", "完成时限早于立案日期，或超过一年")
        )
    return ({"due_on": due}, {"due_on": due.isoformat(), "before": problem.due_on.isoformat()}), "due_changed"


def _measure(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    if not text:
        raise NotPossible(Text("say which measure", "请填写整改措施"))
    return ({"measure": text}, {}), "measure_noted"


def _comment(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    if not text:
        raise NotPossible(Text("the comment is empty", "备注不能为空"))
    return ({}, {}), "commented"


def _claim(problem: Problem, text: str, values: Mapping[str, str], today: date) -> tuple[_Change, str]:
    if problem.state == "claimed_fixed":
        raise NotPossible(Text("it is claimed fixed already; measurements decide", "已报整改完成，等待实测核验"))
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
        raise NotPossible(Text(f"at most {MAX_TEXT} characters", f"至多 {MAX_TEXT} 字"))
    return text
