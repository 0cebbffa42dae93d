"""How many timetabled lessons a recording room was used in: by table, and through store, page, metrics and report."""

from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec import UNSET
from openpyxl import load_workbook
from prometheus_client.parser import text_string_to_metric_families

from campus_collector.domain.inventory import Inventory, InventorySchool, Timetable
from campus_collector.domain.official import Official
from campus_collector.judge.lesson_minutes import LessonTime
from campus_collector.judge.lesson_use import LessonUse, lesson_use, use_of
from campus_collector.judge.month import Month
from campus_collector.judge.policy import HoursOfDay
from campus_collector.report.compose import compose
from campus_collector.report.figures import encoded_figures
from campus_collector.report.forms.render import render
from campus_collector.report.gather import Sources, gather
from campus_wire.records import DeviceResult
from tests.collector.export.test_devices import device
from tests.collector.world import World, collector

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 9, 8, 0, tzinfo=ZONE)
"""The beginning of the first of two lessons."""
WHEN = LessonTime((HoursOfDay(time(8), time(8, 45)), HoursOfDay(time(8, 55), time(9, 40))), ZONE)
END = MONDAY + timedelta(days=30)


def poll(minutes: int, up: bool = True, **readings: float) -> DeviceResult:
    return device((MONDAY + timedelta(minutes=minutes)).astimezone(UTC), up=up, **readings)


@pytest.mark.parametrize(
    ("readings", "use"),
    [
        ({"recording": 1.0}, "recorded"),
        ({"recording": 1.0, "stream_up": 0.0}, "recorded"),
        ({"recording": 0.0}, "unused"),
        ({"recording": 0.0, "stream_up": 1.0, "stream_bits_per_second": 4e6}, "streamed"),
        ({"stream_up": 1.0, "stream_bits_per_second": 0.0}, "unused"),
        ({"stream_up": 0.0}, "unused"),
        ({"stream_bits_per_second": 2e6}, "streamed"),
        ({"storage_free_ratio": 0.5}, None),
        ({}, None),
    ],
)
def test_what_a_poll_says(readings: dict[str, float], use: str | None) -> None:
    assert use_of(readings) == use


def test_a_lesson_counts_once_and_what_nobody_said_is_not_known() -> None:
    polls = [
        poll(5, recording=0.0), poll(10, recording=1.0), poll(15, recording=0.0),
        poll(50, recording=1.0),  # in the break
        poll(60, up=False, recording=0.0),  # the second lesson: it did not answer
        poll(24 * 60 + 5, recording=0.0),
        poll(5 * 24 * 60 + 5, recording=1.0),  # Saturday
    ]  # fmt: skip
    days = [date(2026, 11, 9), date(2026, 11, 10), date(2026, 11, 14)]
    use = lesson_use(polls, WHEN, days, END)
    assert use == LessonUse(rooms=1, timetabled=4, recorded=1, streamed=0, unused=1)
    assert use.unknown == 2


def test_lessons_that_have_not_begun_are_not_counted() -> None:
    use = lesson_use(
        [poll(5, recording=1.0)], WHEN, [date(2026, 11, 9), date(2026, 11, 10)], MONDAY + timedelta(minutes=40)
    )
    assert (use.timetabled, use.recorded, use.unknown) == (1, 1, 0)


def test_a_recorder_that_never_tells_is_no_room() -> None:
    assert lesson_use([poll(5, storage_free_ratio=0.5)], WHEN, [date(2026, 11, 9)], END) == LessonUse()


@pytest.fixture
def school(tmp_path: Path) -> World:  # type: ignore[misc]
    with collector(tmp_path) as world:
        rows = (InventorySchool("t01", "东河镇", "s001", "东河小学", False),)
        whole = Inventory(rows, None, None, None, (Timetable("", ("08:00-08:45", "08:55-09:40")),))
        world.service.store.inventory.apply(whole, {}, "test", datetime.now(UTC), MONDAY.astimezone(UTC))
        yield world  # type: ignore[misc]


def test_the_page_and_the_judge_say_it(school: World) -> None:
    school.send(poll(10, recording=1.0), poll(60, recording=0.0))
    first, last = date(2026, 11, 1), date(2026, 11, 30)
    use = school.service.verdicts.lesson_use("s001", ["rec-1"], first, last, MONDAY + timedelta(hours=3))
    assert (use.rooms, use.timetabled, use.recorded, use.unused, use.unknown) == (1, 12, 1, 1, 10)
    assert school.service.store.results.devices() == [("s001", "rec-1")]
    text = school.get("/schools/s001/lessons?day=2026-11-09", Accept_Language="en").body.decode()
    assert "1 were recorded, in 0 others a stream flowed, in 1 neither" in text


def test_todays_lessons_are_a_metric_and_the_day_ends_at_midnight(school: World) -> None:
    school.send(poll(10, recording=1.0), poll(60, recording=0.0))
    assert used_today(school, MONDAY + timedelta(minutes=70)) == {
        "recorded": 1,
        "streamed": 0,
        "unused": 1,
        "unknown": 0,
    }
    assert used_today(school, MONDAY + timedelta(hours=17)) == {}, (
        "the next day's lessons: nothing was said of them yet"
    )


def used_today(world: World, now: datetime) -> dict[str, float]:
    """By use, on /metrics."""
    text = b"".join(world.service.metrics.render(["rooms"], now=now)).decode()
    return {
        sample.labels["use"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "campus_room_lessons_total"
    }


def test_the_report_counts_it_in_every_form(school: World) -> None:
    school.send(poll(10, recording=1.0), poll(60, recording=0.0))
    service = school.service
    sources = Sources(service.store, service.verdicts, service.ledger, "", Official())
    figures, _ = gather(sources, Month(2026, 11, ZONE), MONDAY + timedelta(hours=3), {}, {})
    (of_school,) = figures.room_use or []
    assert (of_school.recorded, of_school.unused, of_school.unknown, of_school.timetabled) == (1, 1, 10, 12)
    document = compose(figures, "zh")
    assert "录播室课时使用情况" in render(document, "html").decode()
    assert any("录播室使用" in name for name in load_workbook(BytesIO(render(document, "xlsx"))).sheetnames)
    with ZipFile(BytesIO(render(document, "docx"))) as packed:
        assert "录播室课时使用情况" in packed.read("word/document.xml").decode()
    assert b'"room_use"' not in encoded_figures(msgspec.structs.replace(figures, room_use=UNSET)), (
        "older months keep their hash"
    )
