"""The responder's side of one authenticated session: answer probes, take in loads, send loads. One thread, one client, all bounded."""

import secrets
import select
import socket
from dataclasses import dataclass
from time import monotonic, monotonic_ns

from campus_agent.measure.burst.io.batch import batch_for
from campus_agent.measure.burst.io.channel import Channel
from campus_agent.measure.burst.io.receiver import ExpectedBurst, Receiver
from campus_agent.measure.burst.io.sender import BurstToSend, PendingProbe, send_burst
from campus_agent.measure.burst.io.stream import prepare, receive_stream, send_stream
from campus_agent.measure.burst.io.tickets import Tickets
from campus_agent.measure.burst.observation import StreamArrivals
from campus_agent.measure.burst.protocol.datagram import Datagram, Kind, pack
from campus_agent.measure.burst.protocol.messages import (
    Bounds,
    Bye,
    LoadOrder,
    Opened,
    ProtocolError,
    Refused,
    SentReport,
    StreamOrder,
    require,
)
from campus_agent.measure.burst.protocol.report import flow_message, to_message
from campus_agent.measure.burst.spec import (
    BURST_START_SECONDS,
    IDLE_SECONDS,
    MAX_BURST_SECONDS,
    MAX_OVERHEAD_BYTES,
    STREAM_JOIN_SECONDS,
    STREAM_OVERHEAD_RATIO,
    TOKEN_BYTES,
)
from campus_agent.measure.link.cpu_wait import thread_run_delay_ns, waited_ns
from campus_agent.measure.link.interface_counters import CounterReader
from campus_agent.measure.link.path import mtu_towards
from campus_agent.measure.link.thread_priority import raised_priority


class OverLimit(Exception):
    """The client asked for more than it may; the text says of what."""


@dataclass(slots=True)
class Spent:
    """What the session has cost so far, in bytes on the wire."""

    wire_bytes: int = 0
    bursts: int = 0


