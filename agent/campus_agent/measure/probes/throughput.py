"""How fast is the line to a classroom, or to the collector, against its target? Both directions, as a line rate.

The engines differ in method, bytes and time; what they answer is the same record.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from campus_agent.config.model import AgentConfig
from campus_agent.measure.browser import engine as browser_engine
from campus_agent.measure.browser.messages import socket_path
from campus_agent.measure.burst import engine as burst_engine
from campus_agent.measure.burst.spec import (
    BUCKET_COST_RATIO,
    BURST_SECONDS,
    OFFERED_RATIO,
    STREAM_SECONDS,
    bucket_bytes,
)
from campus_agent.measure.iperf3 import engine as iperf3_engine
from campus_agent.measure.machine import QUIET_CHECK_SECONDS
from campus_agent.measure.probe import AnyFinding, Cost, Finding, Probe, Run
from campus_agent.measure.request import ThroughputRequest
from campus_agent.measure.subjects import endpoint_of, endpoints_of, segment_of
from campus_agent.schedule.jobs import Job
from campus_wire.records import ThroughputRecord

QUICK_BURSTS = 8
"""Bursts a direction at most; usually one or two."""
TYPICAL_QUICK_SECONDS, TYPICAL_QUICK_RATIO = 1.5, 0.25
TYPICAL_IPERF3_OVERHEAD_SECONDS = 3.0


class Engine(NamedTuple):
    """One way to measure a rate."""

    measure: Callable[[ThroughputRequest, Run], Awaitable[Finding[ThroughputRecord]]]
    deadline_seconds: Callable[[ThroughputRequest], float]


ENGINES = {
    "campus": Engine(burst_engine.measure, burst_engine.deadline_seconds),
    "iperf3": Engine(iperf3_engine.measure, iperf3_engine.deadline_seconds),
    "browser": Engine(browser_engine.measure, browser_engine.deadline_seconds),
}


def jobs(config: AgentConfig) -> list[Job]:
    seconds = config.cycle.throughput_seconds
    return [Job("throughput", endpoint.id, seconds, "load", heavy=True) for endpoint in endpoints_of(config)]


def request_of(config: AgentConfig, subject: str, max_bytes: int | None) -> ThroughputRequest:
    """A throughput test of an endpoint, as configured. Raises KeyError."""
    endpoint = endpoint_of(config, subject)
    return ThroughputRequest(
        host=endpoint.host,
        port=endpoint.port,
        engine=endpoint.engine,
        segment=segment_of(endpoint),
        required_bits_per_second=endpoint.required_bits_per_second,
        duration_seconds=config.throughput.duration_seconds,
        warmup_seconds=config.throughput.warmup_seconds,
        max_cross_traffic_ratio=config.limits.max_cross_traffic_ratio,
        max_cpu_ratio=config.limits.max_cpu_ratio,
        test_key_file=str(config.test_key_file) if config.test_key_file else None,
        max_bytes=max_bytes,
        subject=endpoint.id,
        page_socket=str(socket_path(config.state_dir)),
    )


async def measure(request: ThroughputRequest, run: Run) -> list[AnyFinding]:
    finding = await ENGINES[request.engine].measure(request, run)
    if finding.record is None or request.segment != "uplink":
        return [finding]
    record = msgspec.structs.replace(finding.record, server=request.host)  # as configured: the engine knows its address
    return [msgspec.structs.replace(finding, record=record)]


def deadline_seconds(request: ThroughputRequest) -> float:
    return ENGINES[request.engine].deadline_seconds(request)


def least_bytes(config: AgentConfig, subject: str) -> int:
    """The most that a test by our own engine takes. One by TCP is as fast as the line, so it is ended when the day's bytes are spent."""
    endpoint = endpoint_of(config, subject)
    rate = endpoint.required_bits_per_second
    if endpoint.engine == "campus":
        bursts = round(2 * rate * OFFERED_RATIO * QUICK_BURSTS * BURST_SECONDS / 8)
        return bursts + (2 * round(BUCKET_COST_RATIO * bucket_bytes(rate)) if endpoint.id == "uplink" else 0)
    if endpoint.engine == "browser":
        return round(2 * rate * OFFERED_RATIO * STREAM_SECONDS / 8)
    seconds = config.throughput.duration_seconds + config.throughput.warmup_seconds
    return round(2 * rate * seconds / 8)


def typical_cost(config: AgentConfig, subject: str) -> Cost:
    """As measured in the lab (CHANGELOG)."""
    test_bytes = least_bytes(config, subject)
    if endpoint_of(config, subject).engine in ("campus", "browser"):
        return Cost(TYPICAL_QUICK_SECONDS + QUIET_CHECK_SECONDS, round(TYPICAL_QUICK_RATIO * test_bytes))
    seconds = config.throughput.duration_seconds + config.throughput.warmup_seconds
    return Cost(tcp_seconds(seconds) + QUIET_CHECK_SECONDS, test_bytes)


def tcp_seconds(direction_seconds: float) -> float:
    """What a test by TCP takes, both directions."""
    return 2.0 * direction_seconds + TYPICAL_IPERF3_OVERHEAD_SECONDS


PROBE = Probe(
    name="throughput",
    kind="throughput",
    jobs=jobs,
    settings=request_of,
    measure=measure,
    deadline_seconds=deadline_seconds,
    least_bytes=least_bytes,
    typical_cost=typical_cost,
)
