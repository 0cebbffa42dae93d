"""The switch ports of classrooms and of the uplink: all asked in one worker; between rounds their locations and counters are remembered."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from campus_agent.config.model import AgentConfig, Endpoint
from campus_agent.measure.equipment.profile import find_profile
from campus_agent.measure.ports.counters import traffic_between
from campus_agent.measure.ports.reading import (
    PortLocation,
    PortQuery,
    PortReading,
    PortsAnswer,
    PortSeen,
    PortsTask,
    SwitchSpec,
)
from campus_agent.measure.probe import AnyFinding, Finding, Probe, ProbeFailed, Run
from campus_agent.measure.subjects import endpoints_of
from campus_agent.measure.worker import run_worker
from campus_agent.schedule.jobs import Job
from campus_base.settings import ConfigurationError
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import PortRecord

EVERYTHING = "all"
"""The subject of a round of all ports; a person may ask for one."""
ROUND_SECONDS = 45.0
MARGIN_SECONDS = 5.0
SEARCH_EVERY_SECONDS = 86_400.0
"""Cables are moved: locations are looked for anew once a day."""
TICKS_PER_SECOND = 100


class PortMemory(msgspec.Struct):
    """Places and counters of the last round, by subject; `searched_at` is of the monotonic clock."""

    searched_at: float
    locations: dict[str, PortLocation] = {}
    readings: dict[str, PortReading] = {}


def jobs(config: AgentConfig) -> list[Job]:
    """A round as often as devices are polled, where there is a switch to ask and a port to look for."""
    if not queries_of(config, EVERYTHING) or not switches_of(config):
        return []
    return [Job("ports", EVERYTHING, config.cycle.device_seconds, on_blackout="omit")]


def settings(config: AgentConfig, subject: str, max_bytes: int | None) -> PortsTask:
    return PortsTask(switches_of(config), queries_of(config, subject))


def queries_of(config: AgentConfig, subject: str) -> list[PortQuery]:
    """In a round of all, the uplink's port is asked only where the inventory names it: many addresses are seen behind it."""
    return [
        PortQuery(endpoint.id, endpoint.host, endpoint.switch, endpoint.switch_port)
        for endpoint in endpoints_of(config)
        if endpoint.id == subject or (subject == EVERYTHING and _may_be_found(endpoint))
    ]


def _may_be_found(endpoint: Endpoint) -> bool:
    return endpoint.id != "uplink" or bool(endpoint.switch and endpoint.switch_port)


async def measure(task: PortsTask, run: Run) -> list[AnyFinding]:
    """A finding of each port that was found, or could not be asked."""
    memory: PortMemory | None = run.memory.get("ports")
    if memory is None or run.began - memory.searched_at >= SEARCH_EVERY_SECONDS:
        readings = memory.readings if memory else {}
        memory = run.memory["ports"] = PortMemory(run.began, readings=readings)
    findings = []
    for seen in await ask_ports(msgspec.structs.replace(task, locations=memory.locations)):
        if seen.location is None and seen.failure is None:
            continue
        findings.append(finding_of(seen, memory.readings.pop(seen.subject, None)))
        memory.locations.pop(seen.subject, None)
        if seen.location is not None and seen.reading is not None:
            memory.locations[seen.subject], memory.readings[seen.subject] = seen.location, seen.reading
    return findings


async def ask_ports(task: PortsTask) -> Sequence[PortSeen]:
    """Runs in a worker. When it ends early or hangs, every port of this round has that failure."""
    try:
        body = await run_worker("ports", task, ROUND_SECONDS)
    except ProbeFailed as failed:
        return [PortSeen(query.subject, failure=failed.failure) for query in task.queries]
    except TimeoutError:
        failure = Failure(Operation.READ, FailureKind.WORKER_DIED, "the round did not end in time")
        return [PortSeen(query.subject, failure=failure) for query in task.queries]
    return msgspec.json.decode(body, type=PortsAnswer).seen


def finding_of(port: PortSeen, before: PortReading | None) -> AnyFinding:
    """One port, with what passed since `before`. Pure."""
    return Finding(
        record_of(port.location, port.reading, before) if port.location and port.reading else None,
        Validity.OK if port.reading else Validity.NOT_MEASURED,
        port.failure,
        subject=port.subject,
        seconds=port.seconds,
    )


def record_of(location: PortLocation, now: PortReading, before: PortReading | None) -> PortRecord:
    """A port as the switch reports it."""
    between = traffic_between(before, now) if before is not None else None
    changed = None
    if now.last_change_ticks is not None and now.last_change_ticks <= now.uptime_ticks:
        changed = (now.uptime_ticks - now.last_change_ticks) / TICKS_PER_SECOND
    return PortRecord(
        switch=location.switch,
        port=now.name,
        found_by=location.found_by,
        up=now.up,
        speed_bits_per_second=now.speed_bits_per_second,
        duplex=now.duplex,
        interval_seconds=between.seconds if between else None,
        received_bytes=between.received_octets if between else None,
        sent_bytes=between.sent_octets if between else None,
        received_packets=between.received_packets if between else None,
        receive_errors=between.receive_errors if between else None,
        send_errors=between.send_errors if between else None,
        fcs_errors=between.fcs_errors if between else None,
        late_collisions=between.late_collisions if between else None,
        utilization_ratio=between.utilization(now.speed_bits_per_second) if between else None,
        last_change_seconds=changed,
    )


def switches_of(config: AgentConfig) -> list[SwitchSpec]:
    """The devices whose profile says that they have ports, and that can be asked by SNMP."""
    return [
        SwitchSpec(device.id, device.host, dict(device.snmp))
        for device in config.devices
        if device.snmp and _has_ports(device.profile, config.profile_dir)
    ]


@lru_cache(maxsize=64)
def _has_ports(profile: str, folder: Path | None) -> bool:
    try:
        return find_profile(profile, folder).ports
    except ConfigurationError:  # reported by `check-config`
        return False


PROBE = Probe(
    name="ports",
    kind="port",
    jobs=jobs,
    settings=settings,
    measure=measure,
    deadline_seconds=lambda task: ROUND_SECONDS + MARGIN_SECONDS,
    unmeasured=lambda config, subject: [Finding(subject=query.subject) for query in queries_of(config, subject)],
)
