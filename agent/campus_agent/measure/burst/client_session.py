"""The client's side of one session: connect, prove the key, send probes, order bursts. All the I/O of a test, no judgement."""

import errno
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic, monotonic_ns, thread_time

import msgspec

from campus_agent.measure.burst.io.batch import batch_for
from campus_agent.measure.burst.io.channel import Channel
from campus_agent.measure.burst.io.receiver import ExpectedBurst, Receiver
from campus_agent.measure.burst.io.sender import BurstToSend, PendingProbe, send_burst
from campus_agent.measure.burst.io.stream import prepare, receive_stream, send_stream
from campus_agent.measure.burst.observation import Arrivals, BurstObservation, Departure, IsEnough, StreamArrivals
from campus_agent.measure.burst.protocol.control import ControlConnection, proof, session_key
from campus_agent.measure.burst.protocol.datagram import HEADER_BYTES, Datagram, Kind, pack
from campus_agent.measure.burst.protocol.messages import (
    BadSeal,
    Bye,
    Challenge,
    Flow,
    Hello,
    LoadDirection,
    LoadOrder,
    MessageT,
    Opened,
    ProtocolError,
    Prove,
    Received,
    RefusalReason,
    Refused,
    SentReport,
    StreamOrder,
    Welcome,
    require,
)
from campus_agent.measure.burst.protocol.report import add_flow, from_message
from campus_agent.measure.burst.spec import (
    BURST_START_SECONDS,
    CONNECT_SECONDS,
    DRAIN_SECONDS,
    IDLE_PROBE_INTERVAL_SECONDS,
    IDLE_PROBES,
    IDLE_SECONDS,
    NONCE_BYTES,
    OVERTIME_RATIO,
    PROBE_INTERVAL_SECONDS,
    PROTOCOL_VERSION,
    SETTLE_SECONDS,
    STREAM_JOIN_SECONDS,
    STREAM_MAGIC,
    STREAM_OVERHEAD_RATIO,
)
from campus_agent.measure.link import timestamps
from campus_agent.measure.link.connect import connect_here
from campus_agent.measure.link.interface_counters import open_counters
from campus_agent.measure.link.path import (
    counted_header_bytes,
    forbid_fragments,
    interface_of,
    mtu_towards,
    path_mtu_bytes,
    uses_timestamps,
)
from campus_agent.measure.link.resolve import is_mapped
from campus_agent.measure.link.rtt import Echoes, median
from campus_agent.measure.link.thread_priority import raised_priority
from campus_wire.encapsulation import (
    IP_HEADER_BYTES,
    MIN_MTU_BYTES,
    UDP_HEADER_BYTES,
    Encapsulation,
    goodput_from_line_rate,
    wire_bytes_of,
)

_PROBE_EVERY_NS = int(PROBE_INTERVAL_SECONDS * 1e9)


