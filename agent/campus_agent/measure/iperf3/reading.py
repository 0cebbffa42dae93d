"""From iperf3's reports and what the gateway counted beside them to the record, and whether it is sound. Pure.

Goodput is what the receiver counted after the warm-up; the line rate follows from it and the encapsulation (campus_wire).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from campus_agent.measure.guards import NEGLIGIBLE_WAIT_RATIO, held_up, soundness, without_counters
from campus_agent.measure.iperf3.task import CONGESTION_CONTROL, KernelCounts
from campus_agent.measure.link.congestion import allowed_congestion_control
from campus_agent.measure.link.interface_counters import WireCounters
from campus_agent.measure.link.path import LOOPBACK, Link, encapsulation_through, with_link
from campus_agent.measure.link.resolve import Address
from campus_agent.measure.link.rtt import Echoes, summary
from campus_agent.measure.link.steady_rate import steady_rate
from campus_agent.measure.probe import Finding, ProbeFailed
from campus_agent.measure.request import LineDirection, ThroughputRequest
from campus_wire.encapsulation import (
    IP_HEADER_BYTES,
    MAX_MTU_BYTES,
    MIN_MTU_BYTES,
    TCP_HEADER_BYTES,
    TCP_TIMESTAMPS_BYTES,
    Encapsulation,
    line_rate_from_goodput,
    mtu_from_mss,
    wire_bytes_of,
)
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DirectionRecord, Interval, LatencyRecord, ThroughputRecord

MAX_KEPT_INTERVALS = 200


class LoadReport(msgspec.Struct, frozen=True):
    """One direction: libiperf's report, and the interface's counters around it."""

    report: Mapping[str, Any]
    sends: bool
    """Does this gateway send, or the server?"""
    before: WireCounters | None
    after: WireCounters | None
    earlier_payload_bytes: int = 0
    """What a first attempt carried, which was given up because its ends waited for a processor."""

    @property
    def kernel(self) -> KernelCounts:
        """What the kernel saw beside libiperf."""
        return msgspec.convert(self.report.get("kernel", {}), KernelCounts)


class Cut(msgspec.Struct, frozen=True):
    """A direction that was ended early: why, and what it had carried by then."""

    direction: LineDirection
    validity: Validity
    detail: str
    payload_bytes: int
    seconds: float


class LineReading(msgspec.Struct, frozen=True):
    """All that was measured of a line: reports of the loads, echoes, and the gateway's own figures. A direction that failed is None."""

    request: ThroughputRequest
    address: Address
    link: Link | None
    idle: Echoes
    working: Echoes
    down: LoadReport | None
    up: LoadReport | None
    cpu_ratio: float | None
    failure: Failure | None
    cut: Cut | None = None


def interpret(reading: LineReading) -> Finding[ThroughputRecord]:
    """The record, and whether it is sound."""
    path, request = encapsulation(reading), reading.request
    record = _record(reading, path)
    if reading.failure is not None:
        return Finding(record, Validity.NOT_MEASURED, reading.failure)
    if reading.cut is not None:
        return Finding(record, reading.cut.validity, None, reading.cut.detail)
    loads = {"down": reading.down, "up": reading.up}
    waits = {name: load.kernel.waiting for name, load in loads.items() if load is not None}
    reason = soundness(record, request, waits)
    is_loopback = reading.link is not None and reading.link.name == LOOPBACK  # nobody else uses it
    if reason.validity is Validity.OK and not is_loopback:
        reason = without_counters(record, request)
    return Finding(record, reason.validity, detail=reason.detail)


def _record(reading: LineReading, path: Encapsulation) -> ThroughputRecord:
    request, some = reading.request, reading.down or reading.up
    down, up = (direction_record(load, path, request) if load else None for load in (reading.down, reading.up))
    if reading.cut is not None:
        partial = _cut_record(reading.cut, path)
        down, up = (partial, up) if reading.cut.direction == "down" else (down, partial)
    crosses = [d.cross_traffic_bits_per_second for d in (down, up) if d and d.cross_traffic_bits_per_second is not None]
    record = ThroughputRecord(
        segment=request.segment,
        engine="iperf3",
        engine_version=str(some.report["start"].get("version", "")) if some else "",
        required_bits_per_second=request.required_bits_per_second,
        encapsulation=path,
        down=down,
        up=up,
        mode=request.mode,
        congestion_control=allowed_congestion_control(CONGESTION_CONTROL),
        idle=_answered(reading.idle),
        working=_answered(reading.working) or _kernel_rtt(reading),
        cross_traffic_bits_per_second=max(crosses, default=None),
        cpu_ratio=reading.cpu_ratio,
    )
    return with_link(record, reading.link)


def direction_record(load: LoadReport, path: Encapsulation, request: ThroughputRequest) -> DirectionRecord:
    """What the receiver counted in one direction. A reference that reached its own bound proves that much, and no more."""
    end = load.report["end"]
    received, sent = end["sum_received"], end["sum_sent"]
    intervals = [slice_["sum"] for slice_ in load.report["intervals"]]
    warmup = float(load.report["start"]["test_start"].get("omit", 0))
    # libiperf 3.12 sometimes loses the interval in which the warm-up ends: fill it with the rate that was measured.
    steady = float(received["bytes"]) * (1 + warmup / float(received["seconds"]))
    payload = max(sum(int(slice_["bytes"]) for slice_ in intervals), round(steady))
    retransmits = sent.get("retransmits")
    waited = load.kernel.waiting.ratio
    was_waited_for = (waited or 0.0) > NEGLIGIBLE_WAIT_RATIO
    own_bytes = wire_bytes_of(payload, path) + int(retransmits or 0) * path.wire_bytes
    goodput = float(received["bytes"]) * 8 / float(received["seconds"])
    bound = request.max_goodput_bits_per_second
    on_the_line = rate_while_full(load, path) if was_waited_for else None
    # then a rate above the target is the least the line carries
    held_back = was_waited_for and on_the_line is None
    rate = line_rate_from_goodput(goodput, path)
    return DirectionRecord(
        goodput_bits_per_second=goodput,
        lower_bound=(bool(bound) and goodput > 0.97 * bound) or (held_back and request.reached_by(rate)),
        bytes=own_bytes + wire_bytes_of(load.earlier_payload_bytes, path),
        duration_seconds=float(received["seconds"]),
        line_rate_bits_per_second=on_the_line,
        cpu_waited_ratio=waited,
        warmup_seconds=warmup,
        retransmits=retransmits,
        cross_traffic_bits_per_second=cross_traffic_bits_per_second(load, own_bytes),
        intervals_seen_by="sender" if load.sends else "receiver",
        intervals=_intervals(intervals),
    )


