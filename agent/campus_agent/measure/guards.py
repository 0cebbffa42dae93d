"""Was a throughput test sound? The gateway's limits and other traffic must never be read as a slow line. Pure."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from campus_agent.measure.link.cpu_wait import CpuWait
from campus_agent.measure.machine import cpu_over_limit
from campus_agent.measure.reason import SOUND, ValidityReason
from campus_agent.measure.request import ThroughputRequest
from campus_wire.bandwidth import line_rate_of
from campus_wire.encapsulation import Encapsulation
from campus_wire.failures import Validity
from campus_wire.records import DirectionRecord, ThroughputRecord

GUARD_SAMPLE_SECONDS = 0.5
NEGLIGIBLE_WAIT_RATIO = 0.01
"""A wait for a processor below this share of the time does not change a rate."""
HELD_UP_FACTOR = 2.0
"""A wait costs TCP more than its own time: what the queue drops meanwhile is sent again, at a lower rate."""
NEAR_AFTER_WAIT_RATIO = 0.01
"""After a wait, a rate counted by programs may be this much too high: they read late what was in a buffer before."""
UNCERTAIN_RATIO = 0.003
"""The same of a rate that the kernel counted while the line was full."""
COUNTING_RATIO = 0.01
"""Other traffic below this share of the target may be an error of counting, acknowledgements or echoes."""


def soundness(
    record: ThroughputRecord, request: ThroughputRequest, waits: Mapping[str, CpuWait] | None = None
) -> ValidityReason:
    """The validity of a finished test and a detail for a technician.

    A rate below the target is only proof where neither the bytes that others sent through the same interface nor a wait for a
    processor could have made up the difference; one direction that surely fails is enough. `waits` is what the kernel says of
    the gateway in each direction. Where it says nothing (`cpu_waited_ratio` is absent) the mean load of the CPU decides.
    """
    both = {"down": record.down, "up": record.up}
    measured = {name: direction for name, direction in both.items() if direction is not None}
    rates = {name: line_rate_of(direction, record.encapsulation) for name, direction in measured.items()}
    met = len(measured) == len(both) and all(request.reached_by(rate) for rate in rates.values())
    waits_known = all(direction is not None and direction.cpu_waited_ratio is not None for direction in both.values())
    if not met and not waits_known and record.cpu_ratio is not None and record.cpu_ratio > request.max_cpu_ratio:
        return ValidityReason(Validity.GATEWAY_CPU, cpu_over_limit(record.cpu_ratio, request.max_cpu_ratio))
    speed = record.link_speed_bits_per_second
    if speed is not None and not request.reached_by(speed):
        return ValidityReason(Validity.GATEWAY_LIMIT, f"the gateway's own port runs at {speed / 1e6:.0f} Mbit/s")
    first_wait: ValidityReason | None = None
    fails = False
    for name, direction in measured.items():
        disturbed = _disturbed(direction, rates[name], request)
        if disturbed is not None:
            return disturbed._replace(detail=f"{name}: {disturbed.detail}")
        waited = held_up(direction, record.encapsulation, request, (waits or {}).get(name, CpuWait()))
        if waited is not None:
            first_wait = first_wait or waited._replace(detail=f"{name}: {waited.detail}")
        elif not request.reached_by(rates[name]) and not direction.lower_bound:
            fails = True
    return SOUND if fails or first_wait is None else first_wait


def _disturbed(direction: DirectionRecord, rate: float, request: ThroughputRequest) -> ValidityReason | None:
    """Was there more other traffic than a test may meet, or enough to make up what this rate lacks?"""
    cross = direction.cross_traffic_bits_per_second
    if cross is None:
        return None
    if cross > request.max_cross_traffic_bits_per_second:
        return ValidityReason(Validity.CROSS_TRAFFIC, f"{cross / 1e6:.1f} Mbit/s of other traffic")
    if request.reached_by(rate) or not request.reached_by(rate + cross):
        return None
    surely = cross > COUNTING_RATIO * request.required_bits_per_second
    both = f"{rate / 1e6:.1f} measured and {cross / 1e6:.1f} Mbit/s of other traffic leave the capacity open"
    return ValidityReason(Validity.CROSS_TRAFFIC if surely else Validity.INCONCLUSIVE, both)


def held_up(
    direction: DirectionRecord, path: Encapsulation, request: ThroughputRequest, waiting: CpuWait
) -> ValidityReason | None:
    """May this rate be that of an end which lacked a processor, instead of the line's? None: it is the line's.

    `line_rate_bits_per_second` is set where the rate was seen on the line itself: there waits are left out already.
    """
    rate, waited = line_rate_of(direction, path), direction.cpu_waited_ratio
    threshold = request.threshold_bits_per_second
    busiest = max(waiting.own_ratio or 0.0, waiting.network_ratio or 0.0)
    if rate < threshold and busiest > request.max_cpu_ratio:
        detail = f"{rate / 1e6:.1f} Mbit/s kept one of the gateway's processors {busiest:.0%} busy"
        return ValidityReason(Validity.GATEWAY_CPU, detail)
    if waited is None or waited <= NEGLIGIBLE_WAIT_RATIO:
        return None
    words = f"{rate / 1e6:.1f} Mbit/s, while a processor was waited for during {waited:.0%} of the time"
    if direction.line_rate_bits_per_second is not None:
        too_near = abs(rate - threshold) < UNCERTAIN_RATIO * request.required_bits_per_second
    else:
        too_near = threshold <= rate < threshold * (1 + NEAR_AFTER_WAIT_RATIO)
        if rate < threshold <= rate * (1 + HELD_UP_FACTOR * waited):
            return ValidityReason(Validity.GATEWAY_CPU, words)
    return ValidityReason(Validity.INCONCLUSIVE, f"{words}: too near to call") if too_near else None


def without_counters(record: ThroughputRecord, request: ThroughputRequest) -> ValidityReason:
    """A rate below the target proves nothing without the interface's counters: other traffic may have shared the line."""
    for name, direction in (("down", record.down), ("up", record.up)):
        if direction is None or direction.cross_traffic_bits_per_second is not None:
            continue
        rate = line_rate_of(direction, record.encapsulation)
        if not request.reached_by(rate):
            detail = f"{name}: {rate / 1e6:.1f} Mbit/s, but the interface's counters could not be read: other traffic may have shared the line"
            return ValidityReason(Validity.INCONCLUSIVE, detail)
    return SOUND


