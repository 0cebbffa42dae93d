"""What does one pulse say about the line? Pure arithmetic on arrival times and counters (docs/protocol.md, section 6).

All times are nanoseconds of one side's monotonic clock; the two clocks are never compared, only their differences. Rates are line rates
in bits per second: octets on the wire, preamble and gap included.

The idea: while a packet waits behind another one, the bottleneck works without a pause, and what leaves it then is its capacity. A packet
waited when it was sent (plus the shortest delay seen) before its forerunner arrived. Whatever else passed the receiver's interface
between two such packets came through the same bottleneck and is counted in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import NamedTuple

from campus_agent.engine.spec import (
    ATTRIBUTION_RATIO,
    CHUNKS,
    MIN_CHUNK_SECONDS,
    MIN_WINDOW_PACKETS,
    MIN_WINDOW_SECONDS,
    POLICED_LOSS_RATIO,
    SPREAD_FLOOR_RATIO,
    STARVED_RATIO,
    STEADY_RATIO,
    UNSTEADY_RATIO,
    WAITING_SECONDS,
)

_WAITING_NS = int(WAITING_SECONDS * 1e9)
_MIN_WINDOW_NS = int(MIN_WINDOW_SECONDS * 1e9)
_MIN_CHUNK_NS = int(MIN_CHUNK_SECONDS * 1e9)
_MAX_CLOCK_STEP_NS = 200_000
_BITS_PER_OCTET_NS = 8e9
_MAX_BASELINE_POINTS = 60
_STALE_RATIO = 0.98


class Sample(NamedTuple):
    """What the receiver's interface had received right after the arrival in this row."""

    row: int
    octets: int
    packets: int


class Departure(NamedTuple):
    """What the sender's interface had sent at this moment of the sender's clock."""

    sent_ns: int
    octets: int
    packets: int


@dataclass(slots=True)
class Arrivals:
    """One pulse as its receiver saw it: a column per fact, in the order of arrival.

    `count` is how many packets had arrived by then: a long pulse lists only some. `packets` counts all. `overflow` is what the
    receive buffer threw away.
    """

    received_ns: list[int] = field(default_factory=list)
    sent_ns: list[int] = field(default_factory=list)
    sequence: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    departures: list[Departure] = field(default_factory=list)
    packets: int = 0
    overflow: int = 0
    clock_step_ns: int = 0
    kernel_stamps: bool = True


@dataclass(frozen=True, slots=True)
class Pulse:
    """One pulse with what is needed to read it.

    `receiver_gap_bytes` and `sender_gap_bytes` are what the interface counters leave out per packet; None: no counters.
    `subscriber_receives`: the receiver's interface is the one that belongs to this line alone.
    """

    arrivals: Arrivals
    departures: Sequence[Departure]
    wire_bytes: int
    receiver_gap_bytes: int | None
    sender_gap_bytes: int | None
    subscriber_receives: bool


class Flaw(StrEnum):
    """Why does a pulse say nothing?"""

    NOTHING_ARRIVED = "nothing_arrived"
    TOO_FEW = "too_few"
    STARVED = "starved"
    OVERFLOW = "overflow"
    CLOCK = "clock"
    UNSTEADY = "unsteady"


@dataclass(frozen=True, slots=True)
class View:
    """What one pulse says.

    `rate` is the capacity when `saturated`, else the rate that was proved; `spread` its standard error. `unattributed` is other
    traffic that one end saw and that may, or may not, have shared the line. `limit` names what set the rate.
    """

    rate: float
    spread: float
    saturated: bool
    mean: float = 0.0
    offered: float = 0.0
    own: float = 0.0
    others: float = 0.0
    unattributed: float = 0.0
    counted: bool = False
    limit: str | None = None
    seconds: float = 0.0
    lost: int = 0
    flaw: Flaw | None = None


class Slope(NamedTuple):
    """A rate along a curve of octets over time: robust value, its standard error, and the plain mean."""

    rate: float
    spread: float
    mean: float


Curve = list[tuple[int, int]]
"""Points of nanoseconds and octets so far."""


