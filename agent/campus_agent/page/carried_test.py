"""A test of the schedule that a waiting page carries: the gateway measures, and ends each direction as soon as its verdict is certain.

Verdict and stopping rule are those of our own engine's streams (measure/burst). A rate below the target counts only with proof that the line was full.
"""

import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic

import msgspec

from campus_agent.measure.burst.estimate.burst_rate import reject_if_cpu_waited
from campus_agent.measure.burst.estimate.rate_estimate import RateEstimate
from campus_agent.measure.burst.estimate.stream_rate import estimate_stream
from campus_agent.measure.burst.estimate.verdict import DirectionVerdict, verdict_so_far
from campus_agent.measure.burst.observation import CounterSample, StreamArrivals, StreamObservation
from campus_agent.measure.burst.spec import MIN_STREAM_WINDOWS, OFFERED_RATIO, STREAM_SECONDS, STREAM_TELL_SECONDS
from campus_agent.measure.link import tcp_info
from campus_agent.measure.link.cpu_wait import between, read
from campus_agent.measure.link.interface_counters import CounterReader, open_counters
from campus_agent.measure.link.pacing import limit_pace
from campus_agent.measure.link.path import LOOPBACK, counted_header_bytes, encapsulation_through, link_to
from campus_agent.measure.link.resolve import without_mapping
from campus_agent.measure.link.thread_priority import raised_priority
from campus_agent.measure.probe import Finding, Progress
from campus_agent.measure.request import DIRECTIONS, ThroughputRequest
from campus_agent.page.browser_test import PACE, DirectionLoad, path_of
from campus_agent.page.rates import ArrivalCount, arrived, filled, latency
from campus_wire.encapsulation import Encapsulation, goodput_from_line_rate, wire_bytes_of
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DirectionRecord, ThroughputRecord

SAMPLE_SECONDS = 0.003
START_SECONDS = 6.0
"""A browser that has not begun a direction by then does not do what it is asked."""
LONGEST_SECONDS = 2 * STREAM_SECONDS
"""Of one direction. Twice a stream of our own: a browser begins slowly."""
MAX_DIRECTION_BYTES = 40_000_000
OPEN = DirectionVerdict(done=False, reached=None, rate=0.0, lower_bound=True, confidence=0.0)
RADIO = ("wifi", "cellular", "wimax", "bluetooth")
"""`NetworkInformation.type` of what is no cable."""