class ServerSession:
    """Serve one client until it ends the session, falls silent, or its time is over."""

    def __init__(
        self,
        channel: Channel,
        udp: socket.socket,
        receiver: Receiver,
        counters: CounterReader | None,
        bounds: Bounds,
        tickets: Tickets,
    ) -> None:
        """`receiver` accepts only this session's token, from the address the control connection came from; `tickets` likewise."""
        self.spent = Spent()
        self._channel = channel
        self._udp = udp
        self._receiver = receiver
        self._counters = counters
        self._bounds = bounds
        self._tickets = tickets
        self._pending: list[PendingProbe] = []

    def run(self) -> None:
        """Serve. Raises what the channel raises when the client breaks off or breaks the protocol."""
        end = monotonic() + self._bounds.session_seconds
        heard = monotonic()
        while monotonic() < min(end, heard + IDLE_SECONDS):
            self._answer_waiting()
            select.select([self._channel.socket, self._udp], [], [], 0.5)
            if not self._channel.readable():
                continue
            message = self._channel.receive(monotonic() + IDLE_SECONDS)
            heard = monotonic()
            if isinstance(message, Bye):
                return
            try:
                if isinstance(message, StreamOrder):
                    self._stream(message)
                else:
                    self._load(require(message, LoadOrder))
            except OverLimit as over:
                self._channel.send(Refused("limit", str(over)), monotonic() + 1.0)
                return
            heard = monotonic()

    def _load(self, order: LoadOrder) -> None:
        self._check_bounds(order)
        self.spent.wire_bytes += order.total_wire_bytes
        self.spent.bursts += 1
        if order.direction == "to_responder":
            start_by_ns = monotonic_ns() + int(BURST_START_SECONDS * 1e9)
            expected = ExpectedBurst(order.burst, order.packets, order.planned_ns, start_by_ns)
            with raised_priority():
                arrivals = self._receiver.collect(expected, self._answer)
            self._channel.send(to_message(order.burst, arrivals), monotonic() + IDLE_SECONDS)
            return
        self._collect_probes()
        if self._receiver.peer is None:
            raise ProtocolError("a load order before any probe: the address is not known")
        batch = batch_for(self._udp, self._receiver.peer, order.payload_bytes, order.block_packets)
        to_send = BurstToSend(self._receiver.token, order.burst, order.packets, order.interval_ns)
        self._receiver.resynchronise()
        with raised_priority():
            sent = send_burst(batch, to_send, self._counters, between=self._collect_probes)
        if order.account:
            mtu = mtu_towards(self._udp, self._receiver.peer) if sent.too_large else None
            self._channel.send(SentReport(order.burst, sent.taken, sent.waited_ns, mtu), monotonic() + IDLE_SECONDS)

    def _stream(self, order: StreamOrder) -> None:
        """Expect the data connection, and take in or send until the client has enough or a bound is reached."""
        if order.rate_bits_per_second > self._bounds.rate_bits_per_second:
            raise OverLimit(f"rate above {self._bounds.rate_bits_per_second:.0f} bit/s")
        self._check_bytes(int(order.octets * STREAM_OVERHEAD_RATIO))
        if order.seconds > MAX_BURST_SECONDS:
            raise OverLimit(f"a stream longer than {MAX_BURST_SECONDS} s")
        ticket = secrets.token_bytes(TOKEN_BYTES)
        self._tickets.expect(ticket, self._channel.socket.getpeername()[0])
        self._channel.send(Opened(order.stream, ticket.hex()), monotonic() + IDLE_SECONDS)
        sock = self._tickets.wait(STREAM_JOIN_SECONDS)
        if sock is None:
            raise ProtocolError("no data connection came")
        self.spent.bursts += 1
        payload_bytes = 0
        waited: int | None = None
        end_ns = monotonic_ns() + int(order.seconds * 1e9)
        try:
            with raised_priority():
                if order.direction == "to_responder":
                    payload_bytes = self._receive_stream(sock, order, end_ns)
                else:
                    prepare(sock, order.rate_bits_per_second)
                    rate, delay_ns = order.rate_bits_per_second, thread_run_delay_ns()
                    payload_bytes = send_stream(sock, rate, end_ns, order.octets, self._channel.readable)
                    waited = waited_ns(delay_ns)
        finally:
            sock.close()
            self.spent.wire_bytes += int(payload_bytes * STREAM_OVERHEAD_RATIO)
        if order.account and order.direction == "to_client":
            self._channel.send(SentReport(order.stream, payload_bytes, waited), monotonic() + IDLE_SECONDS)

    def _receive_stream(self, sock: socket.socket, order: StreamOrder, end_ns: int) -> int:
        reported = 0

        def report(arrivals: StreamArrivals, *, last: bool = False) -> bool:
            nonlocal reported
            self._channel.send(flow_message(order.stream, arrivals, reported, last=last), monotonic() + IDLE_SECONDS)
            reported = len(arrivals.at_ns)
            return False

        arrivals = receive_stream(sock, self._counters, end_ns, order.octets, report)
        report(arrivals, last=True)
        return arrivals.payload_bytes[-1] if arrivals.payload_bytes else 0

    def _check_bounds(self, order: LoadOrder) -> None:
        """Refuse what exceeds the bounds this client was given, or is no frame at all."""
        if not order.payload_bytes < order.wire_bytes <= order.payload_bytes + MAX_OVERHEAD_BYTES:
            raise ProtocolError("wire_bytes does not fit payload_bytes")
        if order.rate_bits_per_second > self._bounds.rate_bits_per_second:
            raise OverLimit(f"rate above {self._bounds.rate_bits_per_second:.0f} bit/s")
        self._check_bytes(order.total_wire_bytes)
        if order.packets * order.interval_ns > 1e9 * MAX_BURST_SECONDS:  # before `planned_ns`, which cannot be infinite
            raise OverLimit(f"a burst longer than {MAX_BURST_SECONDS} s")

    def _check_bytes(self, wire_bytes: int) -> None:
        if wire_bytes > self._bounds.burst_bytes:
            raise OverLimit(f"more than {self._bounds.burst_bytes} bytes in a burst")
        if self.spent.wire_bytes + wire_bytes > self._bounds.session_bytes:
            raise OverLimit(f"more than {self._bounds.session_bytes} bytes in a session")

    def _answer_waiting(self) -> None:
        """Answer the probes that are here, but stop for an order: the load that follows it is not to be read here."""
        while not self._channel.readable() and (arrived := self._receiver.take()) is not None:
            self._answer(*arrived)

    def _answer(self, datagram: Datagram, arrived_ns: int) -> None:
        """Answer a probe at once, with no more bytes than it had."""
        peer = self._receiver.peer
        if datagram.kind not in (Kind.PROBE, Kind.LOAD_PROBE) or peer is None:
            return
        now = monotonic_ns()
        held = max(0, now - arrived_ns)
        reply = Datagram(Kind.REPLY, datagram.token, datagram.burst, datagram.sequence, now, datagram.sent_ns, held)
        try:
            self._udp.sendto(pack(reply), peer)
        except OSError:  # the own queue is full, or the client has gone: a lost answer
            return

    def _collect_probes(self) -> list[PendingProbe]:
        """Probes that came in while we send: the load's own packets answer them."""
        probes = []
        while (arrived := self._receiver.take()) is not None:
            datagram, arrived_ns = arrived
            if datagram.kind == Kind.PROBE:
                probes.append(PendingProbe(datagram.sent_ns, arrived_ns))
        return probes
