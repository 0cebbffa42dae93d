"""A clock that a time service keeps is believed, whichever service it is: the kernel knows."""

import subprocess
import sys
from pathlib import Path

import pytest

from campus_agent.clock import kernel_clock
from campus_agent.clock.clock import Clock, system_clock
from campus_agent.clock.kernel_clock import KernelClock, is_set_by
from campus_agent.spool.time_floor import TimeFloor, is_unknown


@pytest.mark.parametrize(
    ("state", "greatest_error_us", "is_set"),
    [
        (0, 1_500, True),  # TIME_OK
        (1, 1_500, True),  # TIME_INS: a leap second will come
        (5, 30_000, True),  # TIME_ERROR by STA_UNSYNC alone: chrony without rtcsync
        (5, 16_000_000, False),  # never set, or set by hand
        (0, 16_000_000, False),
        (-1, 0, False),  # refused: EPERM under a filter of system calls
        (0, -1, False),
    ],
)
def test_what_the_kernel_says(state: int, greatest_error_us: int, is_set: bool) -> None:
    assert is_set_by(state, greatest_error_us) is is_set


def test_the_kernel_answers_without_a_privilege_and_changes_nothing() -> None:
    command = [sys.executable, "-I", "-S", kernel_clock.__file__]
    first, second = (subprocess.run(command, capture_output=True, check=True, timeout=30).stdout for _ in range(2))
    state, greatest_error_us = map(int, first.split())
    assert 0 <= state <= 5
    assert 0 <= greatest_error_us <= 16_000_000
    assert KernelClock().is_set() == is_set_by(*map(int, second.split()))


def test_it_is_asked_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, now = [], [1000.0]
    monkeypatch.setattr(kernel_clock, "_ask", lambda: asked.append(1) or True)
    monkeypatch.setattr(kernel_clock, "monotonic", lambda: now[0])
    clock = KernelClock()
    assert [clock.is_set() for _ in range(3)] == [True, True, True]
    assert len(asked) == 1
    now[0] += kernel_clock.ASK_AGAIN_SECONDS + 1
    assert clock.is_set()
    assert len(asked) == 2


def test_a_system_without_an_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel_clock.sys, "executable", str(tmp_path / "nothing"))
    assert not KernelClock().is_set()


@pytest.mark.parametrize("is_set", [True, False])
def test_a_clock_behind_what_was_known_is_believed_once_it_is_set(is_set: bool) -> None:
    clock = Clock("boot", lambda: 1_800_000_000.0, lambda: 50.0, lambda: is_set)
    assert is_unknown(clock, None, TimeFloor("before", 1.0, 1_800_086_400.0)) is not is_set
    assert not is_unknown(clock, None, TimeFloor("before", 1.0, 1_700_000_000.0))


def test_the_system_s_clock_asks_the_kernel() -> None:
    assert system_clock().is_set() in (True, False)
