"""A throughput test as an auditor would make it: by iperf3, TCP, 10 s, immediately after a quick one of the same line."""

import msgspec

from campus_agent.config.model import AgentConfig, Endpoint
from campus_agent.measure.probe import Cost, Probe
from campus_agent.measure.probes import throughput
from campus_agent.measure.request import REFERENCE_RATIO, WIRE_RATIO, ThroughputRequest
from campus_agent.measure.subjects import endpoint_of, endpoints_of
from campus_agent.schedule.jobs import DAY_SECONDS, Job

DURATION_SECONDS, MIN_DURATION_SECONDS, WARMUP_SECONDS = 10, 5, 1


def jobs(config: AgentConfig) -> list[Job]:
    seconds = config.cycle.reference_days * DAY_SECONDS
    endpoints = [each for each in endpoints_of(config) if each.engine != "browser"] if seconds else []
    return [Job("reference", endpoint.id, seconds, "load", heavy=True, on_blackout="omit") for endpoint in endpoints]


def request_of(config: AgentConfig, subject: str, max_bytes: int | None) -> ThroughputRequest:
    """Shorter than usual where the bytes do not suffice. Raises KeyError."""
    endpoint = endpoint_of(config, subject)
    seconds = DURATION_SECONDS
    if max_bytes is not None:
        affordable = max_bytes / _bytes_in(endpoint, 1) - WARMUP_SECONDS
        seconds = max(MIN_DURATION_SECONDS, min(seconds, int(affordable)))
    return msgspec.structs.replace(
        throughput.request_of(config, subject, max_bytes),
        engine="iperf3",
        port=endpoint.iperf3_port,
        mode="reference",
        duration_seconds=seconds,
        warmup_seconds=WARMUP_SECONDS,
    )


def least_bytes(config: AgentConfig, subject: str) -> int:
    """Bytes on the wire of the shortest test worth a start, both directions."""
    return _bytes_in(endpoint_of(config, subject), MIN_DURATION_SECONDS + WARMUP_SECONDS)


def typical_cost(config: AgentConfig, subject: str) -> Cost:
    seconds = DURATION_SECONDS + WARMUP_SECONDS
    return Cost(throughput.tcp_seconds(seconds), _bytes_in(endpoint_of(config, subject), seconds))


def _bytes_in(endpoint: Endpoint, seconds: float) -> int:
    """On the wire, both directions."""
    return round(2 * REFERENCE_RATIO * endpoint.required_bits_per_second * WIRE_RATIO * seconds / 8)


PROBE = Probe(
    name="reference",
    kind="throughput",
    jobs=jobs,
    settings=request_of,
    measure=throughput.measure,
    deadline_seconds=throughput.deadline_seconds,
    preceded_by="throughput",
    least_bytes=least_bytes,
    typical_cost=typical_cost,
)