@dataclass(slots=True)
class JudgedLoad(DirectionLoad):
    """One direction, judged while it runs."""

    request: ThroughputRequest = field(kw_only=True)
    path: Encapsulation = field(kw_only=True)
    pings: list[float] = field(kw_only=True)
    interface: str | None = None
    verdict: DirectionVerdict = OPEN
    estimates: list[RateEstimate] = field(default_factory=list)
    on_judged: Callable[["JudgedLoad"], None] | None = None
    """Called with this load after each verdict of the windows so far."""
    samples: list[CounterSample] = field(default_factory=list)

    def expired(self) -> bool:
        elapsed = monotonic() - self.began if self.began else 0.0
        if self.verdict.done or elapsed >= LONGEST_SECONDS or self.payload_bytes >= self.most_bytes:
            self._over.set()
        return self._over.is_set()

    def _watch(self) -> None:
        counters = open_counters(self.interface)
        judged = monotonic()
        try:
            with raised_priority():
                while not self.expired():
                    self._over.wait(SAMPLE_SECONDS)
                    self._sample(counters)
                    if monotonic() - judged >= STREAM_TELL_SECONDS:
                        self._judge(last=False)
                        judged = monotonic()
        finally:
            if counters is not None:
                counters.close()
        self._judge(last=True)

    def _sample(self, counters: CounterReader | None) -> None:
        with self._changed:
            for connection in list(self._connections):
                self._count(connection)
            at, before = monotonic(), self.counts[-1].bytes_in_order
            self.counts.append(ArrivalCount(at, self.payload_bytes, self._segments))
        if self.payload_bytes > before:
            self.moved = at
        if counters is None:
            return
        with suppress(OSError, ValueError):
            now = counters.read()
            passed = (now.received_bytes, now.received_packets) if self.up else (now.sent_bytes, now.sent_packets)
            self.samples.append(CounterSample(int(at * 1e9), *passed))

    def _judge(self, *, last: bool) -> None:
        """The verdict of the windows so far; one below the target waits for proof that the line was full."""
        if self._reading is not None:
            self.waiting = between(self._reading, read(monotonic()))
        if self.last is not None:
            self.path = path_of(self.last, self.path)
        request = self.request
        threshold, target = request.threshold_bits_per_second, request.required_bits_per_second
        full = self.is_line_full()
        self.estimates = [
            reject_if_cpu_waited(self._named(estimate, full=full), self._waited_seconds(estimate), threshold, target)
            for estimate in estimate_stream(self._observation(), target, OFFERED_RATIO * target)
        ]
        if len(self.estimates) < MIN_STREAM_WINDOWS:
            return
        verdict = verdict_so_far(self.estimates, threshold, target, client_sends=not self.up, last=last)
        if verdict.reached is False and not full:
            if not last:
                verdict = replace(verdict, done=False, reached=None)
            else:
                detail = f"{verdict.rate / 1e6:.1f} Mbit/s, without proof that the line was full: the browser or its machine may not have kept up"
                verdict = replace(
                    verdict,
                    reached=None,
                    validity=Validity.INCONCLUSIVE,
                    lower_bound=True,
                    limit="browser",
                    detail=detail,
                )
        self.verdict = verdict
        if self.on_judged is not None:
            self.on_judged(self)

    def _named(self, estimate: RateEstimate, *, full: bool) -> RateEstimate:
        """With what limited it: the kernel carries and counts, so an even window of a full line shows its rate whoever waits for a processor."""
        return replace(estimate, limit="queue") if full and estimate.saturated else estimate

    def is_line_full(self) -> bool:
        """Did the line lose segments, or keep a queue, while the other machine's window was open?"""
        seconds = self.counts[-1].at_seconds - self.began
        held_back = self.window_limited_seconds / seconds if seconds > 0 else 0.0
        lost = self.lost_segments / max(1, self.counts[-1].segments)
        return filled(lost, held_back, self.pings, [] if self.up else self.rtts)

    def _observation(self) -> StreamObservation:
        counts = [count for count in self.counts if count.segments]
        rows = arrived(counts)
        arrivals = StreamArrivals([int(at * 1e9) for at, _ in rows], [round(payload) for _, payload in rows])
        header = counted_header_bytes(self.interface) if self.interface else None
        overhead = None if header is None else self.path.wire_bytes - self.path.mtu_bytes - header
        arrivals.samples = self.samples[-len(rows) :] if rows else []
        return StreamObservation(arrivals, self.path, overhead, min(self.pings, default=0.0), subscriber_receives=False)

    def _waited_seconds(self, estimate: RateEstimate) -> float | None:
        ratio = self.waiting.thread_ratio
        return None if ratio is None else estimate.span_seconds * ratio

    def record(self, path: Encapsulation) -> DirectionRecord | None:
        """None where nothing arrived. Without a sound verdict the rate is only what the line carries at least."""
        if not self.payload_bytes:
            return None
        verdict, rate = self.verdict, max(0.0, self.verdict.rate)
        return DirectionRecord(
            goodput_bits_per_second=goodput_from_line_rate(rate, path),
            bytes=wire_bytes_of(self.payload_bytes, path),
            duration_seconds=self.counts[-1].at_seconds - self.began,
            line_rate_bits_per_second=rate,
            lower_bound=verdict.lower_bound or verdict.validity is not Validity.OK or not verdict.done,
            limited_by=verdict.limit,
            confidence_ratio=min(1.0, verdict.confidence),
            retransmits=None if self.up else self.lost_segments,
            cpu_waited_ratio=self.waiting.thread_ratio,
        )


