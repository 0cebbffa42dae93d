"""Send one pulse at its pace, and keep account of what really left."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic_ns, sleep

from campus_agent.measure.burst.io.batch import TOO_LARGE, Batch
from campus_agent.measure.burst.io.interfaces import Counters
from campus_agent.measure.burst.protocol.datagram import Kind, renew
from campus_agent.measure.burst.pulse import Departure
from campus_agent.measure.burst.spec import (
    BATCH_SECONDS,
    MAX_BATCH_PACKETS,
    OVERTIME_RATIO,
    READING_SECONDS,
    SAMPLE_SECONDS,
)
from campus_agent.measure.link.waiting import thread_run_delay_ns, waited_ns

_BATCH_NS = int(BATCH_SECONDS * 1e9)
_SAMPLE_NS = int(SAMPLE_SECONDS * 1e9)
_READING_NS = int(READING_SECONDS * 1e9)
Answer = tuple[int, int]
"""A probe that waits for its answer: its `sent_ns`, and when it arrived here."""


@dataclass(frozen=True, slots=True)
class Train:
    """What to send: equal datagrams, evenly spaced."""

    token: bytes
    pulse: int
    packets: int
    gap_ns: float


@dataclass(slots=True)
class Sent:
    """What became of a train. `blocked`: the own interface's queue was full, the packet counts as offered and lost.

    `waited_ns`: how long this thread had no processor though it was ready; None: unknown. `too_large`: it ended early, because such packets do not
    pass a hop on the way.
    """

    offered: int = 0
    taken: int = 0
    probes: int = 0
    seconds: float = 0.0
    waited_ns: int | None = None
    too_large: bool = False
    departures: list[Departure] = field(default_factory=list)

    @property
    def blocked(self) -> int:
        """Packets the kernel refused."""
        return self.offered - self.taken


def send_train(
    batch: Batch,
    train: Train,
    counters: Counters | None,
    *,
    probe_every_ns: int = 0,
    between: Callable[[], list[Answer]] = list,
) -> Sent:
    """Send a train. `between` runs between two calls to the kernel; what it returns is answered by the next packets.

    A sender that fell behind catches up at most one batch at a time, leaves out what would be more, and stops when overtime.
    """
    sent = Sent()
    counted = (0, 0)
    next_sample = next_probe = 0
    answers: list[Answer] = []
    pause_ns = min(_BATCH_NS, train.gap_ns * MAX_BATCH_PACKETS / 2)
    load, load_probe = int(Kind.LOAD), int(Kind.LOAD_PROBE)
    batch.begin(train.token, train.pulse)
    delay_ns = thread_run_delay_ns()
    began = start = monotonic_ns()
    stop = began + int(train.packets * train.gap_ns * OVERTIME_RATIO)
    while sent.offered < train.packets:
        now = monotonic_ns()
        if now > stop:
            break
        due = int((now - start) / train.gap_ns) + 1 - sent.offered
        if due > MAX_BATCH_PACKETS:
            start += int((due - MAX_BATCH_PACKETS) * train.gap_ns)
            due = MAX_BATCH_PACKETS
        due = min(due, train.packets - sent.offered)
        if due < 1:
            sleep(max(start + sent.offered * train.gap_ns + pause_ns - now, 0) / 1e9)
            continue
        answers += between()
        now = monotonic_ns()
        if counters is not None and now >= next_sample:
            passed = counters.read()
            began_reading, now = now, monotonic_ns()
            if now - began_reading <= _READING_NS:
                counted = (passed.sent_octets, passed.sent_packets)
                sent.departures.append(Departure(now, *counted, sent.offered))
                next_sample = now + _SAMPLE_NS
        for index in range(due):
            kind = load
            if probe_every_ns and now >= next_probe:
                kind, next_probe = load_probe, now + probe_every_ns
                sent.probes += 1
            asked, arrived = answers.pop(0) if answers else (0, now)
            renew(batch.buffers[index], kind, sent.offered + index, now, asked, now - arrived, *counted)
        try:
            sent.taken += batch.send(due)
        except OSError as error:
            if error.errno != TOO_LARGE:
                raise
            sent.too_large = True
            break
        sent.offered += due
    sent.seconds = (monotonic_ns() - began) / 1e9
    sent.waited_ns = waited_ns(delay_ns)
    return sent
