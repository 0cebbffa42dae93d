"""ICMP echo: RTTs of small probes (RFC 792, RFC 4443), by an unprivileged socket where the system allows it, else a raw one.

Sending and receiving are apart so that probes go out on time whatever the answers do; a probe without an answer is lost.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable
from time import monotonic

from campus_agent.measure.link import timestamps
from campus_agent.measure.link.rtt import Echoes
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import FailureKind, Operation

PAYLOAD_BYTES = 56
_ECHO_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_ECHO_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}


class Pinger:
    """Echoes to one address on one socket. Raises ProbeFailed(permission_denied) when no socket can be had."""

    def __init__(
        self, address: str, family: socket.AddressFamily, answered: Callable[[int], None] | None = None
    ) -> None:
        """`answered` is given the number of each answer, for whoever sends for hours; without it the round trips are kept in `echoes`."""
        self._family = family
        self._answered = answered
        self._address = address
        self._socket, self._raw = _open(family)
        self._socket.setblocking(False)
        timestamps.enable(self._socket)
        self._identifier = os.urandom(2)
        self._secret = os.urandom(8)
        self._sent_at: dict[int, float] = {}
        self._all_answered = asyncio.Event()
        self.echoes = Echoes()

    def __enter__(self) -> "Pinger":
        """Listen for answers on the running loop."""
        asyncio.get_running_loop().add_reader(self._socket, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def send(self) -> int:
        """One echo request now: its number. A refusal by the local stack (no route, full queue) counts as sent and lost."""
        number = self.echoes.sent & 0xFFFF
        self.echoes.sent += 1
        self._sent_at[number] = monotonic()
        with contextlib.suppress(OSError):
            self._socket.sendto(self._packet(number), (self._address, 0))
        return number

    def forget(self, number: int) -> None:
        """No answer to this one is waited for any more."""
        self._sent_at.pop(number, None)

    async def send_every(self, interval_seconds: float, count: int) -> None:
        """`count` requests, one every interval by the clock, not by the answers."""
        start = monotonic()
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number * interval_seconds - monotonic()))
            self.send()

    async def settle(self, seconds: float) -> None:
        """Wait for stragglers, no longer than needed."""
        self._all_answered.clear()
        if len(self.echoes.rtt_seconds) < self.echoes.sent:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._all_answered.wait()

    def _packet(self, number: int) -> bytes:
        body = self._secret.ljust(PAYLOAD_BYTES, b"\0")
        head = struct.pack("!BBH2sH", _ECHO_REQUEST[self._family], 0, 0, self._identifier, number)
        checksum = internet_checksum(head + body) if self._family == socket.AF_INET else 0  # IPv6: the kernel's job
        return head[:2] + struct.pack("!H", checksum) + head[4:] + body

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            while True:
                packet, ancillary, _, source = self._socket.recvmsg(2048, timestamps.ANCILLARY_BYTES)
                arrived = timestamps.arrived_seconds(ancillary)
                number = self._sequence_of(packet)
                if number is None or str(source[0]).partition("%")[0] != self._address:
                    continue
                sent_at = self._sent_at.pop(number, None)  # a duplicate answer finds nothing and changes nothing
                if sent_at is not None and self._answered is not None:
                    self._answered(number)
                elif sent_at is not None:
                    self.echoes.rtt_seconds[number] = max(0.0, arrived - sent_at)
                    if not self._sent_at:
                        self._all_answered.set()

    def _sequence_of(self, packet: bytes) -> int | None:
        if self._raw and self._family == socket.AF_INET:  # a raw IPv4 socket gives the IP header too
            packet = packet[(packet[0] & 0x0F) * 4 :] if packet else b""
        if len(packet) < 16 or packet[0] != _ECHO_REPLY[self._family] or packet[8:16] != self._secret:
            return None
        return packet[6] << 8 | packet[7]


def internet_checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _open(family: socket.AddressFamily) -> tuple[socket.socket, bool]:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        with contextlib.suppress(PermissionError):
            return socket.socket(family, kind, _PROTOCOL[family]), kind == socket.SOCK_RAW
    raise ProbeFailed(
        Operation.PREPARE, FailureKind.PERMISSION_DENIED, "ICMP needs CAP_NET_RAW or net.ipv4.ping_group_range"
    )
