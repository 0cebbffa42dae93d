"""Measurements on a machine that other programs use too: asked again, and never blamed on the code where processors were wanted all the time."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

AnswerT = TypeVar("AnswerT")
ATTEMPTS = 8
"""A test of a line takes a second or two: so many also pass where other programs take every core most of the time."""
BUSY_RATIO = 0.6
"""Processes waited for a processor during more than this share of the time. A test of a line alone stays below half of it."""


def first_usable(ask: Callable[[], AnswerT], is_usable: Callable[[AnswerT], bool], attempts: int = ATTEMPTS) -> AnswerT:
    """The first answer that the machine did not spoil. `is_usable` is not the place for what must hold of every answer: assert it in `ask`.

    Where there is none, the test fails; it is skipped, with the reason, where the kernel says that the machine was busy.
    """
    began, waited = time.monotonic(), _cpu_wait_seconds()
    for attempt in range(attempts):
        answer = ask()
        if is_usable(answer):
            return answer
        time.sleep(0.2 * attempt)
    ratio = (_cpu_wait_seconds() - waited) / (time.monotonic() - began)
    words = f"no usable answer of {attempts}; processors were waited for during {ratio:.0%} of the time; the last: {str(answer)[:800]}"
    if ratio > BUSY_RATIO:
        pytest.skip(f"THIS MACHINE IS BUSY: {words}")
    raise AssertionError(words)


def _cpu_wait_seconds() -> float:
    """How long some process has waited for a processor since the start of the machine (Linux: pressure stall information); 0: it does not tell."""
    try:
        some = Path("/proc/pressure/cpu").read_text().splitlines()[0]
    except OSError:
        return 0.0
    return int(some.rpartition("total=")[2]) / 1e6
