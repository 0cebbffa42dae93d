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
from itertools import pairwise
from time import monotonic
from typing import Any, NamedTuple

from campus_agent.measure.iperf3.task import CONGESTION_CONTROL, METER_SECONDS, Iperf3Task, Meter, Observed
from campus_agent.measure.link import waiting
from campus_agent.measure.link.congestion import allowed_congestion_control
from campus_agent.measure.link.urgency import urgent
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import FailureKind, Operation

_F_SETPIPE_SZ = 1031  # fcntl.h: the wrapper reads its pipe only at the end; 64 KiB would block libiperf for ever
_PIPE_BYTES = 1024 * 1024
_TCP_INFO_BYTES = 256
_OCTETS, _SENT = struct.Struct("@120xQQ"), struct.Struct("@200xQ")
_SEGMENTS_IN, _DELIVERED = struct.Struct("@152xI"), struct.Struct("@192xI")
"""Of struct tcp_info (linux/tcp.h): tcpi_bytes_acked and _received; tcpi_bytes_sent (Linux 4.19); tcpi_data_segs_in; tcpi_delivered (newer kernels)."""
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
    if allowed_congestion_control(CONGESTION_CONTROL) == CONGESTION_CONTROL:  # else libiperf refuses the whole test
        _set(client, "congestion_control", ctypes.c_char_p(CONGESTION_CONTROL.encode()))
    _set(client, "reporter_interval", ctypes.c_double(task.interval_seconds))
    _set(client, "stats_interval", ctypes.c_double(task.interval_seconds))
    _set(client, "connect_timeout", ctypes.c_int(int(CONNECT_TIMEOUT_SECONDS * 1000)))
    if task.max_bits_per_second:
        _set(client, "rate", ctypes.c_uint64(task.max_bits_per_second))
    with _metered(task, progress) as samples, urgent():
        report = client.run()
    if report is None or not isinstance(getattr(report, "json", None), dict):
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, "libiperf gave no readable result")
    if report.error:
        raise failure_from_message(str(report.error))
    json: dict[str, Any] = report.json
    json["observed"] = observed(samples, task.warmup_seconds)
    return json


class Passed(NamedTuple):
    """What the kernel has counted on the test's connections: octets of payload, and full segments in the load's direction."""

    payload_bytes: int
    segments: int


class Sample(NamedTuple):
    """The counts at one moment, and what the kernel says of processors."""

    passed: Passed
    reading: waiting.Reading


def observed(samples: list[Sample], warmup_seconds: float) -> Observed:
    """What the kernel saw after the warm-up: segments a second from sample to sample, and who waited for a processor."""
    moving = [sample for sample in samples if sample.passed.payload_bytes > 0]
    counted = [sample for sample in moving if sample.reading.at >= moving[0].reading.at + warmup_seconds]
    if len(counted) < 2:
        return Observed()
    rates = [
        (after.passed.segments - before.passed.segments) / (after.reading.at - before.reading.at)
        for before, after in pairwise(counted)
        if after.passed.payload_bytes > before.passed.payload_bytes
    ]
    return Observed(rates, METER_SECONDS, waiting.between(counted[0].reading, counted[-1].reading))


@contextlib.contextmanager
def _metered(task: Iperf3Task, progress: Callable[[Any], None]) -> Iterator[list[Sample]]:
    """libiperf is silent until its end: a thread beside it notes and tells what the kernel has counted on its connections (Linux)."""
    stop = threading.Event()
    samples: list[Sample] = []

    def note() -> None:
        with urgent():
            while not stop.wait(METER_SECONDS):
                at = monotonic()
                passed = passed_on(task.port, reverse=task.reverse)
                samples.append(Sample(passed, waiting.read(at)))
                progress(Meter(passed.payload_bytes, at))

    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()  # a line of its must not fall into the result's


def passed_on(port: int, *, reverse: bool) -> Passed:
    """What has passed on this process's TCP connections to a port: octets sent, repetitions included, and received; segments of the load."""
    octets = segments = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError, struct.error):  # gone meanwhile, not connected, an older kernel
            number = int(name)
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                one = _passed(number, port, reverse=reverse)
                octets, segments = octets + one.payload_bytes, segments + one.segments
    return Passed(octets, segments)


def _passed(number: int, port: int, *, reverse: bool) -> Passed:
    with socket.socket(fileno=os.dup(number)) as twin:
        if twin.type != socket.SOCK_STREAM or twin.getpeername()[1] != port:
            return Passed(0, 0)
        info = twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        segments = _SEGMENTS_IN if reverse else _DELIVERED
        count = segments.unpack_from(info)[0] if len(info) >= segments.size else 0
        acked, received = _OCTETS.unpack_from(info)
        sent = _SENT.unpack_from(info)[0] if len(info) >= _SENT.size else acked
        return Passed(int(max(acked, sent) + received), count)


def _set(client: Any, option: str, value: Any) -> None:
    """An option the wrapper lacks, by libiperf's own setter; left alone where this libiperf has none."""
    setter = getattr(client.lib, f"iperf_set_test_{option}", None)
    if setter is not None:
        setter.restype = None
        setter.argtypes = [ctypes.c_void_p, type(value)]
        setter(client._test, value)