def rate_while_full(load: LoadReport, path: Encapsulation) -> float | None:
    """The line rate of those moments in which the line was full, by the kernel's count of segments; None: there is no telling which.

    For tests whose ends waited for a processor now and then: goodput then is what the ends managed.
    """
    kernel = load.kernel
    if not kernel.slot_seconds:
        return None
    frame_bits = path.wire_bytes * 8
    slots = [rate * frame_bits for rate in kernel.segments_per_second]
    return steady_rate(slots, frame_bits / kernel.slot_seconds)


def _cut_record(cut: Cut, path: Encapsulation) -> DirectionRecord:
    """What had passed when it was ended: a lower bound that decides nothing, and the bytes it cost."""
    return DirectionRecord(
        goodput_bits_per_second=cut.payload_bytes * 8 / cut.seconds if cut.seconds > 0 else 0.0,
        bytes=wire_bytes_of(cut.payload_bytes, path),
        duration_seconds=cut.seconds,
        lower_bound=True,
        limited_by=str(cut.validity),
    )


def cross_traffic_bits_per_second(load: LoadReport, own_bytes: int) -> float | None:
    """What else passed the interface in the load's direction, in bits per second of line rate; None without counters."""
    if load.before is None or load.after is None:
        return None
    seconds = load.after.at - load.before.at
    all_bytes = load.after.in_direction(sends=load.sends) - load.before.in_direction(sends=load.sends)
    return max(0.0, (all_bytes - own_bytes) * 8 / seconds) if seconds > 0 else None


def encapsulation(reading: LineReading) -> Encapsulation:
    """The path's encapsulation: the connection's segment size, and what the gateway's interface is."""
    return encapsulation_of(reading.down or reading.up, reading.link, reading.address)


def encapsulation_of(load: LoadReport | None, link: Link | None, address: Address) -> Encapsulation:
    """By the segment size of a load; without one by the interface's MTU, else 1500. Timestamps are on where nothing says otherwise."""
    mss = int(load.report["start"].get("tcp_mss_default") or 0) if load else 0
    family = address.family_word
    timestamps = _timestamps(mss, link, family)
    mtu = mtu_from_mss(mss, family, timestamps) if mss else (link.mtu_bytes if link else None) or 1500
    return msgspec.structs.replace(
        encapsulation_through(link),
        mtu_bytes=min(MAX_MTU_BYTES, max(MIN_MTU_BYTES, mtu)),
        address_family=family,
        tcp_timestamps=timestamps,
    )


def _timestamps(mss: int, link: Link | None, family: str) -> bool:
    """TCP_MAXSEG of an established connection is the MTU less all headers: 12 bytes less when timestamps are on."""
    if not mss or link is None or link.mtu_bytes is None:
        return True
    without = link.mtu_bytes - IP_HEADER_BYTES[family] - TCP_HEADER_BYTES
    return abs(mss - (without - TCP_TIMESTAMPS_BYTES)) <= abs(mss - without)


def _intervals(slices: list[Mapping[str, Any]]) -> list[Interval]:
    intervals, start = [], 0.0
    for slice_ in slices[:MAX_KEPT_INTERVALS]:
        intervals.append(Interval(start, float(slice_["seconds"]), int(slice_["bytes"])))
        start += float(slice_["seconds"])
    return intervals


def _answered(echoes: Echoes) -> LatencyRecord | None:
    """Absent when no echo at all was answered: a machine that filters ICMP has no loss of 1."""
    return summary(echoes) if echoes.rtt_seconds else None


def _kernel_rtt(reading: LineReading) -> LatencyRecord | None:
    """The sending side's own smoothed RTTs (TCP_INFO) where echoes are filtered; microseconds in libiperf's report."""
    sender = next((load for load in (reading.down, reading.up) if load is not None and load.sends), None)
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


def payload_bytes(load: LoadReport) -> int:
    """What the sender counted: the warm-up with it, retransmissions not."""
    return int(load.report["end"]["sum_sent"]["bytes"])


def is_held_up(load: LoadReport, link: Link | None, address: Address, request: ThroughputRequest) -> bool:
    """Is this rate no proof of the line's, because an end waited for a processor?"""
    path = encapsulation_of(load, link, address)
    return held_up(direction_record(load, path, request), path, request, load.kernel.waiting) is not None


def refuse_incomplete(report: Mapping[str, Any]) -> None:
    """A report without the receiver's count proves nothing, whatever the sender believes."""
    try:
        received = report["end"]["sum_received"]
        complete = float(received["bytes"]) > 0 and float(received["seconds"]) > 0 and report["intervals"]
        complete = complete and isinstance(report["end"]["sum_sent"], dict) and "test_start" in report["start"]
    except (KeyError, TypeError, ValueError):
        complete = False
    if not complete:
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, "the receiver reported no bytes")
