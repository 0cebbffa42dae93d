"""The pages in a real Chromium: on a phone, on a desk, in both languages, without colour, with hostile names."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from campus_wire.failures import FailureKind, Validity
from campus_wire.records import AnnouncedClassroom, AnnouncedService, Announcement, HostRecord, HostResult
from tests.collector.world import World, collector, service, throughput

pytestmark = pytest.mark.browser
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
NAMES = {
    "c010": "一年级1班",
    "c050": "一年级2班",
    "c097": "二年级1班",
    "c100": "二年级2班",
    "c300": "三年级1班",
    "c000": "三年级2班",
}
RATES = {
    "c010": (9.98e6, 9.99e6),
    "c050": (50.0e6, 49.9e6),
    "c097": (96.9e6, 97.1e6),
    "c100": (100.0e6, 99.9e6),
    "c300": (299.6e6, 299.9e6),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Debian's Chromium, with a home of its own: a test leaves nothing in the user's."""
    chromium = shutil.which("chromium")
    if chromium is None:
        assert not os.environ.get("CI"), "chromium must be there under CI"
        pytest.skip("NO CHROMIUM: install the packages chromium and fonts-noto-cjk")
    with sync_playwright() as playwright:
        home = {**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))}
        running = playwright.chromium.launch(executable_path=chromium, args=OPTIONS, env=home)
        yield running
        running.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A school with every kind of room, measured on several days of this month."""
    with collector(tmp_path, {"CAMPUS_COUNTY_NAME": "示例县"}) as running:
        now = datetime.now(UTC)
        first = now.replace(day=1, hour=2, minute=0)
        rooms = [AnnouncedClassroom(room, name, 1e8) for room, name in NAMES.items()]
        announcement = Announcement(
            town="longshan", classrooms=rooms, services=[AnnouncedService("smartedu-cn", "国家智慧教育平台")],
            uplink=True, uplink_required_bits_per_second=1e9,
        )  # fmt: skip
        days = max(1, min(now.day, 5))
        moments = [first + timedelta(days=day, hours=hour) for day in range(days) for hour in range(2)]
        moments = [moment for moment in moments if moment < now] or [now]
        results = [throughput(*RATES[room], at=at, subject=room) for at in [*moments, now] for room in RATES]
        results += [throughput(at=at, subject="c000", failure=FailureKind.HOST_UNREACHABLE) for at in moments]
        results += [throughput(at=now, subject="c100", validity=Validity.CROSS_TRAFFIC, detail="x")]
        results += [throughput(938e6, 941e6, at=at, subject="uplink") for at in moments]
        results += [service(0.18, at=at) for at in moments]
        host = HostRecord(0.12, 2, 0.5, 4 * 2**30, 2**31, 2**36, 2**35, 86_400.0, 33_000_000)
        results.append(
            HostResult(id="host-0001", subject="gateway", started_at=now, boot_id="b", monotonic_seconds=1,
                       duration_seconds=1, validity=Validity.OK, record=host)
        )  # fmt: skip
        running.send(*results, announcement=announcement)
        yield running


def open_page(browser: Browser, world: World, width: int, path: str = "/", locale: str = "zh-CN") -> Page:
    page = browser.new_context(viewport={"width": width, "height": 900}, locale=locale).new_page()
    page.set_default_timeout(120_000)
    page.goto(f"http://127.0.0.1:{world.port}{path}")
    return page


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_no_page_is_wider_than_its_screen(browser: Browser, world: World, width: int) -> None:
    for path in ("/", "/schools/s001", "/schools/nobody"):
        page = open_page(browser, world, width, path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.context.close()


def test_chinese_readers_see_chinese_only(browser: Browser, world: World) -> None:
    page = open_page(browser, world, 1280)
    text = page.inner_text("body")
    for words in (
        "百兆进班",
        "千兆进校",
        "云平台可访问",
        "达标",
        "未达标",
        "数据不足",
        "一年级1班",
        "测量时连不上教室电脑",
        "允许测量误差 2%",
    ):
        assert words in text, words
    english = {"met", "not met", "insufficient", "down", "required", "classroom", "Overview"}
    assert not [word for word in english if f" {word} " in f" {text} "]
    assert page.get_attribute("html", "lang") == "zh-CN"
    page.context.close()


def test_the_language_can_be_changed_and_is_remembered(browser: Browser, world: World) -> None:
    page = open_page(browser, world, 1280)
    page.click("a.lang")
    assert "100 Mbit/s to every class" in page.inner_text("body")
    page.goto(f"http://127.0.0.1:{world.port}/schools/s001")
    assert "All schools" in page.inner_text("body")
    page.context.close()
    english = open_page(browser, world, 1280, locale="en-GB")
    assert "Gigabit to every school" in english.inner_text("body")
    english.context.close()


def test_the_page_needs_no_colour_no_script_and_nothing_from_elsewhere(browser: Browser, world: World) -> None:
    context = browser.new_context(java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.set_default_timeout(120_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"http://127.0.0.1:{world.port}/")
    assert all(url.startswith(f"http://127.0.0.1:{world.port}/") for url in asked)
    for badge in page.query_selector_all(".badge"):
        mark, words = badge.query_selector(".mark"), badge.inner_text()
        assert mark is not None
        assert mark.inner_text() in "✓✗?–"
        assert len(words) > 1
    assert len(page.query_selector_all("li.tile")) == len(NAMES) + 1
    page.goto(f"http://127.0.0.1:{world.port}/schools/s001/subjects/c010")
    pictures = page.query_selector_all("svg.rate")
    assert len(pictures) == 1
    assert "要求 100 Mbps" in (pictures[0].get_attribute("aria-label") or "")
    context.close()


def test_hostile_names_are_only_text(browser: Browser, world: World) -> None:
    evil = '<script>document.title="owned"</script>"\'><img src=x onerror=alert(1)>'
    world.send(announcement=Announcement(town="t01", classrooms=[AnnouncedClassroom("c010", evil[:100], 1e8)]))
    page = open_page(browser, world, 1280)
    assert page.title() != "owned"
    assert "<script>document.title" in page.inner_text("body")
    assert page.query_selector("img") is None
    page.context.close()


def test_an_empty_collector_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    with collector(tmp_path / "empty") as empty:
        empty.service.store.tokens.revoke("s001", datetime.now(UTC))
        page = open_page(browser, empty, 390)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.context.close()


@pytest.mark.parametrize("width", [390, 794])
def test_the_monthly_report_on_a_phone_and_on_paper(browser: Browser, tmp_path: Path, width: int) -> None:
    """Nothing sticks out of the page: wide tables scroll by themselves; printed, every column is on the paper."""
    from campus_collector.report.compose import compose
    from campus_collector.report.forms.html import as_html
    from tests.collector.report.county import figures

    file = tmp_path / "report.html"
    file.write_bytes(as_html(compose(figures(), "zh")))
    page = browser.new_page(viewport={"width": width, "height": 1123})
    page.set_default_timeout(120_000)
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("figure svg").count() == 2
    assert page.locator("h1").inner_text() == "关于2026年10月全县农村学校网络达标情况的通报"
    page.emulate_media(media="print")
    assert page.evaluate("Math.max(...[...document.querySelectorAll('table')].map(one => one.scrollWidth))") <= max(
        width, 794
    )
    page.close()


def test_the_page_of_months(browser: Browser, world: World) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.set_default_timeout(120_000)
    page.goto(f"http://127.0.0.1:{world.port}/monthly?lang=zh")
    assert page.get_by_text("进行中").count() >= 1
    assert page.get_by_role("link", name="PDF").count() >= 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
