"""What may be asked of a gateway, and what its reports change."""

from datetime import UTC, datetime, timedelta

import pytest

from campus_base.messages import Message
from campus_collector.domain.commands import (
    MOST_IN_AN_HOUR,
    MOST_LIVE,
    MOST_OF_A_PERSON_IN_AN_HOUR,
    MOST_TESTS_IN_A_DAY,
    REPORTED_WITHIN,
    TAKEN_WITHIN,
    CommandBody,
    StoredCommand,
    Wanted,
    after_report,
    refusal,
)
from campus_wire.commands import CommandReport

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
CLAIM, OTHER_CLAIM = "a" * 32, "b" * 32
SECOND = timedelta(seconds=1)
TEST = Wanted("measure", "c101", "classroom")


def command(
    state: str = "asked",
    subject: str = "c101",
    *,
    kind: str = "measure",
    age: timedelta = SECOND,
    left: timedelta | None = None,
    claim: str = CLAIM,
) -> StoredCommand:
    """Asked `age` ago, it expires after `left`."""
    report = None if state == "asked" else CommandReport(state, claim)  # type: ignore[arg-type]
    asked_at = NOW - age
    expires_at = asked_at + TAKEN_WITHIN if left is None else NOW + left
    return StoredCommand(
        "s001", 1, "c" * 32, kind, subject, "li", state, asked_at, expires_at, CommandBody("classroom", report=report)
    )


@pytest.mark.parametrize(
    ("state", "left", "shown", "live"),
    [
        ("asked", SECOND, "asked", True),
        ("asked", timedelta(), "asked", True),
        ("asked", -SECOND, "expired", False),
        ("taken", SECOND, "taken", True),
        ("queued", -SECOND, "expired", False),
        ("running", -SECOND, "expired", False),
        ("done", -SECOND, "done", False),
        ("refused", SECOND, "refused", False),
        ("failed", -SECOND, "failed", False),
    ],
)
def test_what_is_shown(state: str, left: timedelta, shown: str, live: bool) -> None:
    each = command(state, left=left)
    assert (each.shown_at(NOW), each.is_live(NOW)) == (shown, live)


def test_a_gateway_is_given_the_time_that_is_left() -> None:
    assert command(left=timedelta(seconds=90)).on_the_wire(NOW).expires_in_seconds == 90
    assert command(left=-SECOND).on_the_wire(NOW).expires_in_seconds == 0


HOURS = timedelta(hours=2)
FULL_DAY = [command("done", age=HOURS)] * MOST_TESTS_IN_A_DAY


@pytest.mark.parametrize(
    ("wanted", "last_day", "by_person", "words"),
    [
        (TEST, [], 0, None),
        (TEST, [command("queued", left=SECOND)], 0, "asked for already (no. 1)"),
        (TEST, [command("queued", left=-SECOND)], 0, None),
        (TEST, [command("asked", "c102")], 0, None),
        (Wanted("doctor"), [command("asked")], 0, None),
        (TEST, [command("asked", f"d{n}") for n in range(MOST_LIVE)], 0, f"{MOST_LIVE} are waiting"),
        (TEST, [command("asked", f"d{n}") for n in range(MOST_LIVE - 1)], 0, None),
        (TEST, [command("refused", "d1")] * MOST_IN_AN_HOUR, 0, f"{MOST_IN_AN_HOUR} times within an hour"),
        (TEST, [command("refused", "d1", age=HOURS)] * MOST_IN_AN_HOUR, 0, None),
        (TEST, FULL_DAY, 0, f"{MOST_TESTS_IN_A_DAY} times on request"),
        (TEST, FULL_DAY[1:], 0, None),
        (TEST, [command("refused", age=HOURS)] * MOST_TESTS_IN_A_DAY, 0, None),
        (TEST, [command("asked", age=HOURS)] * MOST_TESTS_IN_A_DAY, 0, None),
        (TEST, [command("running", age=HOURS, left=-SECOND)] * MOST_TESTS_IN_A_DAY, 0, "on request"),
        (Wanted("measure", "c102", "classroom"), FULL_DAY, 0, None),
        (Wanted("doctor"), FULL_DAY, 0, None),
        (TEST, [], MOST_OF_A_PERSON_IN_AN_HOUR - 1, None),
        (TEST, [], MOST_OF_A_PERSON_IN_AN_HOUR, "you asked"),
        (Wanted("doctor"), [], MOST_OF_A_PERSON_IN_AN_HOUR, "you asked"),
    ],
)
def test_what_may_be_asked(wanted: Wanted, last_day: list[StoredCommand], by_person: int, words: str | None) -> None:
    answer = refusal(wanted, last_day, by_person, NOW)
    assert answer is None if words is None else answer is not None and words in answer.en


@pytest.mark.parametrize(
    ("before", "state", "claim", "words"),
    [
        (command("asked"), "taken", CLAIM, None),
        (command("asked"), "running", CLAIM, "has to be taken first"),
        (command("asked"), "done", CLAIM, "has to be taken first"),
        (command("asked", left=-SECOND), "taken", CLAIM, "expired"),
        (command("taken"), "queued", CLAIM, None),
        (command("queued"), "running", CLAIM, None),
        (command("running"), "done", CLAIM, None),
        (command("running"), "done", OTHER_CLAIM, "another gateway"),
        (command("taken"), "taken", OTHER_CLAIM, "another gateway"),
        (command("running", left=-SECOND), "done", CLAIM, "expired"),
        (command("done"), "running", CLAIM, "it is over"),
        (command("done"), "taken", CLAIM, "it is over"),
        (command("failed"), "done", CLAIM, "it is over"),
    ],
)
def test_what_a_report_changes(before: StoredCommand, state: str, claim: str, words: str | None) -> None:
    answer = after_report(before, CommandReport(state, claim), NOW)  # type: ignore[arg-type]
    if words is not None:
        assert isinstance(answer, Message)
        assert words in answer.en
    else:
        assert isinstance(answer, StoredCommand)
        assert (answer.state, answer.expires_at) == (state, NOW + REPORTED_WITHIN)


@pytest.mark.parametrize("state", ["taken", "running", "done"])
def test_the_same_report_once_more_changes_nothing(state: str) -> None:
    before = command(state)
    report = CommandReport("taken" if state != "done" else "done", CLAIM)
    assert after_report(before, report, NOW) == before


def test_one_that_waits_for_a_break_expires_after_it() -> None:
    answer = after_report(command("taken"), CommandReport("queued", CLAIM, starts_in_seconds=1800), NOW)
    assert isinstance(answer, StoredCommand)
    assert answer.expires_at == NOW + timedelta(seconds=1800) + REPORTED_WITHIN
