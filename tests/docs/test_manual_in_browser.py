"""The manual in a real Chromium, under the collector's content security policy: search, phone, without script."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from campus_collector.http.pages import help
from tests.collector.world import collector

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the manual that a collector serves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(help, "SITE", built)
        with collector(tmp_path_factory.mktemp("state")) as running:
            yield f"http://127.0.0.1:{running.port}/help"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        assert not os.environ.get("CI"), "chromium must be there under CI"
        pytest.skip("NO CHROMIUM: install the packages chromium and fonts-noto-cjk")
    with sync_playwright() as playwright:
        home = {**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))}
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"], env=home)
        yield running
        running.close()


def opened(browser: Browser, url: str, width: int = 1280, javascript: bool = True) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, locale="zh-CN", java_script_enabled=javascript
    )
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(url)
    return page


def test_words_within_a_chinese_sentence_are_found(browser: Browser, address: str) -> None:
    page = opened(browser, address)
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Security Policy" in message.text else None)
    page.fill("#words", "断了两芯")
    page.wait_for_selector("#found li")
    places = page.locator("#found li a")
    assert places.nth(0).get_attribute("href") is not None
    assert page.locator("#found mark").nth(0).inner_text() == "断了两芯"
    page.fill("#words", "网线 两芯 10 Mbit")
    page.locator("#found li a", has_text="10 Mbps 左右").nth(0).press(
        "Enter"
    )  # a click is tried again where a busy machine leaves the page at once
    page.wait_for_url("**/help/trouble.html#port_speed_10")
    page.fill("#words", "没有这样的词语")
    page.locator("#found p", has_text="没有找到").wait_for()
    assert refused == []
    page.context.close()


def test_the_other_language_is_the_same_page(browser: Browser, address: str) -> None:
    page = opened(browser, f"{address}/ledger.html")
    page.click("header a[hreflang=en]")
    page.wait_for_url("**/help/en/ledger.html")
    assert page.get_attribute("html", "lang") == "en"
    page.fill("#words", "contradict")
    page.wait_for_selector("#found li")
    page.click("header a[hreflang=zh-CN]")
    page.wait_for_url("**/help/ledger.html")
    page.context.close()


def test_no_page_is_wider_than_a_phone(browser: Browser, address: str) -> None:
    page = opened(browser, address, 360)
    for path in ("reference-commands.html", "reference-metrics.html", "inventory.html"):
        page.goto(f"{address}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
    page.context.close()


def test_without_script_the_contents_serve(browser: Browser, address: str) -> None:
    page = opened(browser, address, javascript=False)
    assert not page.locator("form.search").is_visible()
    page.click("#contents a >> text=疑难解答")
    page.wait_for_url("**/help/trouble.html")
    page.context.close()
