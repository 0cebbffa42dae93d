"""Takes the README's pictures from an invented county in a real Chromium: `make pictures`.

With `python -m docs.pictures all` every page that the browser tests look at, whole, in both languages, into .run/pictures/pages. The county stays in .run/pictures, so that a second time is quick; delete the folder for a new one.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from campus_collector.http.auth.sessions import COOKIE
from tests.browser.county import PAGES, SIGNED_OUT, county
from tests.collector.world import World, collector

FOLDER = Path(__file__).parent / "pages/images"
STATE = Path(".run/pictures")
WIDTH, HEIGHT = 1180, 860
MOST_BYTES = 150_000
OPTIONS = ["--no-sandbox", "--disable-gpu"]


def main() -> None:
    """Simulate, serve, photograph."""
    if sys.argv[1:] == ["all"]:
        take_all(STATE / "pages")
        return
    if not (STATE / "campus.db").exists():
        simulate = [sys.executable, "-m", "campus_collector", "simulate", "--schools", "8", "--density", "0.2"]
        month = ["--month", f"{datetime.now(UTC):%Y-%m}", "--state-dir", str(STATE)]
        subprocess.run([*simulate, *month], check=True)
    with collector(STATE, {"CAMPUS_COUNTY_NAME": "示例县"}) as running, tempfile.TemporaryDirectory() as home:
        while running.service.verdicts.catch_up().waiting_schools:
            pass
        running.service.ledger.catch_up()
        take(f"http://127.0.0.1:{running.port}", pages(running), home)


def take_all(folder: Path) -> None:
    """Each page of the county of the browser tests, as a wide screen and as a phone show it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, county(Path(home)) as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=OPTIONS, env={**os.environ, "HOME": home}
        )
        for language, locale, width in (("zh", "zh-CN", WIDTH), ("en", "en", WIDTH), ("zh-phone", "zh-CN", 360)):
            context = browser.new_context(viewport={"width": width, "height": HEIGHT}, locale=locale)
            page = context.new_page()
            for path in PAGES:
                cookie = {"name": COOKIE, "value": place.session, "url": place.address("/")}
                context.clear_cookies()
                context.add_cookies([] if path in SIGNED_OUT else [cookie])
                page.goto(place.address(path))
                name = re.sub("[^a-z0-9]+", "-", path.lower()).strip("-") or "overview"
                page.screenshot(path=str(folder / f"{name}-{language}.png"), full_page=True)
            context.close()
        browser.close()
    print(f"{folder}: {len(list(folder.iterdir()))} pictures")


def pages(running: World) -> dict[str, str]:
    """The name of each picture and its page: a school with a classroom that is not met, and why it is not."""
    subjects = running.get("/v1/compliance?target=classroom_bandwidth").json["subjects"]
    school, subject = next((each["school"], each["subject"]) for each in subjects if each["verdict"] == "not_met")
    return {
        "overview": "/",
        "school": f"/schools/{school}",
        "ledger": "/problems",
        "derivation": f"/explain/classroom_bandwidth/{school}/{subject}",
    }


def take(address: str, paths: dict[str, str], home: str) -> None:
    """All pictures in both languages."""
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        environment = {**os.environ, "HOME": home}
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS, env=environment)
        for language, locale in (("zh", "zh-CN"), ("en", "en")):
            context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale=locale)
            page = context.new_page()
            for name, path in paths.items():
                page.goto(f"{address}{path}")
                write(FOLDER / f"{name}-{language}.webp", page.screenshot())
            context.close()
        browser.close()


def write(file: Path, png: bytes) -> None:
    """As WebP, the best that is small enough."""
    for quality in (90, 80, 70, 60, 50):
        buffer = BytesIO()
        Image.open(BytesIO(png)).convert("RGB").save(buffer, "WEBP", quality=quality, method=6)
        if buffer.tell() <= MOST_BYTES:
            break
    file.write_bytes(buffer.getvalue())
    print(f"{file.name}: {buffer.tell() // 1000} kB")


if __name__ == "__main__":
    main()
