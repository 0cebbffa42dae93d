"""`make run` as it is started: a school is built and measured, and nothing is left when it is ended."""

import os
import re
import signal
import subprocess
import sys
import threading

import pytest


@pytest.mark.lab
def test_the_demonstration_measures_and_leaves_nothing() -> None:
    environment = os.environ | {"CAMPUS_LANG": "en", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "tests.lab.demo"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert demo.stdout is not None
    lines: list[str] = []
    # a demonstration that measures nothing is ended, and the test fails by what it has printed
    limit = threading.Timer(600, demo.kill)
    limit.start()
    for line in demo.stdout:
        lines.append(line)
        if line.startswith("measured") and not line.startswith("measured 0"):
            demo.send_signal(signal.SIGTERM)
            break
    limit.cancel()
    rest = demo.communicate(timeout=300)[0]
    assert demo.returncode == 0, "".join(lines) + rest
    assert lines[0].startswith("Building a school"), lines
    assert re.match(r"measured [1-9] of 9", lines[-1]), lines
    assert "nothing is left running" in rest
    kept = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert f"cm-{demo.pid}-" not in kept
