"""Keep a classroom's staying page open in a real Chromium where this runs (a classroom's namespace), until standard input ends."""

import shutil
import sys

from playwright.sync_api import sync_playwright

from tests.lab.browse import OPTIONS


def main(url: str) -> None:
    """Open it, say so, and hold it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        page = browser.new_page(locale="zh-CN")
        page.goto(url, timeout=120_000)
        page.wait_for_selector("body[data-state]", state="attached", timeout=120_000)
        print(page.get_attribute("body", "data-state"), flush=True)
        sys.stdin.read()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
