"""What does one burst say about the line? Pure arithmetic on arrival times and counters (docs/pages/en/protocol.md, section 6).

The idea: while a packet waits behind another one, the bottleneck works without a pause, and what leaves it then is its capacity. A packet
waited if it was sent (plus the shortest delay seen) before the previous packet arrived. Whatever else passed the receiver's interface between
two such packets came through the same bottleneck and is counted in.
"""

from bisect import bisect_left
from dataclasses import replace

from campus_agent.measure.burst.estimate.cross_traffic import (
    CrossTraffic,
    Rates,
    Trust,
    attribute,
    received_curve,
    received_rate,
    sent_rate,
    tolerance,
)
from campus_agent.measure.burst.estimate.rate_estimate import RateEstimate, RejectReason
from campus_agent.measure.burst.estimate.slope import Curve, Slope, rate_between, slope, steady_from
from campus_agent.measure.burst.observation import Arrivals, BurstObservation
from campus_agent.measure.burst.spec import (
    BURST_SECONDS,
    MIN_WINDOW_PACKETS,
    MIN_WINDOW_SECONDS,
    POLICED_LOSS_RATIO,
    SAMPLE_SECONDS,
    STARVED_RATIO,
    STEADY_RATIO,
    UNSTEADY_RATIO,
    WAITED_RATIO,
    WAITED_TRAFFIC_RATIO,
    WAITING_SECONDS,
)

_WAITING_NS = int(WAITING_SECONDS * 1e9)
_MIN_WINDOW_NS = int(MIN_WINDOW_SECONDS * 1e9)
_SAME_SIGMAS = 3.0
_USUAL_SAMPLE_SECONDS = 2 * SAMPLE_SECONDS
"""Fewer samples than one in so long: the receiver lagged, and took the time of reading."""
_MAX_CLOCK_STEP_NS = 200_000


def estimate_burst(burst: BurstObservation, threshold: float, target: float) -> RateEstimate:
    """What does this burst say, for a verdict at `threshold` (bits per second)?"""
    arrivals = burst.arrivals
    if not arrivals.received_ns:
        return RateEstimate(0.0, 0.0, saturated=False, reject_reason=RejectReason.NOTHING_ARRIVED)
    if len(arrivals.received_ns) < MIN_WINDOW_PACKETS or arrivals.received_ns[-1] <= arrivals.received_ns[0]:
        return RateEstimate(0.0, 0.0, saturated=False, reject_reason=RejectReason.TOO_FEW)
    first, limit = busy_from(arrivals)
    if arrivals.received_ns[first] >= arrivals.received_ns[-1]:  # the clock stood still during the window
        return RateEstimate(0.0, 0.0, saturated=False, reject_reason=RejectReason.TOO_FEW)
    estimate = _checked(burst, first, limit, threshold, target)
    if estimate.reject_reason is RejectReason.UNSTEADY and limit == "queue" and estimate.mean > estimate.rate:
        later = _after_fast_start(burst, first)
        if later is not None:
            return _checked(burst, later, limit, threshold, target)
    return estimate


def reject_if_cpu_waited(
    estimate: RateEstimate, waited_seconds: float | None, threshold: float, target: float
) -> RateEstimate:
    """Rejects an estimate when an end waited for a processor. It holds all the same in two cases, if there was little other traffic:

    (a) a queue was never empty, and more was offered than arrived, evenly. Arrivals are stamped by the kernel, so they show the line's rate
    whoever waits; departures are stamped before the kernel takes the packet, so a sender that waits in between looks like a queue.
    (b) the whole burst, from its first packet to its last, was fast enough: that rate is proved.
    """
    waited = replace(estimate, waited_seconds=waited_seconds)
    if waited_seconds is None or waited_seconds <= WAITED_RATIO * max(estimate.span_seconds, BURST_SECONDS):
        return waited
    if estimate.reject_reason in (RejectReason.NOTHING_ARRIVED, RejectReason.CLOCK):
        return waited
    offered_more = estimate.offered >= STARVED_RATIO * estimate.rate
    # a window with too few chunks to see a gap in it has a spread of this ratio
    steady = estimate.spread < STEADY_RATIO * estimate.rate
    full = estimate.limit == "queue" and estimate.reject_reason is None and offered_more and steady
    undisturbed = estimate.cross_traffic + estimate.unattributed <= WAITED_TRAFFIC_RATIO * target
    fast = not estimate.saturated and estimate.reject_reason is None and estimate.whole >= STARVED_RATIO * threshold
    return waited if (full or fast) and undisturbed else replace(waited, reject_reason=RejectReason.WAITED)


def _checked(burst: BurstObservation, first: int, limit: str | None, threshold: float, target: float) -> RateEstimate:
    estimate = _estimate_with_losses(burst, first, limit, target)
    return replace(
        estimate,
        reject_reason=_reject_reason(estimate, burst.arrivals, _overflow_since(burst.arrivals, first), threshold),
    )


