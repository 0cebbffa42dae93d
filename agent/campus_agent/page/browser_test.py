"""One test that a person began: its phases, the connections it uses, and what the kernel counted on them. One at a time."""

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic

import msgspec

from campus_agent.config.model import Endpoint
from campus_agent.measure.guards import WAITED_RATIO
from campus_agent.measure.link.tcp_info import TcpState, look
from campus_agent.measure.link.waiting import Reading, Waiting, between, read
from campus_agent.page.rates import Look, direction, filled, latency, rate_while_full
from campus_wire.bandwidth import DEFAULT_TOLERANCE_RATIO, line_rate_of, reaches
from campus_wire.encapsulation import AddressFamily, Encapsulation, mtu_from_mss, wire_bytes_of
from campus_wire.records import DirectionRecord, LatencyRecord, ThroughputRecord

LOAD_SECONDS = 5.0
WARMUP_SECONDS = 1.0
LEAST_SECONDS = 2.0
MAX_LOAD_BYTES = 250_000_000
"""A direction ends early when so many octets arrived, and enough was seen to say a rate: a gigabit is known after two seconds."""
PACE = 5
"""At most this many times what is required, either way: more would prove nothing, and cost everybody else in the school."""
_SO_MAX_PACING_RATE = 47  # asm-generic/socket.h; Python does not name it
LOOK_SECONDS = 0.05
LEAVE_SECONDS = 2.0
"""For the connections of a load that is over; one that stands still must not hold up the result."""
WHOLE_SECONDS = 60.0
"""Longer than any test takes, with its waiting."""
IDLE_SECONDS = 12.0
"""So long without a request or an octet: whoever closed the page must not keep the line from others."""
USUAL_MTU, LEAST_MTU, MOST_MTU = 1500, 576, 9216


@dataclass(slots=True)
class Load:
    """One direction: connections join it, a thread looks at them together."""

    up: bool
    most_bytes: int
    """Never more than this: what the day still allows."""
    pace_bytes_per_second: int
    began: float = 0.0
    looks: list[Look] = field(default_factory=list)
    rtts: list[float] = field(default_factory=list)
    moved: float = 0.0
    """When octets arrived last."""
    last: TcpState | None = None
    lost_segments: int = 0
    window_limited_seconds: float = 0.0
    waiting: Waiting = field(default_factory=Waiting)
    """How long processors were waited for meanwhile."""
    _reading: Reading | None = None
    _watcher: threading.Thread | None = None
    _octets: int = 0
    _segments: int = 0
    _connections: dict[socket.socket, TcpState] = field(default_factory=dict)
    """Each as it was looked at last."""
    _carrying: int = 0
    _final: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def carried_by(self, connection: socket.socket) -> Iterator[None]:
        """A connection carries this load meanwhile; what it carried before does not count, and afterwards it is looked at once more."""
        seen = look(connection)
        with self._changed:
            if not self.began:
                self.began = monotonic()
                self.looks.append(Look(self.began, 0, 0))
                self._reading = read(self.began)
                self._watcher = threading.Thread(target=self._watch, name="page-load", daemon=True)
                self._watcher.start()
            if seen is not None:
                self._connections.setdefault(connection, seen)
            self._carrying += 1
        try:
            yield
        finally:
            with self._changed:
                self._look_at(connection)
                self._carrying -= 1
                self._changed.notify_all()

    def expired(self) -> bool:
        """Is it time to stop?"""
        if self._over.is_set():
            return True
        elapsed = monotonic() - self.began if self.began else 0.0
        enough = elapsed >= LEAST_SECONDS and self.octets() >= MAX_LOAD_BYTES
        if elapsed >= LOAD_SECONDS or enough or self.octets() >= self.most_bytes:
            self._over.set()
        return self._over.is_set()

    def ahead_seconds(self) -> float:
        """How long must whoever reads wait, so that no more arrives than the pace?"""
        return min(0.1, max(0.0, self.octets() / self.pace_bytes_per_second - (monotonic() - self.began)))

    def stop(self) -> None:
        """No more of it: those that carry it have a moment to leave, then its figures do not change any more."""
        self._over.set()
        with self._changed:
            self._changed.wait_for(lambda: not self._carrying, LEAVE_SECONDS)
            self._final = True
        if self._watcher is not None:
            self._watcher.join(LEAVE_SECONDS)

    def octets(self) -> int:
        """Payload that arrived so far."""
        return self._octets

    def _watch(self) -> None:
        while not self.expired():
            self._over.wait(LOOK_SECONDS)
            with self._changed:
                for connection in list(self._connections):
                    self._look_at(connection)
                at = monotonic()
                if self._octets > self.looks[-1].octets:
                    self.moved = at
                self.looks.append(Look(at, self._octets, self._segments))
        if self._reading is not None:
            self.waiting = between(self._reading, read(monotonic()))

    def _look_at(self, connection: socket.socket) -> None:
        before, now = self._connections.get(connection), look(connection)
        if before is None or now is None or self._final:
            return
        if self.up:
            self._octets += now.received_bytes - before.received_bytes
            self._segments += now.received_segments - before.received_segments
            self.lost_segments += now.disordered_segments - before.disordered_segments
        else:
            self._octets += now.acked_bytes - before.acked_bytes
            self._segments += now.delivered_segments - before.delivered_segments
            self.lost_segments += now.retransmitted_segments - before.retransmitted_segments
        self.window_limited_seconds += now.window_limited_seconds - before.window_limited_seconds
        self._connections[connection] = self.last = now
        self.rtts.append(now.rtt_seconds)


