"""Take in the datagrams of one pulse with the moment each arrived, and read the interface's counters in between.

A counter is best read right after a packet's kernel stamp: then its value is of that moment, to a packet. A receiver that lags behind reads
it now and then all the same. Nothing is judged here.
"""

import select
import socket
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

from campus_agent.engine import stamps
from campus_agent.engine.datagram import Datagram, Kind, unpack
from campus_agent.engine.interfaces import Counters
from campus_agent.engine.pulse import Arrivals, Departure, Sample
from campus_agent.engine.spec import (
    DRAIN_SECONDS,
    FRESH_SECONDS,
    LATE_SAMPLE_SECONDS,
    OVERTIME_RATIO,
    QUIET_SECONDS,
    SAMPLE_SECONDS,
)

_FRESH_NS = int(FRESH_SECONDS * 1e9)
_SAMPLE_NS = int(SAMPLE_SECONDS * 1e9)
_LATE_SAMPLE_NS = int(LATE_SAMPLE_SECONDS * 1e9)
_QUIET_NS = int(QUIET_SECONDS * 1e9)
_DRAIN_NS = int(DRAIN_SECONDS * 1e9)
_BUFFER_BYTES = 65_536
_MAX_FOREIGN = 64
"""Strangers' packets skipped before the clock is looked at again: a flood must not hold up the end of a pulse."""
_LOAD, _LOAD_PROBE = int(Kind.LOAD), int(Kind.LOAD_PROBE)  # compared once per packet
_TURN_SECONDS = 0.001
OnDatagram = Callable[[Datagram, int], None]


class Receiver:
    """One side's ear: everything that comes in on the test socket passes here, and only our own packets pass on."""

    def __init__(self, sock: socket.socket, token: bytes, counters: Counters | None, *, kernel_stamps: bool) -> None:
        """`sock` is non-blocking and prepared. Heard is `own_host` alone: the first address of it that knows the token is `peer`."""
        self.peer: Any = None
        self.own_host: str | None = None
        self.foreign = 0
        self._socket = sock
        self.token = token
        self._counters = counters
        self._kernel_stamps = kernel_stamps
        self._buffer = bytearray(_BUFFER_BYTES)
        self._buffers = [self._buffer]
        self._offset_ns = stamps.wall_offset_ns()
        self._drops = 0

    def resynchronise(self) -> int:
        """Measure the wall clock against the monotonic one again; by how much it had moved, in nanoseconds."""
        before, self._offset_ns = self._offset_ns, stamps.wall_offset_ns()
        return abs(self._offset_ns - before)

    def take(self) -> tuple[Datagram, int] | None:
        """The next datagram of this session that is here already, with its time of arrival; None when there is none."""
        for _ in range(_MAX_FOREIGN):
            try:
                size, ancillary, _, address = self._socket.recvmsg_into(self._buffers, stamps.ANCILLARY_BYTES)
            except (BlockingIOError, ConnectionRefusedError):
                return None
            datagram = unpack(self._buffer, size)
            if datagram is None or datagram.token != self.token or not self._is_ours(address):
                self.foreign += 1
                continue
            stamp, drops = stamps.read(ancillary)
            if drops is not None:
                self._drops = drops
            return datagram, monotonic_ns() if stamp is None else stamp - self._offset_ns
        return None

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
        drops = self._drops
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
                self.wait(_TURN_SECONDS)
                continue
            datagram, stamp = arrived
            if datagram.pulse != pulse or datagram.kind < _LOAD:
                on_other(datagram, stamp)
                continue
            if not seen.received_ns:
                end = stamp + planned_ns
            if self._drops != drops:
                seen.overflow += self._drops - drops
                drops, seen.overflow_ns = self._drops, stamp
            add_received(stamp)
            add_sent(datagram.sent_ns)
            add_sequence(datagram.sequence)
            end = max(end, stamp + _QUIET_NS)
            if datagram.counter_packets != counted:
                counted = datagram.counter_packets
                seen.departures.append(Departure(datagram.sent_ns, datagram.counter_bytes, counted))
            if stamp >= next_sample and self._counters is not None:
                now = monotonic_ns()
                if now - stamp < _FRESH_NS or now >= late_sample:
                    passed = self._counters.read()
                    moment = stamp if now - stamp < _FRESH_NS else (now + monotonic_ns()) // 2
                    seen.samples.append(Sample(moment, passed.received_octets, passed.received_packets))
                    next_sample, late_sample = stamp + _SAMPLE_NS, now + _LATE_SAMPLE_NS
            if datagram.kind == _LOAD_PROBE or datagram.answers_ns:
                on_other(datagram, stamp)
            if datagram.sequence >= packets - 1 or stamp > latest:
                break
        seen.packets = len(seen.received_ns)
        seen.count = list(range(1, seen.packets + 1))
        seen.clock_step_ns = self.resynchronise()
        return seen

    def _is_ours(self, address: Any) -> bool:
        if self.peer is not None:
            return bool(address == self.peer)
        if self.own_host is not None and address[0] == self.own_host:
            self.peer = address
            return True
        return False