def read_pulse(pulse: Pulse, threshold: float, target: float) -> View:
    """What does this pulse say, for a verdict at `threshold` (bits per second)?"""
    seen = pulse.arrivals
    if not seen.received_ns:
        return View(0.0, 0.0, saturated=False, flaw=Flaw.NOTHING_ARRIVED)
    if len(seen.received_ns) < MIN_WINDOW_PACKETS:
        return View(0.0, 0.0, saturated=False, flaw=Flaw.TOO_FEW)
    first, limit = busy_from(seen)
    if limit is None:
        first = _half(seen)
    view = _look(pulse, first, limit, target)
    return _flawed(view, seen, threshold)


def busy_from(seen: Arrivals) -> tuple[int, str | None]:
    """From which arrival to the last was the bottleneck never idle, and what limits it; None: it was not busy at the end."""
    base = min(received - sent for received, sent in zip(seen.received_ns, seen.sent_ns, strict=True))
    first = 0
    following = zip(seen.sent_ns[1:], seen.received_ns, strict=False)
    for index, (next_sent, received) in enumerate(following, 1):
        if next_sent + base + _WAITING_NS > received:
            first = index
    if _long_enough(seen, first):
        return first, "queue"
    half = _half(seen)
    span = seen.sequence[-1] - seen.sequence[half]
    lost = span - (seen.count[-1] - seen.count[half])
    if lost > POLICED_LOSS_RATIO * span and _long_enough(seen, half):
        return half, "loss"
    return 0, None


def slope(curve: Curve) -> Slope | None:
    """How fast does a curve rise? None for fewer than four points.

    Steady chunks: their median, which a stall of the box does not touch. Else the median over long baselines, which noise at the
    edges of chunks (interrupt coalescing, aggregation) does not touch.
    """
    if len(curve) < 4 or curve[-1][0] <= curve[0][0]:
        return None
    mean = _rate(curve[0], curve[-1])
    rates = _chunk_rates(curve)
    if len(rates) < 3:
        return Slope(mean, abs(mean) * STEADY_RATIO, mean)
    middle = median(rates)
    sigma = 1.4826 * median(abs(rate - middle) for rate in rates)
    error = max(1.25 * sigma / len(rates) ** 0.5, abs(middle) * SPREAD_FLOOR_RATIO)
    if sigma <= STEADY_RATIO * abs(middle):
        return Slope(middle, error, mean)
    return Slope(_long_baseline_rate(curve), error, mean)


def counted(pulse: Pulse, first: int) -> Curve | None:
    """All octets that passed the receiver's interface, from the arrival `first` on; None when the counters do not tell.

    Counters that lag behind our own packets (some drivers renew them once a second) tell nothing.
    """
    gap = pulse.receiver_gap_bytes
    seen = pulse.arrivals
    samples = [sample for sample in seen.samples if sample.row >= first]
    if gap is None or len(samples) < 4:
        return None
    curve = [(seen.received_ns[index], octets + gap * packets) for index, octets, packets in samples]
    own = (seen.count[samples[-1].row] - seen.count[samples[0].row]) * pulse.wire_bytes
    return curve if curve[-1][1] - curve[0][1] >= _STALE_RATIO * own else None


def _look(pulse: Pulse, first: int, limit: str | None, target: float) -> View:
    seen = pulse.arrivals
    end = len(seen.received_ns) - 1
    own_curve = [(seen.received_ns[index], seen.count[index] * pulse.wire_bytes) for index in range(first, end + 1)]
    own = slope(own_curve) or Slope(0.0, 0.0, 0.0)
    sent_ns = seen.sent_ns[end] - seen.sent_ns[first]
    offered = (seen.sequence[end] - seen.sequence[first]) * pulse.wire_bytes * _BITS_PER_OCTET_NS / max(sent_ns, 1)
    total_curve = counted(pulse, first)
    total = slope(total_curve) if total_curve else None
    sent_total = _sent_total(pulse, seen.sent_ns[first], seen.sent_ns[end])
    others, unattributed, take_total = attribute(
        own.mean, offered, total.mean if total else None, sent_total, pulse.subscriber_receives, target
    )
    best = total if total is not None and take_total else Slope(own.rate + others, own.spread, own.mean + others)
    return View(
        rate=best.rate,
        spread=best.spread,
        mean=best.mean,
        saturated=limit is not None,
        offered=offered,
        own=own.mean,
        others=max(0.0, others),
        unattributed=unattributed,
        counted=total is not None,
        limit=limit,
        seconds=(seen.received_ns[end] - seen.received_ns[first]) / 1e9,
        lost=max(0, seen.sequence[end] + 1 - seen.packets),
    )