def _after_fast_start(burst: BurstObservation, first: int) -> int | None:
    """Where does the even part begin, when a bucket still let packets through while something before it had a queue already?"""
    arrivals = burst.arrivals
    rows = zip(
        arrivals.received_ns[first:], (count * burst.wire_bytes for count in arrivals.count[first:]), strict=True
    )
    steady = steady_from(list(rows))
    later = None if steady is None else bisect_left(arrivals.received_ns, steady[0], first)
    return later if later is not None and _long_enough(arrivals, later) else None


def busy_from(arrivals: Arrivals) -> tuple[int, str | None]:
    """From which row to the last was the bottleneck never idle, and what limits it? None: it was not; then the second half."""
    base = min(received - sent for received, sent in zip(arrivals.received_ns, arrivals.sent_ns, strict=True))
    first = 0
    for row, (next_sent, received) in enumerate(zip(arrivals.sent_ns[1:], arrivals.received_ns, strict=False), 1):
        if next_sent + base + _WAITING_NS > received:
            first = row
    if _long_enough(arrivals, first):
        return first, "queue"
    middle = (arrivals.received_ns[0] + arrivals.received_ns[-1]) // 2
    half = next(row for row, received in enumerate(arrivals.received_ns) if received >= middle)
    offered = arrivals.sequence[-1] - arrivals.sequence[half]
    lost = offered - (arrivals.count[-1] - arrivals.count[half]) - _overflow_since(arrivals, half)
    if lost <= POLICED_LOSS_RATIO * offered or not _long_enough(arrivals, half):
        return half, None
    return min(half, _first_loss(arrivals)), "loss"


def even_rate(arrivals: Arrivals, first: int, wire_bytes: int) -> Slope | None:
    """What arrived, where no queue evened it out: from the first packet of one batch to the first of another.

    None when the window holds less than two batches.
    """
    starts = [
        row for row in range(max(first, 1), len(arrivals.sent_ns)) if arrivals.sent_ns[row] != arrivals.sent_ns[row - 1]
    ]
    if len(starts) < 2:
        return None
    points = [(arrivals.received_ns[row], arrivals.count[row] * wire_bytes) for row in (starts[0], starts[-1])]
    if points[1][0] <= points[0][0]:
        return None
    rate = rate_between(*points)
    return Slope(rate, STEADY_RATIO * rate, rate)


def _estimate_with_losses(burst: BurstObservation, first: int, limit: str | None, target: float) -> RateEstimate:
    """A full queue throws away more of those who send in bursts: then the sender's count of other traffic says little of the line.

    Until the first loss a queue keeps everybody's share. If both ends count the same until then, it is the same traffic all along, and the
    receiver's count is right. If not, only that part of the window is read; where it is too short, the lesser count holds.
    """
    estimate, cross_traffic = _estimate(burst, first, limit, target)
    doubtful = cross_traffic.unattributed > 0 or (cross_traffic.rate > 0 and not cross_traffic.receiver_counts)
    until = _until_loss(burst.arrivals, first)
    if not doubtful or until is None or limit is None:
        return estimate
    whole = replace(burst, arrivals=_head(burst.arrivals, until + 1))
    if limit == "loss" or not _long_enough(whole.arrivals, first):
        return _estimate(burst, first, limit, target, trust=Trust.LESSER)[0]
    before, agreed = _estimate(whole, first, "queue", target)
    if agreed.receiver_counts and not agreed.unattributed:
        return _estimate(burst, first, "queue", target, trust=Trust.RECEIVER)[0]
    return replace(before, lost=estimate.lost, span_seconds=estimate.span_seconds)


def _estimate(
    burst: BurstObservation, first: int, limit: str | None, target: float, *, trust: Trust = Trust.SUBSCRIBER_PORT
) -> tuple[RateEstimate, CrossTraffic]:
    """What the window from row `first` on says, and whose the rest was."""
    arrivals = burst.arrivals
    points = list(zip(arrivals.received_ns, (count * burst.wire_bytes for count in arrivals.count), strict=True))
    seconds = (points[-1][0] - points[first][0]) / 1e9
    even = even_rate(arrivals, first, burst.wire_bytes) if limit != "queue" else None
    test = even or slope(points[first:]) or Slope(0.0, 0.0, 0.0)
    rates = _rates(burst, points, first, test.mean)
    cross_traffic = attribute(
        rates,
        subscriber_receives=burst.subscriber_receives,
        allowance=tolerance(target, burst.wire_bytes, seconds),
        trust=trust,
    )
    total = _counted_slope(burst, first, seconds)
    best = Slope(test.rate + cross_traffic.rate, test.spread, test.mean + cross_traffic.rate)
    if limit == "queue" and total is not None and cross_traffic.receiver_counts:
        best = test if _counts_no_more(total, test) else total
    estimate = RateEstimate(
        rate=best.rate,
        spread=best.spread,
        mean=best.mean,
        saturated=limit is not None,
        offered=rates.offered,
        test_rate=test.mean,
        cross_traffic=cross_traffic.rate,
        unattributed=cross_traffic.unattributed,
        counted=total is not None,
        counters_read=rates.received_total is not None or rates.sent_total is not None,
        limit=limit,
        seconds=seconds,
        span_seconds=(points[-1][0] - points[0][0]) / 1e9,
        whole=rate_between(points[0], points[-1]),
        overflow=arrivals.overflow,
        lost=max(0, arrivals.sequence[-1] + 1 - arrivals.packets),
    )
    return estimate, cross_traffic


