"""Every page by the checkers of the trade: axe-core finds nothing serious at three widths, in light and dark, in both languages, and html-validate finds no
mistake in the HTML; nothing scrolls sideways, nothing needs a script, and no page of a school of 40 rooms is heavier than 150 kB."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pypdfium2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from campus_collector.http.auth.sessions import COOKIE
from tests.browser.county import MANUAL, PAGE_NAMES, PAGES, SIGNED_OUT, County, county
from tests.browser.test_pages import browser

__all__ = ["browser"]
pytestmark = pytest.mark.browser
CHECKS = Path(__file__).parent / "checks"
WIDTHS = (360, 768, 1280)
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    with county(tmp_path_factory.mktemp("county")) as running:
        yield running


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which both checkers are installed."""
    if shutil.which("npm") is None:
        assert not os.environ.get("CI"), "under CI there must be Node.js and npm"
        pytest.skip("NO NPM: install Node.js and npm")
    folder = tmp_path_factory.mktemp("checks") / "checks"
    shutil.copytree(CHECKS, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True, timeout=300, capture_output=True)
    return folder


def serious(page: Page, axe: str) -> list[str]:
    """What axe-core calls serious or critical: rule, and the first element."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {violation['nodes'][0]['html'][:160]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def context_for(browser: Browser, place: County, path: str, **options: Any) -> BrowserContext:
    """Of an administrator, or of nobody where the page is one for that."""
    context = browser.new_context(**options)
    context.set_default_timeout(120_000)
    if path not in SIGNED_OUT:
        context.add_cookies([{"name": COOKIE, "value": place.session, "url": place.address("/")}])
    return context


def too_wide(page: Page) -> int:
    """By how many px the page scrolls sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def headings(page: Page) -> list[str]:
    """The page's headings and column heads; one of them is its title."""
    assert page.locator("h1").count() == 1, "each page has a title of its own"
    return page.locator("h1, h2, h3, th").all_inner_texts()


@pytest.mark.parametrize(("number", "path"), list(enumerate(PAGES)), ids=PAGE_NAMES)
def test_axe_finds_nothing_serious_nothing_scrolls_sideways_and_nothing_needs_a_script(
    place: County, checks: Path, browser: Browser, number: int, path: str
) -> None:
    """Every page by a phone in Chinese and by a desk in English, of which one is dark: they take turns. The phone reads it without script too.

    The manual's search is a script: its results are what a reader without scripts does not have.
    """
    axe = (checks / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
    problems = []
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark") if number % 2 else ("dark", "light")
    texts = []
    for language, scheme, checked_at in (("zh-CN", schemes[0], 360), ("en", schemes[1], 1280)):
        context = context_for(browser, place, path, locale=language, color_scheme=scheme)
        page = context.new_page()
        page.goto(place.address(path))
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            if (wide := too_wide(page)) > 0:
                problems.append(f"{language} {width}: {wide} px too wide")
            if width == checked_at:
                problems += [f"{language} {scheme} {width}: {each}" for each in serious(page, axe)]
                texts.append(headings(page))
        context.close()
    context = context_for(
        browser, place, path, locale="zh-CN", java_script_enabled=False, viewport={"width": 360, "height": 800}
    )
    page = context.new_page()
    page.goto(place.address(path))
    if (wide := too_wide(page)) > 0:
        problems.append(f"without script: {wide} px too wide")
    without_script = headings(page)
    context.close()
    assert problems == []
    assert without_script == texts[0]


def test_the_html_is_valid_and_small(place: County, checks: Path, tmp_path: Path) -> None:
    for number, path in enumerate(PAGES):
        for language in ("zh", "en"):
            headers = {"Accept": "text/html", "Accept_Language": language, "Cookie": place.cookies(path)}
            asked = f"{path}{'&' if '?' in path else '?'}lang={language}" if path.startswith("/v1") else path
            answer = place.world.get(asked, **headers)
            assert answer.status == 200, path
            assert len(answer.body) <= MOST_BYTES, path
            (tmp_path / f"{number}-{language}.html").write_bytes(answer.body)
    shutil.copy(checks / ".htmlvalidate.json", tmp_path)
    (tmp_path / "broken.html").write_text('<!DOCTYPE html><html lang="en"><title>x</title><p><div></p></html>')
    command = [str(checks / "node_modules/.bin/html-validate"), "--formatter", "json", "*.html"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    found = {
        f"{Path(file['filePath']).name} line {each['line']}: {each['ruleId']}: {each['message']}"
        for file in json.loads(done.stdout)
        for each in file["messages"]
        if each["severity"] == 2
    }
    broken = {each for each in found if each.startswith("broken.html")}
    assert broken, "the checker sees mistakes"
    assert sorted(found - broken)[:20] == [], dict(list(enumerate(PAGES)))


@pytest.mark.parametrize(
    "path", ["/", "/towns/t01", "/problems", "/unmeasured", "/carriers", "/schools/s001/subjects/c101"]
)
def test_a_page_prints_without_an_empty_first_page(place: County, browser: Browser, tmp_path: Path, path: str) -> None:
    """The first sheet has the page's heading and more than that; none is empty."""
    context = context_for(browser, place, path, locale="zh-CN")
    page = context.new_page()
    page.goto(place.address(path))
    heading = page.locator("main h2").first.evaluate("heading => heading.firstChild.textContent").strip()
    page.pdf(path=str(tmp_path / "page.pdf"), format="A4")
    context.close()
    sheets = [sheet.get_textpage().get_text_bounded() for sheet in pypdfium2.PdfDocument(tmp_path / "page.pdf")]
    assert heading in sheets[0]
    assert min(len(text.split()) for text in sheets) > 0
    assert len(sheets[0]) > 100, "not the head of the page alone"


def test_the_manual_is_among_the_pages() -> None:
    assert MANUAL or not os.environ.get("CI"), "make docs has not been run"
