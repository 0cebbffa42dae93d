"""Throughput by TCP with iperf3, as an auditor would do it: one direction after the other against any stock `iperf3 -s`.

Goodput is what the receiver counted after the warm-up; the line rate follows from it and the encapsulation (campus_wire).
Beside the load: echoes before and during (working latency), the interface's octets (other people's traffic), the CPU.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from time import monotonic
from typing import Any

import msgspec

from campus_agent.measure.engine import Engine
from campus_agent.measure.guards import WAITED_RATIO, Watch, bytes_at, held_up, soundness, without_counters
from campus_agent.measure.iperf3.task import CONGESTION_CONTROL, METER_SECONDS, Iperf3Task, Observed
from campus_agent.measure.link.congestion import allowed_congestion_control
from campus_agent.measure.link.connect import reachable
from campus_agent.measure.link.icmp import Echoes, Pinger
from campus_agent.measure.link.interface_counters import LOOPBACK, Link, Passed, link_to, passed
from campus_agent.measure.link.resolve import Address
from campus_agent.measure.link.rtt import summary
from campus_agent.measure.link.steady import steady_rate
from campus_agent.measure.machine import cpu_ratio, cpu_time
from campus_agent.measure.probe import Finding, ProbeFailed, Progress, Run
from campus_agent.measure.throughput_settings import REFERENCE_RATIO, WIRE_RATIO, Settings
from campus_agent.measure.worker import run_worker
from campus_wire.bandwidth import reaches
from campus_wire.encapsulation import (
    TCP_HEADER_BYTES,
    TCP_TIMESTAMPS_BYTES,
    Encapsulation,
    line_rate_from_goodput,
    mtu_from_mss,
    wire_bytes_of,
)
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DirectionRecord, Interval, LatencyRecord, ThroughputRecord

RESOLVE_TIMEOUT_SECONDS = 5.0
CONNECT_SECONDS = 1.5
"""To find out which address of a name answers, where it has several: libiperf tries only the first."""
IDLE_ECHOES = 20
IDLE_ECHO_INTERVAL_SECONDS = 0.02
WORKING_ECHO_INTERVAL_SECONDS = 0.05
SETTLE_SECONDS = 1.0
OVERHEAD_SECONDS = 9.0
"""Above duration and warm-up: start of the worker, connect timeout 4 s, exchange of results."""
BUSY_WAITS_SECONDS = (1.0, 2.0, 4.0)
ATTEMPTS = 2
"""Of one direction: a second one where the ends of the first waited for a processor."""
SAMPLE_SECONDS = 0.25
MAX_KEPT_INTERVALS = 200


@dataclass(frozen=True, slots=True)
class Load:
    """One direction: libiperf's report, and the interface's counters around it."""

    report: Mapping[str, Any]
    reverse: bool
    before: Passed | None
    after: Passed | None
    earlier_payload_bytes: int = 0
    """What a first attempt carried, which was given up because its ends waited for a processor."""

    @property
    def observed(self) -> Observed:
        """What the kernel saw beside libiperf."""
        return msgspec.convert(self.report.get("observed", {}), Observed)


@dataclass(frozen=True, slots=True)
class Cut:
    """A direction that was ended early: why, and what it had carried by then."""

    reverse: bool
    validity: Validity
    detail: str
    payload_bytes: int
    seconds: float


class _Ended(Exception):
    """The test ended early: we ended it, or, with a failure, something broke after octets had passed."""

    def __init__(self, cut: Cut, failure: Failure | None = None) -> None:
        """Keep what is known."""
        super().__init__(cut.detail)
        self.cut = cut
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Raw:
    """All that was seen."""

    settings: Settings
    address: Address
    link: Link | None
    idle: Echoes
    working: Echoes
    down: Load | None
    up: Load | None
    cpu_ratio: float | None
    failure: Failure | None
    cut: Cut | None = None


def deadline_seconds(settings: Settings) -> float:
    """The longest a run may take, all waits included."""
    direction = settings.duration_seconds + settings.warmup_seconds + OVERHEAD_SECONDS + 1.5 * sum(BUSY_WAITS_SECONDS)
    return RESOLVE_TIMEOUT_SECONDS + 2 * CONNECT_SECONDS + 2 * SETTLE_SECONDS + 2 * ATTEMPTS * direction + 5.0


async def measure(settings: Settings, run: Run) -> Raw:
    """Resolve; idle echoes; load towards the endpoint; load from it. A failure keeps what was seen before it."""
    run.watch(Progress("resolve", 0.0, _expected_seconds(settings)))
    address = await reachable(settings.host, settings.port, RESOLVE_TIMEOUT_SECONDS, CONNECT_SECONDS)
    link = link_to(address.text)
    loads: dict[bool, Load] = {}
    failure: Failure | None = None
    cut: Cut | None = None
    idle = await _idle_echoes(address, run)
    cpu_before = cpu_time()
    async with _echoes_beside(address) as working:
        try:
            for reverse in (False, True) if settings.segment == "classroom" else (True, False):
                loads[reverse] = await _load_twice_if_held_up(_remaining(settings, loads), address, link, reverse, run)
        except _Ended as ended:
            cut, failure = ended.cut, ended.failure
        except ProbeFailed as failed:
            failure = failed.failure
            if not loads:
                raise
    forward, back = loads.get(False), loads.get(True)
    down, up = (forward, back) if settings.segment == "classroom" else (back, forward)
    cpu = cpu_ratio(cpu_before, cpu_time())
    return Raw(settings, address, link, idle, working, down, up, cpu, failure, cut)


def interpret(raw: Raw) -> Finding:
    """The record, and whether it is sound."""
    path = encapsulation(raw)
    down, up = (direction_record(load, path, raw.settings) if load else None for load in (raw.down, raw.up))
    if raw.cut is not None:
        partial = _cut_record(raw.cut, path)
        towards_gateway = raw.cut.reverse
        if towards_gateway == (raw.settings.segment == "classroom"):
            up = partial
        else:
            down = partial
    crosses = [d.cross_traffic_bits_per_second for d in (down, up) if d and d.cross_traffic_bits_per_second is not None]
    some = raw.down or raw.up
    record = ThroughputRecord(
        segment=raw.settings.segment,
        engine="iperf3",
        engine_version=str(some.report["start"].get("version", "")) if some else "",
        required_bits_per_second=raw.settings.required_bits_per_second,
        encapsulation=path,
        down=down,
        up=up,
        mode=raw.settings.mode,
        congestion_control=allowed_congestion_control(CONGESTION_CONTROL),
        idle=_answered(raw.idle),
        working=_answered(raw.working) or _kernel_rtt(raw),
        cross_traffic_bits_per_second=max(crosses, default=None),
        cpu_ratio=raw.cpu_ratio,
        link_speed_bits_per_second=raw.link.speed_bits_per_second if raw.link else None,
        link_duplex=raw.link.duplex if raw.link else None,
    )
    if raw.failure is not None:
        return Finding(record, Validity.NOT_MEASURED, raw.failure)
    if raw.cut is not None:
        return Finding(record, raw.cut.validity, None, raw.cut.detail)
    loads = {"down": raw.down, "up": raw.up}
    waits = {name: load.observed.waiting for name, load in loads.items() if load is not None}
    validity, detail = soundness(record, raw.settings, waits)
    if validity is Validity.OK and (raw.link is None or raw.link.name != LOOPBACK):  # a loopback is nobody's line
        validity, detail = without_counters(record, raw.settings)
    return Finding(record, validity, None, detail)


def direction_record(load: Load, path: Encapsulation, settings: Settings) -> DirectionRecord:
    """What the receiver counted in one direction. A reference that reached its own bound proves that much, and no more."""
    end = load.report["end"]
    received, sent = end["sum_received"], end["sum_sent"]
    intervals = [slice_["sum"] for slice_ in load.report["intervals"]]
    warmup = float(load.report["start"]["test_start"].get("omit", 0))
    # libiperf 3.12 sometimes loses the interval in which the warm-up ends: fill it with the rate that was measured.
    steady = float(received["bytes"]) * (1 + warmup / float(received["seconds"]))
    payload = max(sum(int(slice_["bytes"]) for slice_ in intervals), round(steady))
    retransmits = sent.get("retransmits")
    waited = load.observed.waiting.ratio
    own_bytes = wire_bytes_of(payload, path) + int(retransmits or 0) * path.wire_bytes
    goodput = float(received["bytes"]) * 8 / float(received["seconds"])
    bound = _max_bits_per_second(settings)
    on_the_line = rate_while_full(load, path) if (waited or 0.0) > WAITED_RATIO else None
    held_back = (
        waited or 0.0
    ) > WAITED_RATIO and on_the_line is None  # then a rate above the target is the least the line carries
    rate = line_rate_from_goodput(goodput, path)
    reached = reaches(rate, settings.required_bits_per_second, settings.tolerance_ratio)
    return DirectionRecord(
        goodput_bits_per_second=goodput,
        lower_bound=(bool(bound) and goodput > 0.97 * bound) or (held_back and reached),
        bytes=own_bytes + wire_bytes_of(load.earlier_payload_bytes, path),
        duration_seconds=float(received["seconds"]),
        line_rate_bits_per_second=on_the_line,
        cpu_waited_ratio=waited,
        warmup_seconds=warmup,
        retransmits=retransmits,
        cross_traffic_bits_per_second=cross_traffic_bits_per_second(load, own_bytes),
        intervals_seen_by="receiver" if load.reverse else "sender",
        intervals=_intervals(intervals),
    )


def rate_while_full(load: Load, path: Encapsulation) -> float | None:
    """The line rate of those moments in which the line was full, by the kernel's count of segments; None: there is no telling which.

    For tests whose ends waited for a processor now and then: goodput then is what the ends managed.
    """
    observed = load.observed
    if not observed.slot_seconds:
        return None
    frame_bits = path.wire_bytes * 8
    slots = [rate * frame_bits for rate in observed.segments_per_second]
    return steady_rate(slots, frame_bits / observed.slot_seconds)


def _cut_record(cut: Cut, path: Encapsulation) -> DirectionRecord:
    """What had passed when it was ended: a lower bound of nothing in particular, and the octets it cost."""
    return DirectionRecord(
        goodput_bits_per_second=cut.payload_bytes * 8 / cut.seconds if cut.seconds > 0 else 0.0,
        bytes=wire_bytes_of(cut.payload_bytes, path),
        duration_seconds=cut.seconds,
        lower_bound=True,
        limited_by=str(cut.validity),
    )


def _max_bits_per_second(settings: Settings) -> int:
    """A reference asks for a fifth more than the target: enough for the verdict, and a bound for its bytes."""
    return round(REFERENCE_RATIO * settings.required_bits_per_second) if settings.mode == "reference" else 0


def _remaining(settings: Settings, loads: Mapping[bool, Load]) -> Settings:
    """The second direction may spend what the first has left."""
    if settings.max_bytes is None:
        return settings
    spent = sum(round((_payload_bytes(load) + load.earlier_payload_bytes) * WIRE_RATIO) for load in loads.values())
    return replace(settings, max_bytes=max(0, settings.max_bytes - spent))


def cross_traffic_bits_per_second(load: Load, own_bytes: int) -> float | None:
    """What else passed the interface in the load's direction, in bits per second of line rate; None without counters."""
    if load.before is None or load.after is None:
        return None
    seconds = load.after.at - load.before.at
    if load.reverse:
        all_bytes = load.after.received_wire_bytes - load.before.received_wire_bytes
    else:
        all_bytes = load.after.sent_wire_bytes - load.before.sent_wire_bytes
    return max(0.0, (all_bytes - own_bytes) * 8 / seconds) if seconds > 0 else None


