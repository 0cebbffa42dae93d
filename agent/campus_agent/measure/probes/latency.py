"""How long does a packet take to a classroom and back, how much does that vary, and how many never return?

The figures are those of `measure.link.rtt`.
"""

import msgspec

from campus_agent.config.model import AgentConfig
from campus_agent.measure.link.connect import ECHO_SECONDS, reachable
from campus_agent.measure.link.icmp import Pinger
from campus_agent.measure.link.rtt import Echoes, summary
from campus_agent.measure.probe import AnyFinding, Finding, Probe, Run
from campus_agent.measure.subjects import endpoint_of, endpoints_of, segment_of
from campus_agent.schedule.jobs import Job
from campus_wire.failures import Failure, FailureKind, Operation
from campus_wire.records import LatencyProbeRecord, Segment

RESOLVE_TIMEOUT_SECONDS = 5.0
ANSWER_TIMEOUT_SECONDS = 1.0
MARGIN_SECONDS = 2.0


class LatencySettings(msgspec.Struct, frozen=True):
    """Which host, how many probes (4 to 1000), how far apart (at least 10 ms)."""

    host: str
    segment: Segment
    count: int = 25
    interval_seconds: float = 0.02


def jobs(config: AgentConfig) -> list[Job]:
    return [Job("latency", endpoint.id, config.cycle.latency_seconds, "load") for endpoint in endpoints_of(config)]


def settings(config: AgentConfig, subject: str, max_bytes: int | None) -> LatencySettings:
    endpoint = endpoint_of(config, subject)
    return LatencySettings(endpoint.host, segment_of(endpoint))


def deadline_seconds(settings: LatencySettings) -> float:
    sending = settings.count * settings.interval_seconds
    return RESOLVE_TIMEOUT_SECONDS + sending + ANSWER_TIMEOUT_SECONDS + ECHO_SECONDS + MARGIN_SECONDS


async def measure(settings: LatencySettings, run: Run) -> list[AnyFinding]:
    """Resolve, send the probes evenly, wait for the last answers."""
    address = await reachable(settings.host, None, RESOLVE_TIMEOUT_SECONDS, ECHO_SECONDS)
    with Pinger(address.text, address.family) as pinger:
        await pinger.send_every(settings.interval_seconds, settings.count)
        await pinger.settle(min(ANSWER_TIMEOUT_SECONDS, run.left_seconds()))
    return [interpret(settings.segment, pinger.echoes)]


def interpret(segment: Segment, echoes: Echoes) -> AnyFinding:
    """The figures; a host that answered nothing is a failure, not a loss of 1."""
    if not echoes.rtt_seconds:
        detail = f"none of {echoes.sent} echoes was answered"
        return Finding(failure=Failure(Operation.READ, FailureKind.TIMEOUT, detail))
    return Finding(LatencyProbeRecord(segment=segment, idle=summary(echoes)))


PROBE = Probe(
    name="latency",
    kind="latency",
    jobs=jobs,
    settings=settings,
    measure=measure,
    deadline_seconds=deadline_seconds,
)
