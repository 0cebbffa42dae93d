"""The inventory of a county (design section 10). Plain records in the order of the sheets; keys are the ids."""

import msgspec


class School(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of `schools`."""

    town: str
    town_name: str
    id: str
    name: str
    town_seat: bool


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


class Service(msgspec.Struct, frozen=True, omit_defaults=True):
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

    schools: tuple[School, ...] | None = None
    classrooms: tuple[Classroom, ...] | None = None
    devices: tuple[Device, ...] | None = None
    services: tuple[Service, ...] | None = None
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


def within(inventory: Inventory, town: str) -> Inventory:
    """What of it is one town's; with "" all of it."""
    if not town:
        return inventory
    schools = tuple(one for one in inventory.schools or () if one.town == town)
    ids = {one.id for one in schools}
    return Inventory(
        schools,
        tuple(one for one in inventory.classrooms or () if one.school in ids),
        tuple(one for one in inventory.devices or () if one.school in ids),
        tuple(one for one in inventory.services or () if one.town in ("", town)),
        tuple(one for one in inventory.timetables or () if one.school in ids | {""}),
    )


class Subject(msgspec.Struct, frozen=True):
    """What follows from the inventory to be judged."""

    school: str
    kind: str
    id: str
    name: str
    exempt_reason: str = ""


def subjects_of(inventory: Inventory) -> list[Subject]:
    """Every subject: classrooms, an uplink for each school, a recording room for each town-seat school, platforms by town."""
    schools = inventory.schools or ()
    found = [
        Subject(one.school, "classroom", one.id, one.name, one.exempt_reason) for one in inventory.classrooms or ()
    ]
    for school in schools:
        found.append(Subject(school.id, "uplink", "uplink", "uplink"))
        if school.town_seat:
            found.append(Subject(school.id, "recording_room", "recording_room", "recording_room"))
        found += [
            Subject(school.id, "service", one.id, one.name)
            for one in inventory.services or ()
            if one.town in ("", school.town)
        ]
    return found
