"""What is measured again and again, in which lane, how often. Pure.

Two lanes never wait for each other: `load` (throughput, reference, latency: one at a time, they share the segment) and `light` (host,
services, equipment).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from zlib import crc32

from campus_agent.config.model import AgentConfig

Lane = Literal["load", "light"]
Kind = Literal["throughput", "reference", "latency", "host", "service", "devices", "network"]
LANE_OF: dict[Kind, Lane] = {
    "throughput": "load",
    "reference": "load",
    "latency": "load",
    "host": "light",
    "service": "light",
    "devices": "light",
    "network": "light",
}
HEAVY: frozenset[Kind] = frozenset({"throughput", "reference"})
"""These load the line: never in a lesson, never beyond the day's bytes."""
DAY_SECONDS = 86_400.0
NETWORK_FIRST_SECONDS = 600.0
"""The school's own links are looked at some time after the start: a gateway that boots has other things to do."""


@dataclass(frozen=True)
class Job:
    """One thing measured again and again."""

    kind: Kind
    subject: str
    every_seconds: float

    @property
    def lane(self) -> Lane:
        """Where it waits its turn."""
        return LANE_OF[self.kind]

    @property
    def first_seconds(self) -> float:
        """How long after the start is it due first?"""
        return min(NETWORK_FIRST_SECONDS, self.every_seconds) if self.kind == "network" else 0.0

    @property
    def heavy(self) -> bool:
        """Does it load the line?"""
        return self.kind in HEAVY

    @cached_property
    def name(self) -> str:
        """How it is called in the state that is kept: kind/subject."""
        return f"{self.kind}/{self.subject}"


def jobs_of(config: AgentConfig) -> tuple[Job, ...]:
    """Every job of a configuration, in the order of the first round: what is judged first."""
    cycle = config.cycle
    segments = [room.id for room in config.classrooms] + (["uplink"] if config.uplink else [])
    reference = cycle.reference_days * DAY_SECONDS
    return (
        Job("host", "gateway", cycle.host_seconds),
        *(Job("service", service.id, cycle.service_seconds) for service in config.services),
        *([Job("devices", "all", cycle.device_seconds)] if config.devices else []),
        *([Job("network", "lan", cycle.network_seconds)] if cycle.network_seconds else []),
        *(Job("throughput", segment, cycle.throughput_seconds) for segment in segments),
        *(Job("latency", segment, cycle.latency_seconds) for segment in segments),
        *(Job("reference", segment, reference) for segment in segments if reference),
    )


def share(*names: str) -> float:
    """A stable share between 0 and 1 that differs from name to name: spreads a fleet without anybody's coordination."""
    return crc32("/".join(names).encode()) / 2**32
