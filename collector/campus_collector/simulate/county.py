"""Which school and classroom has which fault, from when to when? Pure; the same for the same seed.

The truth that judge, diagnosis and ledger are checked against: each fault says which target it breaks and which cause must be named.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from campus_collector.domain.inventory import Classroom, Inventory

SCHOOL_FAULTS = (
    "",
    "uplink_flat",
    "",
    "uplink_bottleneck",
    "",
    "shared_bottleneck",
    "",
    "agent_silent",
    "",
    "gateway_busy",
    "late_batches",
    "uplink_shaped",
    "",
    "uplink_delay",
    "",
    "dns",
    "",
    "all_endpoints_off",
    "platform_slow",
    "",
)
CLASSROOM_FAULTS = (
    "port_speed_10",
    "half_duplex",
    "cable_errors",
    "shaped",
    "flat_rate",
    "wireless_or_cable",
    "overloaded_line",
    "unstable_rate",
    "endpoint_off",
    "endpoint_not_running",
    "too_few",
    "noise",
)
FAULTY_SHARE = 0.12
"""Of the classrooms of schools without a fault of their own."""
MENDED_SHARE = 0.4
EXEMPT_SHARE = 0.005
ROOM_FAULTS = ("", "recorder_down", "", "", "no_reports")
OF_CLASSROOMS = frozenset(
    {"uplink_bottleneck", "shared_bottleneck", "agent_silent", "gateway_busy", "all_endpoints_off"}
)
"""School faults that break every classroom."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, since which day (None: always), and the day it was mended (None: not yet)."""

    name: str
    mended_on: date | None = None
    began_on: date | None = None

    def on(self, day: date) -> bool:
        began = self.began_on is None or self.began_on <= day
        return bool(self.name) and began and (self.mended_on is None or day < self.mended_on)


NO_FAULT = Fault("")


@dataclass(slots=True)
class County:
    """An inventory with its faults."""

    inventory: Inventory
    schools: dict[str, Fault] = field(default_factory=dict)
    classrooms: dict[tuple[str, str], Fault] = field(default_factory=dict)
    rooms: dict[str, Fault] = field(default_factory=dict)

    def of_classroom(self, room: Classroom, day: date) -> str:
        """What breaks this classroom on this day: its school's fault first."""
        school = self.schools.get(room.school, NO_FAULT)
        if school.name in OF_CLASSROOMS and school.on(day):
            return school.name
        fault = self.classrooms.get((room.school, room.id), NO_FAULT)
        return fault.name if fault.on(day) else ""


def deal(
    inventory: Inventory,
    first: date,
    last: date,
    seed: int,
    later_share: float = 0.0,
    mended_share: float = MENDED_SHARE,
) -> County:
    """Faults for a county, from the first day on. Of them `later_share` begin after it, and `mended_share` are mended before the last day."""
    random = Random(seed)
    county = County(inventory)

    def fault(name: str) -> Fault:
        began = None
        if name and later_share and random.random() < later_share:
            began = first + timedelta(days=random.randrange((last - first).days + 1))
        if not name or random.random() >= mended_share:
            return Fault(name, None, began)
        earliest = began or first
        return Fault(name, earliest + timedelta(days=random.randrange((last - earliest).days + 1)), began)

    for number, school in enumerate(inventory.schools or ()):
        county.schools[school.id] = fault(SCHOOL_FAULTS[number % len(SCHOOL_FAULTS)])
        if school.town_seat:
            county.rooms[school.id] = fault(ROOM_FAULTS[number % len(ROOM_FAULTS)])
    dealt = 0
    rooms = []
    for room in inventory.classrooms or ():
        roll = random.random()
        if roll < FAULTY_SHARE:
            county.classrooms[room.school, room.id] = fault(CLASSROOM_FAULTS[dealt % len(CLASSROOM_FAULTS)])
            dealt += 1
        elif roll < FAULTY_SHARE + EXEMPT_SHARE:
            room = Classroom(room.school, room.id, room.name, room.host, room.port, "撤并停用")
        rooms.append(room)
    county.inventory = Inventory(
        inventory.schools, tuple(rooms), inventory.devices, inventory.services, inventory.timetables
    )
    return county
