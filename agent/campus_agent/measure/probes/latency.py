"""How long does a packet take to a classroom and back, how much does that vary, and how many never return?

The figures are those of `measure.delays`.
"""

from dataclasses import dataclass

from campus_agent.measure.link.connect import ECHO_SECONDS, reachable
from campus_agent.measure.link.icmp import Echoes, Pinger
from campus_agent.measure.link.rtt import summary
from campus_agent.measure.probe import Finding, Probe, Run
from campus_wire.failures import Failure, FailureKind, Operation
from campus_wire.records import LatencyProbeRecord, LatencyResult, Segment

RESOLVE_TIMEOUT_SECONDS = 5.0
ANSWER_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Which host, how many probes (4 to 1000), how far apart (at least 10 ms)."""

    host: str
    segment: Segment
    count: int = 25
    interval_seconds: float = 0.02


@dataclass(frozen=True, slots=True)
class Raw:
    """What came back."""

    segment: Segment
    echoes: Echoes


def deadline_seconds(settings: Settings) -> float:
    """The longest a run may take."""
    return (
        RESOLVE_TIMEOUT_SECONDS
        + settings.count * settings.interval_seconds
        + ANSWER_TIMEOUT_SECONDS
        + ECHO_SECONDS
        + 2.0
    )


async def measure(settings: Settings, run: Run) -> Raw:
    """Resolve, send the probes evenly, wait for the last answers."""
    address = await reachable(settings.host, None, RESOLVE_TIMEOUT_SECONDS, ECHO_SECONDS)
    with Pinger(address.text, address.family) as pinger:
        await pinger.send_every(settings.interval_seconds, settings.count)
        await pinger.settle(min(ANSWER_TIMEOUT_SECONDS, run.left_seconds()))
    return Raw(settings.segment, pinger.echoes)


def interpret(raw: Raw) -> Finding:
    """The figures; a host that answered nothing is a failure, not a loss of 1."""
    if not raw.echoes.rtt_seconds:
        detail = f"none of {raw.echoes.sent} echoes was answered"
        return Finding(failure=Failure(Operation.READ, FailureKind.TIMEOUT, detail))
    return Finding(record=LatencyProbeRecord(segment=raw.segment, idle=summary(raw.echoes)))


PROBE = Probe(
    name="latency",
    version=1,
    settings=Settings,
    measure=measure,
    interpret=interpret,
    deadline_seconds=deadline_seconds,
    result=LatencyResult,
)
