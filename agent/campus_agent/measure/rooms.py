"""One poll round of recording-room equipment: every device asked once in one worker, then each room's state. The arithmetic is pure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from campus_agent.config.model import NETWORK_ROOM, Device
from campus_agent.measure.equipment.task import DevicesAnswer, DeviceSeen, DeviceSpec, DevicesTask
from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.worker import run_worker
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DeviceRecord, DeviceResult, RoomRecord, RoomResult

SCHOOL_SUBJECT = "recording_room"
ONE_SECONDS = 22.0
"""As long as `devices.poll` gives one device."""
AT_ONCE = 24
START_SECONDS = 6.0
"""Python's start on a slow gateway, SNMP's library and its ciphers."""


def deadline_seconds(devices: int) -> float:
    """The longest a round may take."""
    return START_SECONDS + ONE_SECONDS * (1 + devices // AT_ONCE)


async def poll(
    devices: Sequence[Device], profile_dir: Path | None, time_zone: str = "Asia/Shanghai"
) -> list[DeviceSeen]:
    """What each device said, in order; `time_zone` is the school's. A worker that dies or hangs costs this round: every device then has its failure."""
    specs = [
        DeviceSpec(one.id, one.host, one.profile, dict(one.snmp), dict(one.rtsp), dict(one.onvif)) for one in devices
    ]
    task = DevicesTask(specs, str(profile_dir) if profile_dir else None, time_zone)
    try:
        body = await run_worker("equipment", task, deadline_seconds(len(specs)))
    except ProbeFailed as failed:
        return [DeviceSeen(one.id, up=False, failure=failed.failure) for one in specs]
    except TimeoutError:
        failure = Failure(Operation.READ, FailureKind.WORKER_DIED, "the poll round did not end in time")
        return [DeviceSeen(one.id, up=False, failure=failure) for one in specs]
    return msgspec.json.decode(body, type=DevicesAnswer).seen


def device_result(device: Device, seen: DeviceSeen, school: str, stamp: dict[str, Any]) -> DeviceResult:
    """One device's result. What our own side broke (a worker, a missing secret) says nothing of the device."""
    ours = seen.failure is not None and (
        seen.failure.operation is Operation.PREPARE or seen.failure.kind is FailureKind.WORKER_DIED
    )
    record = DeviceRecord(
        room=device.room,
        profile=device.profile,
        up=seen.up,
        required=device.required,
        readings=seen.readings,
        words=seen.words,
        failed=seen.failed,
        remarks=seen.remarks,
    )
    return DeviceResult(
        **stamp,
        subject=device.id,
        school=school,
        duration_seconds=seen.seconds,
        validity=Validity.NOT_MEASURED if ours else Validity.OK,
        failure=seen.failure,
        record=None if ours else record,
    )


def room_results(
    devices: Sequence[Device], results: Sequence[DeviceResult], school: str, stamps: Sequence[dict[str, Any]]
) -> list[RoomResult]:
    """Each room: up when every required device of it is; not known when one of them could not be asked.

    `stamps` has one label for each room, in the order of `rooms_of`.
    """
    by_room = {room: [r for d, r in zip(devices, results, strict=True) if d.room == room] for room in rooms_of(devices)}
    found = []
    for (room, own), stamp in zip(by_room.items(), stamps, strict=True):
        needed = {one.id for one in devices if one.room == room and one.required}
        counted = [one for one in own if one.subject in needed]
        known = all(one.record is not None for one in counted)
        down = [one.subject for one in counted if one.record is not None and not one.record.up]
        found.append(
            RoomResult(
                **stamp,
                subject=room,
                school=school,
                duration_seconds=0.0,
                validity=Validity.OK if known or down else Validity.NOT_MEASURED,
                record=RoomRecord(up=not down, devices=len(own), down=down) if known or down else None,
            )
        )
    return found


def school_result(rooms: Sequence[RoomResult], school: str, stamp: dict[str, Any]) -> RoomResult:
    """Has the school a recording room that works? Up when some room is; subject is `recording_room`, for the target of that name."""
    known = [one.record for one in rooms if one.record is not None]
    up = any(record.up for record in known)
    sound = up or len(known) == len(rooms)
    down = [one.subject for one in rooms if one.record is not None and not one.record.up]
    return RoomResult(
        **stamp,
        subject=SCHOOL_SUBJECT,
        school=school,
        duration_seconds=0.0,
        validity=Validity.OK if sound else Validity.NOT_MEASURED,
        record=RoomRecord(up=up, devices=len(rooms), down=down) if sound else None,
    )


def rooms_of(devices: Sequence[Device]) -> list[str]:
    """Every recording room, in order, once."""
    return list(dict.fromkeys(one.room for one in devices if one.room != NETWORK_ROOM))
