"""What does a stream of TCP say about the line? Pure: windows of its goodput after the ramp, each read like a burst (docs/pages/en/protocol.md, 6.4).

TCP reports what it delivered in order. What one window lacks because a packet was lost and repeated the next one has too much; the chunks
of a window that lie near their median are the line.
"""

from bisect import bisect_left, bisect_right

from campus_agent.measure.burst.estimate.cross_traffic import tolerance
from campus_agent.measure.burst.estimate.rate_estimate import RateEstimate, RejectReason
from campus_agent.measure.burst.estimate.slope import Slope, rate_between, slope
from campus_agent.measure.burst.observation import StreamArrivals, StreamObservation
from campus_agent.measure.burst.spec import (
    STEADY_RATIO,
    STREAM_FULL_RATIO,
    STREAM_RAMP_SECONDS,
    STREAM_SLOT_ROUND_TRIPS,
    STREAM_SLOT_SECONDS,
    STREAM_STILL_RATIO,
    STREAM_WINDOW_SECONDS,
    UNSTEADY_RATIO,
)
from campus_wire.encapsulation import line_rate_from_goodput

COUNTERS_READ_RATIO = 0.9
"""Counters that show less than the stream itself are renewed too seldom to say anything about a window."""
_RAMP_NS = int(STREAM_RAMP_SECONDS * 1e9)
_WINDOW_NS = int(STREAM_WINDOW_SECONDS * 1e9)


def estimate_stream(stream: StreamObservation, target: float, offered: float) -> list[RateEstimate]:
    """One estimate for each whole window after the ramp. `offered` is the pace the sender was held to, as a line rate."""
    arrivals = stream.arrivals
    start = ramp_end(arrivals, max(STREAM_SLOT_SECONDS, STREAM_SLOT_ROUND_TRIPS * stream.round_trip_seconds))
    if start is None:
        return []
    estimates = []
    while arrivals.at_ns[-1] >= start + _WINDOW_NS:
        first, last = bisect_left(arrivals.at_ns, start), bisect_right(arrivals.at_ns, start + _WINDOW_NS) - 1
        estimates.append(_estimate(stream, first, last, target, offered))
        start += _WINDOW_NS
    return estimates


def ramp_end(arrivals: StreamArrivals, slot_seconds: float) -> int | None:
    """When had slow start come to its end? After the first slot that was hardly faster than two before it; None: not yet."""
    slot_ns = int(slot_seconds * 1e9)
    if not arrivals.at_ns:
        return None
    began = arrivals.at_ns[0] + _RAMP_NS
    rates: list[float] = []
    while began + slot_ns <= arrivals.at_ns[-1]:
        first, last = bisect_left(arrivals.at_ns, began), bisect_right(arrivals.at_ns, began + slot_ns) - 1
        began += slot_ns
        if last <= first:
            rates.append(0.0)
            continue
        rates.append(rate_between(*((arrivals.at_ns[row], arrivals.payload_bytes[row]) for row in (first, last))))
        if len(rates) > 2 and 0 < rates[-1] <= STREAM_STILL_RATIO * max(rates[-3:-1]):
            return began
    return None


def _estimate(stream: StreamObservation, first: int, last: int, target: float, offered: float) -> RateEstimate:
    """The window from row `first` to row `last`."""
    arrivals, path = stream.arrivals, stream.path
    points = list(zip(arrivals.at_ns[first : last + 1], arrivals.payload_bytes[first : last + 1], strict=True))
    goodput = slope(points)
    if goodput is None:
        return RateEstimate(0.0, 0.0, saturated=False, offered=offered, reject_reason=RejectReason.TOO_FEW)
    test = Slope(*(line_rate_from_goodput(rate, path) for rate in goodput))
    seconds = (points[-1][0] - points[0][0]) / 1e9
    total = _counted_rate(stream, first, last)
    beyond = 0.0 if total is None else total - test.mean
    seen_cross_traffic = beyond if beyond > tolerance(target, path.wire_bytes, seconds) else 0.0
    cross_traffic = seen_cross_traffic if stream.subscriber_receives else 0.0
    full = test.rate + cross_traffic < STREAM_FULL_RATIO * offered
    unsteady = not cross_traffic and abs(test.mean - test.rate) > UNSTEADY_RATIO * max(test.rate, 1.0)
    return RateEstimate(
        rate=test.mean + cross_traffic if cross_traffic else test.rate,
        spread=max(test.spread, STEADY_RATIO * test.rate / 2),
        mean=test.mean + cross_traffic,
        saturated=full,
        offered=offered,
        test_rate=test.mean,
        cross_traffic=cross_traffic,
        unattributed=seen_cross_traffic - cross_traffic,
        counted=stream.frame_overhead_bytes is not None,
        counters_read=total is not None and total >= COUNTERS_READ_RATIO * test.mean,
        limit="tcp" if full else None,
        seconds=seconds,
        span_seconds=seconds,
        whole=test.mean,
        reject_reason=RejectReason.UNSTEADY if unsteady else None,
    )


def _counted_rate(stream: StreamObservation, first: int, last: int) -> float | None:
    """All that passed the receiver's interface in a window; None without counters."""
    arrivals, overhead = stream.arrivals, stream.frame_overhead_bytes
    if overhead is None or len(arrivals.samples) != len(arrivals.at_ns):
        return None
    points = [
        (at_ns, total_bytes + overhead * packets)
        for at_ns, total_bytes, packets in (arrivals.samples[first], arrivals.samples[last])
    ]
    return rate_between(*points)