class Refusal(Exception):
    """The responder refused, with a reason of the closed list."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail or reason)
        self.reason = reason


class UdpBlocked(TimeoutError):
    """The control connection works, but UDP does not pass, or not the load."""


@dataclass(frozen=True, slots=True)
class BurstResult:
    """A burst that was made: what arrived, what left, what it cost; and how busy this side's core was with it.

    `waited_seconds`: how long the sender or the receiver, whichever longer, had no processor though it was ready; None: unknown.
    `mtu_bytes`: packets of this burst were too large for a hop on the way, which takes no larger ones than this.
    """

    arrivals: Arrivals
    departures: Sequence[Departure]
    wire_bytes: int
    cpu_ratio: float | None = None
    waited_seconds: float | None = None
    mtu_bytes: int | None = None


class ClientSession:
    def __init__(self, channel: Channel) -> None:
        self.idle = Echoes(method="udp")
        self.working = Echoes(method="udp")
        self.encapsulation = Encapsulation()
        self.probe_bytes = {"to_responder": 0, "to_client": 0}
        self._channel = channel
        self._welcome: Welcome
        self._udp: socket.socket | None = None
        self._receiver: Receiver
        self._bursts = 0
        self._next_probe_ns = 0
        self.round_trip_seconds = 0.0
        self.interface = interface_of(channel.socket)
        self._counters = open_counters(self.interface)
        self._header_bytes = counted_header_bytes(self.interface) if self._counters else None

    @classmethod
    def connect(cls, host: str, port: int, deadline: float) -> "ClientSession":
        """Open the control connection. Raises OSError."""
        seconds = min(CONNECT_SECONDS, deadline - monotonic())
        if seconds <= 0:
            raise TimeoutError("no time left to connect")
        began = monotonic()
        sock, _ = connect_here(host, port, seconds)
        session = cls(Channel(sock, ControlConnection("client")))
        session.round_trip_seconds = monotonic() - began  # SYN and its answer, and the time to resolve a name
        return session

    def authenticate(self, key: bytes, deadline: float) -> None:
        """Both sides prove the key; the slot is ours afterwards. Raises Refusal, ProtocolError, OSError."""
        hello = Hello(secrets.token_hex(NONCE_BYTES), [PROTOCOL_VERSION])
        self._channel.send(hello, deadline)
        challenge = self._expect(Challenge, deadline)
        if challenge.version != PROTOCOL_VERSION:
            raise ProtocolError(f"the responder chose version {challenge.version}")
        self._channel.send(Prove(proof(key, hello, challenge)), deadline)
        self._channel.connection.seal_with(session_key(key, hello, challenge))
        try:
            self._welcome = self._expect(Welcome, deadline)
        except BadSeal:
            raise Refusal("not_authorised", "the responder holds another test key") from None

    def listen_idle(self, encapsulation: Encapsulation, deadline: float) -> None:
        """Open the UDP side and probe the idle path. Raises UdpBlocked when no probe is answered."""
        udp = self._open_udp()
        mtu = min(encapsulation.mtu_bytes, path_mtu_bytes(udp, self._channel.socket, encapsulation.address_family))
        family = "ipv6" if udp.family == socket.AF_INET6 and not is_mapped(udp.getpeername()[0]) else "ipv4"
        self.encapsulation = msgspec.structs.replace(encapsulation, mtu_bytes=mtu, address_family=family)
        for _ in range(IDLE_PROBES):
            self._probe(self.idle, 0)
            self._receive_replies(self.idle, monotonic() + IDLE_PROBE_INTERVAL_SECONDS)
        usual = median(list(self.idle.rtt_seconds.values()))
        settle_seconds = SETTLE_SECONDS if usual is None else 2 * usual + 0.005
        self._receive_replies(self.idle, min(deadline, monotonic() + settle_seconds))
        if not self.idle.rtt_seconds:
            raise UdpBlocked(f"none of {IDLE_PROBES} UDP probes was answered on port {self._welcome.udp_port}")

    def lower_mtu(self, mtu_bytes: int) -> bool:
        """Go on with smaller packets (576 bytes at the least); False when they are no smaller."""
        mtu_bytes = max(MIN_MTU_BYTES, mtu_bytes)
        if mtu_bytes >= self.encapsulation.mtu_bytes:
            return False
        self.encapsulation = msgspec.structs.replace(self.encapsulation, mtu_bytes=mtu_bytes)
        return True

    def burst(
        self,
        direction: LoadDirection,
        offered_bits_per_second: float,
        seconds: float,
        deadline: float,
        block_packets: int = 1,
    ) -> BurstResult:
        """Make one burst. Raises Refusal, ProtocolError, OSError."""
        self._bursts += 1
        wire = self.encapsulation.wire_bytes
        overhead = IP_HEADER_BYTES[self.encapsulation.address_family] + UDP_HEADER_BYTES
        order = LoadOrder(
            burst=self._bursts,
            direction=direction,
            packets=max(1, round(seconds * offered_bits_per_second / (8 * wire))),
            payload_bytes=self.encapsulation.mtu_bytes - overhead,
            wire_bytes=wire,
            rate_bits_per_second=offered_bits_per_second,
            block_packets=block_packets,
            account=self._welcome.accounts and direction == "to_client",
        )
        self._channel.send(order, deadline)
        return self._send_load(order, deadline) if direction == "to_responder" else self._receive_load(order, deadline)

    @property
    def knows_streams(self) -> bool:
        """Is the responder new enough for a test by TCP?"""
        return self._welcome.streams

    def max_stream_bytes(self) -> int:
        """The longest stream the responder serves, in payload."""
        return int(self._welcome.bounds.burst_bytes / STREAM_OVERHEAD_RATIO)

    def stream_bytes(self, arrivals: StreamArrivals) -> int:
        """What a stream has cost on the line so far, by what has arrived of it."""
        return wire_bytes_of(arrivals.payload_bytes[-1], self.encapsulation) if arrivals.payload_bytes else 0

    def receiver_frame_overhead_bytes(self, direction: LoadDirection) -> int | None:
        """What the receiver's counters leave out of each packet; None: it has none."""
        here = direction == "to_client"
        return self._frame_overhead_bytes(self._header_bytes if here else self._welcome.interface_header_bytes)

    def stream(
        self, direction: LoadDirection, offered: float, payload_bytes: int, seconds: float, enough: IsEnough
    ) -> tuple[StreamArrivals, int]:
        """One load by TCP; what came, and what it cost on the line. `offered` is a line rate. Raises Refusal, ProtocolError, OSError."""
        self._bursts += 1
        deadline = monotonic() + seconds + STREAM_JOIN_SECONDS + IDLE_SECONDS
        rate = goodput_from_line_rate(offered, self.encapsulation)
        account = self._welcome.accounts and direction == "to_client"
        order = StreamOrder(self._bursts, direction, payload_bytes, seconds, rate, account)
        self._channel.send(order, deadline)
        opened = self._expect(Opened, deadline)
        peer = self._channel.socket.getpeername()
        with socket.create_connection(peer[:2], timeout=STREAM_JOIN_SECONDS) as sock:
            prepare(sock, rate)
            self.encapsulation = msgspec.structs.replace(self.encapsulation, tcp_timestamps=uses_timestamps(sock))
            sock.sendall(STREAM_MAGIC + bytes.fromhex(opened.ticket))
            take_part = self._send_stream if direction == "to_responder" else self._receive_stream
            return take_part(sock, order, monotonic_ns() + int(seconds * 1e9), enough, deadline)

    def _receive_stream(
        self, sock: socket.socket, order: StreamOrder, end_ns: int, enough: IsEnough, deadline: float
    ) -> tuple[StreamArrivals, int]:
        """Take in until it is enough."""
        with raised_priority():
            arrivals = receive_stream(sock, self._counters, end_ns, order.octets, enough)
        sock.close()
        if order.account:
            waited = _longest_seconds(arrivals.waited_ns, self._read_account(order.stream, deadline).waited_ns)
            arrivals.waited_ns = None if waited is None else round(waited * 1e9)
        self._check_refusal()
        return arrivals, self.stream_bytes(arrivals)

    def _send_stream(
        self, sock: socket.socket, order: StreamOrder, end_ns: int, enough: IsEnough, deadline: float
    ) -> tuple[StreamArrivals, int]:
        """Send until the responder's reports are enough."""
        arrivals = StreamArrivals()
        ended = False

        def read_flow() -> bool:
            nonlocal ended
            flow = self._expect(Flow, deadline)
            if flow.stream != order.stream:
                raise ProtocolError(f"a flow of stream {flow.stream} where {order.stream} was due")
            add_flow(arrivals, flow)
            ended = flow.last
            return ended or enough(arrivals)

        with raised_priority():
            rate, is_enough = order.rate_bits_per_second, lambda: self._channel.readable() and read_flow()
            sent = send_stream(sock, rate, end_ns, order.octets, is_enough)
        sock.close()
        while not ended:
            read_flow()
        return arrivals, wire_bytes_of(sent, self.encapsulation)

    def observation(self, result: BurstResult, *, client_receives: bool, subscriber_receives: bool) -> BurstObservation:
        """A burst with what is needed to read it."""
        here = self._frame_overhead_bytes(self._header_bytes)
        there = self._frame_overhead_bytes(self._welcome.interface_header_bytes)
        return BurstObservation(
            arrivals=result.arrivals,
            departures=result.departures,
            wire_bytes=self.encapsulation.wire_bytes,
            receiver_frame_overhead_bytes=here if client_receives else there,
            sender_frame_overhead_bytes=there if client_receives else here,
            subscriber_receives=subscriber_receives,
        )

    def control_bytes(self, direction: LoadDirection) -> int:
        """What the control connection and the probes have put on the wire in this direction so far."""
        channel = self._channel
        control = channel.sent_wire_bytes if direction == "to_responder" else channel.received_wire_bytes
        return control + self.probe_bytes[direction]

    def close(self) -> None:
        """End the session and close all sockets."""
        with suppress(OSError, ValueError):
            self._channel.send(Bye(), monotonic() + 0.2)
        self._channel.close()
        if self._udp is not None:
            self._udp.close()
        if self._counters is not None:
            self._counters.close()

    def _send_load(self, order: LoadOrder, deadline: float) -> BurstResult:
        """Load towards the responder; its report comes back on the control connection."""
        udp = self._open_udp()
        batch = batch_for(udp, udp.getpeername(), order.payload_bytes, order.block_packets)
        to_send = BurstToSend(self._receiver.token, order.burst, order.packets, order.interval_ns)
        self._receiver.resynchronise()
        busy = thread_time()
        with raised_priority():
            sent = send_burst(
                batch, to_send, self._counters, probe_every_ns=_PROBE_EVERY_NS, between=self._receive_working_replies
            )
        cpu_ratio = (thread_time() - busy) / sent.seconds if sent.seconds else None
        self.working.sent += sent.probes
        self.probe_bytes["to_client"] += sent.probes * self._small_wire_bytes()
        report = self._expect(Received, min(deadline, monotonic() + BURST_START_SECONDS + DRAIN_SECONDS + 1.0))
        self._receive_replies(self.working, monotonic())
        if report.burst != order.burst:
            raise ProtocolError(f"a report of burst {report.burst} where {order.burst} was due")
        departures = _trusted_departures(order, sent.departures)
        waited = _longest_seconds(sent.waited_ns, report.waited_ns)
        mtu = mtu_towards(udp, udp.getpeername()) if sent.too_large else None
        return BurstResult(from_message(report), departures, sent.offered * order.wire_bytes, cpu_ratio, waited, mtu)

    def _receive_load(self, order: LoadOrder, deadline: float) -> BurstResult:
        """Load towards us, our probes beside it; the load's own packets answer them."""
        self._next_probe_ns = 0
        busy, began = thread_time(), monotonic()
        start_by_ns = monotonic_ns() + int(min(BURST_START_SECONDS, deadline - monotonic()) * 1e9)
        with raised_priority():
            arrivals = self._receiver.collect(
                ExpectedBurst(order.burst, order.packets, order.planned_ns, start_by_ns),
                partial(note_reply, self.working),
                self._probe_while(monotonic_ns() + int(order.planned_ns * OVERTIME_RATIO)),
            )
        cpu_ratio = (thread_time() - busy) / (monotonic() - began)
        account = self._read_account(order.burst, deadline) if order.account else SentReport(order.burst, order.packets)
        waited = _longest_seconds(arrivals.waited_ns, account.waited_ns)
        self._check_refusal()
        departures = _trusted_departures(order, arrivals.departures)
        return BurstResult(arrivals, departures, order.total_wire_bytes, cpu_ratio, waited, account.mtu_bytes)

    def _read_account(self, burst: int, deadline: float) -> SentReport:
        """The responder's account of the load it has sent. Raises what `_expect` raises."""
        sent = self._expect(SentReport, max(deadline, monotonic() + BURST_START_SECONDS))
        if sent.burst != burst:
            raise ProtocolError(f"an account of burst {sent.burst} where {burst} was due")
        return sent

    def _open_udp(self) -> socket.socket:
        """The test socket, connected to the responder: other senders never reach it."""
        if self._udp is None:
            host, _, *scope = self._channel.socket.getpeername()
            udp = self._udp = socket.socket(self._channel.socket.family, socket.SOCK_DGRAM)
            udp.connect((host, self._welcome.udp_port, *scope))
            kernel_stamps = timestamps.prepare(udp)
            forbid_fragments(udp)
            udp.setblocking(False)
            token = bytes.fromhex(self._welcome.token)
            self._receiver = Receiver(udp, host.partition("%")[0], token, self._counters, kernel_stamps=kernel_stamps)
        return self._udp

    def _expect(self, expected: type[MessageT], deadline: float) -> MessageT:
        message = self._channel.receive(deadline)
        if isinstance(message, Refused):
            raise Refusal(message.reason, message.detail)
        return require(message, expected)

    def _check_refusal(self) -> None:
        """A responder that refuses an order towards us says so on the control connection, and sends nothing."""
        if self._channel.readable():
            refused = self._expect(Refused, monotonic() + 1.0)
            raise ProtocolError(f"a {type(refused).__name__} nobody asked for")

    def _probe(self, echoes: Echoes, burst: int) -> None:
        datagram = Datagram(Kind.PROBE, self._receiver.token, burst, echoes.sent, monotonic_ns())
        echoes.sent += 1
        try:
            self._open_udp().send(pack(datagram))
        except OSError as error:  # the own queue is full, or an earlier packet was too large: a lost probe
            if error.errno not in (errno.EAGAIN, errno.EMSGSIZE):
                raise
        for direction in self.probe_bytes:
            self.probe_bytes[direction] += self._small_wire_bytes()

    def _receive_replies(self, echoes: Echoes, until: float) -> None:
        """Take answers in until then, or until none is missing."""
        while True:
            while (arrived := self._receiver.take()) is not None:
                note_reply(echoes, *arrived)
            left = until - monotonic()
            if left <= 0:
                return
            self._receiver.wait(left)

    def _receive_working_replies(self) -> list[PendingProbe]:
        while (arrived := self._receiver.take()) is not None:
            note_reply(self.working, *arrived)
        return []

    def _probe_while(self, stop_ns: int) -> Callable[[], None]:
        def between() -> None:
            now = monotonic_ns()
            if self._next_probe_ns <= now < stop_ns:
                self._next_probe_ns = now + _PROBE_EVERY_NS
                self._probe(self.working, self._bursts)

        return between

    def _frame_overhead_bytes(self, header: int | None) -> int | None:
        """What an interface's counters leave out per packet of this path."""
        return None if header is None else self.encapsulation.wire_bytes - self.encapsulation.mtu_bytes - header

    def _small_wire_bytes(self) -> int:
        overhead = self.encapsulation.wire_bytes - self.encapsulation.mtu_bytes
        return HEADER_BYTES + UDP_HEADER_BYTES + IP_HEADER_BYTES[self.encapsulation.address_family] + overhead


def note_reply(echoes: Echoes, datagram: Datagram, arrived_ns: int) -> None:
    """Note the answer to a probe that a datagram carries, if any: the RTT without the time it waited in the responder. Only the first counts."""
    rtt_ns = arrived_ns - datagram.answers_ns - datagram.held_ns
    if datagram.answers_ns and rtt_ns > 0:
        echoes.rtt_seconds.setdefault(datagram.answers_ns, rtt_ns / 1e9)


def _longest_seconds(*waits_ns: int | None) -> float | None:
    """The longer of what is known, in seconds."""
    measured = [wait for wait in waits_ns if wait is not None]
    return max(measured) / 1e9 if measured else None


def _trusted_departures(order: LoadOrder, departures: Sequence[Departure]) -> Sequence[Departure]:
    """A sender's counters, unless it sent in blocks: many drivers count one as a single packet."""
    return departures if order.block_packets == 1 else ()
