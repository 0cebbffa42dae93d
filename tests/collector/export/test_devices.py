"""Equipment on /metrics and on the page: what is polled is shown, what is no longer polled goes away."""

from datetime import UTC, datetime, timedelta
from typing import Any

from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.ids import new_result_id
from campus_wire.records import DeviceRecord, DeviceResult, RoomRecord, RoomResult, ServiceResult
from tests.collector.world import World

LABELS = 'device="rec-1",profile="recorder-generic",room="r1",school="s001",town="t01"'


def common(at: datetime, school: str = "s001") -> dict[str, Any]:
    return {
        "id": new_result_id(int(at.timestamp() * 1000)), "started_at": at, "boot_id": "b", "monotonic_seconds": 1.0,
        "duration_seconds": 1.0, "validity": Validity.OK, "school": school,
    }  # fmt: skip


def device(at: datetime, name: str = "rec-1", up: bool = True, school: str = "s001", **readings: float) -> DeviceResult:
    failed = {} if up else {"load_ratio": Failure(Operation.READ, FailureKind.PROTOCOL_ERROR)}
    record = DeviceRecord(
        "r1", "recorder-generic", up, True, readings, {"firmware": "<b>7.1</b>"}, failed, ["storage_free_ratio 0.01"]
    )
    failure = None if up else Failure(Operation.CONNECT, FailureKind.TIMEOUT)
    return DeviceResult(subject=name, record=record, failure=failure, **common(at, school))


def room(at: datetime, up: bool) -> RoomResult:
    return RoomResult(subject="r1", record=RoomRecord(up, 1, [] if up else ["rec-1"]), **common(at))


def test_a_room_and_its_devices(world: World) -> None:
    now = datetime.now(UTC)
    world.send(device(now, storage_free_ratio=0.01, stream_up=1.0, unheard_of=3.0), room(now, True))
    page = world.get("/metrics").body.decode()
    for line in (
        f"campus_device_up{{{LABELS}}} 1.0",
        f"campus_device_storage_free_ratio{{{LABELS}}} 0.01",
        f"campus_device_stream_up{{{LABELS}}} 1.0",
        'campus_room_up{room="r1",school="s001",town="t01"} 1.0',
        'campus_measurements_total{kind="device",outcome="ok"} 1.0',
    ):
        assert line in page, line
    assert "unheard_of" not in page
    html = world.get("/schools/s001").body.decode()
    for words in (
        "录播室 r1",
        "正常",
        "最满磁盘剩余 1.0%",
        "直播流 是",
        "超出限值：最满磁盘剩余 1.0%",
        "固件 &lt;b&gt;7.1",
    ):
        assert words in html, words


def test_down_says_why_and_the_newest_round_counts(world: World) -> None:
    now = datetime.now(UTC)
    world.send(device(now - timedelta(minutes=1)), room(now - timedelta(minutes=1), True))
    world.send(device(now, up=False), room(now, False))
    page = world.get("/metrics").body.decode()
    assert f"campus_device_up{{{LABELS}}} 0.0" in page
    assert 'campus_room_up{room="r1",school="s001",town="t01"} 0.0' in page
    html = world.get("/schools/s001?lang=en").body.decode()
    for words in (
        "Recording room r1",
        "does not work",
        "no answer in time",
        "processor load: the answer was not understood",
    ):
        assert words in html, words


def test_a_platform_that_failed_without_a_record_is_not_reachable(world: World) -> None:
    failure = Failure(Operation.CONNECT, FailureKind.TIMEOUT)
    world.send(ServiceResult(subject="smartedu-cn", failure=failure, **common(datetime.now(UTC))))
    assert (
        'campus_service_success{school="s001",service="smartedu-cn",town="t01"} 0.0'
        in world.get("/metrics").body.decode()
    )
    assert "不可访问" in world.get("/schools/s001").body.decode()


def test_what_is_no_longer_polled_goes_away(world: World) -> None:
    old = datetime.now(UTC) - timedelta(minutes=20)
    world.send(device(old), room(old, True))
    page = world.get("/metrics").body.decode()
    assert "campus_device_up{" not in page
    assert "campus_room_up{" not in page
