"""Was a throughput test sound? The gateway's limits and other people's traffic must never be read as a slow line. Pure."""

from typing import Any

from campus_agent.measure.throughput_settings import Settings
from campus_wire.bandwidth import line_rate_of, reaches
from campus_wire.failures import Validity
from campus_wire.records import ThroughputRecord

LOOK_SECONDS = 0.5


def soundness(record: ThroughputRecord, settings: Settings) -> tuple[Validity, str]:
    """The validity of a finished test and a detail for a technician.

    Beside the plain guards: a rate below the target is only proof if the octets that others sent through the same interface
    meanwhile would not have made up the difference. A busy CPU can only make a rate lower: one that reaches the target stands.
    """
    required = settings.required_bits_per_second
    reached = all(
        one is not None and reaches(line_rate_of(one, record.encapsulation), required, settings.tolerance_ratio)
        for one in (record.down, record.up)
    )
    if not reached and record.cpu_ratio is not None and record.cpu_ratio > settings.max_cpu_ratio:
        return Validity.GATEWAY_CPU, f"CPU {record.cpu_ratio:.0%}, limit {settings.max_cpu_ratio:.0%}"
    speed = record.link_speed_bits_per_second
    if speed is not None and not reaches(speed, required, settings.tolerance_ratio):
        return Validity.GATEWAY_LIMIT, f"the gateway's own port runs at {speed / 1e6:.0f} Mbit/s"
    for name, direction in (("down", record.down), ("up", record.up)):
        if direction is None or direction.cross_traffic_bits_per_second is None:
            continue
        cross = direction.cross_traffic_bits_per_second
        rate = line_rate_of(direction, record.encapsulation)
        if cross > settings.max_cross_traffic_ratio * required:
            return Validity.CROSS_TRAFFIC, f"{name}: {cross / 1e6:.1f} Mbit/s of other traffic"
        short = not reaches(rate, required, settings.tolerance_ratio)
        if short and reaches(rate + cross, required, settings.tolerance_ratio):
            both = f"{rate / 1e6:.1f} measured and {cross / 1e6:.1f} Mbit/s of other traffic"
            return Validity.CROSS_TRAFFIC, f"{name}: {both} leave the capacity open"
    return Validity.OK, ""


def without_counters(record: ThroughputRecord, settings: Settings) -> tuple[Validity, str]:
    """A rate below the target proves nothing while nobody knows what else passed the interface: it needs that interface's counters."""
    for name, direction in (("down", record.down), ("up", record.up)):
        if direction is None or direction.cross_traffic_bits_per_second is not None:
            continue
        rate = line_rate_of(direction, record.encapsulation)
        if not reaches(rate, settings.required_bits_per_second, settings.tolerance_ratio):
            detail = f"{name}: {rate / 1e6:.1f} Mbit/s, but the interface's counters could not be read: other traffic may have shared the line"
            return Validity.INCONCLUSIVE, detail
    return Validity.OK, ""


class Watch:
    """Does a running test disturb, or spend too much? Told the interface's octets and the test's own; pure.

    The test's own octets are known a moment late (they are acknowledged first), so traffic must be too high in two looks running.
    """

    def __init__(self, settings: Settings) -> None:
        """Nothing seen yet."""
        self._limit = settings.max_cross_traffic_ratio * settings.required_bits_per_second
        self._max_bytes = settings.max_bytes
        self._last: tuple[float, int, int] | None = None
        self._too_high = 0

    def verdict(self, at: float, line_bytes: int, own_bytes: int, spent_bytes: int) -> tuple[Validity, str] | None:
        """Why the test must end at this moment (seconds); None: it may go on.

        `line_bytes` passed the interface in the test's direction, `own_bytes` of them (on the wire) were the test's; `spent_bytes` is
        what the whole test has cost so far.
        """
        if self._max_bytes is not None and spent_bytes > self._max_bytes:
            return Validity.INCONCLUSIVE, f"ended: the {self._max_bytes / 1e6:.0f} MB that were left for it are spent"
        if self._last is None:
            self._last = (at, line_bytes, own_bytes)
            return None
        since, line_before, own_before = self._last
        if at - since < LOOK_SECONDS:
            return None
        others = (line_bytes - line_before - (own_bytes - own_before)) * 8 / (at - since)
        self._last = (at, line_bytes, own_bytes)
        self._too_high = self._too_high + 1 if others > self._limit else 0
        if self._too_high < 2:
            return None
        return Validity.CROSS_TRAFFIC, f"ended at once: {others / 1e6:.1f} Mbit/s of other traffic"


def cpu_ratio(before: Any, after: Any) -> float | None:
    """The share of all processors' time that was not idle between two readings of psutil.cpu_times."""
    total = sum(after) - sum(before) - (getattr(after, "guest", 0) - getattr(before, "guest", 0))
    idle = (after.idle - before.idle) + (getattr(after, "iowait", 0) - getattr(before, "iowait", 0))
    return min(1.0, max(0.0, 1 - idle / total)) if total > 0 else None
