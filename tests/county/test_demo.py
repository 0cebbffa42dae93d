"""`make demo` as it is started, with a small county: every page that it names has something to show, and nothing is left when it is ended."""

import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from tests.lab.programs import printed_until_ready
from tests.lab.test_demo import end

ROOT = Path(__file__).parents[2]


def browser() -> urllib.request.OpenerDirector:
    """One without scripts, that keeps cookies."""
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)


def logged_in(url: str, name: str, password: str) -> urllib.request.OpenerDirector:
    opener = browser()
    form = urllib.parse.urlencode({"name": name, "password": password}).encode()
    request = urllib.request.Request(f"{url}login", form, {"Origin": url.rstrip("/"), "Accept": "text/html"})
    with opener.open(request, timeout=60) as answer:
        assert answer.status == 200
    return opener


def start(folder: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"CAMPUS_LANG": "en", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.county", "--schools", "10", "--classrooms", "3"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=folder
    )


@pytest.mark.sqlite_only("a demonstration keeps its results in a file")
def test_every_page_of_the_county_is_alive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = start(tmp_path)
    limit = threading.Timer(900, demo.terminate)
    limit.start()
    try:
        printed = printed_until_ready(demo)
        assert "(13/13" in printed, printed
        address = re.search(r"Ready after \d+ s: (\S+)", printed)
        assert address is not None, printed
        look_at(address[1], dict(re.findall(r"^  (admin|clerk|town|leader) +(\S+)", printed, re.MULTILINE)))
        token = re.search(r"wall\?token=\S+", printed)
        assert token is not None, printed
        with browser().open(f"{address[1]}{token[0]}", timeout=60) as wall:
            assert "示例县" in wall.read().decode()
        demo.send_signal(signal.SIGINT)
        rest = demo.communicate(timeout=120)[0]
        assert (demo.returncode, "nothing is left running" in rest) == (0, True), rest
    finally:
        limit.cancel()
        end(demo)
    assert main(["verify", "--config", str(tmp_path / ".run/demo/collector.toml")]) == 0, capsys.readouterr().out


def look_at(url: str, passwords: dict[str, str]) -> None:
    """What somebody sees who follows the terminal."""
    assert set(passwords) == {"admin", "clerk", "town", "leader"}
    clerk = logged_in(url, "clerk", passwords["clerk"])

    def page(path: str) -> str:
        with clerk.open(f"{url}{path}?lang=zh" if "?" not in path else f"{url}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    overview = page("")
    assert "banner" in overview, "it says that all of it is invented"
    assert re.search(r"联系人：\S+老师", overview), "whom to call today"
    assert overview.count("<polyline") + overview.count("<path") >= 4, "a line of twelve months for each target"
    ledger = page("problems?state=all&lang=zh")
    for state in ("整改中", "已销号"):
        assert state in ledger, state
    assert "班级网络" in page("schools/s001")
    assert "甲通信公司" in page("carriers")
    assert page("monthly").count("已定稿") == 12
    assert "s001" in page("fleet") or "正常" in page("fleet")
    for path in ("unmeasured", "policy", "inventory", "help/"):
        assert page(path), path
    assert logged_in(url, "leader", passwords["leader"])
