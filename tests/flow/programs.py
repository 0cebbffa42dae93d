"""Start the two programs as a person would, end them by their pid, read what they say."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ENVIRONMENT = os.environ | {"CAMPUS_LANG": "en"}
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def python(module: str, *arguments: str) -> list[str]:
    """A module of ours as a command."""
    return [sys.executable, "-m", module, *arguments]


@contextlib.contextmanager
def running(argv: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A program for the length of a block; SIGTERM, then force."""
    process = start(argv, log)
    try:
        yield process
    finally:
        stop(process)


def start(argv: list[str], log: Path) -> "subprocess.Popen[bytes]":
    """A program with its output appended to a log."""
    with log.open("ab") as out:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=ENVIRONMENT)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for something to become true; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def get_json(url: str) -> Any:
    """An answer, or None while nobody answers."""
    try:
        with _DIRECT.open(url, timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None


def agent_status(config: Path) -> dict[str, Any]:
    """`campus-agent status --json`."""
    done = subprocess.run(
        python("campus_agent", "status", "--json", "--config", str(config)),
        capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=60,
    )  # fmt: skip
    status: dict[str, Any] = json.loads(done.stdout)
    return status


def logged(log: Path, event: str) -> list[dict[str, Any]]:
    """The structured lines of one event."""
    lines = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            answer = json.loads(line)
            if isinstance(answer, dict) and answer.get("event") == event:
                lines.append(answer)
    return lines
