"""Who may start a load when: the table of `campus_agent.gate.rules` is what the decision does."""

import pytest
from msgspec.structs import replace

from campus_agent.config.model import Page
from campus_agent.gate import rules as module
from campus_agent.gate.rules import (
    BROWSER,
    LATENCY,
    OFFICE,
    SCHEDULE,
    TERMINAL,
    GateReason,
    LoadRules,
    NoPermit,
    Situation,
    browser_rules,
    refusal,
)
from campus_wire.failures import SkipReason

COLUMNS = {"schedule": SCHEDULE, "latency": LATENCY, "terminal": TERMINAL, "browser": BROWSER, "office": OFFICE}
PLENTY = Situation(bytes_left=10**9)
SECONDS, BYTES = 20.0, 10**6
DECIDED = {
    "lessons or blackout days, and nobody knows the time": replace(PLENTY, time_is_unknown=True),
    "blackout day": replace(PLENTY, blackout=True),
    "lesson, or too little time before the next": replace(PLENTY, free_seconds=SECONDS - 0.1),
    "the day's bytes do not suffice": replace(PLENTY, bytes_left=BYTES - 1),
    "as many tests in the last hour as allowed": replace(PLENTY, tests_in_last_hour=Page().tests_per_hour),
}


def wait(seconds: float | None) -> str:
    return "allowed" if seconds is None else f"waits {seconds:.0f} s"


def without_collector(rules: LoadRules) -> str:
    return "refused" if rules.slot_wait_seconds is not None and rules.needs_collector else "allowed"


WAITED = {
    "another test holds the segment": lambda rules: wait(rules.segment_wait_seconds),
    "uplink: the test server is taken": lambda rules: wait(rules.slot_wait_seconds),
    "uplink: the collector cannot be asked for a slot": without_collector,
    "other traffic on the line, or a busy CPU": lambda rules: "refused" if rules.needs_quiet else "allowed",
}


def documented() -> dict[str, dict[str, str]]:
    """The table of the docstring: situation, column, word."""
    lines = [line.strip("| ") for line in (module.__doc__ or "").splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if not line.startswith("-")]
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[1:]}


def test_the_table_is_what_is_decided() -> None:
    decided = {
        name: {
            column: "allowed" if refusal(rules, situation, SECONDS, BYTES) is None else "refused"
            for column, rules in COLUMNS.items()
        }
        for name, situation in DECIDED.items()
    }
    waited = {name: {column: word(rules) for column, rules in COLUMNS.items()} for name, word in WAITED.items()}
    assert documented() == decided | waited


@pytest.mark.parametrize("rules", COLUMNS.values(), ids=COLUMNS)
def test_nothing_is_refused_without_a_reason(rules: LoadRules) -> None:
    exactly = Situation(free_seconds=SECONDS, bytes_left=BYTES, tests_in_last_hour=Page().tests_per_hour - 1)
    assert refusal(rules, exactly, SECONDS, BYTES) is None


@pytest.mark.parametrize(
    ("rules", "situation", "reason"),
    [
        (SCHEDULE, Situation(time_is_unknown=True, blackout=True), GateReason.TIME_UNKNOWN),
        (SCHEDULE, Situation(blackout=True, free_seconds=0.0), SkipReason.BLACKOUT),
        (SCHEDULE, Situation(free_seconds=0.0), SkipReason.LESSON),
        (SCHEDULE, Situation(), SkipReason.BYTE_BUDGET),
        (BROWSER, Situation(tests_in_last_hour=60), GateReason.HOURLY_LIMIT),
        (TERMINAL, Situation(time_is_unknown=True, blackout=True, free_seconds=0.0), SkipReason.BLACKOUT),
    ],
)
def test_the_first_reason_is_shown(rules: LoadRules, situation: Situation, reason: object) -> None:
    answer = refusal(rules, situation, SECONDS, BYTES)
    assert isinstance(answer, NoPermit)
    assert answer.reason is reason
    assert answer.detail


def test_a_school_may_allow_its_page_more() -> None:
    rules = browser_rules(Page(in_lessons=True, tests_per_hour=2))
    assert refusal(rules, replace(PLENTY, free_seconds=0.0, tests_in_last_hour=1), SECONDS, BYTES) is None
    refused = refusal(rules, replace(PLENTY, tests_in_last_hour=2), SECONDS, BYTES)
    assert refused is not None
    assert refused.reason is GateReason.HOURLY_LIMIT
