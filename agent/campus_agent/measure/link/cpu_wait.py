"""How long did our threads wait for a processor while they could have run? The kernel's own counts; no privilege is needed.

Each is None where the kernel does not tell (an older kernel, another system).
"""

import os
from contextlib import suppress
from typing import NamedTuple

import msgspec

_NS, _US = 1e9, 1e6
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_IRQ, _SOFTIRQ, _STEAL, _GUEST = 5, 6, 7, 8
"""Columns of a `cpu` line of /proc/stat (proc(5)); what follows the eighth is counted in `user` already."""


class CpuWait(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the kernel says of processors during one load, as shares of its time.

    `thread_ratio`: this process's threads were ready and did not run (run-queue delay, schedstat). `pressure_ratio`: any task of the
    machine waited (PSI, `some`). `steal_ratio`: the hypervisor ran somebody else. `own_ratio`: how busy this process kept a core;
    `network_ratio`: how busy interrupts and the kernel's network work kept the busiest core.
    """

    thread_ratio: float | None = None
    pressure_ratio: float | None = None
    steal_ratio: float | None = None
    own_ratio: float | None = None
    network_ratio: float | None = None

    @property
    def ratio(self) -> float | None:
        """The longest of the waits, 0 to 1: for how much of the time a thread that carried the load may have lacked a processor."""
        available = [ratio for ratio in (self.thread_ratio, self.pressure_ratio, self.steal_ratio) if ratio is not None]
        return min(1.0, max(available)) if available else None


class ProcessorCounts(NamedTuple):
    """The counts at one moment. Nanoseconds, microseconds, and clock ticks for each processor (columns of /proc/stat)."""

    at: float
    run_delay_ns: int | None
    pressure_us: int | None
    busy_seconds: float
    processors: list[list[int]]


def thread_run_delay_ns() -> int | None:
    """Nanoseconds this thread has been ready but not running, since it began (Documentation/scheduler/sched-stats.rst)."""
    return _run_delay_ns("/proc/thread-self/schedstat")


def waited_ns(before: int | None) -> int | None:
    """By how much `thread_run_delay_ns` has grown since it was `before`."""
    now = thread_run_delay_ns()
    return None if now is None or before is None else max(0, now - before)


def read(at: float) -> ProcessorCounts:
    """The counts of this process and of the machine now; `at` is the moment, in monotonic seconds."""
    times = os.times()
    return ProcessorCounts(at, _process_run_delay_ns(), _pressure_us(), times.user + times.system, _processors())


def between(before: ProcessorCounts, after: ProcessorCounts) -> CpuWait:
    """What lay between two readings. Pure."""
    seconds = after.at - before.at
    if seconds <= 0:
        return CpuWait()
    pairs = list(zip(before.processors, after.processors, strict=False))
    network = [_grown(pair, (_IRQ, _SOFTIRQ)) for pair in pairs]
    steal = [_grown(pair, (_STEAL,)) for pair in pairs]
    return CpuWait(
        thread_ratio=_share(before.run_delay_ns, after.run_delay_ns, seconds * _NS),
        pressure_ratio=_share(before.pressure_us, after.pressure_us, seconds * _US),
        steal_ratio=_ratio(max(steal), seconds * _TICKS_PER_SECOND) if steal else None,
        own_ratio=_ratio(after.busy_seconds - before.busy_seconds, seconds),
        network_ratio=_ratio(max(network), seconds * _TICKS_PER_SECOND) if network else None,
    )


def _grown(pair: tuple[list[int], list[int]], columns: tuple[int, ...]) -> int:
    before, after = pair
    return sum(after[column] - before[column] for column in columns if column < min(len(before), len(after)))


def _share(before: int | None, after: int | None, whole: float) -> float | None:
    return None if before is None or after is None else _ratio(after - before, whole)


def _ratio(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole))


def _process_run_delay_ns() -> int | None:
    """The sum over this process's threads."""
    delays = []
    with suppress(OSError):
        delays = [_run_delay_ns(f"/proc/self/task/{thread}/schedstat") for thread in os.listdir("/proc/self/task")]
    available = [delay for delay in delays if delay is not None]
    return sum(available) if available else None


def _run_delay_ns(path: str) -> int | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return int(file.read(128).split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _pressure_us() -> int | None:
    """`total` of the line `some` of /proc/pressure/cpu (Documentation/accounting/psi.rst)."""
    try:
        with open("/proc/pressure/cpu", "rb", buffering=0) as file:
            first = file.read(256).split(b"\n")[0]
            return int(first.rpartition(b"total=")[2])
    except (OSError, ValueError):
        return None


def _processors() -> list[list[int]]:
    """The `cpuN` lines of /proc/stat, columns in clock ticks."""
    rows = []
    with suppress(OSError, ValueError), open("/proc/stat", encoding="ascii", errors="replace") as file:
        for line in file:
            if not line.startswith("cpu"):
                break
            name, *columns = line.split()
            if name != "cpu":
                rows.append([int(column) for column in columns[:_GUEST]])
    return rows
