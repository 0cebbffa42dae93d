"""The reflector of the lesson stream, in a separate process: throughput tests beside it are not disturbed, and it not by them.

`python -m campus_agent.respond.stream_reflector PORT LISTEN KEY_FILE PARENT_PID`; KEY_FILE "" answers packets without authentication. It says every
ten minutes what it answered and what it refused.
"""

import contextlib
import logging
import socket
import struct
import sys
from collections import Counter
from pathlib import Path
from time import monotonic, time_ns

from campus_agent.measure.burst.server import has_ipv6, is_loopback
from campus_agent.measure.link import timestamps
from campus_agent.measure.stream.packets import AUTHENTICATED_BYTES
from campus_agent.measure.stream.reflector import MAX_PACKET_BYTES, Reflector
from campus_agent.measure.worker import set_parent_death_signal
from campus_base.logs import configure_logging
from campus_base.settings import read_secret

LOGGER = logging.getLogger("campus_agent.respond.stream_reflector")
REPORT_SECONDS = 600.0
EXIT_BROKEN = 3
_BUFFER_BYTES = 4 * 1024 * 1024
_TTL = struct.Struct("@i")
_HOP_LIMIT = getattr(socket, "IPV6_HOPLIMIT", 52)


def open_socket(listen: str, port: int) -> socket.socket:
    """A bound UDP socket that gives arrival times and TTLs; "::" takes IPv4 too, and only that where there is no IPv6. Raises OSError."""
    if listen == "::" and not has_ipv6():
        listen = "0.0.0.0"  # noqa: S104
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if listen == "::" else 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        with contextlib.suppress(OSError, AttributeError):  # IPv6 sockets on some kernels refuse it
            sock.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_RECVTTL", 12), 1)
        timestamps.prepare(sock, _BUFFER_BYTES)
        sock.bind((listen, port))
    except OSError:
        sock.close()
        raise
    return sock


def serve(sock: socket.socket, reflector: Reflector, report_seconds: float = REPORT_SECONDS) -> None:
    """Answer until the socket is closed. One thread, no pause: what comes in waits in the kernel's buffer."""
    buffer = bytearray(MAX_PACKET_BYTES + 1)
    view, report = memoryview(buffer), _Report(reflector, report_seconds)
    while sock.fileno() >= 0:
        try:
            size, ancillary, _, address = sock.recvmsg_into([buffer], timestamps.ANCILLARY_BYTES)
        except OSError as error:
            if sock.fileno() < 0:
                return
            LOGGER.debug("not received", extra={"error": str(error)})
            continue
        now = monotonic()
        received, sent = _received_ns(ancillary)
        answer = reflector.answer(view[:size], (address[0], address[1]), now, received, sent, _ttl(ancillary))
        if answer is not None:
            with contextlib.suppress(OSError):  # no route back, a full queue: lost on the way down
                sock.sendto(answer, address)
        report.perhaps(now)


def _received_ns(ancillary: timestamps.Ancillary) -> tuple[int, int]:
    """When the kernel had the packet, and now, both on the wall clock; the first is now where there is no believable stamp."""
    now = time_ns()
    stamp, _ = timestamps.read(ancillary)
    believable = stamp is not None and now - timestamps.LONGEST_WAIT_NS < stamp <= now
    return (stamp if believable and stamp is not None else now), now


def _ttl(ancillary: timestamps.Ancillary) -> int:
    """Of the packet's IP header; 255 where the system does not tell (RFC 8762 section 4.3)."""
    for level, kind, data in ancillary:
        is_ttl = level == socket.IPPROTO_IP and kind == socket.IP_TTL
        if (is_ttl or (level == socket.IPPROTO_IPV6 and kind == _HOP_LIMIT)) and len(data) >= _TTL.size:
            return int(_TTL.unpack_from(data)[0]) & 0xFF
    return 255


class _Report:
    """Says what was answered and refused since the last time, and only when there is something to say."""

    def __init__(self, reflector: Reflector, seconds: float) -> None:
        self._reflector, self._seconds, self._at = reflector, seconds, monotonic()
        self._answered, self._refused = 0, Counter[str]()

    def perhaps(self, now: float) -> None:
        if now - self._at < self._seconds:
            return
        answered = self._reflector.answered - self._answered
        refused = Counter[str](self._reflector.refused) - self._refused
        self._at, self._answered, self._refused = now, self._reflector.answered, Counter[str](self._reflector.refused)
        LOGGER.info(
            "stream_reflected",
            extra={"answered": answered, "refused": dict(refused), "sessions": self._reflector.sessions},
        )


def main(arguments: list[str]) -> int:
    port, listen, key_file, parent = arguments
    set_parent_death_signal(int(parent))
    configure_logging()
    key = read_secret(Path(key_file)).reveal().encode() if key_file else None
    if key is None and not is_loopback(listen):
        sys.stderr.write(f"listening on {listen} needs a key\n")
        return EXIT_BROKEN
    try:
        sock = open_socket(listen, int(port))
    except OSError as error:
        sys.stderr.write(f"port {port}: {error}\n")
        return EXIT_BROKEN
    LOGGER.info(
        "stream_reflector_listens", extra={"port": int(port), "listen": listen, "packet_bytes": AUTHENTICATED_BYTES}
    )
    serve(sock, Reflector(key))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
