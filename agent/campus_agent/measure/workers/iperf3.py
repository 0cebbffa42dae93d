"""One iperf3 TCP test in one direction, by libiperf through the `iperf3` package.

Why a process of its own: libiperf assumes one thread per process, takes over standard output, and waits for ever for a server that
accepts and stays mute; the parent's deadline ends that.
"""

import contextlib
import ctypes
import fcntl
import os
import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.workers.tasks import CONGESTION_CONTROL, METER_SECONDS, Iperf3Task, Meter
from campus_wire.failures import FailureKind, Operation

_F_SETPIPE_SZ = 1031  # fcntl.h: the wrapper reads its pipe only at the end; 64 KiB would block libiperf for ever
_PIPE_BYTES = 1024 * 1024
_COUNTS = struct.Struct("@QQ")  # tcpi_bytes_acked, tcpi_bytes_received
_SENT = struct.Struct("@Q")  # tcpi_bytes_sent, Linux 4.19
CONNECT_TIMEOUT_SECONDS = 4.0


_MESSAGES = (
    ("busy", Operation.REQUEST, FailureKind.BUSY),
    ("Connection refused", Operation.CONNECT, FailureKind.CONNECTION_REFUSED),
    ("No route to host", Operation.CONNECT, FailureKind.HOST_UNREACHABLE),
    ("Host is unreachable", Operation.CONNECT, FailureKind.HOST_UNREACHABLE),
    ("Network is unreachable", Operation.CONNECT, FailureKind.NETWORK_UNREACHABLE),
    ("Name or service not known", Operation.RESOLVE, FailureKind.NAME_NOT_FOUND),
    ("name resolution", Operation.RESOLVE, FailureKind.NAME_SERVER_FAILED),
    ("timed out", Operation.CONNECT, FailureKind.TIMEOUT),
    ("timeout", Operation.CONNECT, FailureKind.TIMEOUT),
    ("Operation now in progress", Operation.CONNECT, FailureKind.TIMEOUT),
    ("authorization", Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED),
    ("reset by peer", Operation.TRANSFER, FailureKind.CONNECTION_RESET),
    ("control socket has closed", Operation.TRANSFER, FailureKind.CONNECTION_RESET),
    ("Broken pipe", Operation.TRANSFER, FailureKind.CONNECTION_RESET),
    ("server has terminated", Operation.TRANSFER, FailureKind.CONNECTION_RESET),
    ("cookie", Operation.READ, FailureKind.PROTOCOL_ERROR),
    ("parameters", Operation.READ, FailureKind.PROTOCOL_ERROR),
    ("unknown control message", Operation.READ, FailureKind.PROTOCOL_ERROR),
    ("protocol", Operation.READ, FailureKind.PROTOCOL_ERROR),
)


def failure_from_message(message: str) -> ProbeFailed:
    """Which failure is meant by libiperf's message? The first rule that fits (iperf_error.c, 3.12)."""
    for part, operation, kind in _MESSAGES:
        if part in message:
            return ProbeFailed(operation, kind, message)
    return ProbeFailed(Operation.TRANSFER, FailureKind.UNKNOWN, message)


def work(task: Iperf3Task, progress: Callable[[Any], None]) -> dict[str, Any]:
    """Run the test; libiperf's own JSON. Raises ProbeFailed."""
    try:
        import iperf3

        client = iperf3.Client()
    except (ImportError, OSError) as error:
        raise ProbeFailed(Operation.PREPARE, FailureKind.TOOL_MISSING, f"iperf3/libiperf: {error}") from None
    fcntl.fcntl(client._pipe_in, _F_SETPIPE_SZ, _PIPE_BYTES)
    client.server_hostname = task.host
    client.port = task.port
    client.duration = task.duration_seconds
    client.reverse = task.reverse
    _set(client, "omit", ctypes.c_int(task.warmup_seconds))
    _set(client, "congestion_control", ctypes.c_char_p(CONGESTION_CONTROL.encode()))
    _set(client, "reporter_interval", ctypes.c_double(task.interval_seconds))
    _set(client, "stats_interval", ctypes.c_double(task.interval_seconds))
    _set(client, "connect_timeout", ctypes.c_int(int(CONNECT_TIMEOUT_SECONDS * 1000)))
    if task.max_bits_per_second:
        _set(client, "rate", ctypes.c_uint64(task.max_bits_per_second))
    with _metered(task.port, progress):
        report = client.run()
    if report is None or not isinstance(getattr(report, "json", None), dict):
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, "libiperf gave no readable result")
    if report.error:
        raise failure_from_message(str(report.error))
    json: dict[str, Any] = report.json
    return json


@contextlib.contextmanager
def _metered(port: int, progress: Callable[[Any], None]) -> Iterator[None]:
    """libiperf is silent until its end: a thread beside it tells what the kernel has counted on its connections (Linux)."""
    stop = threading.Event()

    def tell() -> None:
        while not stop.wait(METER_SECONDS):
            progress(Meter(payload_bytes(port)))

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()  # a line of its must not fall into the result's


def payload_bytes(port: int) -> int:
    """Octets sent, repetitions included, and received on this process's TCP connections to a port (tcpi_bytes_sent, _received; linux/tcp.h)."""
    total = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError, struct.error):  # gone meanwhile, not connected, an older kernel
            number = int(name)
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                total += _passed(number, port)
    return total


def _passed(number: int, port: int) -> int:
    with socket.socket(fileno=os.dup(number)) as twin:
        if twin.type != socket.SOCK_STREAM or twin.getpeername()[1] != port:
            return 0
        info = twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        acked, received = _COUNTS.unpack_from(info, 120)
        sent = _SENT.unpack_from(info, 200)[0] if len(info) >= 208 else acked
        return int(max(acked, sent) + received)


def _set(client: Any, option: str, value: Any) -> None:
    """An option the wrapper lacks, by libiperf's own setter; left alone where this libiperf has none."""
    setter = getattr(client.lib, f"iperf_set_test_{option}", None)
    if setter is not None:
        setter.restype = None
        setter.argtypes = [ctypes.c_void_p, type(value)]
        setter(client._test, value)
