"""Take in the datagrams of one pulse with the moment each arrived, and read the interface's counters in between.

A counter is best read right after a packet's kernel stamp: then its value is of that moment, to a packet. A receiver that lags behind reads
it now and then all the same. Nothing is judged here.
"""

import select
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic_ns, sleep

from campus_agent.measure.burst.io.intake import intake_for
from campus_agent.measure.burst.io.interfaces import Counters
from campus_agent.measure.burst.io.syscalls import Address
from campus_agent.measure.burst.protocol.datagram import Datagram, Kind
from campus_agent.measure.burst.pulse import Arrivals, Departure, Sample
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
from campus_agent.measure.link.waiting import thread_run_delay_ns, waited_ns

_FRESH_NS = int(FRESH_SECONDS * 1e9)
_SAMPLE_NS = int(SAMPLE_SECONDS * 1e9)
_READING_NS = int(READING_SECONDS * 1e9)
_LATE_SAMPLE_NS = int(LATE_SAMPLE_SECONDS * 1e9)
_QUIET_NS = int(QUIET_SECONDS * 1e9)
_DRAIN_NS = int(DRAIN_SECONDS * 1e9)
_MAX_FOREIGN_BATCHES = 2
"""Of strangers' packets, before the clock is looked at again: a flood must not hold up the end of a pulse."""
_LOAD, _LOAD_PROBE = int(Kind.LOAD), int(Kind.LOAD_PROBE)  # compared once per packet
_TURN_SECONDS = 0.001
OnDatagram = Callable[[Datagram, int], None]


class Receiver:
    """One side's ear: everything that comes in on the test socket passes here, and only our own packets pass on."""

    def __init__(self, sock: socket.socket, token: bytes, counters: Counters | None, *, kernel_stamps: bool) -> None:
        """`sock` is non-blocking and prepared. Heard is `own_host` alone (without zone): the first address of it that knows the token is `peer`."""
        self.peer: Address | None = None
        self.own_host: str | None = None
        self.strangers = 0
        self._socket = sock
        self._intake = intake_for(sock, kernel_stamps=kernel_stamps)
        self._waiting: deque[tuple[Datagram, int]] = deque()
        self.token = token
        self._counters = counters
        self._kernel_stamps = kernel_stamps
        self._offset_ns = timestamps.wall_offset_ns()

    @property
    def foreign(self) -> int:
        """Packets so far that were none of this session's."""
        return self.strangers + self._intake.foreign

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
        """Ask the kernel, and keep what is ours. A flood of strangers' packets must not hold up the end of a pulse."""
        for _ in range(_MAX_FOREIGN_BATCHES):
            arrived = self._intake.take()
            now = monotonic_ns()
            for datagram, address, wall_ns in arrived:
                if datagram.token == self.token and (address == self.peer or self._becomes_peer(address)):
                    self._waiting.append((datagram, now if wall_ns is None else wall_ns - self._offset_ns))
                else:
                    self.strangers += 1
            if self._waiting or not arrived:
                return

    def wait(self, seconds: float) -> None:
        """Wait until something is here, or the time is over."""
        select.select([self._socket], [], [], seconds)

    def collect(
        self,
        pulse: int,
        packets: int,
        planned_ns: int,
        give_up_ns: int,
        on_other: OnDatagram,
        between: Callable[[], None] = lambda: None,
    ) -> Arrivals:
        """All that arrives of one pulse: to its last packet, or until nothing came for a while after its planned end.

        `give_up_ns` is when to stop waiting for a first packet, on the monotonic clock. `on_other` gets probes and whatever else
        asks for an answer, `between` runs at least every few milliseconds.
        """
        self.resynchronise()
        delay_ns = thread_run_delay_ns()
        drops = self._intake.drops
        seen = Arrivals(kernel_stamps=self._kernel_stamps)
        add_received, add_sent, add_sequence = seen.received_ns.append, seen.sent_ns.append, seen.sequence.append
        counted = next_sample = late_sample = 0
        end = give_up_ns
        latest = give_up_ns + int(planned_ns * OVERTIME_RATIO) + _DRAIN_NS
        while True:
            arrived = self.take()
            if arrived is None:
                between()
                if monotonic_ns() > min(end, latest):
                    break
                self._rest(next_sample)
                continue
            datagram, stamp = arrived
            if datagram.pulse != pulse or datagram.kind < _LOAD:
                on_other(datagram, stamp)
                continue
            if not seen.received_ns:
                end = stamp + planned_ns
            if self._intake.drops != drops:
                seen.overflow += self._intake.drops - drops
                drops, seen.overflow_ns = self._intake.drops, stamp
            add_received(stamp)
            add_sent(datagram.sent_ns)
            add_sequence(datagram.sequence)
            end = max(end, stamp + _QUIET_NS)
            if datagram.counter_packets != counted:
                counted = datagram.counter_packets
                seen.departures.append(Departure(datagram.sent_ns, datagram.counter_bytes, counted, datagram.sequence))
            if stamp >= next_sample and self._counters is not None and not self._waiting:
                now = monotonic_ns()
                if now - stamp < _FRESH_NS or now >= late_sample:
                    passed = self._counters.read()
                    after = monotonic_ns()
                    if after - now <= _READING_NS:
                        moment = stamp if now - stamp < _FRESH_NS else (now + after) // 2
                        seen.samples.append(Sample(moment, passed.received_octets, passed.received_packets))
                        next_sample, late_sample = stamp + _SAMPLE_NS, now + _LATE_SAMPLE_NS
            if datagram.kind == _LOAD_PROBE or datagram.answers_ns:
                on_other(datagram, stamp)
            if datagram.sequence >= packets - 1 or stamp > latest:
                break
        seen.packets = len(seen.received_ns)
        seen.count = list(range(1, seen.packets + 1))
        seen.clock_step_ns = self.resynchronise()
        seen.waited_ns = waited_ns(delay_ns)
        return seen

    def _rest(self, next_sample_ns: int) -> None:
        """Until the counters are due again nobody needs to be woken by each packet: the kernel stamps and keeps them.

        A wake-up costs the core that brings the packet more than the packet does.
        """
        pause_ns = min(next_sample_ns - monotonic_ns(), _SAMPLE_NS)
        if pause_ns > 0 and self._kernel_stamps:
            sleep(pause_ns / 1e9)
        else:
            self.wait(_TURN_SECONDS)

    def _becomes_peer(self, address: Address) -> bool:
        if self.peer is None and self.own_host is not None and address[0] == self.own_host:
            self.peer = address
            return True
        return False
