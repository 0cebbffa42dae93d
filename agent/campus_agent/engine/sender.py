"""Send one pulse at its pace, and keep account of what really left."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic_ns, sleep

from campus_agent.engine.batch import Batch
from campus_agent.engine.datagram import Kind, renew
from campus_agent.engine.interfaces import Counters
from campus_agent.engine.pulse import Departure
from campus_agent.engine.spec import BATCH_SECONDS, MAX_BATCH_PACKETS, OVERTIME_RATIO, SAMPLE_SECONDS

_BATCH_NS = int(BATCH_SECONDS * 1e9)
_SAMPLE_NS = int(SAMPLE_SECONDS * 1e9)
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
    """What became of a train. `blocked`: the own interface's queue was full, the packet counts as offered and lost."""

    offered: int = 0
    taken: int = 0
    probes: int = 0
    seconds: float = 0.0
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
        if counters is not None and now >= next_sample:
            passed = counters.read()
            counted = (passed.sent_octets, passed.sent_packets)
            sent.departures.append(Departure(now, *counted, sent.offered))
            next_sample = now + _SAMPLE_NS
        answers += between()
        now = monotonic_ns()
        for index in range(due):
            kind = load
            if probe_every_ns and now >= next_probe:
                kind, next_probe = load_probe, now + probe_every_ns
                sent.probes += 1
            asked, arrived = answers.pop(0) if answers else (0, now)
            renew(batch.buffers[index], kind, sent.offered + index, now, asked, now - arrived, *counted)
        sent.taken += batch.send(due)
        sent.offered += due
    sent.seconds = (monotonic_ns() - began) / 1e9
    return sent