def encapsulation(raw: Raw) -> Encapsulation:
    """The path's encapsulation: the connection's segment size, and what the gateway's interface is."""
    return _encapsulation(raw.down or raw.up, raw.link, raw.address)


def _encapsulation(load: Load | None, link: Link | None, address: Address) -> Encapsulation:
    mss = int(load.report["start"].get("tcp_mss_default") or 0) if load else 0
    family = address.family_word
    timestamps = _timestamps(mss, link, family)
    mtu = mtu_from_mss(mss, family, timestamps) if mss else (link.mtu_bytes if link else None) or 1500
    return Encapsulation(
        mtu_bytes=min(65_535, max(576, mtu)),
        address_family=family,
        tcp_timestamps=timestamps,
        vlan_tags=link.vlan_tags if link else 0,
        pppoe=link.pppoe if link else False,
    )


def _timestamps(mss: int, link: Link | None, family: str) -> bool:
    """TCP_MAXSEG of an established connection is the MTU less all headers: 12 octets less when timestamps are on."""
    if not mss or link is None or link.mtu_bytes is None:
        return True
    without = link.mtu_bytes - (40 if family == "ipv6" else 20) - TCP_HEADER_BYTES
    return abs(mss - (without - TCP_TIMESTAMPS_BYTES)) <= abs(mss - without)