def attribute(
    own: float,
    offered: float,
    received_total: float | None,
    sent_total: float | None,
    subscriber_receives: bool,
    target: float,
) -> tuple[float, float, bool]:
    """Which other traffic shared the line: (others, unattributed, is the receiver's total the line's total?).

    Where both ends' counters agree the answer is sure. Else the subscriber's own port decides, and what the far end saw beyond
    that is unattributed: other rooms behind the same gateway interface, most likely, but nobody can tell.
    """
    seen = None if received_total is None else received_total - own
    if sent_total is None:
        return (seen or 0.0), 0.0, True
    before_queue = max(0.0, sent_total - offered) * own / max(offered, 1.0)
    after_queue = max(0.0, sent_total - own)
    left = after_queue if sent_total < 0.99 * offered else before_queue
    if seen is None:
        return left, 0.0, False
    if abs(own + seen - sent_total) <= ATTRIBUTION_RATIO * target:
        return seen, 0.0, True
    if subscriber_receives:
        return seen, max(0.0, left - seen), True
    if abs(left - seen) <= ATTRIBUTION_RATIO * target:
        return seen, 0.0, True
    return left, max(0.0, seen - left), False


def _sent_total(pulse: Pulse, start_ns: int, end_ns: int) -> float | None:
    gap = pulse.sender_gap_bytes
    within = [departure for departure in pulse.departures if start_ns <= departure.sent_ns <= end_ns]
    if gap is None or len(within) < 3 or within[-1].sent_ns - within[0].sent_ns < _MIN_WINDOW_NS // 2:
        return None
    curve = [(sent_ns, octets + gap * packets) for sent_ns, octets, packets in within]
    return _rate(curve[0], curve[-1])


def _flawed(view: View, seen: Arrivals, threshold: float) -> View:
    flaw = None
    if view.saturated:
        if seen.overflow and not view.counted:
            flaw = Flaw.OVERFLOW
        elif seen.clock_step_ns > _MAX_CLOCK_STEP_NS:
            flaw = Flaw.CLOCK
        elif abs(view.mean - view.rate) > UNSTEADY_RATIO * view.rate:
            flaw = Flaw.UNSTEADY
    elif view.mean < STARVED_RATIO * threshold:
        flaw = (
            Flaw.OVERFLOW
            if seen.overflow
            else Flaw.STARVED
            if view.offered < STARVED_RATIO * threshold
            else Flaw.UNSTEADY
        )
    if flaw is None:
        return view
    return View(**{name: getattr(view, name) for name in View.__slots__} | {"flaw": flaw})


def _half(seen: Arrivals) -> int:
    middle = (seen.received_ns[0] + seen.received_ns[-1]) // 2
    return next(index for index, received in enumerate(seen.received_ns) if received >= middle)


def _long_enough(seen: Arrivals, first: int) -> bool:
    packets = len(seen.received_ns) - first
    return packets >= MIN_WINDOW_PACKETS and seen.received_ns[-1] - seen.received_ns[first] >= _MIN_WINDOW_NS


def _chunk_rates(curve: Curve) -> list[float]:
    length = max(_MIN_CHUNK_NS, (curve[-1][0] - curve[0][0]) // CHUNKS)
    rates = []
    start = curve[0]
    for point in curve[1:]:
        if point[0] - start[0] >= length:
            rates.append(_rate(start, point))
            start = point
    return rates


def _long_baseline_rate(curve: Curve) -> float:
    thin = curve[:: -(-len(curve) // _MAX_BASELINE_POINTS)]
    baseline = 0.4 * (thin[-1][0] - thin[0][0])
    return median(_rate(a, b) for i, a in enumerate(thin) for b in thin[i + 1 :] if b[0] - a[0] >= baseline)


def _rate(start: tuple[int, int], end: tuple[int, int]) -> float:
    return (end[1] - start[1]) * _BITS_PER_OCTET_NS / (end[0] - start[0])
