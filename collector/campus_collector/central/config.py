"""A school's configuration from the inventory and the policy. Pure.

A sheet that was never given says nothing (None): the gateway keeps its own. Rooms without an address cannot be measured and are left out.
"""

from collections.abc import Sequence
from datetime import date

from campus_collector.inventory.model import Inventory
from campus_collector.judge.policy import Policy
from campus_wire.records import CentralClassroom, CentralConfig, CentralService


def config_for(school: str, inventory: Inventory, policy: Policy, day: date) -> CentralConfig:
    """What the school's gateway shall measure, by the rules in force on a day."""
    town = next((one.town for one in inventory.schools or () if one.id == school), "")
    rooms = policy.in_force("classroom_bandwidth", day)
    required = rooms.required_bits_per_second if rooms else None
    uplink = policy.in_force("uplink_bandwidth", day)
    return CentralConfig(
        school=school,
        town=town,
        classrooms=None if inventory.classrooms is None else _classrooms(school, inventory, required),
        services=None if inventory.services is None else _services(town, inventory),
        uplink_required_bits_per_second=_whole(uplink.required_bits_per_second if uplink else None),
        policy_version=policy.version,
    )


def _classrooms(school: str, inventory: Inventory, required: float | None) -> Sequence[CentralClassroom]:
    return [
        CentralClassroom(one.id, one.name, one.host, one.port, _whole(required))
        for one in inventory.classrooms or ()
        if one.school == school and one.host and not one.exempt_reason
    ]


def _services(town: str, inventory: Inventory) -> Sequence[CentralService]:
    return [CentralService(one.id, one.name, one.url) for one in inventory.services or () if one.town in ("", town)]


def _whole(rate: float | None) -> int | None:
    return None if rate is None else int(rate)
