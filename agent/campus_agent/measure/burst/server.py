"""The responder: what answers throughput tests in a classroom or beside the collector. TCP for control, UDP for the load, one port.

Nobody is served who does not hold the test key; one session at a time; everything is bounded. Nothing is ever sent to an unauthenticated
UDP address, and on TCP an unauthenticated client gets fewer bytes than it sent.
"""

import asyncio
import contextlib
import ipaddress
import logging
import secrets
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from campus_agent.measure.burst.io.channel import Channel, ClosedSilently
from campus_agent.measure.burst.io.receiver import Receiver
from campus_agent.measure.burst.io.tickets import Tickets
from campus_agent.measure.burst.protocol.control import LENGTH_BYTES, ControlConnection, proves, session_key
from campus_agent.measure.burst.protocol.messages import (
    Bounds,
    Challenge,
    Hello,
    ProtocolError,
    Prove,
    Refused,
    Welcome,
    encode,
    require,
)
from campus_agent.measure.burst.server_session import ServerSession
from campus_agent.measure.burst.spec import (
    DEFAULT_PORT,
    HANDSHAKE_SECONDS,
    MAX_PENDING_CONNECTIONS,
    NONCE_BYTES,
    PROTOCOL_VERSION,
    SESSION_SECONDS,
    SLOT_WAIT_SECONDS,
    STREAM_MAGIC,
    TOKEN_BYTES,
)
from campus_agent.measure.link import timestamps
from campus_agent.measure.link.interface_counters import open_counters
from campus_agent.measure.link.path import counted_header_bytes, forbid_fragments, interface_of

LOGGER = logging.getLogger("campus_agent.measure.burst")
_FLOOD_PAUSE_SECONDS = 0.005
"""While too many connections wait, new ones are taken at this pace: a flood must not take the CPU from a running test."""
_REFUSAL_LOG_SECONDS = 10.0
_BIND_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class ResponderLimits:
    """How much one responder lets itself be used. The hour's bound covers all clients together."""

    rate_bits_per_second: float = 4e9
    burst_bytes: int = 80_000_000
    session_bytes: int = 400_000_000
    session_seconds: float = SESSION_SECONDS
    hour_bytes: int = 10_000_000_000


def limits_of(capacity_bits_per_second: float) -> ResponderLimits:
    """For a test server whose turns the collector gives out ([slots] capacity_bits_per_second): an hour's bytes of that rate.

    Slots never promise more, so that a granted slot is never refused here; without slots the default suffices for a school.
    """
    return ResponderLimits(hour_bytes=max(ResponderLimits().hour_bytes, int(capacity_bits_per_second * 3600 / 8)))


@dataclass(frozen=True, slots=True)
class ResponderSettings:
    """Where to listen and which keys are valid. `port` 0 takes any free one; no key only on loopback."""

    listen: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    key: bytes | None = None
    limits: ResponderLimits = field(default_factory=ResponderLimits)

    def __post_init__(self) -> None:
        """Refuse to be open to the network without a key."""
        if not self.key and not is_loopback(self.listen):
            raise ValueError(f"listening on {self.listen} needs a test key; without one only loopback is allowed")


