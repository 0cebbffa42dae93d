"""The recording rooms of a school and their devices, as a page shows them."""

from dataclasses import dataclass
from datetime import timedelta

from campus_base.messages import verbatim
from campus_base.readings import READINGS, in_words
from campus_base.wire_words import FAILURE_WORDS
from campus_collector.http.pages.reader import Badge, Reader
from campus_wire.records import AnyResult, DeviceRecord, DeviceResult, RoomResult


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device of a recording room: its state, its readings, and what is wrong."""

    id: str
    profile: str
    badge: Badge
    required: bool
    when: str
    readings: list[str]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class RoomBlock:
    """A recording room."""

    id: str
    badge: Badge
    when: str
    devices: list[DeviceRow]
    strip: str = ""
    """The states of today, as a picture."""
    outages: str = ""


def rooms_of(reader: Reader, newest: list[AnyResult]) -> list[RoomBlock]:
    """Recording rooms as polled last; what was not polled for a day is gone."""
    since = reader.now - timedelta(days=1)
    fresh = [result for result in newest if result.started_at >= since]
    devices: dict[str, list[DeviceRow]] = {}
    for result in fresh:
        if isinstance(result, DeviceResult) and result.record is not None:
            devices.setdefault(result.record.room, []).append(device_row(reader, result, result.record))
    rooms = [
        RoomBlock(
            result.subject,
            reader.state(result.record.up if result.record else None),
            reader.when(result),
            devices[result.subject],
        )
        for result in fresh
        if isinstance(result, RoomResult) and result.subject in devices
    ]
    return sorted(rooms, key=lambda room: room.id)


def device_row(reader: Reader, result: DeviceResult, record: DeviceRecord) -> DeviceRow:
    readings: dict[str, float | str] = {**record.readings, **record.words}
    order = [name for name in READINGS if name in readings]
    notes = [reader.text(FAILURE_WORDS[result.failure.kind])] if result.failure else []
    notes += [
        f"{reader.text(READINGS.get(name, verbatim(name)))}{reader.words('colon')}{reader.text(FAILURE_WORDS[why.kind])}"
        for name, why in record.failed.items()
    ]
    beyond = [remark.partition(" ")[0] for remark in record.remarks]
    notes += [
        reader.words("beyond", reading=in_words(name, readings[name], reader.language))
        for name in beyond
        if name in readings
    ]
    return DeviceRow(
        id=result.subject,
        profile=record.profile,
        badge=reader.state(record.up),
        required=record.required,
        when=reader.when(result),
        readings=[in_words(name, readings[name], reader.language) for name in order],
        notes=notes,
    )
