"""For how long a request for commands is held, where a proxy cuts after any time."""

import pytest

from campus_agent.commands.client import FIRST_HOLD_SECONDS, LEAST_HOLD_SECONDS, HoldTime
from campus_wire.commands import MAX_HOLD_SECONDS


def settled(cut_after_seconds: float) -> tuple[float, int]:
    """The hold time after 50 requests, and how many of them were cut."""
    hold, cuts = HoldTime(), 0
    for _ in range(50):
        if hold.seconds >= cut_after_seconds:
            hold.cut()
            cuts += 1
        else:
            hold.held()
    return hold.seconds, cuts


@pytest.mark.parametrize("cut_after_seconds", [16, 20, 30, 50, 60, 90, 100, 120, 180, 240])
def test_it_settles_below_what_the_proxy_allows(cut_after_seconds: float) -> None:
    seconds, cuts = settled(cut_after_seconds)
    assert LEAST_HOLD_SECONDS <= seconds < cut_after_seconds
    assert seconds > cut_after_seconds / 2 - 15
    assert cuts <= 3


def test_without_a_proxy_it_is_held_as_long_as_a_collector_holds() -> None:
    assert HoldTime().seconds == FIRST_HOLD_SECONDS
    assert settled(float("inf")) == (MAX_HOLD_SECONDS, 0)


def test_a_proxy_that_cuts_everything_is_asked_at_the_least_time() -> None:
    assert settled(1)[0] == LEAST_HOLD_SECONDS
