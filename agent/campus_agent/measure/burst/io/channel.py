"""The control connection on a blocking socket: every step has a deadline."""

import select
import socket
from collections import deque
from time import monotonic

from campus_agent.measure.burst.protocol.control import ControlConnection
from campus_agent.measure.burst.protocol.messages import Message

_SEGMENT_BYTES = 1448
_SEGMENT_OVERHEAD_BYTES = 90
"""Ethernet, IPv4 and TCP with timestamps, preamble to gap: also what a bare acknowledgement takes."""


class Closed(ConnectionError):
    """The other side ended the connection before it answered."""


class ClosedSilently(Closed):
    """It connected and ended without a byte: somebody looks whether the responder is there."""


class Channel:
    """Messages over one TCP connection; counts what it costs on the wire."""

    def __init__(self, sock: socket.socket, connection: ControlConnection) -> None:
        self.socket = sock
        self.connection = connection
        self.sent_wire_bytes = self.received_wire_bytes = 2 * _SEGMENT_OVERHEAD_BYTES  # SYN, SYN-ACK, ACK, and the end
        self._arrived: deque[Message] = deque()
        self._heard = False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, message: Message, deadline: float) -> None:
        """Send one message by the deadline (monotonic seconds). Raises OSError, TimeoutError."""
        frame = self.connection.frame_of(message)
        self.socket.settimeout(_left(deadline))
        self.socket.sendall(frame)
        self._count(len(frame), sent=True)

    def receive(self, deadline: float) -> Message:
        """The next message, by the deadline. Raises OSError, TimeoutError, Closed, ProtocolError."""
        while not self._arrived:
            self.socket.settimeout(_left(deadline))
            data = self.socket.recv(65_536)
            if not data:
                if not self._heard:
                    raise ClosedSilently("the other side said nothing")
                raise Closed("the other side closed the connection")
            self._heard = True
            self._count(len(data), sent=False)
            self._arrived.extend(self.connection.receive(data))
        return self._arrived.popleft()

    def readable(self) -> bool:
        """Is a message, a part of one or the end here already?"""
        return bool(self._arrived or select.select([self.socket], [], [], 0)[0])

    def close(self) -> None:
        self.socket.close()

    def _count(self, payload_bytes: int, *, sent: bool) -> None:
        segments = -(-payload_bytes // _SEGMENT_BYTES)
        forth = payload_bytes + segments * _SEGMENT_OVERHEAD_BYTES
        back = segments * _SEGMENT_OVERHEAD_BYTES
        self.sent_wire_bytes += forth if sent else back
        self.received_wire_bytes += back if sent else forth


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left
