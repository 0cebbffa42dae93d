"""When did a datagram arrive, by the kernel's timestamp where there is one, on the monotonic clock?

SO_TIMESTAMPNS stamps a packet when the kernel takes it from the interface: right to some microseconds even when this process did not
run. It is wall-clock time, so it is moved to the monotonic clock; a step of the wall clock meanwhile shows. Elsewhere than on
Linux the stamp is the moment of reading. SO_RXQ_OVFL counts what the full receive buffer threw away.
"""

import contextlib
import socket
import struct
import sys
from collections.abc import Iterable
from time import monotonic_ns, time_ns

ANCILLARY_BYTES = 128
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the cmsg has the same number
_SO_RXQ_OVFL = 40
_SO_RCVBUFFORCE = 33
_STAMP = struct.Struct("@ll")  # struct timespec: two longs, whatever their size
_DROPS = struct.Struct("@I")
RECEIVE_BUFFER_BYTES = 32 * 1024 * 1024
"""Most of a search for a bucket of 20 MB: the kernel doubles it, and books 2.3 kB for each packet. It is only used while a receiver
lags; the system may grant less."""
LONGEST_WAIT_NS = 1_000_000_000
"""A packet that seems to have lain longer in the kernel has a stamp of another time: the wall clock was set."""

Ancillary = Iterable[tuple[int, int, bytes]]


def enable(sock: socket.socket) -> bool:
    """Ask for stamps of arrival. False where the system has none."""
    if not sys.platform.startswith("linux"):
        return False
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        return True
    return False


def prepare(sock: socket.socket, buffer_bytes: int = RECEIVE_BUFFER_BYTES) -> bool:
    """Ask for stamps, overflow counts and a large buffer. True when arrivals will carry kernel stamps."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    if not sys.platform.startswith("linux"):
        return False
    with contextlib.suppress(OSError):  # needs CAP_NET_ADMIN
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
    except OSError:
        return False
    return enable(sock)


def read(ancillary: Ancillary) -> tuple[int | None, int | None]:
    """The wall-clock stamp in nanoseconds and the drops so far, each None where absent."""
    stamp = drops = None
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == _SO_TIMESTAMPNS and len(data) >= _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack_from(data)
            stamp = seconds * 1_000_000_000 + nanoseconds
        elif kind == _SO_RXQ_OVFL and len(data) >= _DROPS.size:
            (drops,) = _DROPS.unpack_from(data)
    return stamp, drops


def wall_offset_ns() -> int:
    """Wall clock minus monotonic clock now: the tightest of five readings."""
    readings = []
    for _ in range(5):
        before = monotonic_ns()
        wall = time_ns()
        after = monotonic_ns()
        readings.append((after - before, wall - (before + after) // 2))
    return min(readings)[1]


def arrived_seconds(ancillary: Ancillary) -> float:
    """When a packet that was read just now arrived, in seconds of the monotonic clock.

    By the stamp of the kernel; the moment of reading where there is none, or where the wall clock was set meanwhile.
    """
    stamp, _ = read(ancillary)
    now = monotonic_ns()
    if stamp is not None:
        arrived = stamp - wall_offset_ns()
        if now - LONGEST_WAIT_NS < arrived < now:
            return arrived / 1e9
    return now / 1e9
