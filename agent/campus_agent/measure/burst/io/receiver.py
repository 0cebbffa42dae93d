"""Take in the datagrams of one burst with the moment each arrived, and read the interface's counters in between.

A counter is best read right after a packet's kernel stamp: then its value is of that moment, to a packet. A receiver that lags behind reads
it now and then all the same. Nothing is judged here.
"""

import select
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic_ns, sleep
from typing import NamedTuple

from campus_agent.measure.burst.io.datagram_reader import datagram_reader_for
from campus_agent.measure.burst.io.syscalls import Address
from campus_agent.measure.burst.observation import Arrivals, CounterSample, Departure
from campus_agent.measure.burst.protocol.datagram import Datagram, Kind
from campus_agent.measure.burst.spec import (
    DRAIN_SECONDS,
    FRESH_SECONDS,
    LATE_SAMPLE_SECONDS,
    OVERTIME_RATIO,
    QUIET_SECONDS,
    READING_SECONDS,
    SAMPLE_SECONDS,
)
from campus_agent.measure.link import timestamps
from campus_agent.measure.link.cpu_wait import thread_run_delay_ns, waited_ns
from campus_agent.measure.link.interface_counters import CounterReader

_FRESH_NS = int(FRESH_SECONDS * 1e9)
_SAMPLE_NS = int(SAMPLE_SECONDS * 1e9)
_READING_NS = int(READING_SECONDS * 1e9)
_LATE_SAMPLE_NS = int(LATE_SAMPLE_SECONDS * 1e9)
_QUIET_NS = int(QUIET_SECONDS * 1e9)
_DRAIN_NS = int(DRAIN_SECONDS * 1e9)
_MAX_IGNORED_BATCHES = 2
"""Of packets that are not this session's, before the clock is looked at again: a flood must not hold up the end of a burst."""
_LOAD, _LOAD_PROBE = int(Kind.LOAD), int(Kind.LOAD_PROBE)  # compared once per packet
_TURN_SECONDS = 0.001
OnDatagram = Callable[[Datagram, int], None]


class ExpectedBurst(NamedTuple):
    """What is waited for. `start_by_ns`: until when for its first packet, on the monotonic clock."""

    burst: int
    packets: int
    planned_ns: int
    start_by_ns: int