def _intervals(slices: list[Mapping[str, Any]]) -> list[Interval]:
    kept, start = [], 0.0
    for slice_ in slices[:MAX_KEPT_INTERVALS]:
        kept.append(Interval(start, float(slice_["seconds"]), int(slice_["bytes"])))
        start += float(slice_["seconds"])
    return kept


def _answered(echoes: Echoes) -> LatencyRecord | None:
    """Absent when no echo at all was answered: a machine that filters ICMP has no loss of 1."""
    return summary(echoes) if echoes.rtt_seconds else None


def _kernel_rtt(raw: Raw) -> LatencyRecord | None:
    """The sending side's own smoothed RTTs (TCP_INFO) where echoes are filtered; microseconds in libiperf's report."""
    sender = next((load for load in (raw.down, raw.up) if load is not None and not load.reverse), None)
    figures = sender.report["end"]["streams"][0]["sender"] if sender else {}
    if not figures.get("mean_rtt"):
        return None
    return LatencyRecord(
        method="tcp_info",
        packets_sent=0,
        packets_received=0,
        rtt_min_seconds=figures["min_rtt"] / 1e6,
        rtt_median_seconds=figures["mean_rtt"] / 1e6,
        rtt_max_seconds=figures["max_rtt"] / 1e6,
    )


