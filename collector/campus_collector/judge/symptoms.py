"""Symptoms: what in a result may explain why a target is not met. They are counted by day, and weighed by `causes`. Pure.

A symptom is stored as `GROUP` or `GROUP:DETAIL`; the detail of a failure is `OPERATION/KIND`, of a port its speed in Mbit/s.
"""

from collections import Counter
from collections.abc import Iterator

from campus_collector.judge.policy import Policy, Target
from campus_wire.bandwidth import line_rate_of, reaches
from campus_wire.failures import Validity
from campus_wire.records import (
    AnyResult,
    LatencyRecord,
    PortResult,
    RoomResult,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
    outcome_of,
)

BURST_RATIO = 1.15
"""A line that was this much faster at the beginning has a bucket: a shaper."""
LONGER_UNDER_LOAD_SECONDS = 0.1
WIRELESS_JITTER_SECONDS = 0.005
WIRELESS_LOSS_RATIO = 0.005
BUSY_CPU_RATIO = 0.8
ERROR_RATIO = 1e-4
LEAST_ERRORS = 5
SCHOOL_SUBJECT = "recording_room"
SLOW_PORT_SHARE = 0.99
"""A port that is slower than this share of the target can never carry it."""


class Symptoms(Counter[str]):
    """By symptom: in how many results it was seen."""

    def of(self, group: str) -> "Symptoms":
        """Those of one group, by their detail."""
        begin = f"{group}:"
        return Symptoms({name.removeprefix(begin): self[name] for name in self if name.startswith(begin)})


def symptoms_of(
    result: AnyResult, passes: bool | None, target: Target, policy: Policy, required_bits_per_second: float | None
) -> Iterator[str]:
    """The symptoms in one result, each at most once; `passes` is what the rule made of it."""
    if result.validity is Validity.CLOCK_UNTRUSTED:
        yield f"invalid:{result.validity}"
    elif result.skipped is not None:
        yield f"skipped:{result.skipped}"
        if result.failure is not None:  # what kept it from being made
            yield f"failed:{result.failure.operation}/{result.failure.kind}"
    elif isinstance(result, ServiceResult):
        yield from _service(result, passes, target)
    elif result.failure is not None:
        yield f"failed:{result.failure.operation}/{result.failure.kind}"
    elif result.validity is not Validity.OK:
        yield f"invalid:{result.validity}"
    elif isinstance(result, ThroughputResult) and result.record is not None and passes is False:
        if target.delays is not None:
            yield from _delays(result.record, target)
        else:
            yield from _slow(result.record, policy, required_bits_per_second or result.record.required_bits_per_second)
    elif isinstance(result, PortResult):
        yield from _port(result, required_bits_per_second)
    elif (
        isinstance(result, RoomResult)
        and result.record is not None
        and outcome_of(result) == "ok"
        and not result.record.up
        and result.subject != SCHOOL_SUBJECT  # a room names its devices; the school only its rooms
    ):
        yield from (f"down:{name}" for name in result.record.down)


def _slow(record: ThroughputRecord, policy: Policy, required: float) -> Iterator[str]:
    yield "slow"
    for name, direction in (("down", record.down), ("up", record.up)):
        if direction is None:
            continue
        rate = line_rate_of(direction, record.encapsulation)
        if direction.lower_bound or reaches(rate, required, policy.tolerance_ratio):
            continue
        yield f"slow_{name}"
        burst = direction.burst_line_rate_bits_per_second
        if burst is not None and burst > BURST_RATIO * rate:
            yield f"burst_{name}"
    if _longer_under_load(record):
        yield "delay_under_load"
    if record.idle is not None and _wireless(record.idle):
        yield "idle_jitter_or_loss"
    if record.cpu_ratio is not None and record.cpu_ratio >= BUSY_CPU_RATIO:
        yield "gateway_cpu"
    if record.link_speed_bits_per_second is not None and record.link_speed_bits_per_second < SLOW_PORT_SHARE * required:
        yield f"gateway_port:{record.link_speed_bits_per_second / 1e6:.0f}"
    if record.link_duplex == "half":
        yield "gateway_port:half"


def _longer_under_load(record: ThroughputRecord) -> bool:
    idle = record.idle.rtt_median_seconds if record.idle else None
    loaded = (record.working.rtt_p95_seconds or record.working.rtt_max_seconds) if record.working else None
    return idle is not None and loaded is not None and loaded - idle >= LONGER_UNDER_LOAD_SECONDS


def _wireless(idle: LatencyRecord) -> bool:
    """A cable in order has microseconds of jitter and no loss."""
    return (idle.jitter_seconds or 0) >= WIRELESS_JITTER_SECONDS or (idle.loss_ratio or 0) >= WIRELESS_LOSS_RATIO


def _delays(record: ThroughputRecord, target: Target) -> Iterator[str]:
    limits, idle = target.delays, record.idle
    if limits is None or idle is None:
        return
    yield "late"
    if (idle.rtt_median_seconds or 0) > limits.max_rtt_seconds:
        yield "idle_rtt"
    if (idle.jitter_seconds or 0) > limits.max_jitter_seconds:
        yield "idle_jitter"
    if (idle.loss_ratio or 0) > limits.max_loss_ratio:
        yield "idle_loss"
    working = (record.working.rtt_p95_seconds or record.working.rtt_max_seconds) if record.working else None
    if working is not None and working > limits.max_working_rtt_seconds:
        yield "loaded_rtt"


def _service(result: ServiceResult, passes: bool | None, target: Target) -> Iterator[str]:
    """A failed request is a finding: counted as such, whatever the reason was."""
    if passes is None:
        yield f"invalid:{result.validity}"
    elif passes is False:
        if result.failure is not None:
            yield f"access:{result.failure.operation}/{result.failure.kind}"
        elif result.record is not None and not result.record.success:
            yield "access:request/http_status"
        else:
            yield "access:slow"


def _port(result: PortResult, required: float | None) -> Iterator[str]:
    record = result.record
    if record is None:
        return
    yield "port"
    if not record.up:
        yield "port:down"
        return
    if record.duplex == "half":
        yield "port:half"
    speed = record.speed_bits_per_second
    if speed is not None and required is not None and speed < SLOW_PORT_SHARE * required:
        yield f"port:{speed / 1e6:.0f}"
    errors = max(record.receive_errors or 0, record.fcs_errors or 0)
    packets = record.received_packets or 0
    if errors >= LEAST_ERRORS and errors >= ERROR_RATIO * (packets + errors):
        yield "port:errors"
