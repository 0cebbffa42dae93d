"""`make run` as it is started: a school with all its parts is built and measured, a fault is caused, and nothing is left when it is ended."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.programs import until
from tests.lab.programs import DIRECT, printed_until_ready

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def demonstration(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """In a folder of its own; one that goes on for too long is ended, and the test fails by what it has printed."""
    environment = os.environ | {"CAMPUS_LANG": "en", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.lab.demo"]
    demo = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=folder
    )
    limit = threading.Timer(900, demo.terminate)
    limit.start()
    try:
        yield demo
    finally:
        limit.cancel()
        end(demo)


def end(demo: "subprocess.Popen[str]") -> None:
    """With all that it started, also when the test has failed."""
    if demo.poll() is None:
        demo.terminate()
        try:
            demo.wait(60)
        except subprocess.TimeoutExpired:
            demo.kill()
            demo.wait()


def page(url: str) -> str:
    with contextlib.suppress(OSError), DIRECT.open(f"{url}schools/s001?lang=zh", timeout=30) as answer:
        return str(answer.read().decode())
    return ""


def room(url: str) -> str:
    """What the page says of the recording room, as text."""
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(url)))
    return text.partition("录播室 r1")[2].partition("云平台")[0]


def is_well(url: str) -> bool:
    return room(url).strip().startswith("✓ 正常")


def is_down(url: str) -> bool:
    return room(url).strip().startswith("✗ 异常")


@pytest.mark.lab
def test_the_demonstration_shows_the_whole_school_and_leaves_nothing(tmp_path: Path) -> None:
    with demonstration(tmp_path) as demo:
        printed = printed_until_ready(demo)
        assert re.search(r"^Building a school", printed, re.MULTILINE), printed
        url = re.search(r"Page: (\S+)", printed)
        assert url is not None, printed
        assert re.search(r"^uplink +300 ", printed, re.MULTILINE), printed
        assert re.search(r"^recording room: ", printed, re.MULTILINE), printed
        assert re.search(r"^platform: answers", printed, re.MULTILINE), printed
        assert "switch: 8 of 9 ports have a link" in printed
        shown = page(url[1])
        for words in ("一年级1班", "学校出口", "录播室", "县教育资源平台", "端口 10 Mbps，半双工"):
            assert words in shown, words
        until(lambda: is_well(url[1]), 120, "the recording room is well")

        fault, mended = (tmp_path / ".run/school" / name for name in ("pull-cable", "plug-in"))
        assert str(fault.relative_to(tmp_path)) in printed
        subprocess.run([fault], check=True, cwd=tmp_path)
        until(lambda: is_down(url[1]), 240, "the recording room is down")
        subprocess.run([mended], check=True, cwd=tmp_path)
        until(lambda: is_well(url[1]), 240, "and up again")

        demo.send_signal(signal.SIGTERM)
        rest = demo.communicate(timeout=300)[0]
        assert demo.returncode == 0, printed + rest
        assert "nothing is left running" in rest
        kept = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        assert f"cm-{demo.pid}-" not in kept