class Receiver:
    """Reads, timestamps and filters the datagrams of one session."""

    def __init__(
        self, sock: socket.socket, host: str, token: bytes, counters: CounterReader | None, *, kernel_stamps: bool
    ) -> None:
        """`sock` is non-blocking and prepared. Only packets from `host` (without zone) count: the first address of it that sends the token is `peer`."""
        self.peer: Address | None = None
        self._host = host
        self.unauthenticated = 0
        self._socket = sock
        self._reader = datagram_reader_for(sock, kernel_stamps=kernel_stamps)
        self._waiting: deque[tuple[Datagram, int]] = deque()
        self.token = token
        self._counters = counters
        self._kernel_stamps = kernel_stamps
        self._offset_ns = timestamps.wall_offset_ns()

    @property
    def ignored_packets(self) -> int:
        """Packets so far that were none of this session's."""
        return self.unauthenticated + self._reader.malformed

    def resynchronise(self) -> int:
        """Measure the wall clock against the monotonic one again; by how much it had moved, in nanoseconds."""
        before, self._offset_ns = self._offset_ns, timestamps.wall_offset_ns()
        return abs(self._offset_ns - before)

    def take(self) -> tuple[Datagram, int] | None:
        """The next datagram of this session that is here already, with its time of arrival; None when there is none."""
        if not self._waiting:
            self._fill()
        return self._waiting.popleft() if self._waiting else None

    def _fill(self) -> None:
        """Ask the kernel, and keep what is ours. A flood of other packets must not hold up the end of a burst."""
        for _ in range(_MAX_IGNORED_BATCHES):
            arrived = self._reader.take()
            now = monotonic_ns()
            for datagram, address, wall_ns in arrived:
                if datagram.token == self.token and (address == self.peer or self._becomes_peer(address)):
                    self._waiting.append((datagram, now if wall_ns is None else wall_ns - self._offset_ns))
                else:
                    self.unauthenticated += 1
            if self._waiting or not arrived:
                return

    def wait(self, seconds: float) -> None:
        """Wait until something is here, or the time is over."""
        select.select([self._socket], [], [], seconds)

    def collect(
        self, expected: ExpectedBurst, on_other: OnDatagram, between: Callable[[], None] = lambda: None
    ) -> Arrivals:
        """All that arrives of one burst: to its last packet, or until nothing came for a while after its planned end.

        `on_other` gets probes and whatever else asks for an answer, `between` runs at least every few milliseconds.
        """
        self.resynchronise()
        delay_ns = thread_run_delay_ns()
        arrivals = Arrivals(kernel_stamps=self._kernel_stamps)
        self._collect_into(arrivals, expected, on_other, between)
        arrivals.packets = len(arrivals.received_ns)
        arrivals.count = list(range(1, arrivals.packets + 1))
        arrivals.clock_step_ns = self.resynchronise()
        arrivals.waited_ns = waited_ns(delay_ns)
        return arrivals

    def _collect_into(
        self, arrivals: Arrivals, expected: ExpectedBurst, on_other: OnDatagram, between: Callable[[], None]
    ) -> None:
        add_received, add_sent, add_sequence = (
            column.append for column in (arrivals.received_ns, arrivals.sent_ns, arrivals.sequence)
        )
        burst, packets, planned_ns, end = expected
        latest = end + int(planned_ns * OVERTIME_RATIO) + _DRAIN_NS
        counted = next_sample = late_sample = 0
        drops = self._reader.drops
        while True:
            arrived = self.take()
            if arrived is None:
                between()
                if monotonic_ns() > min(end, latest):
                    return
                self._rest(next_sample)
                continue
            datagram, stamp = arrived
            if datagram.burst != burst or datagram.kind < _LOAD:
                on_other(datagram, stamp)
                continue
            if not arrivals.received_ns:
                end = stamp + planned_ns
            if self._reader.drops != drops:
                arrivals.overflow += self._reader.drops - drops
                drops, arrivals.overflow_ns = self._reader.drops, stamp
            add_received(stamp)
            add_sent(datagram.sent_ns)
            add_sequence(datagram.sequence)
            end = max(end, stamp + _QUIET_NS)
            if datagram.counter_packets != counted:
                counted = datagram.counter_packets
                arrivals.departures.append(departure_in(datagram))
            if stamp >= next_sample and self._counters is not None and not self._waiting:
                next_sample, late_sample = self._sample(arrivals, stamp, next_sample, late_sample)
            if datagram.kind == _LOAD_PROBE or datagram.answers_ns:
                on_other(datagram, stamp)
            if datagram.sequence >= packets - 1 or stamp > latest:
                return

    def _sample(self, arrivals: Arrivals, stamp: int, next_sample: int, late_sample: int) -> tuple[int, int]:
        """Read the counters where this packet has just arrived, or the last reading is old; when the next ones are due."""
        now = monotonic_ns()
        fresh = now - stamp < _FRESH_NS
        if self._counters is None or not (fresh or now >= late_sample):
            return next_sample, late_sample
        counters = self._counters.read()
        after = monotonic_ns()
        if after - now > _READING_NS:
            return next_sample, late_sample
        moment = stamp if fresh else (now + after) // 2
        arrivals.samples.append(CounterSample(moment, counters.received_bytes, counters.received_packets))
        return stamp + _SAMPLE_NS, now + _LATE_SAMPLE_NS

    def _rest(self, next_sample_ns: int) -> None:
        """Sleep until the counters are due again: the kernel stamps and keeps the packets that arrive meanwhile.

        A wake-up costs the core that brings the packet more than the packet does.
        """
        pause_ns = min(next_sample_ns - monotonic_ns(), _SAMPLE_NS)
        if pause_ns > 0 and self._kernel_stamps:
            sleep(pause_ns / 1e9)
        else:
            self.wait(_TURN_SECONDS)

    def _becomes_peer(self, address: Address) -> bool:
        if self.peer is None and address[0] == self._host:
            self.peer = address
            return True
        return False


def departure_in(datagram: Datagram) -> Departure:
    """The sender's counters that a packet of the load carries."""
    return Departure(datagram.sent_ns, datagram.counter_bytes, datagram.counter_packets, datagram.sequence)
