"""The inventory of a county. Plain records in the order of the sheets; keys are the ids."""

from dataclasses import dataclass
from datetime import datetime

import msgspec


class InventorySchool(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of `schools`; who carries its uplink by which contract, and who maintains its network and is to be called.

    `contract_bits_per_second` is what the contract promises both ways; None: not known. The target is the policy's all the same.
    """

    town: str
    town_name: str
    id: str
    name: str
    town_seat: bool
    carrier: str = ""
    contract: str = ""
    contract_bits_per_second: int | None = None
    unit: str = ""
    contact: str = ""
    phone: str = ""


class Classroom(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of `classrooms`; with an `exempt_reason` it is not judged."""

    school: str
    id: str
    name: str
    host: str = ""
    port: int | None = None
    exempt_reason: str = ""


class Device(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of `devices`; a room is up when its required devices are."""

    school: str
    room: str
    id: str
    name: str
    profile: str
    host: str = ""
    required: bool = True


class InventoryService(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of `services`; `town` empty: everywhere. Expectations empty: any status below 400, any content."""

    id: str
    name: str
    url: str
    town: str = ""
    expect_status: tuple[int, ...] = ()
    expect_text: str = ""


class Timetable(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of `timetables`: lessons (08:00-08:45) and days without tests (2026-06-07/2026-06-09); `school` empty: every school without a row of its own."""

    school: str
    periods: tuple[str, ...] = ()
    blackout: tuple[str, ...] = ()


class Inventory(msgspec.Struct, frozen=True, omit_defaults=True):
    """All sheets. A sheet that was not given is None: what was known stays."""

    schools: tuple[InventorySchool, ...] | None = None
    classrooms: tuple[Classroom, ...] | None = None
    devices: tuple[Device, ...] | None = None
    services: tuple[InventoryService, ...] | None = None
    timetables: tuple[Timetable, ...] | None = None

    def over(self, before: "Inventory") -> "Inventory":
        """This inventory, with the sheets it lacks as they were before."""
        return Inventory(
            before.schools if self.schools is None else self.schools,
            before.classrooms if self.classrooms is None else self.classrooms,
            before.devices if self.devices is None else self.devices,
            before.services if self.services is None else self.services,
            before.timetables if self.timetables is None else self.timetables,
        )


EMPTY = Inventory((), (), (), (), ())


def within(inventory: Inventory, town: str | None) -> Inventory:
    """The part of one town; with None all of it."""
    if town is None:
        return inventory
    schools = tuple(school for school in inventory.schools or () if school.town == town)
    ids = {school.id for school in schools}
    return Inventory(
        schools,
        tuple(classroom for classroom in inventory.classrooms or () if classroom.school in ids),
        tuple(device for device in inventory.devices or () if device.school in ids),
        tuple(service for service in inventory.services or () if service.town in ("", town)),
        tuple(timetable for timetable in inventory.timetables or () if timetable.school in ids | {""}),
    )


def parts_by_school(inventory: Inventory) -> tuple[dict[str, Inventory], Inventory]:
    """The part of each school that has any row, and that of a school that has none; what is of all schools is in every part."""
    schools = {row.id: (row,) for row in inventory.schools or ()}
    rooms: dict[str, list[Classroom]] = {}
    devices: dict[str, list[Device]] = {}
    timetables: dict[str, list[Timetable]] = {}
    for room in inventory.classrooms or ():
        rooms.setdefault(room.school, []).append(room)
    for device in inventory.devices or ():
        devices.setdefault(device.school, []).append(device)
    for timetable in inventory.timetables or ():
        timetables.setdefault(timetable.school, []).append(timetable)

    def part(school: str) -> Inventory:
        return Inventory(
            None if inventory.schools is None else schools.get(school, ()),
            None if inventory.classrooms is None else tuple(rooms.get(school, ())),
            None if inventory.devices is None else tuple(devices.get(school, ())),
            inventory.services,
            None
            if inventory.timetables is None
            else (*timetables.get("", ()), *(timetables.get(school, ()) if school else ())),
        )

    named = schools.keys() | rooms.keys() | devices.keys() | timetables.keys()
    return {school: part(school) for school in named}, part("")


class InventorySubject(msgspec.Struct, frozen=True):
    """What follows from the inventory to be judged."""

    school: str
    kind: str
    id: str
    name: str
    exempt_reason: str = ""


def subjects_of(inventory: Inventory) -> list[InventorySubject]:
    """Every subject: classrooms, an uplink for each school, a recording room for each town-seat school, services by town."""
    subjects = [
        InventorySubject(room.school, "classroom", room.id, room.name, room.exempt_reason)
        for room in inventory.classrooms or ()
    ]
    for school in inventory.schools or ():
        subjects.append(InventorySubject(school.id, "uplink", "uplink", "uplink"))
        if school.town_seat:
            subjects.append(InventorySubject(school.id, "recording_room", "recording_room", "recording_room"))
        subjects += [
            InventorySubject(school.id, "service", service.id, service.name)
            for service in inventory.services or ()
            if service.town in ("", school.town)
        ]
    return subjects


@dataclass(frozen=True, slots=True)
class Upload:
    """An inventory that was looked at and waits to be put in force by its person: only on top of the version it was compared with."""

    inventory: Inventory
    before_version: int
    person: str
    ignored: tuple[str, ...]
    """What the file holds and nobody reads, in words."""


@dataclass(frozen=True, slots=True)
class Import:
    """An inventory that was put in force: counts of changes by sheet."""

    version: int
    imported_at: datetime
    effective_from: datetime
    imported_by: str
    changes: dict[str, dict[str, int]]
