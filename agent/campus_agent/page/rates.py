"""From counts of octets over time to a rate, and from round trips to a latency record. Pure."""

import itertools
from collections.abc import Sequence
from statistics import median, quantiles

from campus_wire.records import DirectionRecord, Interval, LatencyRecord

Sample = tuple[float, int]
"""(seconds by a monotonic clock, octets so far)."""
LEAST_WINDOW_SECONDS = 0.5


def direction(samples: Sequence[Sample], warmup_seconds: float, octets_on_wire: int) -> DirectionRecord | None:
    """The goodput between the end of the warm-up and the last look; None where too little was seen to say.

    The warm-up counts from the first octet. A look in which nothing more arrived at the end is left out: the load was over. The kernel counts octets
    in order: behind a lost segment a second's tenth may wait uncounted, at the one end of the window or the other. So the rate is the median
    over all windows that begin in the first quarter and end in the last one.
    """
    moving = [one for before, one in itertools.pairwise(samples) if one[1] > before[1]]
    if len(moving) < 3:
        return None
    began = samples[0][0]
    window = [one for one in moving if one[0] - began >= warmup_seconds]
    if len(window) < 3 or window[-1][0] - window[0][0] < LEAST_WINDOW_SECONDS:
        return None
    first, last = window[0], window[-1]
    elapsed = last[0] - first[0]
    intervals = [
        Interval(before[0] - began, after[0] - before[0], after[1] - before[1])
        for before, after in itertools.pairwise(window)
    ]
    return DirectionRecord(
        goodput_bits_per_second=_typical(window),
        bytes=octets_on_wire,
        duration_seconds=elapsed,
        warmup_seconds=first[0] - began,
        intervals=intervals[:1000],
    )


def _typical(window: Sequence[Sample]) -> float:
    first, last = window[0][0], window[-1][0]
    begins = [one for one in window if one[0] <= first + (last - first) / 4]
    ends = [one for one in window if one[0] >= last - (last - first) / 4]
    return median((end[1] - begin[1]) * 8 / (end[0] - begin[0]) for begin in begins for end in ends)


def latency(rtts: Sequence[float], sent: int) -> LatencyRecord | None:
    """Round trips as the kernel saw them; jitter by RFC 3550 A.8. None without any."""
    if not rtts:
        return None
    jitter = 0.0
    for before, after in itertools.pairwise(rtts):
        jitter += (abs(after - before) - jitter) / 16
    p95 = quantiles(rtts, n=20, method="inclusive")[-1] if len(rtts) > 1 else rtts[0]
    return LatencyRecord("tcp_info", max(sent, len(rtts)), len(rtts), min(rtts), median(rtts), p95, max(rtts), jitter)
