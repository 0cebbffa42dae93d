"""From counts of what arrived to a rate, to whether the line was full, and from round trips to a latency record. Pure."""

import itertools
from collections.abc import Sequence
from statistics import quantiles
from typing import NamedTuple

from campus_agent.measure.link.rtt import latency_record, median
from campus_agent.measure.link.steady_rate import steady_rate
from campus_wire.encapsulation import Encapsulation
from campus_wire.records import DirectionRecord, Interval, LatencyRecord


class ArrivalCount(NamedTuple):
    """What had arrived at a moment of a monotonic clock: bytes in order, and segments in whatever order."""

    at_seconds: float
    bytes_in_order: int
    segments: int


LEAST_WINDOW_SECONDS = 0.5
RATE_WINDOW_SECONDS = 1.0
STRAY_LOSS_RATIO = 1e-4
"""So few are lost on an idle line too."""
SLOT_SEGMENTS = 200
"""At the mean rate a slot has at least so many segments: then its rate is exact within half a per cent."""
QUEUE_SECONDS = 0.001
"""A round trip that grew by so much waited in a queue: the line was full."""
DELAYED_ACK_SECONDS = 0.05
"""Whoever reads slowly answers late (up to 40 ms on Linux): then only more than this is a queue."""


def direction(counts: Sequence[ArrivalCount], warmup_seconds: float, bytes_on_wire: int) -> DirectionRecord | None:
    """The goodput that the line kept up for a second; None where too little was seen to say.

    The warm-up counts from the first byte; counts in which nothing more arrived are left out. As in RFC 9097, the rate is that of good
    sub-intervals of a second, because a browser pauses and the line is not to blame; of all of them the upper quartile, not the highest, because a
    busy gateway reads the clock late.
    """
    window = _after_warmup(counts, warmup_seconds)
    if len(window) < 3 or window[-1].at_seconds - window[0].at_seconds < LEAST_WINDOW_SECONDS:
        return None
    began = counts[0].at_seconds
    rows = arrived(window)
    first, last = rows[0], rows[-1]
    return DirectionRecord(
        goodput_bits_per_second=_kept_up(rows),
        bytes=bytes_on_wire,
        duration_seconds=last[0] - first[0],
        warmup_seconds=first[0] - began,
        intervals=[
            Interval(before[0] - began, after[0] - before[0], round(after[1] - before[1]))
            for before, after in itertools.pairwise(rows)
        ][:1000],
    )


def rate_while_full(counts: Sequence[ArrivalCount], warmup_seconds: float, path: Encapsulation) -> float | None:
    """The line rate, in bits per second, of those moments in which the line was full; None: there is no telling which.

    For a load during which the gateway waited for a processor now and then (see `campus_agent.measure.link.steady_rate`).
    """
    window = _after_warmup(counts, warmup_seconds)
    segments = window[-1].segments - window[0].segments if window else 0
    if not segments:
        return None
    length = SLOT_SEGMENTS * (window[-1].at_seconds - window[0].at_seconds) / segments
    slots, lengths, begin = [], [], window[0]
    for count in window[1:]:
        seconds = count.at_seconds - begin.at_seconds
        if seconds >= length:
            slots.append((count.segments - begin.segments) * path.wire_bytes * 8 / seconds)
            lengths.append(seconds)
            begin = count
    return steady_rate(slots, path.wire_bytes * 8 / min(lengths)) if slots else None


def filled(lost_ratio: float, window_limited_ratio: float, idle_rtts: Sequence[float], rtts: Sequence[float]) -> bool:
    """Was the line full? Only then is a rate the line's. A full line loses segments, or has a queue in front of it.

    Where neither is seen, the machine at the other end could not do more: a line is not blamed without proof. Where that machine's window held us
    back most of the time, it is the limit whatever was lost now and then, unless the queue holds more than the window.
    """
    usual = median(rtts)
    grown = usual - min(idle_rtts) if idle_rtts and usual is not None else 0.0
    if window_limited_ratio > 0.5:
        return grown > DELAYED_ACK_SECONDS
    return lost_ratio > STRAY_LOSS_RATIO or grown > QUEUE_SECONDS


def _after_warmup(counts: Sequence[ArrivalCount], warmup_seconds: float) -> list[ArrivalCount]:
    """Those counts after the warm-up in which more had arrived."""
    moving = [after for before, after in itertools.pairwise(counts) if after.bytes_in_order > before.bytes_in_order]
    return [count for count in moving if count.at_seconds - counts[0].at_seconds >= warmup_seconds]


def arrived(window: Sequence[ArrivalCount]) -> list[tuple[float, float]]:
    """(seconds, bytes) by the segments that arrived: bytes in order wait uncounted behind each gap, up to megabytes of them.

    A segment's payload is what it is when nothing waits, which is the most that is ever seen; what came twice makes it less, and so is not counted.
    """
    payload = max((count.bytes_in_order / count.segments for count in window if count.segments), default=0.0)
    return [(count.at_seconds, count.segments * payload) for count in window]


def _kept_up(arrived: Sequence[tuple[float, float]]) -> float:
    length = min(RATE_WINDOW_SECONDS, (arrived[-1][0] - arrived[0][0]) / 2)
    rates, end = [], 0
    for begin in arrived:
        while end < len(arrived) and arrived[end][0] - begin[0] < length:
            end += 1
        if end == len(arrived):
            break
        rates.append((arrived[end][1] - begin[1]) * 8 / (arrived[end][0] - begin[0]))
    return quantiles(rates, n=4, method="inclusive")[-1] if len(rates) > 1 else rates[0]


def latency(rtts: Sequence[float], sent: int) -> LatencyRecord | None:
    """Round trips that the kernel measured; it does not say which were lost. None without any."""
    return latency_record("tcp_info", rtts, max(sent, len(rtts)), None) if rtts else None
