"""What time is it really? Cheap gateways have no clock battery, so wall time is only a label until the collector confirms it.

A result carries `boot_id` and monotonic time beside wall time. Each answer of the collector tells its time; the offset is
learnt from the exchange with the shortest round trip (the error is at most half of it, as in SNTP, RFC 5905 section 8).
Monotonic time wins: within one boot, a result's true start is the collector's time now less the monotonic time since.
"""

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from campus_wire.failures import Validity

NOTICEABLE_SECONDS = 2.0
"""A smaller difference is not corrected: network delay and slewing make as much."""
EARLIEST_PLAUSIBLE = datetime(2025, 1, 1, tzinfo=UTC)
"""No gateway ran this software before; an earlier clock was never set."""
STALE_SECONDS = 6 * 3600.0
"""After this long a worse but newer estimate replaces a better old one: quartz drifts."""


class Estimate(msgspec.Struct, frozen=True):
    """How far the collector's clock is ahead of ours, learnt at a moment of this boot's monotonic time.

    `epoch_at_boot` is the collector's Unix time at monotonic 0: it survives steps of our own wall clock.
    """

    boot_id: str
    learnt_monotonic_seconds: float
    epoch_at_boot: float
    error_seconds: float


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from; tests give their own."""

    boot_id: str
    wall: Callable[[], float]
    monotonic: Callable[[], float]


def system_clock() -> Clock:
    """This machine's clocks. Monotonic time counts from boot and goes on in suspend where the system can say so."""
    boottime = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Clock(_boot_id(), time.time, lambda: time.clock_gettime(boottime))


def estimate_from_exchange(
    clock: Clock, sent_monotonic: float, received_monotonic: float, server_epoch: float
) -> Estimate:
    """What one exchange teaches: the server read its clock somewhere between our two moments; the middle errs least."""
    middle = (sent_monotonic + received_monotonic) / 2
    return Estimate(
        boot_id=clock.boot_id,
        learnt_monotonic_seconds=received_monotonic,
        epoch_at_boot=server_epoch - middle,
        error_seconds=max(0.0, received_monotonic - sent_monotonic) / 2,
    )


def better(old: Estimate | None, new: Estimate) -> Estimate:
    """Which of two estimates to keep: of this boot the more exact one, unless it has become old."""
    if old is None or old.boot_id != new.boot_id:
        return new
    if new.learnt_monotonic_seconds - old.learnt_monotonic_seconds > STALE_SECONDS:
        return new
    if abs(new.epoch_at_boot - old.epoch_at_boot) > old.error_seconds + new.error_seconds + NOTICEABLE_SECONDS:
        return new  # the collector itself was set right
    return new if new.error_seconds <= old.error_seconds else old


def offset_seconds(clock: Clock, estimate: Estimate | None) -> float | None:
    """How far is the collector ahead of our wall clock now? None while it never answered in this boot."""
    if estimate is None or estimate.boot_id != clock.boot_id:
        return None
    return estimate.epoch_at_boot + clock.monotonic() - clock.wall()


@dataclass(frozen=True, slots=True)
class Corrected:
    """When a result really started, as far as can be known, and whether to trust it."""

    started_at: datetime
    clock_offset_seconds: float | None
    trusted: bool


def corrected_start(
    started_at: datetime,
    boot_id: str,
    monotonic_seconds: float,
    estimate: Estimate | None,
    now: datetime | None,
) -> Corrected:
    """The true start of a spooled result. `now` is the collector's time, None while unknown.

    Same boot as the estimate: from monotonic time, whatever the wall clock said. Another boot: the wall time as it was, trusted
    only if it lies between the earliest plausible time and now.
    """
    if estimate is not None and estimate.boot_id == boot_id:
        true_epoch = estimate.epoch_at_boot + monotonic_seconds
        difference = true_epoch - started_at.timestamp()
        if abs(difference) <= NOTICEABLE_SECONDS:
            return Corrected(started_at, round(difference, 3), True)
        return Corrected(datetime.fromtimestamp(true_epoch, UTC), round(difference, 3), True)
    early = started_at < EARLIEST_PLAUSIBLE
    late = now is not None and started_at > now + timedelta(seconds=NOTICEABLE_SECONDS)
    return Corrected(started_at, None, not (early or late))


def validity_under(corrected: Corrected, validity: Validity) -> Validity:
    """A result whose time cannot be trusted is kept and shown, never judged."""
    return validity if corrected.trusted or validity is not Validity.OK else Validity.CLOCK_UNTRUSTED


def _boot_id() -> str:
    """The kernel's id of this boot; where there is none, one of our own for as long as this process lives."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"process-{os.getpid()}-{uuid.uuid4()}"