class HourlyBudget:
    """Bytes spent within the last hour."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._spent: deque[tuple[float, int]] = deque()

    def left(self, now: float) -> int:
        """Bytes that may still be spent at `now` (monotonic seconds)."""
        while self._spent and self._spent[0][0] <= now - 3600:
            self._spent.popleft()
        return max(0, self._limit - sum(spent for _, spent in self._spent))

    def spend(self, now: float, wire_bytes: int) -> None:
        """Book bytes at `now` (monotonic seconds)."""
        self._spent.append((now, wire_bytes))


class Responder:
    """The running responder. `start` binds and returns; `stop` ends it and waits."""

    def __init__(self, settings: ResponderSettings) -> None:
        self._settings = settings
        self._key = settings.key or b""
        self._budget = HourlyBudget(settings.limits.hour_bytes)
        self._slot = threading.Lock()
        self._tickets = Tickets()
        self._guard = threading.Lock()
        self._pending: deque[socket.socket] = deque()
        self._open: set[socket.socket] = set()
        self._refusals = 0
        self._refusal_logged_at = -_REFUSAL_LOG_SECONDS
        self._stopping = threading.Event()
        self._tcp: socket.socket
        self._udp: socket.socket
        self.port = 0

    def start(self) -> None:
        """Bind both sockets and begin to answer. Raises OSError when the port is taken."""
        self._tcp, self._udp = _bind(self._settings.listen, self._settings.port)
        self.port = self._tcp.getsockname()[1]
        self._kernel_stamps = timestamps.prepare(self._udp)
        forbid_fragments(self._udp)
        self._udp.setblocking(False)
        threading.Thread(target=self._accept, name="accept", daemon=True).start()
        LOGGER.info("responder_started", extra={"listen": self._settings.listen, "port": self.port})

    def stop(self) -> None:
        self._stopping.set()
        with self._guard:
            sockets = [self._tcp, *self._open]
        for sock in sockets:
            _shut(sock)
        with self._slot:  # a session still ends its burst; its socket is shut
            self._tcp.close()
            self._udp.close()
        LOGGER.info("responder_stopped", extra={"port": self.port})

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, address = self._tcp.accept()
            except OSError:
                if self._stopping.wait(_FLOOD_PAUSE_SECONDS):
                    return
                continue
            with self._guard:
                crowded = len(self._pending) >= MAX_PENDING_CONNECTIONS
                if crowded:
                    _shut(self._pending.popleft())
                self._pending.append(sock)
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock, address), name="client", daemon=True).start()
            if crowded:
                self._log_refusal("crowded", address)
                self._stopping.wait(_FLOOD_PAUSE_SECONDS)

    def _serve(self, sock: socket.socket, address: tuple[str, int]) -> None:
        joined = False
        deadline = monotonic() + HANDSHAKE_SECONDS
        try:
            if self._is_data(sock):
                joined = self._join(sock, address, deadline)
                return
            channel = Channel(sock, ControlConnection("responder"))
            if self._greet(channel, address, deadline):
                self._with_slot(channel, address)
        except ClosedSilently:
            LOGGER.debug("looked_at", extra={"client": address[0]})
        except (OSError, ProtocolError) as error:
            self._log_refusal(f"{type(error).__name__}: {error}", address)
        except Exception:
            LOGGER.exception("session_crashed", extra={"client": address[0]})
        finally:
            self._leave_pending(sock)
            with self._guard:
                self._open.discard(sock)
            if not joined:
                sock.close()

    def _is_data(self, sock: socket.socket) -> bool:
        """Does this connection begin like one for data? Nothing is read from it yet."""
        sock.settimeout(HANDSHAKE_SECONDS)
        return sock.recv(1, socket.MSG_PEEK) == STREAM_MAGIC[:1]

    def _join(self, sock: socket.socket, address: tuple[str, int], deadline: float) -> bool:
        """Pass a data connection to the session that expects it; any other gets no answer. True: the session closes it."""
        opening = b""
        size = len(STREAM_MAGIC) + TOKEN_BYTES
        while len(opening) < size:
            sock.settimeout(max(deadline - monotonic(), 0.001))
            piece = sock.recv(size - len(opening))
            if not piece:
                break
            opening += piece
        if opening[: len(STREAM_MAGIC)] == STREAM_MAGIC:
            self._leave_pending(sock)
            if self._tickets.redeem(opening[len(STREAM_MAGIC) :], address[0], sock):
                return True
        self._log_refusal("a data connection nobody expects", address)
        return False

    def _greet(self, channel: Channel, address: tuple[str, int], deadline: float) -> bool:
        """Hello, challenge, proof: does this client hold the key? From here on both sides seal."""
        hello = require(channel.receive(deadline), Hello)
        if PROTOCOL_VERSION not in hello.versions:
            channel.send(Refused("version"), deadline)
            raise ProtocolError(f"no common version in {hello.versions}")
        challenge = Challenge(secrets.token_hex(NONCE_BYTES), PROTOCOL_VERSION)
        if channel.connection.received_bytes <= LENGTH_BYTES + len(encode(challenge)):
            raise ProtocolError("a hello no longer than its answer: nobody is answered with more than was sent")
        channel.send(challenge, deadline)
        proof = require(channel.receive(deadline), Prove)
        channel.connection.seal_with(session_key(self._key, hello, challenge))
        if not proves(self._key, hello, challenge, proof):
            self._log_refusal("not_authorised", address)
            channel.send(Refused("not_authorised"), deadline)
            return False
        self._leave_pending(channel.socket)
        return True

    def _with_slot(self, channel: Channel, address: tuple[str, int]) -> None:
        deadline = monotonic() + HANDSHAKE_SECONDS
        if not self._slot.acquire(timeout=SLOT_WAIT_SECONDS):
            channel.send(Refused("busy"), deadline)
            return
        try:
            left = self._budget.left(monotonic())
            if left < self._settings.limits.burst_bytes:
                hour = self._settings.limits.hour_bytes
                channel.send(Refused("limit", f"the hour's {hour / 1e9:.0f} GB are spent (--capacity)"), deadline)
                LOGGER.warning("hour_spent", extra={"client": address[0]})
                return
            self._run_session(channel, address, min(left, self._settings.limits.session_bytes))
        finally:
            self._slot.release()

    def _run_session(self, channel: Channel, address: tuple[str, int], session_bytes: int) -> None:
        limits = self._settings.limits
        name = interface_of(channel.socket)
        counters = open_counters(name)
        token = secrets.token_bytes(TOKEN_BYTES)
        host = address[0].partition("%")[0]
        receiver = Receiver(self._udp, host, token, counters, kernel_stamps=self._kernel_stamps)
        bounds = Bounds(limits.rate_bits_per_second, limits.burst_bytes, session_bytes, limits.session_seconds)
        session = ServerSession(channel, self._udp, receiver, counters, bounds, self._tickets)
        began = monotonic()
        try:
            header = counted_header_bytes(name) if counters else None
            channel.send(
                Welcome(token.hex(), self.port, bounds, header, streams=True, accounts=True), began + HANDSHAKE_SECONDS
            )
            session.run()
        finally:
            self._budget.spend(monotonic(), session.spent.wire_bytes)
            if counters is not None:
                counters.close()
            facts = {
                "client": address[0],
                "pulses": session.spent.bursts,
                "bytes": session.spent.wire_bytes,
                "seconds": round(monotonic() - began, 3),
                "foreign_packets": receiver.ignored_packets,
            }
            LOGGER.info("session_ended", extra=facts)

    def _leave_pending(self, sock: socket.socket) -> None:
        with self._guard, contextlib.suppress(ValueError):
            self._pending.remove(sock)

    def _log_refusal(self, what: str, address: tuple[str, int]) -> None:
        """Log what a client did wrong, at most every some seconds: a flood must not fill the disk."""
        with self._guard:
            self._refusals += 1
            if monotonic() - self._refusal_logged_at < _REFUSAL_LOG_SECONDS:
                return
            count, self._refusals, self._refusal_logged_at = self._refusals, 0, monotonic()
        LOGGER.warning("client_refused", extra={"reason": what[:200], "client": address[0], "count": count})


async def serve(settings: ResponderSettings, ready: Callable[[int], None] | None = None) -> None:
    """Answer tests until cancelled. `ready` gets the port once both sockets are bound. Raises OSError."""
    responder = Responder(settings)
    responder.start()
    try:
        if ready is not None:
            ready(responder.port)
        await asyncio.Event().wait()
    finally:
        responder.stop()


def serve_forever(settings: ResponderSettings, ready: Callable[[int], None] | None = None) -> None:
    """`serve` for a separate process."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings, ready))


def _bind(listen: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket on one port; every IPv4 address where all are asked for and the kernel has no IPv6."""
    if listen == "::" and not has_ipv6():
        listen = "0.0.0.0"  # noqa: S104
    family = socket.getaddrinfo(listen, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    dual = listen == "::" and socket.has_dualstack_ipv6()
    for attempt in range(_BIND_ATTEMPTS):
        tcp = socket.create_server((listen, port), family=family, backlog=64, dualstack_ipv6=dual)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if family == socket.AF_INET6:
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
            udp.bind((listen, tcp.getsockname()[1]))
        except OSError:
            tcp.close()
            udp.close()
            if port or attempt == _BIND_ATTEMPTS - 1:
                raise
        else:
            return tcp, udp
    raise OSError(f"no port is free for both TCP and UDP on {listen}")


def has_ipv6() -> bool:
    """Does this kernel have IPv6 at all (`ipv6.disable=1`)? The machine may still have no such address."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _shut(sock: socket.socket) -> None:
    """End the wait of a thread on this socket, with an end of file."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
