"""One test that a person began: its phases, the connections it uses, and what the kernel counted on them. One at a time."""

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

import msgspec

from campus_agent.config.model import Endpoint
from campus_agent.measure.guards import NEGLIGIBLE_WAIT_RATIO
from campus_agent.measure.link import tcp_info
from campus_agent.measure.link.cpu_wait import CpuWait, ProcessorCounts, between, read
from campus_agent.measure.link.pacing import limit_pace
from campus_agent.measure.link.resolve import without_mapping
from campus_agent.measure.link.tcp_info import TcpInfo
from campus_agent.page.rates import ArrivalCount, direction, filled, latency, rate_while_full
from campus_wire.bandwidth import DEFAULT_TOLERANCE_RATIO, line_rate_of, reaches
from campus_wire.encapsulation import MIN_MTU_BYTES, AddressFamily, Encapsulation, mtu_from_mss, wire_bytes_of
from campus_wire.records import DirectionRecord, LatencyRecord, ThroughputRecord

LOAD_SECONDS = 5.0
WARMUP_SECONDS = 1.0
LEAST_SECONDS = 2.0
MAX_LOAD_BYTES = 250_000_000
"""A direction ends early when so many bytes arrived, and enough was seen to say a rate: a gigabit is known after two seconds."""
PACE = 5
"""At most this many times what is required, either way: more would prove nothing, and cost everybody else in the school."""
COUNT_AGAIN_SECONDS = 0.05
LEAVE_SECONDS = 2.0
"""For the connections of a load that is over; one that stands still must not hold up the result."""
WHOLE_SECONDS = 60.0
"""Longer than any test takes, with its waiting."""
IDLE_SECONDS = 12.0
"""So long without a request or a byte: whoever closed the page must not keep the line from others."""
USUAL_MTU, MOST_MTU = 1500, 9216


@dataclass(slots=True)
class DirectionLoad:
    """One direction: connections join it, a thread reads the kernel's counters of all of them."""

    up: bool
    pace_bytes_per_second: int
    most_bytes: int = 0
    """Never more than this: what the day still allows."""
    payload_bytes: int = 0
    """Payload that has arrived so far."""
    began: float = 0.0
    counts: list[ArrivalCount] = field(default_factory=list)
    rtts: list[float] = field(default_factory=list)
    moved: float = 0.0
    """When bytes arrived last."""
    last: TcpInfo | None = None
    lost_segments: int = 0
    window_limited_seconds: float = 0.0
    waiting: CpuWait = field(default_factory=CpuWait)
    """How long processors were waited for meanwhile."""
    _reading: ProcessorCounts | None = None
    _watcher: threading.Thread | None = None
    _segments: int = 0
    _connections: dict[socket.socket, TcpInfo] = field(default_factory=dict)
    """The counters of each as they were read last."""
    _carrying: int = 0
    _final: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def carried_by(self, connection: socket.socket) -> Iterator[None]:
        """A connection carries this load meanwhile; what it carried before does not count, and afterwards its counters are read once more."""
        info = tcp_info.read(connection)
        with self._changed:
            if not self.began:
                self.began = monotonic()
                self.counts.append(ArrivalCount(self.began, 0, 0))
                self._reading = read(self.began)
                self._watcher = threading.Thread(target=self._watch, name="page-load", daemon=True)
                self._watcher.start()
            if info is not None:
                self._connections.setdefault(connection, info)
            self._carrying += 1
        try:
            yield
        finally:
            with self._changed:
                self._count(connection)
                self._carrying -= 1
                self._changed.notify_all()

    def expired(self) -> bool:
        if self._over.is_set():
            return True
        elapsed = monotonic() - self.began if self.began else 0.0
        enough = elapsed >= LEAST_SECONDS and self.payload_bytes >= MAX_LOAD_BYTES
        if elapsed >= LOAD_SECONDS or enough or self.payload_bytes >= self.most_bytes:
            self._over.set()
        return self._over.is_set()

    def ahead_seconds(self) -> float:
        """How long must the reader wait, so that no more arrives than the pace?"""
        return min(0.1, max(0.0, self.payload_bytes / self.pace_bytes_per_second - (monotonic() - self.began)))

    def stop(self) -> None:
        """No more of it: those that carry it have a moment to leave, then its figures do not change any more."""
        self._over.set()
        with self._changed:
            self._changed.wait_for(lambda: not self._carrying, LEAVE_SECONDS)
            self._final = True
        if self._watcher is not None:
            self._watcher.join(LEAVE_SECONDS)

    def _watch(self) -> None:
        while not self.expired():
            self._over.wait(COUNT_AGAIN_SECONDS)
            with self._changed:
                for connection in list(self._connections):
                    self._count(connection)
                at = monotonic()
                if self.payload_bytes > self.counts[-1].bytes_in_order:
                    self.moved = at
                self.counts.append(ArrivalCount(at, self.payload_bytes, self._segments))
        if self._reading is not None:
            self.waiting = between(self._reading, read(monotonic()))

    def _count(self, connection: socket.socket) -> None:
        before, now = self._connections.get(connection), tcp_info.read(connection)
        if before is None or now is None or self._final:
            return
        if self.up:
            self.payload_bytes += now.bytes_received - before.bytes_received
            self._segments += now.data_segs_in - before.data_segs_in
            self.lost_segments += now.rcv_ooopack - before.rcv_ooopack
        else:
            self.payload_bytes += now.bytes_acked - before.bytes_acked
            self._segments += now.delivered - before.delivered
            self.lost_segments += now.total_retrans - before.total_retrans
        self.window_limited_seconds += now.rwnd_limited_seconds - before.rwnd_limited_seconds
        self._connections[connection] = self.last = now
        self.rtts.append(now.rtt_seconds)


