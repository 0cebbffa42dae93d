"""A school's configuration from the inventory and the policy, in the shape of `agent.toml`. Pure.

A sheet that was never given says nothing (None): the gateway keeps its own. What has no address cannot be measured and is left out.
"""

from datetime import date

from campus_collector.domain.inventory import Inventory, Service
from campus_collector.judge.policy import Policy
from campus_wire.records import (
    CentralAgent,
    CentralClassroom,
    CentralConfig,
    CentralDevice,
    CentralExpectation,
    CentralService,
    CentralTimetable,
    CentralUplink,
)


def config_for(school: str, inventory: Inventory, policy: Policy, day: date) -> CentralConfig:
    """What the school's gateway shall measure, by the rules in force on a day."""
    town = next((one.town for one in inventory.schools or () if one.id == school), None)
    required = _required(policy, "classroom_bandwidth", day)
    uplink = _required(policy, "uplink_bandwidth", day)
    rooms, devices, services = inventory.classrooms, inventory.devices, inventory.services
    return CentralConfig(
        agent=CentralAgent(school, town),
        classroom=None
        if rooms is None
        else [
            CentralClassroom(one.id, one.name, one.host, one.port, required)
            for one in rooms
            if one.school == school and one.host and not one.exempt_reason
        ],
        device=None
        if devices is None
        else [
            CentralDevice(one.id, one.name, one.room, one.profile, one.host, one.required)
            for one in devices
            if one.school == school and one.host
        ],
        service=None
        if services is None
        else [
            CentralService(one.id, one.name, one.url, _expectation(one)) for one in services if one.town in ("", town)
        ],
        uplink=None if uplink is None else CentralUplink(uplink),
        timetable=_timetable(school, inventory),
        policy_version=policy.version,
    )


def _expectation(one: Service) -> CentralExpectation | None:
    """What the inventory says of the platform's answer; None: nothing, and the gateway's own word stands."""
    given = one.expect_status or one.expect_text
    return CentralExpectation(one.expect_status, one.expect_text) if given else None


def _timetable(school: str, inventory: Inventory) -> CentralTimetable | None:
    """The school's own row, else the one for everybody."""
    rows = {one.school: one for one in inventory.timetables or ()}
    found = rows.get(school) or rows.get("")
    return None if found is None else CentralTimetable(found.periods, found.blackout)


def _required(policy: Policy, target: str, day: date) -> int | None:
    rule = policy.in_force(target, day)
    return None if rule is None or rule.required_bits_per_second is None else int(rule.required_bits_per_second)
