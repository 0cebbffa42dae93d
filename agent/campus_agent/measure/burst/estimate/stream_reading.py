"""What does a stream of TCP say about the line? Pure: windows of its goodput after the ramp, each read like a pulse (docs/protocol.md, 6.4).

TCP reports what it delivered in order. What one window lacks because a packet was lost and repeated the next one has too much; the chunks
of a window that lie near their median are the line.
"""

from bisect import bisect_left, bisect_right

from campus_agent.measure.burst.estimate.slope import Slope, rate_between, slope
from campus_agent.measure.burst.estimate.traffic import tolerance
from campus_agent.measure.burst.io.stream import Inflow
from campus_agent.measure.burst.pulse import Flaw, View
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
from campus_wire.encapsulation import Encapsulation, line_rate_from_goodput

COUNTERS_READ_RATIO = 0.9
"""Counters that show less than the stream itself are renewed too seldom to tell anything of a window."""
_RAMP_NS = int(STREAM_RAMP_SECONDS * 1e9)
_WINDOW_NS = int(STREAM_WINDOW_SECONDS * 1e9)


def read_stream(
    seen: Inflow,
    path: Encapsulation,
    target: float,
    offered: float,
    gap_bytes: int | None,
    rtt_seconds: float,
    *,
    subscriber_receives: bool,
) -> list[View]:
    """One view for each whole window after the ramp. `offered` is the pace the sender was held to, as a line rate."""
    start = ramp_end(seen, max(STREAM_SLOT_SECONDS, STREAM_SLOT_ROUND_TRIPS * rtt_seconds))
    if start is None:
        return []
    views = []
    while seen.at_ns[-1] >= start + _WINDOW_NS:
        first, last = bisect_left(seen.at_ns, start), bisect_right(seen.at_ns, start + _WINDOW_NS) - 1
        views.append(_look(seen, first, last, path, target, offered, gap_bytes, subscriber_receives))
        start += _WINDOW_NS
    return views


def ramp_end(seen: Inflow, slot_seconds: float) -> int | None:
    """When had slow start come to its end? After the first slot that was hardly faster than two before it; None: not yet."""
    slot_ns = int(slot_seconds * 1e9)
    if not seen.at_ns:
        return None
    began = seen.at_ns[0] + _RAMP_NS
    rates: list[float] = []
    while began + slot_ns <= seen.at_ns[-1]:
        first, last = bisect_left(seen.at_ns, began), bisect_right(seen.at_ns, began + slot_ns) - 1
        began += slot_ns
        if last <= first:
            rates.append(0.0)
            continue
        rates.append(rate_between(*((seen.at_ns[row], seen.octets[row]) for row in (first, last))))
        if len(rates) > 2 and 0 < rates[-1] <= STREAM_STILL_RATIO * max(rates[-3:-1]):
            return began
    return None


def _look(
    seen: Inflow,
    first: int,
    last: int,
    path: Encapsulation,
    target: float,
    offered: float,
    gap_bytes: int | None,
    subscriber_receives: bool,
) -> View:
    points = list(zip(seen.at_ns[first : last + 1], seen.octets[first : last + 1], strict=True))
    goodput = slope(points)
    if goodput is None:
        return View(0.0, 0.0, saturated=False, offered=offered, flaw=Flaw.TOO_FEW)
    own = Slope(*(line_rate_from_goodput(rate, path) for rate in goodput))
    seconds = (points[-1][0] - points[0][0]) / 1e9
    seen_others, counters_read = 0.0, False
    if gap_bytes is not None and len(seen.samples) == len(seen.at_ns):
        start, end = seen.samples[first], seen.samples[last]
        total = rate_between(*((at_ns, octets + gap_bytes * packets) for at_ns, octets, packets in (start, end)))
        beyond = total - own.mean
        counters_read = total >= COUNTERS_READ_RATIO * own.mean
        seen_others = beyond if beyond > tolerance(target, path.wire_bytes, seconds) else 0.0
    others = seen_others if subscriber_receives else 0.0
    full = own.rate + others < STREAM_FULL_RATIO * offered
    unsteady = not others and abs(own.mean - own.rate) > UNSTEADY_RATIO * max(own.rate, 1.0)
    return View(
        rate=own.rate + others if not others else own.mean + others,
        spread=max(own.spread, STEADY_RATIO * own.rate / 2),
        mean=own.mean + others,
        saturated=full,
        offered=offered,
        own=own.mean,
        others=others,
        unattributed=seen_others - others,
        counted=gap_bytes is not None,
        counters_read=counters_read,
        limit="tcp" if full else None,
        seconds=seconds,
        span_seconds=(seen.at_ns[last] - seen.at_ns[0]) / 1e9,
        whole=own.mean,
        flaw=Flaw.UNSTEADY if unsteady else None,
    )