def path_of(info: TcpInfo, link: Encapsulation) -> Encapsulation:
    """The path by what a connection's segments say of it; what they do not say is that of `link`."""
    mtu = mtu_from_mss(info.snd_mss, link.address_family, info.timestamps)
    mtu = mtu if MIN_MTU_BYTES <= mtu <= MOST_MTU else USUAL_MTU
    return msgspec.structs.replace(link, mtu_bytes=mtu, tcp_timestamps=info.timestamps)


class BrowserTest:
    """From /begin to /finish."""

    def __init__(self, classroom: Endpoint, client: str, browser: str) -> None:
        self.id = secrets.token_urlsafe(16)
        self.classroom, self.client, self.browser = classroom, client, browser
        self.began = monotonic()
        self.pings: list[float] = []
        self.asked = 0
        pace = min(2**31 - 1, classroom.required_bits_per_second * PACE // 8)
        self.down, self.up = DirectionLoad(False, pace), DirectionLoad(True, pace)
        self.over = threading.Event()
        self._touched: float | None = None

    def ping(self, connection: socket.socket) -> None:
        """A small request on an idle line: note the kernel's round trip of the request before it."""
        self.asked += 1
        info = tcp_info.read(connection)
        if info is not None and info.rtt_seconds > 0 and len(self.pings) < 200:
            self.pings.append(info.rtt_seconds)

    def admit(self, most_bytes: int) -> None:
        """It may begin, with at most so many bytes in each direction."""
        self.down.most_bytes = self.up.most_bytes = most_bytes
        self.touch()

    def stop(self) -> None:
        """No more load; the figures do not change any more."""
        self.down.stop()
        self.up.stop()

    def touch(self) -> None:
        self._touched = monotonic()

    def expired(self) -> bool:
        if monotonic() - self.began > WHOLE_SECONDS:
            return True
        if self._touched is None:  # it waits for its turn
            return False
        return monotonic() - max(self._touched, self.down.moved, self.up.moved) > IDLE_SECONDS

    def wait(self) -> None:
        """Until it is over, or its browser has gone away."""
        while not self.over.wait(0.5) and not self.expired():
            pass

    def test_bytes(self) -> int:
        """What it put on the line, both directions, headers too; a load too short for a rate counts as well."""
        path = self._path()
        return sum(wire_bytes_of(load.payload_bytes, path) for load in (self.down, self.up))

    def record(self) -> ThroughputRecord:
        """What the gateway measured."""
        path = self._path()
        return ThroughputRecord(
            segment="classroom",
            engine="browser",
            engine_version="1",
            required_bits_per_second=self.classroom.required_bits_per_second,
            encapsulation=path,
            down=self._direction(self.down, path),
            up=self._direction(self.up, path),
            idle=latency(self.pings[1:] or self.pings, self.asked),
            working=self._working(),
            transport="tcp",
        )

    def waits(self) -> dict[str, CpuWait]:
        """How long processors of the gateway were waited for, in each direction."""
        return {"down": self.down.waiting, "up": self.up.waiting}

    def pace(self, connection: socket.socket) -> None:
        limit_pace(connection, self.down.pace_bytes_per_second)

    def _direction(self, load: DirectionLoad, path: Encapsulation) -> DirectionRecord | None:
        record = direction(load.counts, WARMUP_SECONDS, wire_bytes_of(load.payload_bytes, path))
        if record is None:
            return None
        waited = load.waiting.ratio
        record = msgspec.structs.replace(record, cpu_waited_ratio=waited)
        if waited is not None and waited > NEGLIGIBLE_WAIT_RATIO:
            rate = rate_while_full(load.counts, WARMUP_SECONDS, path)
            record = msgspec.structs.replace(record, line_rate_bits_per_second=rate)
        limit = self._limit(load, record, path)
        return record if limit is None else msgspec.structs.replace(record, lower_bound=True, limited_by=limit)

    def _limit(self, load: DirectionLoad, record: DirectionRecord, path: Encapsulation) -> str | None:
        """What held this rate back, so that the line carries at least this; None: it was the line."""
        if record.goodput_bits_per_second >= 0.9 * load.pace_bytes_per_second * 8:
            return "our own pace"
        waited = (record.cpu_waited_ratio or 0.0) > NEGLIGIBLE_WAIT_RATIO and record.line_rate_bits_per_second is None
        if waited and reaches(
            line_rate_of(record, path), self.classroom.required_bits_per_second, DEFAULT_TOLERANCE_RATIO
        ):
            return "a busy gateway"
        held_back = load.window_limited_seconds / (load.counts[-1].at_seconds - load.began)
        lost = load.lost_segments / max(1, load.counts[-1].segments)
        # what a browser sends gives no round trips here: there only a loss shows that the line was full
        full = filled(lost, held_back, self.pings, [] if load.up else load.rtts)
        return None if full else "the browser's machine"

    def _path(self) -> Encapsulation:
        """What the connections' segments say of the path. On loopback, and where nothing was seen, the usual Ethernet is taken."""
        family: AddressFamily = "ipv6" if ":" in without_mapping(self.client) else "ipv4"
        info = self.down.last or self.up.last
        usual = Encapsulation(address_family=family)
        return usual if info is None else path_of(info, usual)

    def _working(self) -> LatencyRecord | None:
        return latency(self.down.rtts, len(self.down.rtts))
