"""The kernel's state of a TCP connection: struct tcp_info (linux/tcp.h) of Linux 5.4 or newer."""

import socket
import struct
from contextlib import suppress
from typing import NamedTuple

_LAYOUT = struct.Struct("=5xB10xI48xI28xI16xQQ16xI20xQ8xI4xQ16xI")
_OPT_TIMESTAMPS = 1


class TcpInfo(NamedTuple):
    """Fields in the kernel's order and by its names, without `tcpi_`; times in seconds. "Sent" is by this side, "received" by the other."""

    options: int
    snd_mss: int
    """Largest segment this side sends, in bytes."""
    rtt_seconds: float
    """Smoothed."""
    total_retrans: int
    """Segments sent again."""
    bytes_acked: int
    """Sent, and acknowledged by the other side: each once."""
    bytes_received: int
    """Received in order: each once."""
    data_segs_in: int
    """Segments received, twice where the other side sent one twice."""
    rwnd_limited_seconds: float
    """So long the other side's window held this side back."""
    delivered: int
    """Segments sent that have arrived, in whatever order."""
    bytes_sent: int
    """Repetitions included."""
    rcv_ooopack: int
    """Segments received behind a gap."""

    @property
    def timestamps(self) -> bool:
        """Do segments carry timestamps?"""
        return bool(self.options & _OPT_TIMESTAMPS)


def read(connection: socket.socket) -> TcpInfo | None:
    """The state now; None when the connection is gone, or the system does not give all of it."""
    raw = b""
    with suppress(OSError, AttributeError):
        raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAYOUT.size)
    if len(raw) < _LAYOUT.size:
        return None
    info = TcpInfo(*_LAYOUT.unpack(raw))
    return info._replace(rtt_seconds=info.rtt_seconds / 1e6, rwnd_limited_seconds=info.rwnd_limited_seconds / 1e6)
