"""A socket under one deadline for a whole exchange: a server that sends one byte a minute must not keep the shipper for hours.

`http.client` only knows a time-out for each single read. It asks little of its socket: `sendall`, `makefile`, `close`.
"""

import io
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any


class TimedSocket:
    """What `http.client` needs of a socket; everything must be over by the deadline, or TimeoutError is raised."""

    def __init__(self, plain: socket.socket) -> None:
        """Set a deadline before use."""
        self._socket = plain
        self._until = 0.0

    def restart(self, seconds: float) -> None:
        self._until = monotonic() + seconds

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._arm()
            rest = rest[self._socket.send(rest) :]

    def makefile(self, *_: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._socket.makefile("rb", buffering=0), self._arm))

    def close(self) -> None:
        """Close, after the last reader."""
        self._socket.close()

    def hang_up(self) -> None:
        """End whatever another thread is waiting for here."""
        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not SSLSocket's own: its reader may be running

    def _arm(self) -> None:
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError("the exchange did not end in time")
        self._socket.settimeout(left)


class _Reader(io.RawIOBase):
    def __init__(self, raw: Any, arm: Callable[[], None]) -> None:
        self._raw = raw
        self._arm = arm

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._arm()
        got: int | None = self._raw.readinto(buffer)
        return got

    def close(self) -> None:
        self._raw.close()
        super().close()
