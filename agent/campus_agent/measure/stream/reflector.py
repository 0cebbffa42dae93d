"""A stateful STAMP Session-Reflector: which packets it answers, and with which number (RFC 8762 sections 4.2 and 4.3). Pure but for `hmac`.

An answer is never longer than its question. With a key nobody is answered, and nothing is kept, who does not hold it. Sessions are few and end by
themselves; each has a rate, all together have one. Each refusal is counted by its reason.

Replays (with a key): a session takes no sequence number twice, and a packet with the session id of a living session from another address must go on
where that one is, in number or in time: two gateways may have drawn the same id. What a session had seen is remembered for a day after its end,
and what is older than a day is refused: a recording begins no session anew.
"""

from collections import Counter
from typing import Literal, NamedTuple

from campus_agent.measure.stream.packets import (
    AUTHENTICATED_BYTES,
    TWAMP_LIGHT_BYTES,
    SenderPacket,
    error_estimate,
    from_timestamp,
    reflect,
    to_timestamp,
    unpack_sender,
)

Refusal = Literal[
    "short",
    "long",
    "unauthenticated",
    "too_old",
    "replayed",
    "session_rate",
    "total_rate",
    "sessions",
    "address_sessions",
]
Source = tuple[str, int]

MAX_PACKET_BYTES = 1472
"""UDP in an Ethernet frame: nothing that an answer would have to be cut into fragments for."""
WINDOW_PACKETS = 1024
"""So far behind the newest a packet of a session may come; half a minute and more at 20 a second."""
MAX_AGE_NS = 86_400 * 10**9
CLOCK_ERROR = error_estimate(0.01)


class ReflectorLimits(NamedTuple):
    """How much one reflector lets itself be used. `burst` packets may come at once, as from a queue that a broken line held back."""

    sessions: int = 4000
    address_sessions: int = 1000
    """Of one address: whoever holds the key takes no more than a quarter of all; a county whose schools share an address fits in."""
    displaced_seconds: float = 60.0
    """When there is no room left, a session that was silent for so long makes room: a gateway sends 20 times a second."""
    idle_seconds: float = 900.0
    """REFWAIT of RFC 5357 section 4.2: a session without packets for so long is over."""
    session_packets_per_second: float = 100.0
    session_burst: int = 2000
    total_packets_per_second: float = 8000.0
    """What one core was measured to answer without loss (tests/bench/reflector.py): 400 gateways at 20 a second."""


DEFAULT_LIMITS = ReflectorLimits()


class _Refused(Exception):
    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason: Refusal = reason


