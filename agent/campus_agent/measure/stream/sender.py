"""The stream's socket on the gateway: sends numbered packets, gives answers with the kernel's time of arrival.

Times are seconds of the agent's monotonic clock, which goes on in suspend; wall-clock time is only written into the packets.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress

from campus_agent.clock.clock import Clock
from campus_agent.measure.link import timestamps
from campus_agent.measure.link.icmp import Pinger
from campus_agent.measure.link.resolve import Address
from campus_agent.measure.stream.observer import Answer
from campus_agent.measure.stream.packets import (
    SenderPacket,
    error_estimate,
    pack_sender,
    to_timestamp,
    unpack_reflected,
)

_MAX_PACKET_BYTES = 2048
_REMEMBERED_SECONDS = 90.0
_CLOCK_ERROR = error_estimate(1.0)
"""What is promised of a gateway's clock: nothing here depends on it."""
_STEP_SECONDS = 0.05


class StreamSocket:
    """One session to one address: `answered` is called for each answer, `refused` when nobody listens there. Raises OSError."""

    def __init__(
        self, address: Address, port: int, key: bytes | None, size: int, clock: Clock, wall_at_zero: float
    ) -> None:
        """`wall_at_zero`: Unix time at 0 of the clock, as right as it is known; for the packets only."""
        self.address = address
        self.answered: Callable[[Answer], None] = lambda _: None
        self.refused: Callable[[], None] = lambda: None
        self.received_bytes = self.sent_bytes = 0
        self._key, self._size, self._clock, self._wall_at_zero = key, size, clock, wall_at_zero
        self.begin_session()
        self._sent: dict[int, float] = {}
        self._offset, self._has_stepped = clock.wall() - clock.monotonic(), False
        self._socket = socket.socket(address.family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect((address.text, port))
            timestamps.enable(self._socket)
        except OSError:
            self._socket.close()
            raise

    def begin_session(self) -> None:
        """Packets have another session id from now on; answers to earlier ones are not taken any more."""
        self._session = int.from_bytes(os.urandom(2)) or 1

    def close(self) -> None:
        self._socket.close()

    def send(self, number: int) -> tuple[float, bool]:
        """One packet now: when, and whether the gateway's own network took it."""
        sent_ns = int((self._clock.monotonic() + self._wall_at_zero) * 1e9)
        packet = SenderPacket(number & 0xFFFFFFFF, to_timestamp(sent_ns), _CLOCK_ERROR, self._session)
        content = pack_sender(packet, self._key, self._size)
        at = self._clock.monotonic()
        self._sent[packet.sequence] = at
        try:
            self._socket.send(content)
        except ConnectionRefusedError:  # of an earlier packet; this one was not sent
            self.refused()
            with suppress(OSError):
                self._socket.send(content)
        except OSError:
            return at, False
        self.sent_bytes += len(content)
        return at, True

    def forget_old(self) -> None:
        """What is older than any answer of use."""
        now = self._clock.monotonic()
        while self._sent:
            oldest = next(iter(self._sent))
            if now - self._sent[oldest] < _REMEMBERED_SECONDS:
                break
            del self._sent[oldest]

    def receive(self) -> None:
        """All answers that are here. The kernel's stamps tell when they came, so nobody needs to wake up for each."""
        self._compare_clocks()
        while True:
            try:
                packet, ancillary, _, _ = self._socket.recvmsg(_MAX_PACKET_BYTES, timestamps.ANCILLARY_BYTES)
            except ConnectionRefusedError:
                self.refused()
            except OSError:
                return
            else:
                self._take(packet, ancillary)

    def _take(self, packet: bytes, ancillary: timestamps.Ancillary) -> None:
        arrived = self._arrived(ancillary)
        reflected = unpack_reflected(packet, self._key)
        if reflected is None or reflected.session not in (self._session, 0):
            return
        sent_at = self._sent.get(reflected.sender_sequence)
        if sent_at is None:
            return
        self.received_bytes += len(packet)
        whole = max(0.0, arrived - sent_at)
        held = min(max(0.0, (reflected.sent_ns - reflected.received_ns) / 1e9), whole)
        up, down = reflected.received_ns / 1e9 - sent_at, arrived - reflected.sent_ns / 1e9
        number = reflected.sender_sequence
        self.answered(Answer(number, reflected.sequence, arrived, whole - held, up, down))

    def _arrived(self, ancillary: timestamps.Ancillary) -> float:
        """By the kernel's stamp, also of a packet that lay there long; the moment of reading where the wall clock was set meanwhile."""
        now = self._clock.monotonic()
        stamp, _ = timestamps.read(ancillary)
        if stamp is None or self._has_stepped:
            return now
        arrived = stamp / 1e9 - self._offset
        return arrived if 0 <= now - arrived < _REMEMBERED_SECONDS else now

    def _compare_clocks(self) -> None:
        """How far is the wall clock ahead of ours, and was it set since the last time? The tightest of three readings."""
        readings = []
        for _ in range(3):
            before = self._clock.monotonic()
            wall = self._clock.wall()
            after = self._clock.monotonic()
            readings.append((after - before, wall - (before + after) / 2))
        offset = min(readings)[1]
        self._has_stepped = abs(offset - self._offset) > _STEP_SECONDS
        self._offset = offset


class Echo:
    """Echoes to one machine on an `icmp.Pinger`; what was sent is known by its number."""

    def __init__(self, address: Address, clock: Clock) -> None:
        """`answered` is called with number and time of sending. Raises ProbeFailed."""
        self.answered: Callable[[int, float], None] = lambda *_: None
        self._pinger = Pinger(address.text, address.family, self._on_answer)
        self._clock = clock
        self._sent: dict[int, float] = {}

    def __enter__(self) -> "Echo":
        self._pinger.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._pinger.__exit__()

    def send(self) -> tuple[int, float]:
        """One echo now: its number, and when."""
        at = self._clock.monotonic()
        while self._sent and at - next(iter(self._sent.values())) > 5.0:
            oldest = next(iter(self._sent))
            del self._sent[oldest]
            self._pinger.forget(oldest)
        number = self._pinger.send()
        self._sent[number] = at
        return number, at

    def _on_answer(self, number: int) -> None:
        at = self._sent.pop(number, None)
        if at is not None:
            self.answered(number, at)
