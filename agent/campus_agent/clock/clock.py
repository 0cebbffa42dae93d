"""What time is it really? Cheap gateways have no clock battery, so wall time is only a label until the collector confirms it.

A result carries `boot_id` and monotonic time beside wall time. Each answer of the collector tells its time; the offset is
learnt from the exchange with the shortest round trip (the error is at most half of it, as in SNTP, RFC 5905 section 8).
Monotonic time wins: within one boot, a result's true start is the collector's time now less the monotonic time since.
"""

import os
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from campus_agent.clock.kernel_clock import KernelClock

NOTICEABLE_SECONDS = 2.0
"""A smaller difference is not corrected: network delay and slewing make as much."""
EARLIEST_PLAUSIBLE = datetime(2025, 1, 1, tzinfo=UTC)
"""No gateway ran this software before; an earlier clock was never set."""
STALE_SECONDS = 6 * 3600.0
"""After this long a worse but newer estimate replaces a better old one: quartz drifts."""
STORED_PRECISION_SECONDS = 0.1
KEPT_BOOTS = 16
"""So many runs of the gateway are remembered: their results may still wait when it has started again."""


class ClockEstimate(msgspec.Struct, frozen=True):
    """How far the collector's clock is ahead of ours, learnt at a moment of this boot's monotonic time.

    `epoch_at_boot` is the collector's Unix time at monotonic 0: it survives steps of our own wall clock.
    """

    boot_id: str
    learnt_monotonic_seconds: float
    epoch_at_boot: float
    error_seconds: float


class Clock(msgspec.Struct, frozen=True):
    """Where time comes from; tests give their own."""

    boot_id: str
    wall: Callable[[], float]
    monotonic: Callable[[], float]
    is_set: Callable[[], bool] = lambda: False
    """Has a time service set the wall clock in this boot? It may cost a process."""


def system_clock() -> Clock:
    """This machine's clocks. Monotonic time counts from boot and goes on in suspend where the system can say so."""
    boottime = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Clock(_boot_id(), time.time, lambda: time.clock_gettime(boottime), KernelClock().is_set)


def estimate_from_exchange(
    clock: Clock, sent_monotonic: float, received_monotonic: float, server_epoch: float
) -> ClockEstimate:
    """What one exchange teaches: the server read its clock somewhere between our two moments; the middle errs least."""
    middle = (sent_monotonic + received_monotonic) / 2
    return ClockEstimate(
        boot_id=clock.boot_id,
        learnt_monotonic_seconds=received_monotonic,
        epoch_at_boot=server_epoch - middle,
        error_seconds=max(0.0, received_monotonic - sent_monotonic) / 2,
    )


def better(old: ClockEstimate | None, new: ClockEstimate) -> ClockEstimate:
    """Which of two estimates to keep: of this boot the more exact one, unless it has become old."""
    if old is None or old.boot_id != new.boot_id:
        return new
    if new.learnt_monotonic_seconds - old.learnt_monotonic_seconds > STALE_SECONDS:
        return new
    if abs(new.epoch_at_boot - old.epoch_at_boot) > old.error_seconds + new.error_seconds + NOTICEABLE_SECONDS:
        return new  # the collector itself was set right
    return new if new.error_seconds <= old.error_seconds else old


def with_learnt(estimates: tuple[ClockEstimate, ...], new: ClockEstimate) -> tuple[ClockEstimate, ...]:
    """One estimate for each of the last boots, the boot that learnt last at the end."""
    best = better(of_boot(estimates, new.boot_id), new)
    others = tuple(estimate for estimate in estimates if estimate.boot_id != new.boot_id)
    return (*others, best)[-KEPT_BOOTS:]


def of_boot(estimates: tuple[ClockEstimate, ...], boot_id: str) -> ClockEstimate | None:
    """What was learnt in this boot."""
    return next((estimate for estimate in estimates if estimate.boot_id == boot_id), None)


def worth_storing(stored: ClockEstimate | None, new: ClockEstimate) -> bool:
    """Is the new estimate different enough to be written to a disk that wears?"""
    if stored is None:
        return True
    moved = abs(new.epoch_at_boot - stored.epoch_at_boot) > STORED_PRECISION_SECONDS
    return moved or new.learnt_monotonic_seconds - stored.learnt_monotonic_seconds > STALE_SECONDS


def is_applied(offset: float, estimate: ClockEstimate) -> bool:
    """Is a difference between the clocks large enough, and known well enough, to correct a label by it?"""
    return abs(offset) > NOTICEABLE_SECONDS + estimate.error_seconds


def is_plausible(moment: datetime) -> bool:
    """Can this be a time at which this software ran?"""
    return moment >= EARLIEST_PLAUSIBLE


def offset_seconds(clock: Clock, estimate: ClockEstimate | None) -> float | None:
    """How far is the collector ahead of our wall clock now? None while it never answered in this boot."""
    if estimate is None or estimate.boot_id != clock.boot_id:
        return None
    return estimate.epoch_at_boot + clock.monotonic() - clock.wall()


class CorrectedStart(msgspec.Struct, frozen=True):
    """The start of a result, corrected as far as possible, and whether it is reliable.

    `clock_offset_seconds` is how far the true time was ahead of the wall clock that labelled the result.
    """

    started_at: datetime
    clock_offset_seconds: float | None
    trusted: bool


def corrected_start(
    started_at: datetime,
    clock_offset_seconds: float | None,
    monotonic_seconds: float,
    estimate: ClockEstimate | None,
) -> CorrectedStart:
    """The true start of a result by what was learnt in its own boot: from monotonic time, whatever the wall clock said.

    A difference within the estimate's own error is no reason to touch the label. None learnt: unchanged.
    """
    if estimate is None:
        return CorrectedStart(started_at, clock_offset_seconds, is_plausible(started_at))
    true_epoch = estimate.epoch_at_boot + monotonic_seconds
    difference = true_epoch - started_at.timestamp()
    if not is_applied(difference, estimate):
        return CorrectedStart(started_at, clock_offset_seconds, True)
    before = clock_offset_seconds or 0.0
    applied = before if abs(before) > NOTICEABLE_SECONDS else 0.0  # a smaller one was recorded, not added (stamp.py)
    return CorrectedStart(datetime.fromtimestamp(true_epoch, UTC), round(difference + applied, 3), True)


def start_without_clock(
    started_at: datetime, monotonic_seconds: float, last_monotonic_seconds: float, latest_end: datetime
) -> CorrectedStart:
    """The latest possible start of a result of an earlier boot whose clock was never set and never compared.

    The rule: that boot's last result is put at the moment this boot began (it was made before that), the others before it at
    their true distances. Order and spacing are right, the moment is the latest possible one; never trusted.
    """
    latest_start = latest_end - timedelta(seconds=max(0.0, last_monotonic_seconds - monotonic_seconds))
    return CorrectedStart(latest_start, round((latest_start - started_at).total_seconds(), 3), False)


def _boot_id() -> str:
    """The kernel's id of this boot; where there is none, a random one for this process."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"process-{os.getpid()}-{uuid.uuid4()}"