class Bucket:
    """Packets at a rate, so many of them at once."""

    __slots__ = ("_at", "_level", "_most", "_rate")

    def __init__(self, rate: float, most: float, now: float) -> None:
        self._rate, self._most, self._level, self._at = rate, most, most, now

    def take(self, now: float) -> bool:
        """Is there room for one more?"""
        self._level = min(self._most, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


class _Session:
    """`seen` has a bit for each of the newest sequence numbers, `highest` at bit 0."""

    __slots__ = ("answers", "bucket", "highest", "last_at", "newest_ns", "seen", "source")

    def __init__(self, source: Source, bucket: Bucket) -> None:
        self.source, self.bucket = source, bucket
        self.answers, self.highest, self.seen, self.newest_ns, self.last_at = 0, -1, 0, 0, 0.0

    def accept(self, sequence: int) -> bool:
        """Note a sequence number; False where it was there already, or is too far behind."""
        ahead = sequence - self.highest
        if ahead > 0:
            self.seen = (self.seen << ahead | 1) & _WINDOW if ahead < WINDOW_PACKETS else 1
            self.highest = sequence
            return True
        if -ahead >= WINDOW_PACKETS or self.seen >> -ahead & 1:
            return False
        self.seen |= 1 << -ahead
        return True

    def restart(self, sequence: int) -> None:
        """The sender counts from another number on; the answers are counted as before."""
        self.highest, self.seen = sequence, 1


_WINDOW = (1 << WINDOW_PACKETS) - 1


def _seen(session: _Session) -> tuple[int, int, float]:
    return session.newest_ns, session.highest, session.last_at


class Reflector:
    """`answer` gives the bytes to send back, or None; `refused` and `answered` count. Times are seconds of a monotonic clock."""

    def __init__(self, key: bytes | None, limits: ReflectorLimits = DEFAULT_LIMITS) -> None:
        self._key = key
        self._limits = limits
        self._sessions: dict[tuple[str, int], _Session] = {}
        self._by_id: dict[int, _Session] = {}
        self._ended: dict[int, tuple[int, int, float]] = {}
        """By session id, with a key: what a session had seen (time, number) and when it ended; a recording of it may be replayed for a day."""
        self._buckets: dict[str, Bucket] = {}
        self._of_address: Counter[str] = Counter()
        """How many sessions an address has."""
        self._total: Bucket | None = None
        self._swept_at = self._displaced_at = 0.0
        self.refused: Counter[Refusal] = Counter()
        self.answered = 0

    @property
    def sessions(self) -> int:
        """How many sessions are kept."""
        return len(self._sessions)

    def answer(
        self, packet: bytes | memoryview, source: Source, now: float, received_ns: int, sent_ns: int, ttl: int
    ) -> bytes | None:
        """`received_ns` and `sent_ns` are wall clock, `ttl` that of the packet's IP header."""
        try:
            sender = self._read(packet)
            session = self._session_of(sender, source, now, received_ns)
        except _Refused as refused:
            self.refused[refused.reason] += 1
            return None
        number = session.answers
        session.answers = number + 1 & 0xFFFFFFFF
        session.last_at = now
        self.answered += 1
        received, sent = to_timestamp(received_ns), to_timestamp(sent_ns)
        return reflect(
            packet, sender, self._key, sequence=number, received=received, sent=sent, error=CLOCK_ERROR, ttl=ttl
        )

    def _read(self, packet: bytes | memoryview) -> SenderPacket:
        if len(packet) > MAX_PACKET_BYTES:
            raise _Refused("long")
        if len(packet) < (TWAMP_LIGHT_BYTES if self._key is None else AUTHENTICATED_BYTES):
            raise _Refused("short")
        sender = unpack_sender(packet, self._key)
        if sender is None:
            raise _Refused("unauthenticated")
        return sender

    def _session_of(self, sender: SenderPacket, source: Source, now: float, received_ns: int) -> _Session:
        """The session that this packet belongs to. Raises _Refused."""
        if now - self._swept_at > self._limits.idle_seconds / 30:
            self._sweep(now)
        name = (source[0], sender.session) if self._key is not None else (source[0], source[1] << 16 | sender.session)
        session = self._sessions.get(name)
        sent_ns = from_timestamp(sender.timestamp, sender.error_estimate)
        if self._key is not None:
            if abs(received_ns - sent_ns) > MAX_AGE_NS:
                raise _Refused("too_old")
            if session is None and not self._goes_on(sender, sent_ns):
                raise _Refused("replayed")
        if session is None:
            session = self._begin(name, sender, source, now)
        if self._key is not None and not session.accept(sender.sequence):
            if sent_ns <= session.newest_ns:
                raise _Refused("replayed")
            session.restart(sender.sequence)  # a sender that began again without a new session id
        if not session.bucket.take(now):
            raise _Refused("session_rate")
        if self._total is None:
            rate = self._limits.total_packets_per_second
            self._total = Bucket(rate, rate, now)
        if not self._total.take(now):
            raise _Refused("total_rate")
        session.newest_ns = max(session.newest_ns, sent_ns)
        return session

    def _goes_on(self, sender: SenderPacket, sent_ns: int) -> bool:
        """May a packet from an address without this session begin one? Not when that is alive elsewhere and has seen this time and this number."""
        living = self._by_id.get(sender.session)
        newest_ns, highest, _ = self._ended.get(sender.session, (-1, -1, 0.0)) if living is None else _seen(living)
        return sent_ns > newest_ns or sender.sequence > highest

    def _begin(self, name: tuple[str, int], sender: SenderPacket, source: Source, now: float) -> _Session:
        limits = self._limits
        is_full = len(self._sessions) >= limits.sessions
        if (is_full or self._of_address[source[0]] >= limits.address_sessions) and now - self._displaced_at >= 1.0:
            self._displaced_at = now
            self._sweep(now, limits.displaced_seconds)
        if len(self._sessions) >= limits.sessions:
            raise _Refused("sessions")
        if self._of_address[source[0]] >= limits.address_sessions:
            raise _Refused("address_sessions")
        self._of_address[source[0]] += 1
        bucket = self._buckets.get(source[0]) if self._key is None else None
        if bucket is None:
            bucket = Bucket(limits.session_packets_per_second, limits.session_burst, now)
        if self._key is None:  # whoever holds no key gets one rate for each address, whatever its ports
            self._buckets[source[0]] = bucket
        session = self._sessions[name] = self._by_id[sender.session] = _Session(source, bucket)
        session.last_at = now
        return session

    def _sweep(self, now: float, silent_seconds: float | None = None) -> None:
        """Forget the sessions that are over, or were silent for so long."""
        self._swept_at = now
        silent = self._limits.idle_seconds if silent_seconds is None else silent_seconds
        ended = [name for name, each in self._sessions.items() if now - each.last_at > silent]
        for name in ended:
            session, session_id = self._sessions.pop(name), name[1] & 0xFFFF
            if self._by_id.get(session_id) is session:
                del self._by_id[session_id]
                if self._key is not None:
                    self._ended[session_id] = _seen(session)
        self._ended = {name: seen for name, seen in self._ended.items() if now - seen[2] < MAX_AGE_NS / 1e9}
        if ended:
            self._of_address = Counter(name[0] for name in self._sessions)
            self._buckets = {address: each for address, each in self._buckets.items() if address in self._of_address}