class CarriedTest:
    """Both directions of one line, from the order to a waiting page to the finding."""

    def __init__(self, request: ThroughputRequest, client: str, watch: Callable[[Progress], None]) -> None:
        self.id = secrets.token_urlsafe(16)
        self.request, self.client, self._watch = request, client, watch
        self.pings: list[float] = []
        self.asked = 0
        link = link_to(client)
        interface = link.name if link is not None and link.name != LOOPBACK else None
        path = msgspec.structs.replace(
            encapsulation_through(link), address_family="ipv6" if ":" in without_mapping(client) else "ipv4"
        )
        # a reader that holds the browser back makes it stall: upwards the pace is only a bound
        share = MAX_DIRECTION_BYTES if request.max_bytes is None else request.max_bytes // 2
        offered = goodput_from_line_rate(OFFERED_RATIO * request.required_bits_per_second, path) / 8
        self.down, self.up = (
            JudgedLoad(
                up,
                int(request.required_bits_per_second * PACE / 8) if up else int(offered),
                min(share, MAX_DIRECTION_BYTES, int(offered * LONGEST_SECONDS)),
                request=request,
                path=path,
                pings=self.pings,
                interface=interface,
                on_judged=self._report,
            )
            for up in (False, True)
        )
        self.over = threading.Event()

    def expired(self) -> bool:
        return self.over.is_set()

    def ping(self, connection: socket.socket) -> None:
        """A small request on an idle line: note the kernel's round trip of the request before it."""
        self.asked += 1
        info = tcp_info.read(connection)
        if info is not None and info.rtt_seconds > 0 and len(self.pings) < 200:
            self.pings.append(info.rtt_seconds)

    def pace(self, connection: socket.socket) -> None:
        limit_pace(connection, self.down.pace_bytes_per_second)

    def run(self, browser: str, *, hidden: bool, network: str) -> Finding[ThroughputRecord]:
        """Wait for both directions, as the page carries them; `browser`, `hidden` and `network` are what it says of itself."""
        for load in (self.down, self.up):
            if not self._await(load):
                break
        self.over.set()
        self.down.stop()
        self.up.stop()
        return self._finding(browser, hidden=hidden, network=network)

    def _await(self, load: JudgedLoad) -> bool:
        """Did the page begin this direction, and end it?"""
        end = monotonic() + START_SECONDS
        while not load.began:
            if monotonic() > end:
                return False
            self.over.wait(0.02)
        while not load.expired():
            self.over.wait(0.02)
        return True

    def _finding(self, browser: str, *, hidden: bool, network: str) -> Finding[ThroughputRecord]:
        record, loads = self._record(), {"down": self.down, "up": self.up}
        about = f"{browser[:60]}{', its tab hidden' if hidden else ''}{f', by {network}' if network else ''}"
        silent = [name for name in DIRECTIONS if not loads[name].payload_bytes]
        if record.down is None and record.up is None:
            detail = f"the page waited, but its browser did not begin within {START_SECONDS:.0f} s: suspended or throttled ({about})"
            return Finding(None, Validity.INCONCLUSIVE, Failure(Operation.REQUEST, FailureKind.TIMEOUT, detail), detail)
        verdicts = [load.verdict for load in loads.values()]
        notes = [f"{name}: {load.verdict.detail}" for name, load in loads.items() if load.verdict.detail]
        notes += [f"{name}: the browser did not begin it" for name in silent]
        if any(verdict.reached is False for verdict in verdicts):
            if network in RADIO:
                return Finding(
                    record, Validity.INCONCLUSIVE, detail=f"by radio, not by the classroom's cable ({about})"
                )
            return Finding(record, detail="; ".join(notes))
        unsound = [verdict.validity for verdict in verdicts if verdict.validity is not Validity.OK]
        undecided = any(verdict.reached is None for verdict in verdicts)
        if not undecided:
            return Finding(record)
        detail = "; ".join(notes) or "the browser carried too little for a verdict"
        return Finding(record, unsound[0] if unsound else Validity.INCONCLUSIVE, detail=f"{detail} ({about})")

    def _record(self) -> ThroughputRecord:
        path = self.down.path if self.down.payload_bytes else self.up.path
        return ThroughputRecord(
            segment="classroom",
            engine="browser",
            engine_version="2",
            required_bits_per_second=self.request.required_bits_per_second,
            encapsulation=path,
            down=self.down.record(path),
            up=self.up.record(path),
            idle=latency(self.pings, self.asked),
            working=latency(self.down.rtts, len(self.down.rtts)),
            transport="tcp",
        )

    def _report(self, load: JudgedLoad) -> None:
        name = "up" if load.up else "down"
        spent = wire_bytes_of(load.payload_bytes, load.path)
        self._watch(Progress(name, monotonic() - load.began, STREAM_SECONDS, load.verdict.rate, spent, None))