def bytes_at(samples: Sequence[tuple[float, int]], moment: float) -> int:
    """A counter at a moment, from samples (seconds, bytes) in order: between two of them in a straight line. Pure."""
    after = bisect_left(samples, moment, key=lambda sample: sample[0])
    if after == 0 or after == len(samples):
        return samples[min(after, len(samples) - 1)][1]
    (begin, least), (end, most) = samples[after - 1], samples[after]
    return round(least + (most - least) * (moment - begin) / (end - begin))


class TrafficGuard:
    """Does a running test disturb, or spend too much? It is given the interface's bytes and the test's own; pure.

    The test's own bytes are known a moment late (they are acknowledged first), so traffic must be too high in two samples in a row.
    """

    def __init__(self, request: ThroughputRequest) -> None:
        self._limit = request.max_cross_traffic_bits_per_second
        self._max_bytes = request.max_bytes
        self._last: tuple[float, int, int] | None = None
        self._too_high = 0

    def verdict(self, at: float, line_bytes: int, own_bytes: int, spent_bytes: int) -> ValidityReason | None:
        """Why the test must end; None: it may go on. `at` (seconds) is the moment of both counts: a gateway that waits learns its own late.

        `line_bytes` passed the interface in the test's direction, `own_bytes` of them (on the wire) were the test's; `spent_bytes` is
        what the whole test has cost so far.
        """
        if self._max_bytes is not None and spent_bytes > self._max_bytes:
            return ValidityReason(
                Validity.INCONCLUSIVE, f"ended: the {self._max_bytes / 1e6:.0f} MB that were left for it are spent"
            )
        if self._last is None:
            self._last = (at, line_bytes, own_bytes)
            return None
        since, line_before, own_before = self._last
        if at - since < GUARD_SAMPLE_SECONDS:
            return None
        others = (line_bytes - line_before - (own_bytes - own_before)) * 8 / (at - since)
        self._last = (at, line_bytes, own_bytes)
        self._too_high = self._too_high + 1 if others > self._limit else 0
        if self._too_high < 2:
            return None
        return ValidityReason(Validity.CROSS_TRAFFIC, f"ended at once: {others / 1e6:.1f} Mbit/s of other traffic")
