"""One poll round of recording-room equipment: every device asked once in one worker, then each room's state. The arithmetic is pure."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from campus_agent.config.model import NETWORK_ROOM, AgentConfig, Device
from campus_agent.measure.equipment.task import DevicesAnswer, DeviceSeen, DeviceSpec, DevicesTask
from campus_agent.measure.probe import AnyFinding, Finding, Probe, ProbeFailed, Run
from campus_agent.measure.worker import run_worker
from campus_agent.schedule.jobs import Job
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DeviceRecord, RoomRecord

EVERYTHING = "all"
"""The subject of a round of all equipment; a person may ask for one device."""
SCHOOL_SUBJECT = "recording_room"
DEVICE_SECONDS = 22.0
"""As long as `equipment.poll` gives one device."""
AT_ONCE = 24
START_SECONDS = 6.0
"""Python's start on a slow gateway, SNMP's library and its ciphers."""
MARGIN_SECONDS = 5.0


class PollSettings(msgspec.Struct, frozen=True):
    """Which devices; `time_zone` is the school's: some devices give local time without saying so. `rooms`: conclude on their rooms too."""

    devices: Sequence[Device]
    profile_dir: Path | None = None
    time_zone: str = "Asia/Shanghai"
    rooms: bool = True


def jobs(config: AgentConfig) -> list[Job]:
    return [Job("devices", EVERYTHING, config.cycle.device_seconds)] if config.devices else []


def settings(config: AgentConfig, subject: str, max_bytes: int | None) -> PollSettings:
    """Raises KeyError for a device that is not configured."""
    devices = config.devices
    if subject != EVERYTHING:
        devices = ({device.id: device for device in devices}[subject],)
    return PollSettings(devices, config.profile_dir, config.timezone.key, rooms=subject == EVERYTHING)


def worker_seconds(devices: int) -> float:
    """The longest a round may take."""
    return START_SECONDS + DEVICE_SECONDS * (1 + devices // AT_ONCE)


async def measure(settings: PollSettings, run: Run) -> list[AnyFinding]:
    """A finding of each device, of each room, and of the school where it has any room."""
    seen = await poll(settings.devices, settings.profile_dir, settings.time_zone)
    devices = [device_finding(*pair) for pair in zip(settings.devices, seen, strict=True)]
    rooms = room_findings(settings.devices, devices) if settings.rooms else []
    return [*devices, *rooms, *([school_finding(rooms)] if rooms else [])]


async def poll(
    devices: Sequence[Device], profile_dir: Path | None, time_zone: str = "Asia/Shanghai"
) -> list[DeviceSeen]:
    """What each device answered, in order. When the worker ends early or hangs, every device of this round has that failure."""
    specs = [
        DeviceSpec(device.id, device.host, device.profile, dict(device.snmp), dict(device.rtsp), dict(device.onvif))
        for device in devices
    ]
    task = DevicesTask(specs, str(profile_dir) if profile_dir else None, time_zone)
    try:
        body = await run_worker("equipment", task, worker_seconds(len(specs)))
    except ProbeFailed as failed:
        return [DeviceSeen(spec.id, up=False, failure=failed.failure) for spec in specs]
    except TimeoutError:
        failure = Failure(Operation.READ, FailureKind.WORKER_DIED, "the poll round did not end in time")
        return [DeviceSeen(spec.id, up=False, failure=failure) for spec in specs]
    return msgspec.json.decode(body, type=DevicesAnswer).seen


def device_finding(device: Device, polled: DeviceSeen) -> AnyFinding:
    """A failure on the gateway's side (a worker, a missing secret) is no failure of the device: not measured."""
    ours = polled.failure is not None and (
        polled.failure.operation is Operation.PREPARE or polled.failure.kind is FailureKind.WORKER_DIED
    )
    record = DeviceRecord(
        room=device.room,
        profile=device.profile,
        up=polled.up,
        required=device.required,
        readings=polled.readings,
        words=polled.words,
        failed=polled.failed,
        remarks=polled.remarks,
    )
    return Finding(
        None if ours else record,
        Validity.NOT_MEASURED if ours else Validity.OK,
        polled.failure,
        subject=device.id,
        seconds=polled.seconds,
    )


def room_findings(devices: Sequence[Device], findings: Sequence[AnyFinding]) -> list[AnyFinding]:
    """Each room: up when every required device of it is; not known when one of them could not be asked."""
    required = {device.id for device in devices if device.required}
    rooms = []
    for room in rooms_of(devices):
        of_room = [finding for device, finding in zip(devices, findings, strict=True) if device.room == room]
        counted = [finding for finding in of_room if finding.subject in required]
        down = [finding.subject for finding in counted if finding.record is not None and not finding.record.up]
        complete = bool(down) or all(finding.record is not None for finding in counted)
        record = RoomRecord(up=not down, devices=len(of_room), down=down)
        rooms.append(_of_room(room, record if complete else None))
    return rooms


def school_finding(rooms: Sequence[AnyFinding]) -> AnyFinding:
    """Has the school a recording room that works? Up when some room is; subject is `recording_room`, for the target of that name."""
    records = {room.subject: room.record for room in rooms if room.record is not None}
    down = [subject for subject, record in records.items() if not record.up]
    up = len(down) < len(records)
    sound = up or len(records) == len(rooms)
    return _of_room(SCHOOL_SUBJECT, RoomRecord(up=up, devices=len(rooms), down=down) if sound else None)


def _of_room(subject: str, record: RoomRecord | None) -> AnyFinding:
    validity = Validity.OK if record else Validity.NOT_MEASURED
    return Finding(record, validity, subject=subject, kind="room", seconds=0.0)


def rooms_of(devices: Sequence[Device]) -> list[str]:
    """Every recording room, in order, once."""
    return list(dict.fromkeys(device.room for device in devices if device.room != NETWORK_ROOM))


def unmeasured(config: AgentConfig, subject: str) -> list[AnyFinding]:
    """The rooms, and the school where it has any; the device where only one was to be asked."""
    if subject != EVERYTHING:
        return [Finding(subject=subject)]
    rooms = rooms_of(config.devices)
    return [_of_room(room, None) for room in (*rooms, *([SCHOOL_SUBJECT] if rooms else []))]


PROBE = Probe(
    name="devices",
    kind="device",
    jobs=jobs,
    settings=settings,
    measure=measure,
    deadline_seconds=lambda settings: worker_seconds(len(settings.devices)) + MARGIN_SECONDS,
    unmeasured=unmeasured,
)