async def _idle_echoes(address: Address, run: Run) -> Echoes:
    run.watch(Progress("latency", 0.0, 0.0))
    try:
        with Pinger(address.text, address.family) as pinger:
            await pinger.send_every(IDLE_ECHO_INTERVAL_SECONDS, IDLE_ECHOES)
            await pinger.settle(SETTLE_SECONDS if pinger.echoes.rtt_seconds else 0.2)
            return pinger.echoes
    except ProbeFailed:  # no permission for ICMP: the throughput is still worth measuring
        return Echoes()


@contextlib.asynccontextmanager
async def _echoes_beside(address: Address) -> AsyncIterator[Echoes]:
    """Echoes all the while a load runs."""
    try:
        pinger = Pinger(address.text, address.family)
    except ProbeFailed:
        yield Echoes()
        return
    with pinger:
        sending = asyncio.ensure_future(pinger.send_every(WORKING_ECHO_INTERVAL_SECONDS, 10_000))
        try:
            yield pinger.echoes
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            await pinger.settle(0.3)


async def _load_twice_if_held_up(
    settings: Settings, address: Address, link: Link | None, reverse: bool, run: Run
) -> Load:
    """One direction; once more where its ends waited for a processor, so that the rate may not be the line's."""
    first = await _load(settings, address, link, reverse, run)
    rest = _remaining(settings, {reverse: first})
    spent = _payload_bytes(first)
    if not _is_held_up(first, link, address, settings) or (rest.max_bytes or inf) < spent * WIRE_RATIO:
        return first
    try:
        second = await _load(rest, address, link, reverse, run)
    except (ProbeFailed, _Ended):
        return first
    loads = sorted(
        (first, second), key=lambda load: (_is_held_up(load, link, address, settings), -_payload_bytes(load))
    )
    return replace(loads[0], earlier_payload_bytes=_payload_bytes(loads[1]))


def _payload_bytes(load: Load) -> int:
    return int(load.report["end"]["sum_sent"]["bytes"])


def _is_held_up(load: Load, link: Link | None, address: Address, settings: Settings) -> bool:
    """Does this load say nothing of the line, because its ends waited for a processor?"""
    path = _encapsulation(load, link, address)
    return held_up(direction_record(load, path, settings), path, settings, load.observed.waiting) is not None


async def _load(settings: Settings, address: Address, link: Link | None, reverse: bool, run: Run) -> Load:
    """One direction; a busy server is asked again after 1, 2 and 4 s."""
    for wait in (*BUSY_WAITS_SECONDS, None):
        try:
            return await _attempt(settings, address, link, reverse, run)
        except ProbeFailed as failed:
            if failed.failure.kind is not FailureKind.BUSY or wait is None:
                raise
            run.watch(Progress("busy", 0.0, wait))
            await asyncio.sleep(wait * run.random.uniform(0.5, 1.5))
    raise AssertionError("unreachable")


