"""The page of a school: each room in few words, what is wrong with whom to call, and no more than it needs."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from campus_collector.domain.inventory import EMPTY, InventorySchool
from campus_collector.domain.problem import Problem
from campus_wire.records import AnnouncedClassroom, Announcement
from tests.collector.export.test_devices import device, room
from tests.collector.http.test_statements import counted
from tests.collector.world import World, collector, throughput

EVIL = '<script>document.title="owned"</script>"\'><img src=x onerror=alert(1)>'
SCHOOL = InventorySchool(
    "t01", "柳河镇", "s001", "柳河镇中心小学", False, "甲通信公司", "JY-7", 500_000_000, "乙网络公司", "王老师", "0531-777"
)  # fmt: skip


def page_of(world: World, path: str = "/schools/s001", language: str = "zh") -> str:
    answer = world.get(path, Accept="text/html", Accept_Language=language)
    assert answer.status == 200, answer.body
    return unescape(answer.body.decode())


def words_of(page: str) -> str:
    """What a reader sees, on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def today_here() -> date:
    """The day it is in the county."""
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


def problem(**values: object) -> Problem:
    today = today_here()
    given = {
        "school": "s001", "town": "t01", "target": "classroom_bandwidth", "subject": "c101", "state": "open",
        "opened_on": today - timedelta(days=9), "due_on": today - timedelta(days=1), "diagnosis": "port_speed_10",
        "unit": "integrator", "failing_days": 4,
    }  # fmt: skip
    return msgspec.convert(given | values, Problem)


def test_a_tile_says_how_a_room_is_and_leads_to_its_page(world: World) -> None:
    now = datetime.now(UTC)
    world.send(
        throughput(59.93e6, 88.01e6, at=now - timedelta(minutes=5)), throughput(999e6, 998e6, at=now, subject="uplink")
    )
    page = page_of(world)
    assert 'href="/schools/s001/subjects/c101"' in page
    assert 'href="/schools/s001/subjects/uplink"' in page
    text = words_of(page)
    assert "↓ 59.9 ↑ 88.0 有效数据 56.4／82.9 ×1.0622" in text
    assert "最近一次测量 ✗ 不合格 5 分钟前" in text
    assert "要求 100 Mbps" in text
    assert "测速服务器：未记录" in text
    english = words_of(page_of(world, language="en"))
    assert "↓ 59.9 ↑ 88.0 payload 56.4/82.9 ×1.0622" in english
    assert "Test server: not recorded" in english


def test_who_is_to_be_called_stands_beside_what_is_wrong(world: World) -> None:
    now = datetime.now(UTC)
    world.send(throughput())
    inventory = msgspec.structs.replace(
        EMPTY, schools=(SCHOOL,), classrooms=None, devices=None, services=None, timetables=None
    )
    world.service.store.inventory.apply(inventory, {}, "test", now, now)
    ended = today_here() - timedelta(days=20)
    world.service.store.ledger.put(
        [
            (problem(), []),
            (problem(target="uplink_bandwidth", subject="uplink", unit="carrier", diagnosis="flat_rate"), []),
            (problem(subject="c102", state="closed", opened_on=ended - timedelta(days=12), closed_on=ended), []),
        ]
    )
    text = words_of(page_of(world))
    since = (today_here() - timedelta(days=9)).isoformat()
    assert f"{since} 已 9 天 乙网络公司" in text
    assert f"{since} 已 9 天 甲通信公司" in text
    assert "运维单位 乙网络公司 联系人 王老师 电话 0531-777 运营商 甲通信公司 合同编号 JY-7 合同速率 500 Mbps" in text
    assert re.search(rf"已销号问题 1 .* {ended - timedelta(days=12)} {ended} 12 ", text)
    assert 'href="/problems/1"' in page_of(world)


def test_an_inventory_without_contacts_says_so(world: World) -> None:
    world.send(throughput())
    assert "尚未填写本校的联系人、电话和运营商" in words_of(page_of(world))
    assert "The inventory has no contact" in words_of(page_of(world, language="en"))


def test_today_s_outages_of_a_recording_room_are_shown(world: World) -> None:
    zone = world.service.verdicts.zone
    now = datetime.now(zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if now - midnight < timedelta(minutes=50):
        pytest.skip("the local day has just begun")
    at = [midnight + timedelta(minutes=minute) for minute in (1, 16, 31)]
    world.send(
        *(room(each.astimezone(UTC), minute != 1) for minute, each in enumerate(at)),
        device(now.astimezone(UTC)),
        room(now.astimezone(UTC), True),
    )
    page = page_of(world)
    assert "今日故障时段：00:15–00:30。" in page
    assert "00:00–00:15 正常；00:15–00:30" in page
    assert 'href="/schools/s001/devices/rec-1"' in page
    assert 'class="states"' in page


def test_forty_rooms_need_no_more_statements_and_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    for number in (3, 40):
        with collector(tmp_path / str(number)) as world:
            rooms = [AnnouncedClassroom(f"c{room}", f"{room}年级{EVIL}"[:100], 1e8) for room in range(number)]
            now = datetime.now(UTC)
            results = [
                throughput(50e6, 90e6, at=now - timedelta(hours=hour), subject=each.id)
                for each in rooms
                for hour in range(3)
            ]
            world.send(*results, announcement=Announcement(town="t01", classrooms=rooms, uplink=True))
            world.service.verdicts.catch_up()
            world.get("/schools/s001")
            with counted(monkeypatch) as statements:
                answer = world.get("/schools/s001", Accept="text/html")
            shapes.append(statements.shapes())
            assert answer.status == 200
            assert len(answer.body) <= 150_000
            page = answer.body.decode()
            assert page.count('<li class="tile') == number + 1
            assert "<script>document" not in page
            assert "<img" not in page
    assert shapes[0] == shapes[1]


def test_old_addresses_go_on_working(world: World) -> None:
    world.send(throughput())
    page = page_of(world, "/schools/s001?month=2026-11")
    assert 'id="school-s001"' in page
    assert 'href="/schools/s001/subjects/c101?month=2026-11"' in page
