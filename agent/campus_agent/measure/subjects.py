"""From a configured subject to the settings of the probe that measures it. Pure."""

from dataclasses import replace
from typing import Any

from campus_agent.config.model import AgentConfig, Endpoint
from campus_agent.measure.burst.spec import BUCKET_COST_RATIO, OFFERED_RATIO, PULSE_SECONDS, bucket_bytes
from campus_agent.measure.probe import AnyProbe
from campus_agent.measure.probes import PROBES, host, latency, service
from campus_agent.measure.rooms import rooms_of
from campus_agent.measure.throughput_settings import REFERENCE_RATIO, WIRE_RATIO
from campus_agent.measure.throughput_settings import Settings as ThroughputSettings
from campus_agent.schedule.jobs import Job, Kind
from campus_agent.schedule.planner import Costs
from campus_wire.records import AgentState, AnnouncedClassroom, AnnouncedService, Announcement, Segment
from campus_wire.version import VERSION

GUARD_SECONDS = 1.0
"""How long the gateway is looked at before it is loaded."""
REFERENCE_SECONDS, REFERENCE_MIN_SECONDS, REFERENCE_WARMUP_SECONDS = 10, 5, 1
QUICK_PULSES = 8
"""Pulses a direction at most; usually one or two."""
TYPICAL_QUICK_SECONDS = 1.5
TYPICAL_QUICK_RATIO = 0.25


def segment_of(endpoint: Endpoint) -> Segment:
    """Which segment does an endpoint end?"""
    return "uplink" if endpoint.id == "uplink" else "classroom"


def throughput_settings(config: AgentConfig, endpoint: Endpoint, max_bytes: int | None = None) -> ThroughputSettings:
    """How to test this endpoint; `max_bytes`: what both directions together may put on the wire."""
    return ThroughputSettings(
        host=endpoint.host,
        port=endpoint.port,
        engine=endpoint.engine,
        segment=segment_of(endpoint),
        required_bits_per_second=endpoint.required_bits_per_second,
        duration_seconds=config.throughput.duration_seconds,
        warmup_seconds=config.throughput.warmup_seconds,
        max_cross_traffic_ratio=config.limits.max_cross_traffic_ratio,
        max_cpu_ratio=config.limits.max_cpu_ratio,
        test_key_file=config.test_key_file,
        max_bytes=max_bytes,
    )


def reference_settings(config: AgentConfig, endpoint: Endpoint, max_bytes: int | None = None) -> ThroughputSettings:
    """The same endpoint as an auditor would test it: iperf3, TCP, 10 s; shorter where the octets do not suffice."""
    seconds = REFERENCE_SECONDS
    if max_bytes is not None:
        affordable = max_bytes / _reference_bytes(endpoint, 1) - REFERENCE_WARMUP_SECONDS
        seconds = max(REFERENCE_MIN_SECONDS, min(seconds, int(affordable)))
    return replace(
        throughput_settings(config, endpoint, max_bytes),
        engine="iperf3",
        port=endpoint.iperf3_port,
        mode="reference",
        duration_seconds=seconds,
        warmup_seconds=REFERENCE_WARMUP_SECONDS,
    )


def probe_and_settings(
    config: AgentConfig, kind: Kind, subject: str, max_bytes: int | None = None
) -> tuple[AnyProbe, Any]:
    """The probe of a job and what to tell it. Raises KeyError for a subject the configuration does not have."""
    if kind == "host":
        return PROBES[kind], host.Settings(config.state_dir)
    if kind == "service":
        platform = _by_id(config.services)[subject]
        return PROBES[kind], service.Settings(platform.url, expected=platform.expected)
    endpoint = endpoint_of(config, subject)
    if kind == "latency":
        return PROBES[kind], latency.Settings(endpoint.host, segment_of(endpoint))
    make = reference_settings if kind == "reference" else throughput_settings
    return PROBES[probe_kind(kind)], make(config, endpoint, max_bytes)


def probe_kind(kind: Kind) -> str:
    """Which probe does a job use? A reference is a throughput test in another mode."""
    return "throughput" if kind == "reference" else kind


