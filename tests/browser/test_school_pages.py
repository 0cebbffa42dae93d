"""A school's pages in a real Chromium: no page is wider than its screen, all works without script, the evidence sheet is one page of paper."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pypdfium2
import pytest
from playwright.sync_api import Browser

from campus_collector.domain.inventory import EMPTY, InventorySchool
from campus_collector.http.pages.paths import result_path
from campus_wire.records import AnnouncedClassroom, AnnouncedService, Announcement
from tests.browser.test_pages import browser, open_page
from tests.collector.export.test_devices import device, room
from tests.collector.world import World, collector, service, throughput

__all__ = ["browser"]
pytestmark = pytest.mark.browser
LONG = "三年级2班" * 12
A4_POINTS = (595, 842)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A school of 40 rooms, one with a name as long as may be, measured on every day of this month."""
    with collector(tmp_path_factory.mktemp("school"), {"CAMPUS_COUNTY_NAME": "示例县"}) as running:
        now = datetime.now(UTC)
        rooms = [AnnouncedClassroom(f"c{number}", LONG if number == 1 else f"班{number}", 1e8) for number in range(40)]
        announcement = Announcement(
            town="longshan", classrooms=rooms, services=[AnnouncedService("smartedu-cn", "国家智慧教育平台")],
            uplink=True, uplink_required_bits_per_second=1e9,
        )  # fmt: skip
        start = now - timedelta(days=now.day, hours=-3)
        moments = [start + timedelta(days=day, hours=hour) for day in range(now.day + 1) for hour in (0, 2, 4)]
        moments = [moment for moment in moments if moment < now]
        results = [throughput(57e6, 88e6, at=at, subject="c1") for at in moments]
        results += [throughput(99.9e6, 99.8e6, at=now, subject=each.id) for each in rooms[2:]]
        results += [throughput(938e6, 941e6, at=at, subject="uplink") for at in moments]
        results += [service(0.18, at=at) for at in moments]
        results += [device(at, load_ratio=0.5, storage_free_ratio=0.2) for at in moments]
        results += [device(now, up=False), room(now, False)]
        running.send(*results, announcement=announcement)
        school = InventorySchool(
            "longshan",
            "龙山镇",
            "s001",
            "龙山镇中心小学",
            True,
            "甲通信公司",
            "JY-7",
            10**9,
            "乙网络公司",
            "王老师",
            "0531-777",
        )
        only_schools = msgspec.structs.replace(
            EMPTY, schools=(school,), classrooms=None, devices=None, services=None, timetables=None
        )
        running.service.store.inventory.apply(only_schools, {}, "test", now, now)
        running.service.verdicts.catch_up()
        running.service.ledger.catch_up()
        yield running


def pages(world: World) -> list[str]:
    newest = world.service.store.results.latest("s001", "c1")[0].any
    return [
        "/schools/s001",
        "/schools/s001/subjects/c1",
        "/schools/s001/subjects/c1?span=year",
        "/schools/s001/subjects/uplink?span=term",
        "/schools/s001/services/smartedu-cn",
        "/schools/s001/devices/rec-1",
        result_path("s001", newest),
        "/evidence/classroom_bandwidth/s001/c1",
    ]


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_no_page_is_wider_than_its_screen(browser: Browser, world: World, locale: str) -> None:
    for path in pages(world):
        page = open_page(browser, world, 360, path, locale)
        for width in (360, 768, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
        page.context.close()


def test_a_clerk_finds_the_cause_without_script(browser: Browser, world: World) -> None:
    """From the school to the room, to one result and to the sheet: links only."""
    context = browser.new_context(java_script_enabled=False, locale="zh-CN", viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"http://127.0.0.1:{world.port}/schools/s001")
    page.get_by_role("link", name=LONG).first.click()
    assert "未达标" in page.inner_text("main")
    assert "王老师" in page.inner_text("main")
    page.get_by_role("link", name="近十二个月").click()
    assert "span=year" in page.url
    page.locator("svg.trend a circle").last.click()  # none lies above the newest
    assert "入库原文" in page.inner_text("main")
    page.go_back()
    page.get_by_role("link", name="检查用证据单（一页）").click()
    assert "学校网络达标情况证据单" in page.inner_text("main")
    context.close()


def test_pages_need_nothing_that_their_policy_forbids(browser: Browser, world: World) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.set_default_timeout(120_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    for path in pages(world):
        page.goto(f"http://127.0.0.1:{world.port}{path}")
    assert complaints == []
    context.close()


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
@pytest.mark.parametrize(
    "path",
    [
        "/evidence/classroom_bandwidth/s001/c1",
        "/evidence/uplink_bandwidth/s001/uplink",
        "/evidence/live_class/s001/uplink",
        "/evidence/platform_access/s001/smartedu-cn",
    ],
)
def test_the_evidence_sheet_is_one_page_of_paper(
    browser: Browser, world: World, tmp_path: Path, path: str, locale: str
) -> None:
    page = open_page(browser, world, 1280, path, locale)
    page.pdf(path=str(tmp_path / "sheet.pdf"), prefer_css_page_size=True, print_background=False)
    page.context.close()
    document = pypdfium2.PdfDocument(tmp_path / "sheet.pdf")
    assert len(document) == 1
    assert tuple(round(length) for length in document[0].get_size()) == A4_POINTS
    text = document[0].get_textpage().get_text_bounded()
    assert ("签字" if locale == "zh-CN" else "Signature") in text


def test_a_school_prints_without_an_empty_first_page(browser: Browser, world: World, tmp_path: Path) -> None:
    page = open_page(browser, world, 1280, "/schools/s001")
    page.pdf(path=str(tmp_path / "school.pdf"), format="A4")
    page.context.close()
    document = pypdfium2.PdfDocument(tmp_path / "school.pdf")
    assert "龙山镇中心小学" in document[0].get_textpage().get_text_bounded()
    assert len(document) <= 4