async def _attempt(settings: Settings, address: Address, link: Link | None, reverse: bool, run: Run) -> Load:
    task = Iperf3Task(
        host=address.text,
        port=settings.port,
        duration_seconds=settings.duration_seconds,
        warmup_seconds=settings.warmup_seconds,
        reverse=reverse,
        max_bits_per_second=_max_bits_per_second(settings),
    )
    expected = settings.duration_seconds + settings.warmup_seconds
    towards_school = reverse if settings.segment == "classroom" else not reverse
    meter = _Meter()
    account = f"{len(run.spent_bytes)} {'down' if towards_school else 'up'}"
    phase = "up" if towards_school else "down"
    watching = asyncio.ensure_future(_watch(settings, link, reverse, phase, account, meter, run))
    before = passed(link.name) if link else None
    working = asyncio.ensure_future(run_worker("iperf3", task, expected + OVERHEAD_SECONDS, meter.read))
    try:
        await asyncio.wait([watching, working], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _Ended(watching.result())
        body = working.result()
        report = msgspec.json.decode(body, type=dict[str, Any])
        _refuse_incomplete(report)
    except TimeoutError:
        detail = f"the endpoint accepted, then stayed silent (no result after {expected + OVERHEAD_SECONDS:.0f} s)"
        raise meter.failed(Failure(Operation.READ, FailureKind.TIMEOUT, detail), reverse) from None
    except ProbeFailed as failed:
        raise meter.failed(failed.failure, reverse) from None
    finally:
        run.spent_bytes[account] = round(meter.payload_bytes_by(monotonic()) * WIRE_RATIO)
        for task_ in (watching, working):
            task_.cancel()
        await asyncio.gather(watching, working, return_exceptions=True)
    after = passed(link.name) if link else None
    return Load(report, reverse, before, after)


def _refuse_incomplete(report: Mapping[str, Any]) -> None:
    """A report without the receiver's count proves nothing, whatever the sender believes."""
    try:
        received = report["end"]["sum_received"]
        complete = float(received["bytes"]) > 0 and float(received["seconds"]) > 0 and report["intervals"]
        complete = complete and isinstance(report["end"]["sum_sent"], dict) and "test_start" in report["start"]
    except (KeyError, TypeError, ValueError):
        complete = False
    if not complete:
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, "the receiver reported no octets")


class _Meter:
    """What the worker says of its own octets while it runs."""

    def __init__(self) -> None:
        """Nothing has passed yet."""
        self.payload_bytes = 0
        self._began = self._read_at = self.counted_at = monotonic()

    def read(self, said: dict[str, Any]) -> None:
        """A line of progress."""
        self.payload_bytes = max(self.payload_bytes, int(said.get("payload_bytes", 0)))
        self._read_at = monotonic()
        self.counted_at = min(self._read_at, float(said.get("at") or self._read_at))

    def payload_bytes_by(self, moment: float) -> int:
        """What had passed by then: since the last line as fast as before it, for as long as it takes to the next line."""
        lasted = self._read_at - self._began
        unread = min(max(0.0, moment - self._read_at), METER_SECONDS)
        return round(self.payload_bytes * (1 + unread / lasted)) if lasted > 0 else self.payload_bytes

    def failed(self, failure: Failure, reverse: bool) -> Exception:
        """The failure; with what had passed, where anything had: those octets are charged, and told."""
        now = monotonic()
        payload = self.payload_bytes_by(now)
        if not payload:
            return ProbeFailed(failure.operation, failure.kind, failure.detail)
        return _Ended(Cut(reverse, Validity.NOT_MEASURED, failure.detail, payload, now - self._began), failure)


async def _watch(
    settings: Settings, link: Link | None, reverse: bool, phase: str, account: str, meter: _Meter, run: Run
) -> Cut:
    """A live rate for whoever looks on; returns when the test must end: a lesson's video has begun, or its octets are spent."""
    expected, began = settings.duration_seconds + settings.warmup_seconds, monotonic()
    guard = Watch(settings)
    first = passed(link.name) if link else None
    looks = [(first.at, 0)] if first else []
    rate = None
    while True:
        await asyncio.sleep(SAMPLE_SECONDS)
        now = passed(link.name) if link else None
        if now and first:
            (before_at, before), on_the_line = looks[-1], _in_direction(now, reverse) - _in_direction(first, reverse)
            rate = (on_the_line - before) * 8 / (now.at - before_at)
            looks.append((now.at, on_the_line))
        own = round(meter.payload_bytes * WIRE_RATIO)
        if own:
            run.spent_bytes[account] = own
            counted = bytes_at(looks, meter.counted_at) if looks else own
            reason = guard.verdict(meter.counted_at, counted, own, own)
            if reason is not None:
                return Cut(reverse, *reason, meter.payload_bytes, monotonic() - began)
        run.watch(Progress(phase, monotonic() - began, expected, rate, max(own, looks[-1][1] if looks else 0)))


def _in_direction(counts: Passed, reverse: bool) -> int:
    return counts.received_wire_bytes if reverse else counts.sent_wire_bytes


def _expected_seconds(settings: Settings) -> float:
    return 2.0 * (settings.duration_seconds + settings.warmup_seconds)


ENGINE = Engine(measure, interpret, deadline_seconds)
