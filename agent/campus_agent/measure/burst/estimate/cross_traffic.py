"""Which other traffic shared the line while a burst was on it? From the interface counters of both ends. Pure."""

from enum import Enum
from typing import NamedTuple

from campus_agent.measure.burst.estimate.slope import Curve, rate_between
from campus_agent.measure.burst.observation import BurstObservation
from campus_agent.measure.burst.spec import ATTRIBUTION_PACKETS, ATTRIBUTION_RATIO

_STALE_RATIO = 0.98
_MIN_SPAN_NS = 5_000_000


class Trust(Enum):
    """Whom to believe where both ends count differently."""

    SUBSCRIBER_PORT = "subscriber_port"
    """The interface that belongs to the measured line alone."""
    RECEIVER = "receiver"
    """It is known to be the same traffic: what came is what shared the line."""
    LESSER = "lesser"
    """The line lost packets all along, and it is not known whose: only what both ends saw shared it for sure."""


class Rates(NamedTuple):
    """What went on in a burst's window, in bits per second of line rate; None: that end has no counters.

    `sent_and_arrived` is the rate at which the packets that arrived in the end had been sent: what was offered less what was lost.
    """

    test: float
    offered: float
    sent_and_arrived: float
    received_total: float | None
    sent_total: float | None


class CrossTraffic(NamedTuple):
    """Other traffic on the line; what may have been on it or not; and whether the receiver's count is the line's count."""

    rate: float
    unattributed: float
    receiver_counts: bool


def tolerance(target: float, wire_bytes: int, window_seconds: float) -> float:
    """How far two counts of the same traffic may differ: a share of the target, and some packets at the window's edges."""
    return ATTRIBUTION_RATIO * target + ATTRIBUTION_PACKETS * wire_bytes * 8 / max(window_seconds, 1e-3)


def attribute(
    rates: Rates, *, subscriber_receives: bool, allowance: float, trust: Trust = Trust.SUBSCRIBER_PORT
) -> CrossTraffic:
    """Splits the traffic that is not ours into cross traffic and unattributed.

    Where both ends count the same, all of it is cross traffic; else the count of the subscriber's own port decides.

    What the far end counted beyond that is unattributed: most likely other rooms behind the same gateway interface, or a second
    device behind the line. `trust` says whose count to believe where the two differ.
    """
    test_rate, _, _, received_total, sent_total = rates
    extra = None if received_total is None else max(0.0, received_total - test_rate)
    if sent_total is None or (trust is Trust.RECEIVER and extra is not None):
        return CrossTraffic(extra or 0.0, 0.0, extra is not None)
    left = max(0.0, _counted_by_the_sender(rates, sent_total))
    if extra is None:
        return CrossTraffic(left if left > allowance else 0.0, 0.0, receiver_counts=False)
    if abs(test_rate + extra - sent_total) <= allowance or abs(left - extra) <= allowance:
        return CrossTraffic(extra, 0.0, receiver_counts=True)
    if trust is Trust.LESSER:
        return CrossTraffic(min(extra, left), abs(left - extra), receiver_counts=extra <= left)
    if subscriber_receives:
        return CrossTraffic(extra, max(0.0, left - extra), receiver_counts=True)
    return CrossTraffic(left, max(0.0, extra - left), receiver_counts=False)


def _counted_by_the_sender(rates: Rates, sent_total: float) -> float:
    """Other traffic by the counter of the sender's interface, at the rate it had on the line if all of it took the same line."""
    # Counted before any loss: the counter has all that was offered. Else packets were lost before it: it has those that arrived.
    # Either way the queue comes later, and other traffic passes it in the same proportion as ours.
    for before_queue in (rates.offered, rates.sent_and_arrived):
        if sent_total >= _STALE_RATIO * before_queue:
            return (sent_total - before_queue) * rates.test / max(before_queue, 1.0)
    # The queue is before the counter, because the sender's interface is the bottleneck: it counts what the line carries.
    return sent_total - rates.test


def received_rate(burst: BurstObservation, first: int, test_rate: float) -> float | None:
    """The mean rate of all that passed the receiver's interface from the arrival in row `first` on; None when the counters do not show it.

    Our own packets' rate, and what the counter has more than those that had arrived by then: so it matters little when it was read.
    """
    overhead, arrivals = burst.receiver_frame_overhead_bytes, burst.arrivals
    start_ns, end_ns = arrivals.received_ns[first], arrivals.received_ns[-1]
    within = [sample for sample in arrivals.samples if start_ns <= sample.at_ns <= end_ns]
    if overhead is None or len(within) < 2 or 2 * (within[-1].at_ns - within[0].at_ns) < end_ns - start_ns:
        return None
    start, end = within[0], within[-1]
    packets = _test_packets(burst, first, start.at_ns, end.at_ns)
    if end.packets - start.packets < _STALE_RATIO * packets:
        return None
    more = end.total_bytes - start.total_bytes + overhead * (end.packets - start.packets) - packets * burst.wire_bytes
    return test_rate + more * 8e9 / (end.at_ns - start.at_ns)


def received_curve(burst: BurstObservation, first: int) -> Curve | None:
    """All bytes that passed the receiver's interface from the arrival in row `first` on; None when the counters do not show it.

    Counters that count fewer packets than ours tell nothing: some drivers renew them once a second, some count a block as one.
    """
    overhead, arrivals = burst.receiver_frame_overhead_bytes, burst.arrivals
    start_ns, end_ns = arrivals.received_ns[first], arrivals.received_ns[-1]
    samples = [sample for sample in arrivals.samples if start_ns <= sample.at_ns <= end_ns]
    if overhead is None or len(samples) < 4:
        return None
    start, end = samples[0], samples[-1]
    expected = _test_packets(burst, first, start.at_ns, end.at_ns)
    if end.packets - start.packets < _STALE_RATIO * expected:
        return None
    return [(at_ns, total_bytes + overhead * packets) for at_ns, total_bytes, packets in samples]


def _test_packets(burst: BurstObservation, first: int, start_ns: int, end_ns: int) -> int:
    """How many of our packets arrived between two moments?"""
    arrivals = burst.arrivals
    within = [
        count
        for received, count in zip(arrivals.received_ns[first:], arrivals.count[first:], strict=True)
        if start_ns <= received <= end_ns
    ]
    return within[-1] - within[0] if within else 0


def sent_rate(burst: BurstObservation, offered: float, start_ns: int, end_ns: int) -> float | None:
    """The mean rate of all that left the sender's interface between two moments of its clock; None without counters.

    What was offered, and what the counter has more (or less) than that: a batch that left late changes neither.
    """
    overhead = burst.sender_frame_overhead_bytes
    within = [departure for departure in burst.departures if start_ns <= departure.sent_ns <= end_ns]
    if overhead is None or len(within) < 3 or within[-1].sent_ns - within[0].sent_ns < _MIN_SPAN_NS:
        return None
    points = [
        (at_ns, total_bytes + overhead * packets - burst.wire_bytes * sequence)
        for at_ns, total_bytes, packets, sequence in (within[0], within[-1])
    ]
    return offered + rate_between(*points)
