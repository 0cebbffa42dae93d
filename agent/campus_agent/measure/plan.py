"""What the probes of the list declare, for the planner and for the collector: jobs, their costs, the subjects. Pure, but for the free disk."""

import os
from pathlib import Path

from campus_agent.config.model import AgentConfig
from campus_agent.measure.machine import QUIET_CHECK_SECONDS
from campus_agent.measure.probe import Cost
from campus_agent.measure.probes import PROBES
from campus_agent.measure.probes.devices import rooms_of
from campus_agent.schedule.jobs import Job
from campus_agent.schedule.planner import Costs
from campus_wire.records import AgentState, AnnouncedClassroom, AnnouncedService, Announcement, Segment
from campus_wire.version import VERSION


def jobs_of(config: AgentConfig) -> tuple[Job, ...]:
    """Every job of a configuration, in the order of the first round."""
    return tuple(job for probe in PROBES.values() for job in probe.jobs(config))


def kinds_of(job: Job) -> list[str]:
    """The probes that are run for a job, in order."""
    before = PROBES[job.kind].preceded_by
    return [before, job.kind] if before else [job.kind]


def costs(config: AgentConfig) -> Costs:
    """What each job may take: its deadline, and bytes enough to be worth a start."""

    def seconds(job: Job) -> float:
        probes = [PROBES[kind] for kind in kinds_of(job)]
        return sum(p.deadline_seconds(p.settings(config, job.subject, None)) + QUIET_CHECK_SECONDS for p in probes)

    def needed_bytes(job: Job) -> int:
        return sum(PROBES[kind].least_bytes(config, job.subject) for kind in kinds_of(job))

    return Costs(seconds, needed_bytes)


def typical(config: AgentConfig) -> Costs:
    """What each job usually takes, for a plan that a person reads."""

    def typical_of(job: Job) -> list[Cost]:
        return [PROBES[kind].typical_cost(config, job.subject) for kind in kinds_of(job)]

    return Costs(
        lambda job: sum(cost.seconds for cost in typical_of(job)),
        lambda job: sum(cost.test_bytes for cost in typical_of(job)),
    )


def announcement(config: AgentConfig) -> Announcement:
    """What this agent measures, for the collector."""
    return Announcement(
        town=config.town,
        classrooms=[
            AnnouncedClassroom(room.id, room.name[:100], room.required_bits_per_second) for room in config.classrooms
        ],
        services=[AnnouncedService(service.id, service.name[:100]) for service in config.services],
        recording_rooms=rooms_of(config.devices),
        uplink=config.uplink is not None,
        uplink_required_bits_per_second=config.uplink.required_bits_per_second if config.uplink else None,
    )


def endpoints_of(config: AgentConfig) -> dict[str, list[str]]:
    """The classrooms by the engine that answers their tests."""
    by_engine: dict[str, list[str]] = {}
    for room in config.classrooms:
        by_engine.setdefault(room.engine, []).append(room.id)
    return by_engine


def free_bytes(folder: Path) -> int | None:
    """What programs without privileges may still write there; None where it cannot be asked."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize


def agent_state(
    os_name: str, pending: int, dropped: int, offset: float | None, test_bytes: dict[Segment, int]
) -> AgentState:
    """The agent's health for an envelope."""
    return AgentState(VERSION, os_name[:80], pending, dropped, offset, test_bytes)