def _rates(burst: BurstObservation, received: Curve, first: int, test_rate: float) -> Rates:
    """What went on at both ends while the window was sent."""
    arrivals = burst.arrivals
    sent = list(zip(arrivals.sent_ns, (sequence * burst.wire_bytes for sequence in arrivals.sequence), strict=True))
    offered = sent_and_arrived = 0.0
    if sent[-1][0] > sent[first][0]:
        offered = rate_between(sent[first], sent[-1])
        sent_and_arrived = rate_between((sent[first][0], received[first][1]), (sent[-1][0], received[-1][1]))
    return Rates(
        test=test_rate,
        offered=offered,
        sent_and_arrived=sent_and_arrived,
        received_total=received_rate(burst, first, test_rate),
        sent_total=sent_rate(burst, offered, sent[first][0], sent[-1][0]),
    )


def _counted_slope(burst: BurstObservation, first: int, seconds: float) -> Slope | None:
    """The slope of the receiver's counters; None where they do not show it."""
    curve = received_curve(burst, first)
    total = slope(curve) if curve else None
    if curve and total and len(curve) * _USUAL_SAMPLE_SECONDS < seconds:
        return total._replace(spread=max(total.spread, STEADY_RATIO * total.rate))
    return total


def _counts_no_more(total: Slope, test: Slope) -> bool:
    """Do the counters show our packets alone, as far as they can show it? A receiver that lags reads them late; stamps are never late."""
    return test.spread < total.spread / 2 and abs(total.rate - test.rate) <= _SAME_SIGMAS * total.spread


def _reject_reason(estimate: RateEstimate, arrivals: Arrivals, overflow: int, threshold: float) -> RejectReason | None:
    """Why must this estimate not count, if it must not? `overflow`: packets the receive buffer threw away in the window."""
    if arrivals.clock_step_ns > _MAX_CLOCK_STEP_NS:
        return RejectReason.CLOCK
    if estimate.saturated:
        if estimate.limit == "queue" and not estimate.offered:  # one batch alone: its sender may have paused in it
            return RejectReason.STARVED
        if overflow and not estimate.counted:
            return RejectReason.OVERFLOW
        if estimate.limit == "loss" and estimate.rate < threshold and estimate.offered < STARVED_RATIO * threshold:
            return RejectReason.STARVED
        return RejectReason.UNSTEADY if abs(estimate.mean - estimate.rate) > UNSTEADY_RATIO * estimate.rate else None
    if estimate.mean >= STARVED_RATIO * threshold:
        return None
    if overflow:
        return RejectReason.OVERFLOW
    return RejectReason.STARVED if estimate.offered < STARVED_RATIO * threshold else RejectReason.UNSTEADY


def _overflow_since(arrivals: Arrivals, first: int) -> int:
    """Packets the receive buffer threw away, if any of them in the window: the fast start of a long burst does not matter."""
    return arrivals.overflow if arrivals.overflow_ns >= arrivals.received_ns[first] else 0


def _until_loss(arrivals: Arrivals, first: int) -> int | None:
    """The last row before a packet is missing, counted from row `first` on; None: nothing is."""
    lead = arrivals.sequence[first] - arrivals.count[first]
    rows = range(first, len(arrivals.sequence))
    return next((row - 1 for row in rows if arrivals.sequence[row] - arrivals.count[row] > lead), None)


def _head(arrivals: Arrivals, rows: int) -> Arrivals:
    return replace(
        arrivals,
        received_ns=arrivals.received_ns[:rows],
        sent_ns=arrivals.sent_ns[:rows],
        sequence=arrivals.sequence[:rows],
        count=arrivals.count[:rows],
    )


def _first_loss(arrivals: Arrivals) -> int:
    """The row after which the first packet is missing."""
    lead = arrivals.sequence[0] - arrivals.count[0]
    rows = zip(arrivals.sequence, arrivals.count, strict=True)
    return next((row for row, (sequence, count) in enumerate(rows) if sequence - count > lead), 0)


def _long_enough(arrivals: Arrivals, first: int) -> bool:
    packets = len(arrivals.received_ns) - first
    return packets >= MIN_WINDOW_PACKETS and arrivals.received_ns[-1] - arrivals.received_ns[first] >= _MIN_WINDOW_NS
