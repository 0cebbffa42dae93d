"""What does one pulse say about the line? Pure arithmetic on arrival times and counters (docs/protocol.md, section 6).

The idea: while a packet waits behind another one, the bottleneck works without a pause, and what leaves it then is its capacity. A packet
waited if it was sent (plus the shortest delay seen) before its forerunner arrived. Whatever else passed the receiver's interface between
two such packets came through the same bottleneck and is counted in.
"""

from bisect import bisect_left
from dataclasses import replace

from campus_agent.measure.burst.estimate.slope import Slope, rate_between, slope, steady_from
from campus_agent.measure.burst.estimate.traffic import (
    Others,
    Rates,
    Trust,
    attribute,
    received_curve,
    received_rate,
    sent_rate,
    tolerance,
)
from campus_agent.measure.burst.pulse import Arrivals, Flaw, Pulse, View
from campus_agent.measure.burst.spec import (
    MIN_WINDOW_PACKETS,
    MIN_WINDOW_SECONDS,
    POLICED_LOSS_RATIO,
    PULSE_SECONDS,
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


def read_pulse(pulse: Pulse, threshold: float, target: float) -> View:
    """What does this pulse say, for a verdict at `threshold` (bits per second)?"""
    seen = pulse.arrivals
    if not seen.received_ns:
        return View(0.0, 0.0, saturated=False, flaw=Flaw.NOTHING_ARRIVED)
    if len(seen.received_ns) < MIN_WINDOW_PACKETS or seen.received_ns[-1] <= seen.received_ns[0]:
        return View(0.0, 0.0, saturated=False, flaw=Flaw.TOO_FEW)
    first, limit = busy_from(seen)
    if seen.received_ns[first] >= seen.received_ns[-1]:  # all of the window in one moment: a clock that stands still
        return View(0.0, 0.0, saturated=False, flaw=Flaw.TOO_FEW)
    view = _judged(pulse, first, limit, threshold, target)
    if view.flaw is Flaw.UNSTEADY and limit == "queue" and view.mean > view.rate:
        later = _after_fast_start(pulse, first)
        if later is not None:
            return _judged(pulse, later, limit, threshold, target)
    return view


def with_waits(view: View, waited_seconds: float | None, threshold: float, target: float) -> View:
    """The same view with what is known of waits for a processor: a flaw, unless what was seen is the line's all the same.

    Arrivals are stamped by the kernel: while a queue is never empty they are the line's, whoever waits. Departures are stamped before the
    kernel takes the packet: a sender that waits in between looks like a queue. So more must have been offered than came, evenly;
    where counters show other traffic, it cannot be told what is the line's and what the wait's. A pulse that was fast enough from its
    first packet to its last proves that rate.
    """
    waited = replace(view, waited_seconds=waited_seconds)
    if waited_seconds is None or waited_seconds <= WAITED_RATIO * max(view.span_seconds, PULSE_SECONDS):
        return waited
    if view.flaw in (Flaw.NOTHING_ARRIVED, Flaw.CLOCK):
        return waited
    offered_more = view.offered >= STARVED_RATIO * view.rate
    steady = view.spread < STEADY_RATIO * view.rate  # a window with too few chunks to see a gap in it has this much
    full = view.limit == "queue" and view.flaw is None and offered_more and steady
    alone = view.others + view.unattributed <= WAITED_TRAFFIC_RATIO * target
    fast = not view.saturated and view.flaw is None and view.whole >= STARVED_RATIO * threshold
    return waited if (full or fast) and alone else replace(waited, flaw=Flaw.WAITED)


def _judged(pulse: Pulse, first: int, limit: str | None, threshold: float, target: float) -> View:
    view = _look_with_losses(pulse, first, limit, target)
    return replace(view, flaw=_flaw(view, pulse.arrivals, _overflow_since(pulse.arrivals, first), threshold))


def _after_fast_start(pulse: Pulse, first: int) -> int | None:
    """Where does the even part begin, when a bucket still let packets through while something before it had a queue already?"""
    seen = pulse.arrivals
    rows = zip(seen.received_ns[first:], (count * pulse.wire_bytes for count in seen.count[first:]), strict=True)
    steady = steady_from(list(rows))
    later = None if steady is None else bisect_left(seen.received_ns, steady[0], first)
    return later if later is not None and _long_enough(seen, later) else None


def busy_from(seen: Arrivals) -> tuple[int, str | None]:
    """From which row to the last was the bottleneck never idle, and what limits it? None: it was not; then the second half."""
    base = min(received - sent for received, sent in zip(seen.received_ns, seen.sent_ns, strict=True))
    first = 0
    for row, (next_sent, received) in enumerate(zip(seen.sent_ns[1:], seen.received_ns, strict=False), 1):
        if next_sent + base + _WAITING_NS > received:
            first = row
    if _long_enough(seen, first):
        return first, "queue"
    middle = (seen.received_ns[0] + seen.received_ns[-1]) // 2
    half = next(row for row, received in enumerate(seen.received_ns) if received >= middle)
    offered = seen.sequence[-1] - seen.sequence[half]
    lost = offered - (seen.count[-1] - seen.count[half]) - _overflow_since(seen, half)
    if lost <= POLICED_LOSS_RATIO * offered or not _long_enough(seen, half):
        return half, None
    return min(half, _first_loss(seen)), "loss"


def even_rate(seen: Arrivals, first: int, wire_bytes: int) -> Slope | None:
    """What arrived, where no queue evened it out: from the first packet of one batch to the first of another.

    None when the window holds less than two batches.
    """
    starts = [row for row in range(max(first, 1), len(seen.sent_ns)) if seen.sent_ns[row] != seen.sent_ns[row - 1]]
    if len(starts) < 2:
        return None
    points = [(seen.received_ns[row], seen.count[row] * wire_bytes) for row in (starts[0], starts[-1])]
    if points[1][0] <= points[0][0]:
        return None
    rate = rate_between(*points)
    return Slope(rate, STEADY_RATIO * rate, rate)


def _look_with_losses(pulse: Pulse, first: int, limit: str | None, target: float) -> View:
    """A full queue throws away more of those who send in bursts: then the sender's count of other traffic says little of the line.

    Until the first loss a queue keeps everybody's share. If both ends count the same until then, it is the same traffic all along, and the
    receiver's count is right. If not, only that part of the window is read; where it is too short, the lesser count holds.
    """
    view, others = _look(pulse, first, limit, target)
    doubtful = others.unattributed > 0 or (others.rate > 0 and not others.receiver_counts)
    until = _until_loss(pulse.arrivals, first)
    if not doubtful or until is None or limit is None:
        return view
    whole = replace(pulse, arrivals=_head(pulse.arrivals, until + 1))
    if limit == "loss" or not _long_enough(whole.arrivals, first):
        return _look(pulse, first, limit, target, trust=Trust.LESSER)[0]
    before, agreed = _look(whole, first, "queue", target)
    if agreed.receiver_counts and not agreed.unattributed:
        return _look(pulse, first, "queue", target, trust=Trust.RECEIVER)[0]
    return replace(before, lost=view.lost, span_seconds=view.span_seconds)


def _look(
    pulse: Pulse, first: int, limit: str | None, target: float, *, trust: Trust = Trust.COUNTS
) -> tuple[View, Others]:
    """What the window says, and whose the rest was."""
    seen = pulse.arrivals
    points = list(zip(seen.received_ns, (count * pulse.wire_bytes for count in seen.count), strict=True))
    seconds = (points[-1][0] - points[first][0]) / 1e9
    even = even_rate(seen, first, pulse.wire_bytes) if limit != "queue" else None
    own = even or slope(points[first:]) or Slope(0.0, 0.0, 0.0)
    sent = list(zip(seen.sent_ns, (sequence * pulse.wire_bytes for sequence in seen.sequence), strict=True))
    offered = survived = 0.0
    if sent[-1][0] > sent[first][0]:
        offered = rate_between(sent[first], sent[-1])
        survived = rate_between((sent[first][0], points[first][1]), (sent[-1][0], points[-1][1]))
    curve = received_curve(pulse, first)
    total = slope(curve) if curve else None
    if curve and total and len(curve) * _USUAL_SAMPLE_SECONDS < seconds:
        total = total._replace(spread=max(total.spread, STEADY_RATIO * total.rate))
    received_total = received_rate(pulse, first, own.mean)
    sent_total = sent_rate(pulse, offered, sent[first][0], sent[-1][0])
    rates = Rates(own.mean, offered, survived, received_total, sent_total)
    others = attribute(
        rates,
        subscriber_receives=pulse.subscriber_receives,
        allowance=tolerance(target, pulse.wire_bytes, seconds),
        trust=trust,
    )
    if limit == "queue" and total is not None and others.receiver_counts:
        best = own if _counts_no_more(total, own) else total
    else:
        best = Slope(own.rate + others.rate, own.spread, own.mean + others.rate)
    view = View(
        rate=best.rate,
        spread=best.spread,
        mean=best.mean,
        saturated=limit is not None,
        offered=offered,
        own=own.mean,
        others=others.rate,
        unattributed=others.unattributed,
        counted=total is not None,
        counters_read=received_total is not None or sent_total is not None,
        limit=limit,
        seconds=seconds,
        span_seconds=(points[-1][0] - points[0][0]) / 1e9,
        whole=rate_between(points[0], points[-1]),
        overflow=seen.overflow,
        lost=max(0, seen.sequence[-1] + 1 - seen.packets),
    )
    return view, others


def _counts_no_more(total: Slope, own: Slope) -> bool:
    """Do the counters show our packets alone, as far as they can tell? A receiver that lags reads them late; stamps are never late."""
    return own.spread < total.spread / 2 and abs(total.rate - own.rate) <= _SAME_SIGMAS * total.spread


def _flaw(view: View, seen: Arrivals, overflow: int, threshold: float) -> Flaw | None:
    """Why must this view not count, if it must not? `overflow`: packets the receive buffer threw away in the window."""
    if seen.clock_step_ns > _MAX_CLOCK_STEP_NS:
        return Flaw.CLOCK
    if view.saturated:
        if view.limit == "queue" and not view.offered:  # one batch alone: its sender may have paused in it
            return Flaw.STARVED
        if overflow and not view.counted:
            return Flaw.OVERFLOW
        if view.limit == "loss" and view.rate < threshold and view.offered < STARVED_RATIO * threshold:
            return Flaw.STARVED
        return Flaw.UNSTEADY if abs(view.mean - view.rate) > UNSTEADY_RATIO * view.rate else None
    if view.mean >= STARVED_RATIO * threshold:
        return None
    if overflow:
        return Flaw.OVERFLOW
    return Flaw.STARVED if view.offered < STARVED_RATIO * threshold else Flaw.UNSTEADY


def _overflow_since(seen: Arrivals, first: int) -> int:
    """Packets the receive buffer threw away, if any of them in the window: the fast start of a long pulse does not matter."""
    return seen.overflow if seen.overflow_ns >= seen.received_ns[first] else 0


def _until_loss(seen: Arrivals, first: int) -> int | None:
    """The last row before a packet is missing, counted from row `first` on; None: nothing is."""
    lead = seen.sequence[first] - seen.count[first]
    rows = range(first, len(seen.sequence))
    return next((row - 1 for row in rows if seen.sequence[row] - seen.count[row] > lead), None)


def _head(seen: Arrivals, rows: int) -> Arrivals:
    """The first rows alone."""
    return replace(
        seen,
        received_ns=seen.received_ns[:rows],
        sent_ns=seen.sent_ns[:rows],
        sequence=seen.sequence[:rows],
        count=seen.count[:rows],
    )


def _first_loss(seen: Arrivals) -> int:
    """The row after which the first packet is missing."""
    lead = seen.sequence[0] - seen.count[0]
    rows = zip(seen.sequence, seen.count, strict=True)
    return next((row for row, (sequence, count) in enumerate(rows) if sequence - count > lead), 0)


def _long_enough(seen: Arrivals, first: int) -> bool:
    packets = len(seen.received_ns) - first
    return packets >= MIN_WINDOW_PACKETS and seen.received_ns[-1] - seen.received_ns[first] >= _MIN_WINDOW_NS
