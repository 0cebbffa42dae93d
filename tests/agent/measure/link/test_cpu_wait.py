"""What the kernel says of waiting for a processor, and which rate is the line's all the same."""

import subprocess
import sys
from random import Random

import pytest

from campus_agent.measure.link import cpu_wait
from campus_agent.measure.link.cpu_wait import CpuWait, ProcessorCounts, between
from campus_agent.measure.link.steady_rate import steady_rate

CPU = [[100, 0, 100, 800, 0, 0, 0, 0], [100, 0, 100, 800, 0, 0, 0, 0]]
BUSY = """
import os, sys, time
from campus_agent.measure.link import cpu_wait
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
neighbour = os.fork()
if not neighbour:
    while True: pass
before = cpu_wait.read(time.monotonic())
thread = cpu_wait.thread_run_delay_ns()
while time.monotonic() < before.at + 10 and time.thread_time() < 0.3: pass
found = cpu_wait.between(before, cpu_wait.read(time.monotonic()))
os.kill(neighbour, 9)
print(found.thread_ratio, cpu_wait.waited_ns(thread))
"""


def test_a_thread_that_shares_its_core_has_waited() -> None:
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, check=True, timeout=60)
    ratio, waited_ns = (float(word) for word in done.stdout.split())
    assert ratio > 0.1
    assert waited_ns > 30e6


def test_this_machine_tells_and_half_of_nothing_is_nothing() -> None:
    reading = cpu_wait.read(1.0)
    assert reading.run_delay_ns is not None
    assert reading.processors
    assert between(reading, reading) == CpuWait()


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (ProcessorCounts(2.0, 500_000_000, 0, 1.0, CPU), {"thread_ratio": 0.5, "ratio": 0.5}),
        (ProcessorCounts(2.0, 0, 250_000, 1.0, CPU), {"pressure_ratio": 0.25, "ratio": 0.25}),
        (ProcessorCounts(2.0, 9_000_000_000, 0, 1.0, CPU), {"thread_ratio": 1.0, "ratio": 1.0}),  # of many threads
        (
            ProcessorCounts(2.0, 0, 0, 1.0, [CPU[0], [100, 0, 100, 800, 0, 0, 0, 40]]),
            {"steal_ratio": 0.4, "ratio": 0.4},
        ),
        (
            ProcessorCounts(2.0, 0, 0, 1.9, [CPU[0], [100, 0, 100, 800, 0, 10, 80, 0]]),
            {"own_ratio": 0.9, "network_ratio": 0.9},
        ),
        (ProcessorCounts(2.0, None, None, 1.0, []), {"thread_ratio": None, "pressure_ratio": None, "ratio": None}),
    ],
)
def test_shares_of_the_time_between(after: ProcessorCounts, expected: dict[str, float | None]) -> None:
    actual = between(ProcessorCounts(1.0, 0, 0, 1.0, CPU), after)
    for name, value in expected.items():
        assert getattr(actual, name) == (None if value is None else pytest.approx(value)), name


@pytest.mark.parametrize("line", [10e6, 90e6, 97e6, 100e6, 300e6])
@pytest.mark.parametrize("full", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_slots_of_a_full_line_agree_and_are_its_rate(line: float, full: float, seed: int) -> None:
    random = Random(seed)
    step = 1538 * 8 / 0.1
    slots = [line + random.uniform(-step, step) if n < 30 * full else line * random.uniform(0.5, 1) for n in range(30)]
    random.shuffle(slots)
    assert steady_rate(slots, step) == pytest.approx(line, rel=0.01, abs=step)


@pytest.mark.parametrize("seed", range(20))
def test_slots_of_an_end_that_waits_agree_on_nothing(seed: int) -> None:
    random = Random(seed)
    assert steady_rate([random.uniform(60e6, 105e6) for _ in range(30)], 123e3) is None


def test_slots_that_agree_below_many_faster_ones_are_not_the_line() -> None:
    random = Random(3)
    regular = [97.45e6 + random.uniform(-0.4e6, 0.4e6) for _ in range(9)]  # an end that waits at regular intervals
    faster = [random.uniform(99.2e6, 103e6) for _ in range(9)]
    slower = [random.uniform(60e6, 95e6) for _ in range(10)]
    assert steady_rate(regular + faster[:6] + slower, 123e3) == pytest.approx(97.45e6, rel=0.005)
    assert steady_rate(regular + faster + slower, 123e3) is None


@pytest.mark.parametrize("slots", [[], [1e8] * 5, [0.0] * 30])
def test_too_few_slots_or_none_that_moved_say_nothing(slots: list[float]) -> None:
    assert steady_rate(slots) is None
