"""A line on paper: a FIFO queue, a shaper with a bucket, other traffic, a sender that stalls. Arrivals as a receiver would list them.

Times in nanoseconds, rates in bits per second; both clocks have an arbitrary offset, as in life.
"""

import heapq
from dataclasses import dataclass, field
from random import Random

from campus_agent.measure.burst.observation import Arrivals, BurstObservation, CounterSample, Departure

WIRE_BYTES = 1538
FRAME_OVERHEAD_BYTES = 24
RECEIVER_CLOCK_NS = 77_000_000_000
SENDER_CLOCK_NS = 5_000_000_000
SAMPLE_NS = 1_000_000


@dataclass(slots=True)
class Line:
    """What the burst meets. `stalls`: (start, length) of a box that does not serve, `silences` of a sender that does not send."""

    capacity: float
    bucket_bytes: int = 16_000
    limit_bytes: int = 128_000
    loss_ratio: float = 0.0
    jitter_ns: int = 3_000
    cross_traffic: list[int] = field(default_factory=list)
    stalls: list[tuple[int, int]] = field(default_factory=list)
    silences: list[tuple[int, int]] = field(default_factory=list)
    counters: bool = True
    policer: bool = False
    seed: int = 1


def cross_traffic_at(rate: float, seconds: float, seed: int = 1) -> list[int]:
    """Departure times of other packets: bursts around 10 ms at twice the mean rate."""
    rng, now, times = Random(seed), 0.0, []
    while now < seconds * 1e9:
        end = now + rng.expovariate(1 / 1e7)
        while now < end:
            times.append(int(now))
            now += WIRE_BYTES * 8e9 / (2 * rate)
        now = end + rng.expovariate(1 / 1e7)
    return times


def send(
    line: Line, offered: float, seconds: float = 0.05, batch: int = 5, *, subscriber_receives: bool = True
) -> BurstObservation:
    """One burst over the line."""
    rng = Random(line.seed)
    packets = int(seconds * offered / (8 * WIRE_BYTES))
    queue: list[tuple[int, int, int]] = []
    for sequence in range(packets):
        sent = int((sequence // batch) * batch * WIRE_BYTES * 8e9 / offered)
        for start, length in line.silences:
            sent += length if sent >= start else 0
        queue.append((sent, 1, sequence))
    queue += [(sent, 0, -1) for sent in line.cross_traffic]
    heapq.heapify(queue)
    seen = Arrivals()
    octets = count = 0
    next_sample = 0
    tokens, filled_at, free_at = float(line.bucket_bytes), 0, 0
    waiting: list[tuple[int, int]] = []
    while queue:
        sent, own, sequence = heapq.heappop(queue)
        waiting = [(leave, size) for leave, size in waiting if leave > sent]
        if sum(size for _, size in waiting) + WIRE_BYTES > line.limit_bytes or rng.random() < line.loss_ratio:
            continue
        start = max(sent, free_at)
        tokens = min(line.bucket_bytes, tokens + (start - filled_at) * line.capacity / 8e9)
        filled_at = start
        if tokens < WIRE_BYTES:
            if line.policer:
                continue
            start += int((WIRE_BYTES - tokens) * 8e9 / line.capacity)
            tokens, filled_at = float(WIRE_BYTES), start
        for begin, length in line.stalls:
            if begin <= start < begin + length:
                start = begin + length
        tokens -= WIRE_BYTES
        free_at = start + 1_000  # a frame at 12 Gbit/s: what passes on tokens passes at the port's own speed
        waiting.append((start, WIRE_BYTES))
        octets, count = octets + WIRE_BYTES - FRAME_OVERHEAD_BYTES, count + 1
        if own:
            arrived = start + RECEIVER_CLOCK_NS + 200_000 + int(rng.random() * line.jitter_ns)
            seen.received_ns.append(arrived)
            seen.sent_ns.append(sent + SENDER_CLOCK_NS)
            seen.sequence.append(sequence)
            if line.counters and arrived >= next_sample:
                seen.samples.append(CounterSample(arrived, octets, count))
                next_sample = arrived + SAMPLE_NS
    seen.packets = len(seen.sequence)
    seen.count = list(range(1, seen.packets + 1))
    departures = _departures(line, packets, offered) if line.counters else []
    gap = FRAME_OVERHEAD_BYTES if line.counters else None
    return BurstObservation(seen, departures, WIRE_BYTES, gap, gap, subscriber_receives)


def _departures(line: Line, packets: int, offered: float) -> list[Departure]:
    """The sender's counter stands before the queue here: it counts what is offered."""
    found = []
    length = int(packets * WIRE_BYTES * 8e9 / offered)
    for now in range(0, length, SAMPLE_NS):
        own = int(now * offered / (8e9 * WIRE_BYTES))
        sent = own + sum(other <= now for other in line.cross_traffic)
        found.append(Departure(now + SENDER_CLOCK_NS, sent * (WIRE_BYTES - FRAME_OVERHEAD_BYTES), sent, own))
    return found
