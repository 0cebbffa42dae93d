"""RTP beside the RTSP connection: a pair of UDP ports (RFC 3550 section 11), and what arrives there from the device, by the kernel's clock.

Datagrams of any other address are thrown away unread. RTCP has its port, as the protocol wants, and is not read.
"""

import asyncio
import socket

from campus_agent.measure.equipment.rtp import Listener
from campus_agent.measure.link import timestamps

TRIES = 30
MAX_DATAGRAM_BYTES = 65_536
A_TURN = 200
"""Datagrams read before others get their turn: a flood must not hold up the other devices of a round."""
BUFFER_BYTES = 1 << 20
"""Half a second of 16 Mbit/s; the system may grant less."""


class PortPair:
    """An even port for RTP and the next one for RTCP, on the local address that reaches the device."""

    def __init__(self, local: str, device: str) -> None:
        """`local` and `device` are addresses, not names. Raises OSError when no pair is free."""
        self._device = device
        self.rtp, self._rtcp = _port_pair(local)
        self.port = int(self.rtp.getsockname()[1])
        timestamps.prepare(self.rtp, BUFFER_BYTES)
        self._listener: Listener | None = None

    def open_firewall(self, ports: tuple[int, int]) -> None:
        """A datagram without content to each port of the device: a stateful firewall on the gateway then lets its answers in."""
        for sock, port in zip((self.rtp, self._rtcp), ports, strict=True):
            try:
                sock.sendto(b"", (self._device, port))
            except OSError:  # the packets may come all the same
                pass

    def feed(self, listener: Listener) -> None:
        """From now on give what arrives to a listener."""
        self._listener = listener
        asyncio.get_running_loop().add_reader(self.rtp.fileno(), self._readable)

    def close(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self.rtp.fileno())
        self.rtp.close()
        self._rtcp.close()

    def _readable(self) -> None:
        if self._listener is None:
            return
        for _ in range(A_TURN):
            try:
                packet, ancillary, _, source = self.rtp.recvmsg(MAX_DATAGRAM_BYTES, timestamps.ANCILLARY_BYTES)
            except OSError:  # nothing more, or an ICMP error that a datagram of ours caused
                return
            if source[0].partition("%")[0] != self._device.partition("%")[0]:
                continue
            self._listener.take(packet, timestamps.arrived_seconds(ancillary))


def _port_pair(local: str) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    for _ in range(TRIES):
        first = _bound(family, local, 0)
        port = int(first.getsockname()[1])
        if port % 2 == 0 and port < 65_535:
            try:
                return first, _bound(family, local, port + 1)
            except OSError:
                pass
        first.close()
    raise OSError("no pair of UDP ports is free")


def _bound(family: socket.AddressFamily, local: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((local, port))
    except OSError:
        sock.close()
        raise
    return sock
