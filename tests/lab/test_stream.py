"""A stream by UDP over a line that loses packets: the share that is missing is the line's, and nothing of it shows over TCP."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.agent.measure.equipment.peers import SOURCE
from tests.lab.busy import first_usable
from tests.lab.school import DEFAULT_ROOMS, LabSchool

pytestmark = pytest.mark.lab
LOSS = 0.1
LOSSY = replace(
    next(room for room in DEFAULT_ROOMS if room.id == "c100"), id="lossy", loss_ratio=LOSS, delay_seconds=0.005
)
LISTEN = """
import asyncio, json, sys
from campus_agent.measure.equipment import stream
stream.LISTEN_SECONDS = 6.0
found = asyncio.run(stream.listen(sys.argv[1], None, None, sys.argv[2]))
print(json.dumps([[one.media.kind, one.listener.packets, one.listener.loss_ratio, one.listener.jitter_seconds] for one in found.heard]))
"""


def heard(school: LabSchool, url: str, transport: str) -> dict[str, Any]:
    done = school.gateway.run(sys.executable, "-c", LISTEN, url, transport, timeout=60)
    assert done.returncode == 0, done.stderr
    return {kind: (packets, loss, jitter) for kind, packets, loss, jitter in json.loads(done.stdout)}


def shows_the_loss(beside: dict[str, Any]) -> bool:
    packets, loss, jitter = beside["video"]
    # three standard deviations of as few packets
    return packets > 200 and loss == pytest.approx(LOSS, abs=0.06) and 0 < jitter < 0.05


def test_what_the_line_loses_is_what_is_missing() -> None:
    with LabSchool([LOSSY]) as school:
        room = school.room("lossy")
        source = ("/usr/bin/python3", str(SOURCE), "8554", "open", room.host, "any", "aac")
        school.keep(school.inside("lossy").popen(*source, stderr=subprocess.DEVNULL))
        url = f"rtsp://{room.host}:8554/live/1"
        for _ in range(50):
            if school.gateway.run("bash", "-c", f"exec 3<>/dev/tcp/{room.host}/8554").returncode == 0:
                break
            time.sleep(0.2)
        first_usable(lambda: heard(school, url, "udp"), shows_the_loss)
        within = heard(school, url, "tcp")
    assert within["video"][1] == 0.0
    assert within["audio"][0] > 50
