"""From a configured subject to the settings of the probe that measures it. Pure."""

from typing import Any

from campus_agent.config import AgentConfig, Endpoint
from campus_agent.measure.probe import AnyProbe
from campus_agent.measure.probes import PROBES, host, latency, service
from campus_agent.measure.throughput_settings import Settings as ThroughputSettings
from campus_agent.schedule.cycle import Kind
from campus_wire.records import AgentState, AnnouncedClassroom, AnnouncedService, Announcement, Segment
from campus_wire.version import VERSION


def segment_of(endpoint: Endpoint) -> Segment:
    """Which segment does an endpoint end?"""
    return "uplink" if endpoint.id == "uplink" else "classroom"


def throughput_settings(config: AgentConfig, endpoint: Endpoint) -> ThroughputSettings:
    """How to test this endpoint."""
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
    )


def probe_and_settings(config: AgentConfig, kind: Kind, subject: str) -> tuple[AnyProbe, Any]:
    """The probe of a job and what to tell it. Raises KeyError for a subject the configuration does not have."""
    if kind == "host":
        return PROBES[kind], host.Settings(config.state_dir)
    if kind == "service":
        return PROBES[kind], service.Settings(_by_id(config.services)[subject].url)
    endpoints = _by_id((*config.classrooms, *((config.uplink,) if config.uplink else ())))
    endpoint = endpoints[subject]
    if kind == "latency":
        return PROBES[kind], latency.Settings(endpoint.host, segment_of(endpoint))
    return PROBES[kind], throughput_settings(config, endpoint)


def expected_bytes(config: AgentConfig, endpoint: Endpoint) -> int:
    """What a throughput test of this endpoint may cost at most, both directions, for the day's budget."""
    rate = endpoint.required_bits_per_second
    if endpoint.engine == "campus":
        return round(2 * rate * 1.15 * 0.4 / 8)
    seconds = config.throughput.duration_seconds + config.throughput.warmup_seconds
    return round(2 * rate * seconds / 8)


def announcement(config: AgentConfig) -> Announcement:
    """What this agent measures, for the collector."""
    return Announcement(
        town=config.town,
        classrooms=[
            AnnouncedClassroom(room.id, room.name[:100], room.required_bits_per_second) for room in config.classrooms
        ],
        services=[AnnouncedService(one.id, one.name[:100]) for one in config.services],
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
