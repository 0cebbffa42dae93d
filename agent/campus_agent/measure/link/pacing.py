"""The pace of what a TCP connection sends."""

import contextlib
import socket

_SO_MAX_PACING_RATE = 47  # asm-generic/socket.h; Python does not name it
_MAX_BYTES_PER_SECOND = 2**32 - 1


def limit_pace(tcp: socket.socket, bytes_per_second: float) -> None:
    """Send no faster than this; a kernel that cannot do that sends as fast as the line takes it."""
    with contextlib.suppress(OSError, OverflowError):
        rate = min(int(bytes_per_second), _MAX_BYTES_PER_SECOND)
        tcp.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, rate)
