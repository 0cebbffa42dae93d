"""How fast is the line to a classroom, or to the bureau, against its target? Both directions, as a line rate.

The engines differ in method, bytes and time; what they answer is the same record (design section 3).
"""

from dataclasses import dataclass
from typing import Any

from campus_agent.measure.burst import engine as burst_engine
from campus_agent.measure.engine import Engine
from campus_agent.measure.iperf3 import engine as iperf3_engine
from campus_agent.measure.probe import Finding, Probe, Run
from campus_agent.measure.throughput_settings import Settings
from campus_wire.records import ThroughputResult

ENGINES: dict[str, Engine] = {"campus": burst_engine.ENGINE, "iperf3": iperf3_engine.ENGINE}


@dataclass(frozen=True, slots=True)
class Raw:
    """What an engine saw, and which engine can read it."""

    engine: str
    seen: Any


def deadline_seconds(settings: Settings) -> float:
    """The longest a run may take."""
    return ENGINES[settings.engine].deadline_seconds(settings)


async def measure(settings: Settings, run: Run) -> Raw:
    """All the I/O, by the configured engine."""
    return Raw(settings.engine, await ENGINES[settings.engine].measure(settings, run))


def interpret(raw: Raw) -> Finding:
    """All the arithmetic, by the engine that measured."""
    return ENGINES[raw.engine].interpret(raw.seen)


PROBE = Probe(
    name="throughput",
    version=1,
    settings=Settings,
    measure=measure,
    interpret=interpret,
    deadline_seconds=deadline_seconds,
    result=ThroughputResult,
)
