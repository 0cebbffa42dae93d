"""What is due next? Each job has its own cycle; whose turn is longest overdue goes first. Pure: time is an argument.

Two lanes never wait for each other: `load` (throughput, latency: one at a time, they share the segment) and `light`
(host, services).
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from campus_agent.config import AgentConfig

Lane = Literal["load", "light"]
Kind = Literal["throughput", "latency", "host", "service"]
LANE_OF: dict[Kind, Lane] = {"throughput": "load", "latency": "load", "host": "light", "service": "light"}


@dataclass(frozen=True, slots=True)
class Job:
    """One thing measured again and again."""

    kind: Kind
    subject: str
    every_seconds: float

    @property
    def lane(self) -> Lane:
        """Where it waits its turn."""
        return LANE_OF[self.kind]


def jobs_of(config: AgentConfig) -> tuple[Job, ...]:
    """Every job of a configuration, in the order of the first round: what is judged first."""
    cycle = config.cycle
    segments = [room.id for room in config.classrooms] + (["uplink"] if config.uplink else [])
    return (
        Job("host", "gateway", cycle.host_seconds),
        *(Job("service", service.id, cycle.service_seconds) for service in config.services),
        *(Job("throughput", segment, cycle.throughput_seconds) for segment in segments),
        *(Job("latency", segment, cycle.latency_seconds) for segment in segments),
    )


class Cycle:
    """Remembers when each job is due, in seconds of a monotonic clock."""

    def __init__(self, jobs: tuple[Job, ...], now: float, last_ended: dict[tuple[str, str], float]) -> None:
        """`last_ended` is what an earlier process of this boot knew: a restart must not repeat a whole round."""
        self.jobs = jobs
        self._due = {}
        for job in jobs:
            last = last_ended.get((job.kind, job.subject))
            self._due[job] = now if last is None else max(now, last + job.every_seconds)

    def next(self, lane: Lane, now: float) -> tuple[Job | None, float]:
        """The job of a lane that is longest overdue (first in order among equals), and how long to wait if none is due."""
        waiting = [job for job in self.jobs if job.lane == lane]
        if not waiting:
            return None, float("inf")
        job = min(waiting, key=lambda one: self._due[one])
        wait = self._due[job] - now
        return (job, 0.0) if wait <= 0 else (None, wait)

    def done(self, job: Job, now: float) -> None:
        """It was measured: due again after its cycle, spread by a stable share so that jobs do not bunch up."""
        self._due[job] = now + job.every_seconds * (1 + spread(job))

    def postpone(self, job: Job, until: float) -> None:
        """It could not be measured: ask again then."""
        self._due[job] = until

    def due(self, job: Job) -> float:
        """When it is due."""
        return self._due[job]


def spread(job: Job) -> float:
    """A stable share between 0 and 0.05 that differs from job to job."""
    digest = blake2b(f"{job.kind}/{job.subject}".encode(), digest_size=2).digest()
    return int.from_bytes(digest) / 65_536 * 0.05
