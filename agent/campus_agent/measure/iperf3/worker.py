"""One iperf3 TCP test in one direction, by libiperf through the `iperf3` package.

Why a separate process: libiperf assumes one thread per process, takes over standard output, and waits for ever for a server that
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
from itertools import pairwise
from time import monotonic
from typing import Any, NamedTuple

from campus_agent.measure.iperf3.task import CONGESTION_CONTROL, COUNT_SECONDS, Iperf3Task, KernelCounts, PayloadCount
from campus_agent.measure.link import cpu_wait, tcp_info
from campus_agent.measure.link.congestion import allowed_congestion_control
from campus_agent.measure.link.thread_priority import raised_priority
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import FailureKind, Operation

_F_SETPIPE_SZ = 1031  # fcntl.h: the wrapper reads its pipe only at the end; 64 KiB would block libiperf for ever
_PIPE_BYTES = 1024 * 1024
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


Task = Iperf3Task


def work(task: Iperf3Task, progress: Callable[[PayloadCount], None]) -> dict[str, Any]:
    """Run the test; libiperf's own JSON. Raises ProbeFailed."""
    try:
        import iperf3

        client = iperf3.Client()
    except (ImportError, OSError) as error:
        raise ProbeFailed(Operation.PREPARE, FailureKind.TOOL_MISSING, f"iperf3/libiperf: {error}") from None
    fcntl.fcntl(client._pipe_in, _F_SETPIPE_SZ, _PIPE_BYTES)
    request = task.request
    client.server_hostname = request.host
    client.port = request.port
    client.duration = request.duration_seconds
    client.reverse = task.reverse
    _set(client, "omit", ctypes.c_int(request.warmup_seconds))
    if allowed_congestion_control(CONGESTION_CONTROL) == CONGESTION_CONTROL:  # else libiperf refuses the whole test
        _set(client, "congestion_control", ctypes.c_char_p(CONGESTION_CONTROL.encode()))
    _set(client, "reporter_interval", ctypes.c_double(task.interval_seconds))
    _set(client, "stats_interval", ctypes.c_double(task.interval_seconds))
    _set(client, "connect_timeout", ctypes.c_int(int(CONNECT_TIMEOUT_SECONDS * 1000)))
    if request.max_goodput_bits_per_second:
        _set(client, "rate", ctypes.c_uint64(request.max_goodput_bits_per_second))
    with _metered(task, progress) as samples, raised_priority():
        report = client.run()
    if report is None or not isinstance(getattr(report, "json", None), dict):
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, "libiperf gave no readable result")
    if report.error:
        raise failure_from_message(str(report.error))
    json: dict[str, Any] = report.json
    json["kernel"] = kernel_counts(samples, request.warmup_seconds)
    return json


class SocketCounts(NamedTuple):
    """What the kernel has counted on the test's connections: bytes of payload, and full segments in the load's direction."""

    payload_bytes: int
    segments: int


class KernelSample(NamedTuple):
    """The counts at one moment, and the kernel's figures of waits for processors."""

    counts: SocketCounts
    reading: cpu_wait.ProcessorCounts


def kernel_counts(samples: list[KernelSample], warmup_seconds: float) -> KernelCounts:
    """What the kernel saw after the warm-up: segments a second from sample to sample, and who waited for a processor."""
    moving = [sample for sample in samples if sample.counts.payload_bytes > 0]
    counted = [sample for sample in moving if sample.reading.at >= moving[0].reading.at + warmup_seconds]
    if len(counted) < 2:
        return KernelCounts()
    rates = [
        (after.counts.segments - before.counts.segments) / (after.reading.at - before.reading.at)
        for before, after in pairwise(counted)
        if after.counts.payload_bytes > before.counts.payload_bytes
    ]
    return KernelCounts(rates, COUNT_SECONDS, cpu_wait.between(counted[0].reading, counted[-1].reading))


@contextlib.contextmanager
def _metered(task: Iperf3Task, progress: Callable[[PayloadCount], None]) -> Iterator[list[KernelSample]]:
    """libiperf reports nothing until its end: a thread beside it samples and sends what the kernel has counted on its connections (Linux)."""
    stop = threading.Event()
    samples: list[KernelSample] = []

    def note() -> None:
        with raised_priority():
            while not stop.wait(COUNT_SECONDS):
                at = monotonic()
                counts = counts_on(task.request.port, reverse=task.reverse)
                samples.append(KernelSample(counts, cpu_wait.read(at)))
                progress(PayloadCount(counts.payload_bytes, at))

    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()  # a line of its must not fall into the result's


def counts_on(port: int, *, reverse: bool) -> SocketCounts:
    """Sums over this process's TCP connections to a port: bytes sent, retransmissions included, and received; segments of the load."""
    payload_bytes = segments = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError, struct.error):  # gone meanwhile, not connected, an older kernel
            number = int(name)
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                counts = _counts(number, port, reverse=reverse)
                payload_bytes, segments = payload_bytes + counts.payload_bytes, segments + counts.segments
    return SocketCounts(payload_bytes, segments)


def _counts(number: int, port: int, *, reverse: bool) -> SocketCounts:
    with socket.socket(fileno=os.dup(number)) as twin:
        if twin.type != socket.SOCK_STREAM or twin.getpeername()[1] != port:
            return SocketCounts(0, 0)
        info = tcp_info.read(twin)
        if info is None:
            return SocketCounts(0, 0)
        payload_bytes = max(info.bytes_acked, info.bytes_sent) + info.bytes_received
        return SocketCounts(payload_bytes, info.data_segs_in if reverse else info.delivered)


def _set(client: Any, option: str, value: Any) -> None:
    """An option the wrapper lacks, by libiperf's own setter; left alone where this libiperf has none."""
    setter = getattr(client.lib, f"iperf_set_test_{option}", None)
    if setter is not None:
        setter.restype = None
        setter.argtypes = [ctypes.c_void_p, type(value)]
        setter(client._test, value)
