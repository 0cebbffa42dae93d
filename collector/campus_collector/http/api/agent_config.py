"""A school's configuration from the inventory and the policy, in the shape of `agent.toml`. Pure.

None for a sheet that was never imported: the gateway keeps its own. What has no address cannot be measured and is left out.
"""

from datetime import date

import msgspec

from campus_collector.config import LessonStreamConfig
from campus_collector.domain.inventory import Inventory, InventoryService
from campus_collector.judge.policy import Policy
from campus_wire.records import (
    FetchedAgent,
    FetchedClassroom,
    FetchedConfig,
    FetchedDevice,
    FetchedExpectation,
    FetchedLessonStream,
    FetchedService,
    FetchedTimetable,
    FetchedUplink,
)


def config_for(
    school: str, inventory: Inventory, policy: Policy, day: date, stream: LessonStreamConfig | None = None
) -> FetchedConfig:
    """What the school's gateway shall measure, by the rules in force on a day; `stream` is the same for all schools."""
    town = next((row.town for row in inventory.schools or () if row.id == school), None)
    required = _required(policy, "classroom_bandwidth", day)
    uplink = _required(policy, "uplink_bandwidth", day)
    rooms, devices, services = inventory.classrooms, inventory.devices, inventory.services
    return FetchedConfig(
        agent=FetchedAgent(school, town),
        classroom=None
        if rooms is None
        else [
            FetchedClassroom(room.id, room.name, room.host, room.port, required)
            for room in rooms
            if room.school == school and room.host and not room.exempt_reason
        ],
        device=None
        if devices is None
        else [
            FetchedDevice(device.id, device.name, device.room, device.profile, device.host, device.required)
            for device in devices
            if device.school == school and device.host
        ],
        service=None
        if services is None
        else [
            FetchedService(service.id, service.name, service.url, _expectation(service))
            for service in services
            if service.town in ("", town)
        ],
        uplink=None if uplink is None else FetchedUplink(uplink),
        timetable=_timetable(school, inventory),
        lesson_stream=None if stream is None else FetchedLessonStream(**msgspec.structs.asdict(stream)),
        policy_version=policy.version,
    )


def _expectation(service: InventoryService) -> FetchedExpectation | None:
    """What the inventory expects of the service's answer; None: nothing, and the gateway's own configuration stands."""
    expects = service.expect_status or service.expect_text
    return FetchedExpectation(service.expect_status, service.expect_text) if expects else None


def _timetable(school: str, inventory: Inventory) -> FetchedTimetable | None:
    """The school's own row, else the one for all schools."""
    rows = {row.school: row for row in inventory.timetables or ()}
    timetable = rows.get(school) or rows.get("")
    return None if timetable is None else FetchedTimetable(timetable.periods, timetable.blackout)


def _required(policy: Policy, target: str, day: date) -> int | None:
    rule = policy.in_force(target, day)
    return None if rule is None or rule.required_bits_per_second is None else int(rule.required_bits_per_second)
