"""What the kernel knows of a TCP connection: octets and segments that arrived, losses, round trips (struct tcp_info, linux/tcp.h; Linux 5.4 or newer)."""

import socket
import struct
from dataclasses import dataclass

_TIMESTAMPS = 1
_OPTIONS = 5
_U32, _U64 = struct.Struct("=I"), struct.Struct("=Q")
_SND_MSS, _RTT_MICROS, _TOTAL_RETRANS, _DATA_SEGS_IN, _DELIVERED, _RCV_OOOPACK = 16, 68, 100, 152, 192, 224
_BYTES_ACKED, _BYTES_RECEIVED, _RWND_LIMITED_MICROS = 120, 128, 176
_SIZE = _RCV_OOOPACK + _U32.size


@dataclass(frozen=True, slots=True)
class TcpState:
    """One look. Octets are counted in order and once; segments as they arrive, in whatever order."""

    acked_bytes: int
    """Of ours, what the other side has."""
    received_bytes: int
    """Of theirs, what we have."""
    delivered_segments: int
    """Of ours."""
    received_segments: int
    """Of theirs, twice where they sent one twice."""
    retransmitted_segments: int
    """Of ours."""
    disordered_segments: int
    """Of theirs, those that came behind a gap."""
    window_limited_seconds: float
    """So long the other side's window held us back."""
    rtt_seconds: float
    mss_bytes: int
    timestamps: bool


def look(connection: socket.socket) -> TcpState | None:
    """The state of an open connection; None when it is gone."""
    try:
        raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except OSError:
        return None
    if len(raw) < _SIZE:
        return None

    def u32(offset: int) -> int:
        return int(_U32.unpack_from(raw, offset)[0])

    def u64(offset: int) -> int:
        return int(_U64.unpack_from(raw, offset)[0])

    return TcpState(
        acked_bytes=u64(_BYTES_ACKED),
        received_bytes=u64(_BYTES_RECEIVED),
        delivered_segments=u32(_DELIVERED),
        received_segments=u32(_DATA_SEGS_IN),
        retransmitted_segments=u32(_TOTAL_RETRANS),
        disordered_segments=u32(_RCV_OOOPACK),
        window_limited_seconds=u64(_RWND_LIMITED_MICROS) / 1e6,
        rtt_seconds=u32(_RTT_MICROS) / 1e6,
        mss_bytes=u32(_SND_MSS),
        timestamps=bool(raw[_OPTIONS] & _TIMESTAMPS),
    )
