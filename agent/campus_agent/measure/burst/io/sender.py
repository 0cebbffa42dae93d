"""Send one burst at its pace, and keep account of what really left."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic_ns, sleep
from typing import NamedTuple

from campus_agent.measure.burst.io.batch import TOO_LARGE, Batch
from campus_agent.measure.burst.observation import Departure
from campus_agent.measure.burst.protocol.datagram import Kind, renew
from campus_agent.measure.burst.spec import (
    BATCH_SECONDS,
    MAX_BATCH_PACKETS,
    OVERTIME_RATIO,
    READING_SECONDS,
    SAMPLE_SECONDS,
)
from campus_agent.measure.link.cpu_wait import thread_run_delay_ns, waited_ns
from campus_agent.measure.link.interface_counters import CounterReader

_BATCH_NS = int(BATCH_SECONDS * 1e9)
_SAMPLE_NS = int(SAMPLE_SECONDS * 1e9)
_READING_NS = int(READING_SECONDS * 1e9)
_LOAD, _LOAD_PROBE = int(Kind.LOAD), int(Kind.LOAD_PROBE)


class PendingProbe(NamedTuple):
    """A probe that waits for its answer."""

    sent_ns: int
    arrived_ns: int


@dataclass(frozen=True, slots=True)
class BurstToSend:
    """What to send: equal datagrams, evenly spaced."""

    token: bytes
    number: int
    packets: int
    interval_ns: float


@dataclass(slots=True)
class SendResult:
    """What became of a burst. A packet that the interface's queue did not take is offered, not taken: it counts as lost.

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


def send_burst(
    batch: Batch,
    burst: BurstToSend,
    counters: CounterReader | None,
    *,
    probe_every_ns: int = 0,
    between: Callable[[], list[PendingProbe]] = list,
) -> SendResult:
    """Send a burst. `between` runs between two calls to the kernel; the probes it returns are answered by the next packets.

    A sender that fell behind catches up at most one batch at a time, leaves out what would be more, and stops when overtime.
    """
    return _BurstSender(batch, burst, counters, probe_every_ns).run(between)


class _BurstSender:
    def __init__(self, batch: Batch, burst: BurstToSend, counters: CounterReader | None, probe_every_ns: int) -> None:
        self._batch, self._burst, self._counters = batch, burst, counters
        self._probe_every_ns = probe_every_ns
        self._result = SendResult()
        self._pending: list[PendingProbe] = []
        self._counted = (0, 0)
        self._next_sample = self._next_probe = 0
        self._start = 0
        """When the first packet would have been due, were all packets on time so far."""

    def run(self, between: Callable[[], list[PendingProbe]]) -> SendResult:
        burst, result = self._burst, self._result
        pause_ns = min(_BATCH_NS, burst.interval_ns * MAX_BATCH_PACKETS / 2)
        self._batch.begin(burst.token, burst.number)
        delay_ns = thread_run_delay_ns()
        began = self._start = monotonic_ns()
        stop = began + int(burst.packets * burst.interval_ns * OVERTIME_RATIO)
        while result.offered < burst.packets and (now := monotonic_ns()) <= stop:
            due = self._due(now)
            if due < 1:
                sleep(max(self._start + result.offered * burst.interval_ns + pause_ns - now, 0) / 1e9)
                continue
            self._pending += between()
            self._write_headers(due, self._read_counters())
            try:
                result.taken += self._batch.send(due)
            except OSError as error:
                if error.errno != TOO_LARGE:
                    raise
                result.too_large = True
                break
            result.offered += due
        result.seconds = (monotonic_ns() - began) / 1e9
        result.waited_ns = waited_ns(delay_ns)
        return result

    def _due(self, now: int) -> int:
        """How many packets are to be sent now."""
        burst, offered = self._burst, self._result.offered
        due = int((now - self._start) / burst.interval_ns) + 1 - offered
        if due > MAX_BATCH_PACKETS:
            self._start += int((due - MAX_BATCH_PACKETS) * burst.interval_ns)
            due = MAX_BATCH_PACKETS
        return min(due, burst.packets - offered)

    def _read_counters(self) -> int:
        """Note the interface's counters where they are due; the time afterwards."""
        now = monotonic_ns()
        if self._counters is None or now < self._next_sample:
            return now
        counters = self._counters.read()
        began_reading, now = now, monotonic_ns()
        if now - began_reading <= _READING_NS:
            self._counted = (counters.sent_bytes, counters.sent_packets)
            self._result.departures.append(Departure(now, *self._counted, self._result.offered))
            self._next_sample = now + _SAMPLE_NS
        return now

    def _write_headers(self, count: int, now: int) -> None:
        """Headers of the next `count` packets: the first may ask for a reply, some answer a probe."""
        pending, counted, first, buffers = self._pending, self._counted, self._result.offered, self._batch.buffers
        kind = _LOAD
        if self._probe_every_ns and now >= self._next_probe:
            kind, self._next_probe = _LOAD_PROBE, now + self._probe_every_ns
            self._result.probes += 1
        for index in range(count):
            asked_ns, arrived_ns = pending.pop(0) if pending else (0, now)
            renew(buffers[index], kind, first + index, now, asked_ns, now - arrived_ns, *counted)
            kind = _LOAD
