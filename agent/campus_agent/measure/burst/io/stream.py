"""Load by TCP, for paths that drop UDP: send as fast as the order allows, or read and note what had come when. No judgement here."""

import os
import select
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns, sleep

from campus_agent.measure.burst.observation import CounterSample, IsEnough, StreamArrivals
from campus_agent.measure.burst.spec import (
    SAMPLE_SECONDS,
    STREAM_BUFFER_BYTES,
    STREAM_CONGESTION_CONTROL,
    STREAM_TELL_SECONDS,
)
from campus_agent.measure.link.cpu_wait import thread_run_delay_ns, waited_ns
from campus_agent.measure.link.interface_counters import CounterReader
from campus_agent.measure.link.pacing import limit_pace

_TURN_SECONDS = 0.005
_SAMPLE_NS = int(SAMPLE_SECONDS * 1e9)
_TELL_NS = int(STREAM_TELL_SECONDS * 1e9)
_TURN_NS = int(_TURN_SECONDS * 1e9)
_LEAST_PIECE_BYTES, _MOST_PIECE_BYTES = 1448, 16_384


def prepare(sock: socket.socket, pacing_bits_per_second: float) -> None:
    """Before a stream is sent: a known congestion control, and a pace, where the platform lets us."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, STREAM_CONGESTION_CONTROL.encode())
    limit_pace(sock, pacing_bits_per_second / 8)


def receive_stream(
    sock: socket.socket, counters: CounterReader | None, end_ns: int, max_bytes: int, tell: IsEnough
) -> StreamArrivals:
    """Read until the other side ends, the time or the bytes are over, or `tell`, called every some milliseconds, says that it is enough."""
    arrivals = StreamArrivals()
    buffer = bytearray(STREAM_BUFFER_BYTES)
    sock.setblocking(False)
    taken_bytes = 0
    delay_ns = thread_run_delay_ns()
    next_tell = monotonic_ns() + _TELL_NS
    while True:
        now = monotonic_ns()
        arrivals.waited_ns = waited_ns(delay_ns)
        if now >= end_ns or taken_bytes >= max_bytes:
            return arrivals
        if now >= next_tell:
            next_tell = now + _TELL_NS
            if tell(arrivals):
                return arrivals
        if not select.select([sock], [], [], _TURN_SECONDS)[0]:
            continue
        try:
            got = sock.recv_into(buffer)
        except BlockingIOError:
            continue
        except ConnectionError:
            return arrivals
        if not got:
            return arrivals
        taken_bytes += got
        moment = monotonic_ns()
        arrivals.at_ns.append(moment)
        arrivals.payload_bytes.append(taken_bytes)
        if counters is not None:
            passed = counters.read()
            arrivals.samples.append(CounterSample(moment, passed.received_bytes, passed.received_packets))
        sleep(SAMPLE_SECONDS)  # the kernel keeps what comes meanwhile


def send_stream(
    sock: socket.socket, payload_bits_per_second: float, end_ns: int, max_bytes: int, enough: Callable[[], bool]
) -> int:
    """Send until one of the bounds, or until the other side or `enough` ends it. Bytes given to the kernel."""
    piece_bytes = min(_MOST_PIECE_BYTES, max(_LEAST_PIECE_BYTES, int(payload_bits_per_second * SAMPLE_SECONDS / 8)))
    piece = memoryview(os.urandom(piece_bytes))  # random: nothing on the way can compress it
    sock.setblocking(False)
    began = monotonic_ns()
    sent_bytes = 0
    while (now := monotonic_ns()) < end_ns and sent_bytes < max_bytes and not enough():
        due_ns = began + int(sent_bytes * 8e9 / payload_bits_per_second)  # when the next whole piece may go
        if due_ns > now:
            sleep(min(due_ns - now, _TURN_NS) / 1e9)
            continue
        if not select.select([], [sock], [], _TURN_SECONDS)[1]:
            continue
        try:
            sent_bytes += sock.send(piece[: max_bytes - sent_bytes])
        except BlockingIOError:
            continue
        except ConnectionError:
            break
    return sent_bytes
