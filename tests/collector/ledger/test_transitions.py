"""When a problem opens, is believed mended, and is struck off: day by day, without a store."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_base.messages import bilingual
from campus_collector.domain.problem import Problem
from campus_collector.judge.causes import Cause
from campus_collector.judge.policy import LedgerRule
from campus_collector.ledger.transitions import SubjectHistory, followed, may_reopen, opened, severity_on

RULE = LedgerRule()
AT = datetime(2026, 11, 4, 16, 5, tzinfo=UTC)
"""Five past midnight in Shandong: the Wednesday has just ended."""
ZONE = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 11, 2)  # a Monday
CAUSE = Cause("port_speed_10", 0.9, bilingual("8 of 8", "8 次中有 8 次"))


def weekday(day: date) -> bool:
    return day.weekday() < 5


def known(outcomes: str, causes: tuple[Cause, ...] = (CAUSE,), first_day: date = FIRST) -> SubjectHistory:
    """One letter a day from Monday on: + passed, - failed, . no valid result."""
    days = {FIRST + timedelta(days=n): letter == "+" for n, letter in enumerate(outcomes) if letter in "+-"}
    return SubjectHistory("s001", "t01", "classroom_bandwidth", "c101", days, first_day, causes)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


@pytest.mark.parametrize(
    ("outcomes", "severity"),
    [
        ("-", ""),
        ("--", ""),
        ("---", "failing"),
        ("+-+--", "failing"),
        ("--+++", ""),
        ("---+", ""),  # the last day passed
        ("--++++-", ""),  # two of the last five
        ("-.-.-", "failing"),  # days without results are not days
        ("+++++", ""),
        (".....", "silent"),
        ("....", ""),  # four school days are not five
        ("+....", ""),
        ("+......", ""),  # Tuesday to Friday, and a weekend
        ("+.......", "silent"),  # Tuesday to Monday: five school days
    ],
)
def test_when_a_problem_opens(outcomes: str, severity: str) -> None:
    assert severity_on(known(outcomes), day(len(outcomes) - 1), RULE, weekday) == severity


def test_nobody_is_silent_before_being_there() -> None:
    late = known(".....", first_day=day(2))
    assert severity_on(late, day(4), RULE, weekday) == ""
    assert severity_on(late, day(8), RULE, weekday) == "silent"


def problem(**changes: object) -> Problem:
    made, _ = opened(known("---"), day(2), AT, "failing", RULE, None, ZONE)
    return Problem(**{name: getattr(made, name) for name in made.__struct_fields__} | changes)  # type: ignore[arg-type]


def test_it_opens_with_its_evidence() -> None:
    made, events = opened(known("---"), day(2), AT, "failing", RULE, None, ZONE)
    assert (made.state, made.diagnosis, made.evidence.zh, made.unit) == (
        "open",
        "port_speed_10",
        "8 次中有 8 次",
        "integrator",
    )
    assert (made.opened_on, made.due_on, made.failing_days) == (day(2), day(17), 3)
    assert [(event.what, event.who, event.values) for event in events] == [
        ("opened", "measurements", {"day": "2026-11-04", "cause": "port_speed_10"})
    ]


def walk(start: Problem, outcomes: str, severity: str = "") -> tuple[Problem, list[str]]:
    """Live through days after the opening on day 2."""
    said: list[str] = []
    now = start
    whole = known("---" + outcomes)
    for number in range(3, 3 + len(outcomes)):
        if not now.is_open:
            break
        today = severity or ("failing" if whole.days.get(day(number)) is False else "")
        now, events = followed(now, whole, day(number), AT, today, RULE)
        said += [event.what for event in events]
    return now, said


def test_three_passing_days_in_a_row_strike_it_off() -> None:
    assert walk(problem(), "++")[0].state == "open"
    closed, actual = walk(problem(), "+++")
    assert (closed.state, closed.closed_on, actual) == ("closed", day(5), ["closed"])
    assert walk(problem(), "++-++")[0].state == "open", "a failing day begins the count again"
    assert walk(problem(), "+.+.+")[0].state == "closed", "days without results neither help nor harm"


def test_a_claim_is_verified_or_contradicted() -> None:
    claimed = problem(state="claimed_fixed", claimed_on=day(2))
    assert walk(claimed, "+++")[1] == ["closed"]
    once, actual = walk(claimed, "-")
    assert (once.state, actual) == ("claimed_fixed", []), "one failing day may be chance"
    against, actual = walk(claimed, "--")
    assert (against.state, against.contradicted, against.claimed_on, actual) == (
        "acknowledged", 1, None, ["claim_contradicted"],
    )  # fmt: skip
    silent, actual = walk(claimed, ".", severity="silent")
    assert actual == ["claim_contradicted"], "a machine that was switched off proves no repair"
    assert silent.state == "acknowledged"


@pytest.mark.parametrize(
    ("looked_at", "due"),
    [
        (datetime(2026, 11, 4, 15, 59, tzinfo=UTC), day(17)),  # before midnight in Shandong
        (AT, day(17)),
        (datetime(2026, 11, 5, 16, 0, tzinfo=UTC), day(18)),
        (datetime(2026, 11, 30, 2, 0, tzinfo=UTC), date(2026, 12, 14)),  # the results came four weeks late
    ],
)
def test_a_problem_that_late_results_open_is_not_due_before_anybody_could_know_of_it(
    looked_at: datetime, due: date
) -> None:
    new, _ = opened(known("---"), day(2), looked_at, "failing", RULE, None, ZONE)
    assert (new.opened_on, new.due_on) == (day(2), due)
    closed = problem(state="closed", closed_on=day(0))
    again, _ = opened(known("---"), day(2), looked_at, "failing", RULE, closed, ZONE)
    assert again.due_on == due


def test_the_same_again_is_the_old_problem_reopened() -> None:
    closed = problem(state="closed", closed_on=day(5))
    assert may_reopen(closed, day(35), RULE)
    assert not may_reopen(closed, day(36), RULE)
    assert not may_reopen(problem(), day(6), RULE)
    again, events = opened(known("---+++---"), day(8), AT, "failing", RULE, closed, ZONE)
    assert (again.id, again.state, again.reopened, again.opened_on) == (closed.id, "open", 1, closed.opened_on)
    assert (again.closed_on, again.passing_days, again.due_on) == (None, 0, day(23))
    assert [event.what for event in events] == ["reopened"]


def test_a_new_cause_is_noted() -> None:
    other = Cause("cable_errors", 0.9, bilingual("a", "甲"))
    now, events = followed(problem(), known("----", (other,)), day(3), AT, "failing", RULE)
    assert (now.diagnosis, now.evidence.zh, [event.what for event in events]) == ("cable_errors", "甲", ["changed"])
    vague = Cause("too_few", 0.5, bilingual("a", "甲"))
    now, events = followed(problem(), known("----", (vague,)), day(3), AT, "failing", RULE)
    assert (now.diagnosis, events) == ("port_speed_10", [])


@given(st.text("+-.", min_size=1, max_size=40))
def test_a_problem_is_struck_off_by_passing_days_only(outcomes: str) -> None:
    now, _ = walk(problem(), outcomes)
    if now.state == "closed":
        assert now.closed_on is not None
        passed = [letter for letter in outcomes[: (now.closed_on - day(2)).days] if letter != "."]
        assert passed[-RULE.close_passing_days :] == ["+"] * RULE.close_passing_days
    assert now.passing_days <= RULE.close_passing_days
