"""What the kernel knows of a TCP connection: octets that arrived, round trips, segment size (struct tcp_info, linux/tcp.h)."""

import socket
import struct
from dataclasses import dataclass

_SIZE = 192
_TIMESTAMPS = 1
_SND_MSS = struct.Struct("=I"), 16
_RTT_MICROS = struct.Struct("=I"), 68
_ACKED_RECEIVED = struct.Struct("=QQ"), 120


@dataclass(frozen=True, slots=True)
class TcpState:
    """One look. `acked_bytes`: of ours, what the other side has; `received_bytes`: of theirs, what we have, each octet once."""

    acked_bytes: int
    received_bytes: int
    rtt_seconds: float
    mss_bytes: int
    timestamps: bool


def look(connection: socket.socket) -> TcpState | None:
    """The state of an open connection; None when it is gone."""
    try:
        raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except OSError:
        return None
    if len(raw) < _ACKED_RECEIVED[1] + _ACKED_RECEIVED[0].size:
        return None

    def field(place: tuple[struct.Struct, int]) -> int:
        return int(place[0].unpack_from(raw, place[1])[0])

    acked, received = _ACKED_RECEIVED[0].unpack_from(raw, _ACKED_RECEIVED[1])
    timestamps = bool(raw[5] & _TIMESTAMPS)
    return TcpState(acked, received, field(_RTT_MICROS) / 1e6, field(_SND_MSS), timestamps)
