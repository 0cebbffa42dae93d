"""What the resident agent remembers of ports, and the results it makes of a round."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from campus_agent.config.model import AgentConfig, Endpoint
from campus_agent.measure.equipment.profile import find_profile
from campus_agent.measure.ports.counters import passed
from campus_agent.measure.ports.reading import Place, PortsAnswer, PortSeen, PortsTask, Reading, SwitchSpec, Wanted
from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.worker import run_worker
from campus_base.settings import ConfigurationError
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import PortRecord, PortResult

ROUND_SECONDS = 45.0
SEARCH_EVERY_SECONDS = 86_400.0
"""Cables are moved: places are looked for anew once a day."""
TICKS_PER_SECOND = 100
Stamp = Callable[[float], dict[str, Any]]


class PortWatch:
    """Places and counters of the last round; small: a line for each classroom."""

    def __init__(self, config: AgentConfig) -> None:
        """Nothing is known yet."""
        self._config = config
        self.switches = switches_of(config)
        self._places: dict[str, Place] = {}
        self._before: dict[str, Reading] = {}
        self._searched_at: float | None = None

    async def round(self, stamp: Stamp, now: float) -> list[PortResult]:
        """Every classroom's port whose port is known; nothing for those nobody knows it of."""
        endpoints = (*self._config.classrooms, *((self._config.uplink,) if self._config.uplink else ()))
        wanted = [Wanted(one.id, one.host, one.switch, one.switch_port) for one in endpoints if self._looked_for(one)]
        if not self.switches or not wanted:
            return []
        if self._searched_at is None or now - self._searched_at >= SEARCH_EVERY_SECONDS:
            self._places, self._searched_at = {}, now
        seen = await ask_ports(PortsTask(self.switches, wanted, self._places))
        results = []
        for one in seen:
            if one.place is None and one.failure is None:
                continue
            results.append(result_of(one, self._before.get(one.subject), self._config.school, stamp(one.seconds)))
            self._places.pop(one.subject, None)
            self._before.pop(one.subject, None)
            if one.place is not None and one.reading is not None:
                self._places[one.subject], self._before[one.subject] = one.place, one.reading
        return results

    def _looked_for(self, one: Endpoint) -> bool:
        """The uplink's port is only what the inventory says: many addresses hang there."""
        return one.id != "uplink" or bool(one.switch and one.switch_port)


async def ask_ports(task: PortsTask) -> Sequence[PortSeen]:
    """In a worker. One that dies or hangs costs this round: every port then has its failure."""
    try:
        body = await run_worker("ports", task, ROUND_SECONDS)
    except ProbeFailed as failed:
        return [PortSeen(one.subject, failure=failed.failure) for one in task.wanted]
    except TimeoutError:
        failure = Failure(Operation.READ, FailureKind.WORKER_DIED, "the round did not end in time")
        return [PortSeen(one.subject, failure=failure) for one in task.wanted]
    return msgspec.json.decode(body, type=PortsAnswer).seen


def result_of(seen: PortSeen, before: Reading | None, school: str, stamp: dict[str, Any]) -> PortResult:
    """One port's result, with what passed since the last round where that can be said. Pure."""
    return PortResult(
        **stamp,
        subject=seen.subject,
        school=school,
        duration_seconds=seen.seconds,
        validity=Validity.OK if seen.reading else Validity.NOT_MEASURED,
        failure=seen.failure,
        record=record_of(seen.place, seen.reading, before) if seen.place and seen.reading else None,
    )


def record_of(place: Place, now: Reading, before: Reading | None) -> PortRecord:
    """A port as the switch tells it."""
    between = passed(before, now) if before is not None else None
    changed = None
    if now.last_change_ticks is not None and now.last_change_ticks <= now.uptime_ticks:
        changed = (now.uptime_ticks - now.last_change_ticks) / TICKS_PER_SECOND
    return PortRecord(
        switch=place.switch,
        port=now.name,
        found_by=place.found_by,
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
        SwitchSpec(one.id, one.host, dict(one.snmp))
        for one in config.devices
        if one.snmp and _has_ports(one.profile, config.profile_dir)
    ]


def _has_ports(profile: str, folder: Path | None) -> bool:
    try:
        return find_profile(profile, folder).ports
    except ConfigurationError:  # `check-config` tells of it
        return False
