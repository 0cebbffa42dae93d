"""Open a classroom's page in a real Chromium where this runs (a classroom's namespace), press the button, print what the page says as JSON."""

import json
import shutil
import sys

from playwright.sync_api import sync_playwright

OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def main(url: str) -> None:
    """One test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        page = browser.new_page(locale="zh-CN", viewport={"width": 420, "height": 800})
        page.set_default_timeout(120_000)
        page.goto(url)
        page.click("#begin")
        page.wait_for_selector("body[data-result], body[data-broken], #begin:not([disabled])", timeout=60_000)
        said = {
            "result": json.loads(page.get_attribute("body", "data-result") or "null"),
            "broken": page.get_attribute("body", "data-broken"),
            "verdict": page.inner_text("#verdict"),
            "note": page.inner_text("#note"),
            "width": page.evaluate("document.documentElement.scrollWidth"),
        }
        print(json.dumps(said, ensure_ascii=False))
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
