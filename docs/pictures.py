"""Takes a picture of every page of an invented county in a real Chromium, in both languages: `make pictures`.

All of them are written to .run/pictures/pages, to be looked at; those that README or manual show are written to docs/pages/images as well. The
county stays in .run/pictures, so that a second time is quick; delete the folder for a new one.
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
from playwright.sync_api import Browser, sync_playwright

from campus_collector.domain.people import Person
from campus_collector.domain.tokens import new_token, token_hash
from tests.collector.world import World, collector

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/pages/images"
STATE = Path(".run/pictures")
ALL = STATE / "pages"
WIDTH, HEIGHT = 1180, 860
SCREEN = 1920, 1080
"""A screen for the office; its picture is made as wide as the others."""
MOST_BYTES = 150_000
SIZE = ["--schools", "12", "--months", "5", "--density", "0.12"]


def main() -> None:
    """Simulate, serve, photograph."""
    if not (STATE / "campus.db").exists():
        simulate = [sys.executable, "-m", "campus_collector", "simulate", *SIZE]
        month = ["--month", f"{datetime.now(UTC):%Y-%m}", "--state-dir", str(STATE)]
        subprocess.run([*simulate, *month], check=True)
    ALL.mkdir(exist_ok=True)
    with collector(STATE, {"CAMPUS_COUNTY_NAME": "示例县"}) as running, tempfile.TemporaryDirectory() as home:
        while running.service.verdicts.catch_up().waiting_schools:
            pass
        running.service.ledger.catch_up()
        tokens = {role: let_in(running, name, role) for name, role in (("张三", "admin"), ("大屏", "viewer"))}
        address = f"http://127.0.0.1:{running.port}"
        take(address, pages(running, tokens), tokens["admin"], home)
        print(f"{len(list(ALL.glob('*.webp')))} pictures in {ALL}")


def let_in(running: World, name: str, role: str) -> str:
    """A person's new token."""
    token = new_token()
    running.service.store.people.put(Person(name, role, ""), datetime.now(UTC), "console", token_hash(token))
    return token


def pages(running: World, tokens: dict[str, str]) -> dict[str, str]:
    """The name of each picture and its page: of a school with a classroom that is not met, and a school with a recording room."""

    def read(path: str) -> dict[str, list[dict[str, str]]]:
        return running.get(path, Authorization=f"Bearer {tokens['admin']}").json

    subjects = read("/v1/compliance?target=classroom_bandwidth")["subjects"]
    school, subject = next((each["school"], each["subject"]) for each in subjects if each["verdict"] == "not_met")
    problem = read("/v1/problems")["problems"][0]["id"]
    device = (running.service.store.inventory.current().devices or ())[0]
    town = running.service.store.schools.all()[0].town
    room = f"/schools/{school}/subjects/{subject}"
    listed = running.get(room, Authorization=f"Bearer {tokens['admin']}").body.decode()
    result = re.findall(rf'href="({room}/results/[^"]+)"', listed)[0].replace("&amp;", "&")
    return {
        "login": "/login",
        "overview": "/",
        "town": f"/towns/{town}",
        "school": f"/schools/{school}",
        "classroom": room,
        "uplink": f"/schools/{school}/subjects/uplink",
        "lessons": f"/schools/{school}/lessons",
        "device": f"/schools/{device.school}/devices/{device.id}",
        "result": result,
        "derivation": f"/explain/classroom_bandwidth/{school}/{subject}",
        "evidence": f"/evidence/classroom_bandwidth/{school}/{subject}",
        "ledger": "/problems",
        "problem": f"/problems/{problem}",
        "carriers": "/carriers",
        "unmeasured": "/unmeasured",
        "inventory": "/inventory",
        "fleet": "/fleet",
        "classrooms": "/fleet/classrooms",
        "quarantine": "/quarantine",
        "monthly": "/monthly",
        "policy": "/policy",
        "search": "/search?q=1",
        "people": "/people",
        "account": "/account",
        "wall": f"/wall?token={tokens['viewer']}",
    }


def take(address: str, paths: dict[str, str], token: str, home: str) -> None:
    """All pictures in both languages: the first before the log-in, the others after it."""
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        environment = {**os.environ, "HOME": home}
        for language, locale in (("zh", "zh-CN"), ("en", "en")):
            options = ["--no-sandbox", "--disable-gpu", f"--lang={locale}"]
            local = environment | {"LANGUAGE": locale.replace("-", "_")}
            browser = playwright.chromium.launch(executable_path=chromium, args=options, env=local)
            take_in(browser, address, paths, token, language, locale)
            browser.close()


def take_in(browser: Browser, address: str, paths: dict[str, str], token: str, language: str, locale: str) -> None:
    """All pictures in one language."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale=locale)
    page = context.new_page()
    for name, path in paths.items():
        width, height = SCREEN if name == "wall" else (WIDTH, HEIGHT)
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{address}{path}")
        write(f"{name}-{language}.webp", page.screenshot())
        if name == "login":
            page.fill("input[name=token]", token)
            page.locator("input[name=token]").press("Enter")
            page.wait_for_url(lambda url: "/login" not in url)
    context.close()


def write(name: str, png: bytes) -> None:
    """As WebP, the best that is small enough; beside the manual when README or manual show it."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    picture = picture.resize((WIDTH, picture.height * WIDTH // picture.width))
    for quality in (90, 80, 70, 60, 50):
        buffer = BytesIO()
        picture.save(buffer, "WEBP", quality=quality, method=6)
        if buffer.tell() <= MOST_BYTES:
            break
    for folder in [ALL] + [FOLDER] * (name in shown()):
        (folder / name).write_bytes(buffer.getvalue())
    print(f"{name}: {buffer.tell() // 1000} kB")


def shown() -> set[str]:
    """The pictures that README and manual show."""
    documents = [*ROOT.glob("README*.md"), *(ROOT / "docs/pages").rglob("*.md")]
    return {
        name
        for document in documents
        for name in re.findall(r"images/([\w-]+\.webp)", document.read_text(encoding="utf-8"))
    }


if __name__ == "__main__":
    main()
