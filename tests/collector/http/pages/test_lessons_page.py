"""The page of a school's lessons: its minutes, its interruptions with their place, the worst lesson, one day at a time."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campus_collector.domain.inventory import Inventory, InventorySchool, Timetable
from campus_collector.http.pages.lessons import MOST_INTERRUPTIONS
from campus_wire.failures import Validity
from campus_wire.records import Interruption, InterruptionResult
from tests.collector.lessons import FROZEN, lesson_policy, lesson_streams
from tests.collector.world import World, collector, throughput

EIGHT = datetime(2026, 11, 9, 0, 0, tzinfo=UTC)
"""08:00 of a Monday in Shandong."""


def page(world: World, query: str = "?day=2026-11-09", language: str = "zh") -> str:
    answer = world.get(f"/schools/s001/lessons{query}", Accept_Language=language)
    assert answer.status == 200, answer.body
    assert answer.headers["content-security-policy"]
    return answer.body.decode()


def put_timetable(world: World) -> None:
    school = InventorySchool("t01", "东河镇", "s001", "东河小学", False)
    whole = Inventory((school,), None, None, None, (Timetable("", ("08:00-08:45", "08:55-09:40")),))
    world.service.store.inventory.apply(whole, {}, "test", datetime.now(UTC), EIGHT)


def test_a_day_minute_by_minute(world: World) -> None:
    put_timetable(world)
    frozen = Interruption(
        "i-1", EIGHT + timedelta(minutes=10), EIGHT + timedelta(minutes=10, seconds=20), "up", "uplink", 400
    )
    away = Interruption("i-2", EIGHT + timedelta(minutes=70), None, "both", "recorder", 30, "rec-1")
    bad = {10: FROZEN, 50: FROZEN, 61: {"sent": 0, "unknown_seconds": 60.0}, 62: {"lost_up": 60, "lost_down": 60}}
    world.send(*lesson_streams(EIGHT, 120, bad, [frozen, away]))
    text = page(world)
    assert "观测 89 分钟：合格 87，不合格 2" in text, (
        "two lessons of 45 minutes, one minute not observed; the break does not count"
    )
    strip = text.partition('<svg class="minutes"')[2].partition("</svg>")[0]
    assert strip.count('class="bad"') == 3, "the strip shows the break too"
    assert strip.count('class="unknown"') == 1
    assert strip.count('class="lesson"') == 3, "the second lesson lies in two hours"
    assert "08:10 丢包 33.3%, 中断 20.0 s" in strip
    assert "style=" not in strip
    rows = re.findall(r"<tr>.*?</tr>", text, re.DOTALL)
    assert any("08:00–08:45" in row and "受影响" in row and "不合格 1" in row for row in rows)
    assert any("08:10:00" in row and "20.0 秒" in row and "学校出口" in row and "上行" in row for row in rows)
    assert any("09:10:00" in row and "尚未结束" in row and "rec-1" in row for row in rows)
    assert "2026-11-09 08:55–09:40：观测 44 分钟，不合格 1 分钟" in text
    assert 'href="/schools/s001/lessons?day=2026-11-08"' in text
    assert 'href="/schools/s001/lessons?day=2026-11-10"' in text
    assert "基础信息中没有该校课表" not in text
    assert "minutes observed" in page(world, language="en")


def test_the_end_of_an_interruption_may_come_alone(world: World) -> None:
    began = EIGHT + timedelta(minutes=3)
    world.send(*lesson_streams(EIGHT, 5, {3: FROZEN}, [Interruption("i-1", began, None, "up", "uplink", 20)]))
    assert "尚未结束" in page(world)
    ended = InterruptionResult(
        id="i-1-ended", subject="uplink", started_at=began, boot_id="b", monotonic_seconds=1.0, duration_seconds=90.0,
        validity=Validity.OK, record=Interruption("i-1", began, began + timedelta(seconds=90), "up", "uplink", 1800),
    )  # fmt: skip
    world.send(ended)
    text = page(world)
    assert "90.0 秒" in text
    assert "尚未结束" not in text


def test_the_page_counts_the_minutes_that_the_verdict_counts(tmp_path: Path) -> None:
    """Neither announced maintenance nor exempt days, and the same worst lesson."""
    policy = tmp_path / "policy.toml"
    more = (
        '\n[[maintenance]]\nschool = "s001"\nfrom = 2026-11-09T08:00:00\nuntil = 2026-11-09T08:10:00\nreason = "x"\n'
        '[[exemption]]\nschool = "s001"\nfrom = 2026-11-10\nuntil = 2026-11-10\nreason = "y"\n'
    )
    policy.write_text(lesson_policy(more=more), encoding="utf-8")
    with collector(tmp_path, {"CAMPUS_POLICY_FILE": str(policy)}) as world:
        world.send(*lesson_streams(EIGHT, 60, dict.fromkeys(range(12), FROZEN)))
        world.send(*lesson_streams(EIGHT + timedelta(days=1), 60, dict.fromkeys(range(30), FROZEN)))
        text = page(world)
        assert "观测 50 分钟：合格 48，不合格 2" in text
        worst = "2026-11-09 08:00–09:00：观测 50 分钟，不合格 2 分钟"
        assert worst in text
        assert worst in world.get("/evidence/live_class/s001/uplink?month=2026-11", Accept_Language="zh").body.decode()


def test_without_a_day_the_newest_is_shown_and_a_wrong_one_is_named(world: World) -> None:
    world.send(*lesson_streams(EIGHT, 5))
    text = page(world, "")
    assert "2026-11-09" in text
    assert "基础信息中没有该校课表" in text
    assert "没有上报逐分钟记录" in page(world, "?day=2026-11-12")
    for wrong in ("2026-13-01", "yesterday", "20261109", "1800-01-01"):
        assert world.get(f"/schools/s001/lessons?day={wrong}").status == 400
    assert world.get("/schools/s009/lessons").status == 404


def test_the_rows_are_bounded(world: World) -> None:
    short = [
        Interruption(
            f"i-{n}", EIGHT + timedelta(seconds=n), EIGHT + timedelta(seconds=n + 1 + n / 1000), "up", "uplink", 20
        )
        for n in range(150)
    ]
    world.send(*lesson_streams(EIGHT, 5, interruptions=short))
    text = page(world)
    assert len(re.findall(r'<tr><th scope="row" class="num">\d\d:\d\d:\d\d</th>', text)) == MOST_INTERRUPTIONS
    assert "另有 50 次较短的未列出" in text


def test_the_school_leads_to_it_and_the_uplink_has_its_round_trips_a_minute(world: World) -> None:
    world.send(throughput(subject="uplink", at=EIGHT), throughput(at=EIGHT))
    assert 'href="/schools/s001/lessons"' in world.get("/schools/s001").body.decode()
    uplink = world.get("/schools/s001/subjects/uplink?month=2026-11", Accept_Language="zh").body.decode()
    assert "满载每分钟往返次数" in uplink
    assert f">{60 / 0.009:.0f}<" in uplink
    room = world.get("/schools/s001/subjects/c101?month=2026-11", Accept_Language="zh").body.decode()
    assert "满载每分钟往返次数" not in room


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_page_reads_the_same_number_of_times_for_a_full_month(world: World, language: str) -> None:
    """The month's stream and what came alone, however long the month; the rest is of the line above every page."""
    world.send(*(result for day in range(3) for result in lesson_streams(EIGHT + timedelta(days=day), 45)))
    reads: list[str] = []
    table = world.service.store.results
    original = table.of_subject

    def counted(school: str, subject: str, kind: str, start: datetime, end: datetime) -> list:  # type: ignore[type-arg]
        reads.append(kind)
        return original(school, subject, kind, start, end)

    world.service.verdicts.catch_up()
    table.of_subject = counted  # type: ignore[method-assign]
    page(world, language=language)
    assert (reads.count("interruption"), len(reads) <= 8) == (1, True), reads


def test_pages_of_a_month_that_is_judged_by_minutes_speak_of_minutes(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(lesson_policy(), encoding="utf-8")
    with collector(tmp_path, {"CAMPUS_POLICY_FILE": str(policy)}) as world:
        world.send(*lesson_streams(EIGHT, 60, dict.fromkeys(range(10), FROZEN)))
        school = world.get("/schools/s001?month=2026-11", Accept_Language="zh").body.decode()
        assert "上课 60 分钟中 50 分钟合格" in school
        assert "60/60 分钟" in school
        sheet = world.get("/evidence/live_class/s001/uplink?month=2026-11", Accept_Language="zh").body.decode()
        assert "观测的上课分钟" in sheet
        assert "2026-11-09 08:00–09:00：观测 60 分钟，不合格 10 分钟" in sheet
        derivation = world.get("/explain/live_class/s001/uplink?month=2026-11", Accept_Language="zh").body.decode()
        assert "在 1 天里观测上课 60 分钟：合格 50，不合格 10（丢包 10，中断 10）；未观测 0" in derivation
        rules = world.get("/policy", Accept_Language="zh").body.decode()
        assert "上课的每一分钟" in rules
        assert "ITU-T G.1010" in rules, "the sources of the limits"