class Trial:
    """From /begin to /finish."""

    def __init__(self, room: Endpoint, client: str, browser: str, most_bytes: int) -> None:
        """Of a classroom, by somebody's browser, with at most so many octets in each direction."""
        self.id = secrets.token_urlsafe(16)
        self.room, self.client, self.browser = room, client, browser
        self.began = monotonic()
        self.pings: list[float] = []
        self.asked = 0
        pace = min(2**31 - 1, room.required_bits_per_second * PACE // 8)
        self.down, self.up = Load(False, most_bytes, pace), Load(True, most_bytes, pace)
        self.over = threading.Event()
        self._touched: float | None = None

    def ping(self, connection: socket.socket) -> None:
        """A small request on an idle line; the kernel's round trip of the one before it is told."""
        self.asked += 1
        seen = look(connection)
        if seen is not None and seen.rtt_seconds > 0 and len(self.pings) < 200:
            self.pings.append(seen.rtt_seconds)

    def touch(self) -> None:
        """Its browser is there."""
        self._touched = monotonic()

    def expired(self) -> bool:
        """Did its browser go away?"""
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
        return sum(wire_bytes_of(load.octets(), path) for load in (self.down, self.up))

    def record(self) -> ThroughputRecord:
        """What the gateway measured."""
        path = self._path()
        return ThroughputRecord(
            segment="classroom",
            engine="browser",
            engine_version="1",
            required_bits_per_second=self.room.required_bits_per_second,
            encapsulation=path,
            down=self._direction(self.down, path),
            up=self._direction(self.up, path),
            idle=latency(self.pings[1:] or self.pings, self.asked),
            working=self._working(),
            transport="tcp",
        )

    def waits(self) -> dict[str, Waiting]:
        """How long processors of the gateway were waited for, in each direction."""
        return {"down": self.down.waiting, "up": self.up.waiting}

    def pace(self, connection: socket.socket) -> None:
        """What we send is bounded; a kernel that cannot do that sends what the line takes."""
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, self.down.pace_bytes_per_second)

    def _direction(self, load: Load, path: Encapsulation) -> DirectionRecord | None:
        found = direction(load.looks, WARMUP_SECONDS, wire_bytes_of(load.octets(), path))
        if found is None:
            return None
        waited = load.waiting.ratio
        found = msgspec.structs.replace(found, cpu_waited_ratio=waited)
        if waited is not None and waited > WAITED_RATIO:
            rate = rate_while_full(load.looks, WARMUP_SECONDS, path)
            found = msgspec.structs.replace(found, line_rate_bits_per_second=rate)
        limit = self._limit(load, found, path)
        return found if limit is None else msgspec.structs.replace(found, lower_bound=True, limited_by=limit)

    def _limit(self, load: Load, found: DirectionRecord, path: Encapsulation) -> str | None:
        """What held this rate back, so that the line carries at least this; None: it was the line."""
        if found.goodput_bits_per_second >= 0.9 * load.pace_bytes_per_second * 8:
            return "our own pace"
        waited = (found.cpu_waited_ratio or 0.0) > WAITED_RATIO and found.line_rate_bits_per_second is None
        if waited and reaches(line_rate_of(found, path), self.room.required_bits_per_second, DEFAULT_TOLERANCE_RATIO):
            return "a busy gateway"
        held_back = load.window_limited_seconds / (load.looks[-1].at_seconds - load.began)
        lost = load.lost_segments / max(1, load.looks[-1].segments)
        # what a browser sends tells nothing of its round trips here: there only a loss shows that the line was full
        full = filled(lost, held_back, self.pings, [] if load.up else load.rtts)
        return None if full else "the browser's machine"

    def _path(self) -> Encapsulation:
        """What the connections' segments say of the path. On loopback, and where nothing was seen, the usual Ethernet is taken."""
        family: AddressFamily = "ipv6" if ":" in self.client.removeprefix("::ffff:") else "ipv4"
        seen = self.down.last or self.up.last
        if seen is None:
            return Encapsulation(address_family=family)
        mtu = mtu_from_mss(seen.mss_bytes, family, seen.timestamps)
        return Encapsulation(mtu if LEAST_MTU <= mtu <= MOST_MTU else USUAL_MTU, family, seen.timestamps)

    def _working(self) -> LatencyRecord | None:
        return latency(self.down.rtts, len(self.down.rtts))