def endpoint_of(config: AgentConfig, subject: str) -> Endpoint:
    """The endpoint of a classroom, or of the uplink. Raises KeyError."""
    endpoint: Endpoint = _by_id((*config.classrooms, *((config.uplink,) if config.uplink else ())))[subject]
    return endpoint


def costs(config: AgentConfig) -> Costs:
    """What each job may take: its deadline, and octets enough to be worth a start.

    A quick test of ours ends within these octets; a TCP test goes as fast as the line, so a running one is ended when the day's are spent.
    """

    def seconds(job: Job) -> float:
        probe, settings = probe_and_settings(config, job.kind, job.subject)
        quick = costs(config).seconds(replace(job, kind="throughput")) if job.kind == "reference" else 0.0
        return probe.deadline_seconds(settings) + GUARD_SECONDS + quick

    def octets(job: Job) -> int:
        if not job.heavy:
            return 0
        endpoint = endpoint_of(config, job.subject)
        quick = _quick_bytes(config, endpoint)
        if job.kind == "reference":
            return quick + _reference_bytes(endpoint, REFERENCE_MIN_SECONDS + REFERENCE_WARMUP_SECONDS)
        return quick

    return Costs(seconds, octets)


def typical(config: AgentConfig) -> Costs:
    """What each job usually takes, for a plan that a person reads: measured in the lab (CHANGELOG)."""

    def seconds(job: Job) -> float:
        if not job.heavy:
            return 1.0
        endpoint = endpoint_of(config, job.subject)
        options = config.throughput
        iperf3 = 2.0 * (options.duration_seconds + options.warmup_seconds) + 3.0
        quick = (TYPICAL_QUICK_SECONDS if endpoint.engine == "campus" else iperf3) + GUARD_SECONDS
        return quick + (2.0 * (REFERENCE_SECONDS + REFERENCE_WARMUP_SECONDS) + 3.0 if job.kind == "reference" else 0.0)

    def octets(job: Job) -> int:
        if not job.heavy:
            return 0
        endpoint = endpoint_of(config, job.subject)
        quick = _quick_bytes(config, endpoint)
        if endpoint.engine == "campus":
            quick = round(TYPICAL_QUICK_RATIO * quick)
        if job.kind == "reference":
            return quick + _reference_bytes(endpoint, REFERENCE_SECONDS + REFERENCE_WARMUP_SECONDS)
        return quick

    return Costs(seconds, octets)


def _quick_bytes(config: AgentConfig, endpoint: Endpoint) -> int:
    rate = endpoint.required_bits_per_second
    if endpoint.engine == "campus":
        pulses = round(2 * rate * OFFERED_RATIO * QUICK_PULSES * PULSE_SECONDS / 8)
        return pulses + (2 * round(BUCKET_COST_RATIO * bucket_bytes(rate)) if endpoint.id == "uplink" else 0)
    seconds = config.throughput.duration_seconds + config.throughput.warmup_seconds
    return round(2 * rate * seconds / 8)


def _reference_bytes(endpoint: Endpoint, seconds: float) -> int:
    return round(2 * REFERENCE_RATIO * endpoint.required_bits_per_second * WIRE_RATIO * seconds / 8)


def announcement(config: AgentConfig) -> Announcement:
    """What this agent measures, for the collector."""
    return Announcement(
        town=config.town,
        classrooms=[
            AnnouncedClassroom(room.id, room.name[:100], room.required_bits_per_second) for room in config.classrooms
        ],
        services=[AnnouncedService(one.id, one.name[:100]) for one in config.services],
        recording_rooms=rooms_of(config.devices),
        uplink=config.uplink is not None,
        uplink_required_bits_per_second=config.uplink.required_bits_per_second if config.uplink else None,
    )


def agent_state(
    os_name: str, pending: int, dropped: int, offset: float | None, octets: dict[Segment, int]
) -> AgentState:
    """The agent's health for an envelope."""
    return AgentState(VERSION, os_name[:80], pending, dropped, offset, octets)


def _by_id(things: tuple[Any, ...]) -> dict[str, Any]:
    return {thing.id: thing for thing in things}
