"""The daemon's lesson stream over a router that stops forwarding for some seconds, with a recorder beside it that goes on answering."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from campus_agent.spool.spool import open_spool
from tests.flow.programs import until
from tests.lab.namespaces import Namespace, prefix

pytestmark = pytest.mark.lab
SERVER, GATEWAY, RECORDER = "10.99.2.2", "10.99.1.2", "10.99.3.2"
CUT_SECONDS = 4.0
CONFIG = f"""
[agent]
school = "s001"
state_dir = "state"
test_key_file = "key"
[lesson_stream]
enabled = true
always = true
[cycle]
network_seconds = 0
device_seconds = 604800
throughput_seconds = 604800
latency_seconds = 604800
[uplink]
host = "{SERVER}"
[[device]]
id = "rec-1"
room = "r1"
profile = "recorder-generic"
host = "{RECORDER}"
"""


def connect(one: Namespace, other: Namespace, addresses: tuple[str, str], name: str) -> None:
    one.ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", other.name)
    for side, address in zip((one, other), addresses, strict=True):
        side.ip("address", "add", f"{address}/24", "dev", name)
        side.ip("link", "set", name, "up")


@contextmanager
def line() -> Iterator[tuple[Namespace, Namespace, Namespace]]:
    """Gateway, router and server in a row, and a recorder behind the gateway."""
    names = prefix()
    gateway, router, server, recorder = spaces = [Namespace(f"{names}-{part}") for part in ("gw", "rt", "sv", "rc")]
    with ExitStack() as stack:
        for space in spaces:
            space.create()
            stack.callback(space.remove)
        connect(gateway, router, (GATEWAY, "10.99.1.1"), "wan")
        connect(server, router, (SERVER, "10.99.2.1"), "srv")
        connect(gateway, recorder, ("10.99.3.1", RECORDER), "lan")
        gateway.ip("route", "add", "default", "via", "10.99.1.1")
        server.ip("route", "add", "default", "via", "10.99.2.1")
        forward(router, on=True)
        yield gateway, router, server


def forward(router: Namespace, *, on: bool) -> float:
    """Let packets through, or not; when."""
    assert router.run("sh", "-c", f"echo {int(on)} > /proc/sys/net/ipv4/ip_forward").returncode == 0
    return time.time()


def records(tmp_path: Path) -> list[dict[str, Any]]:
    with open_spool(tmp_path / "state") as spool:
        results = [json.loads(entry.body) for entry in spool.peek(1000, 10**7)]
    return [result["record"] for result in results if result["kind"] == "lesson_stream"]


def test_an_uplink_that_is_gone_for_seconds_is_found_timed_and_placed(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("the key")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "agent.toml").write_text(CONFIG)
    campus = (sys.executable, "-m", "campus_agent")
    with line() as (gateway, router, server):
        ports = ("--port", "5301", "--iperf3-port", "0", "--capacity", "1000000000")
        server.popen(*campus, "respond", *ports, "--test-key-file", str(tmp_path / "key"))
        doctor = (*campus, "doctor", "--config", str(tmp_path / "agent.toml"))
        until(lambda: "5302 answers" in gateway.run(*doctor).stdout, 60, "the reflector answers")
        process = gateway.popen(*campus, "run", "--config", str(tmp_path / "agent.toml"))
        time.sleep(12)
        began = forward(router, on=False)
        time.sleep(CUT_SECONDS)
        ended = forward(router, on=True)
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    interruptions = {each["id"]: each for record in records(tmp_path) for each in record.get("interruptions", [])}
    (broken,) = interruptions.values()
    assert broken["where"] == "uplink"

    begin, end = (datetime.fromisoformat(broken[name]).timestamp() for name in ("began_at", "ended_at"))
    assert abs(begin - began) < 0.5, "the command that cut the line takes its time too"
    assert abs(end - ended) < 0.5
    assert abs((end - begin) - (ended - began)) < 0.5
    minutes = [row for record in records(tmp_path) for row in record["minutes"]]
    assert sum(row[2] + row[3] for row in minutes) == pytest.approx((end - begin) * 20, abs=8)
    assert sum(row[13] for row in minutes) > 5, "echoes to the recorder"
    assert sum(row[14] for row in minutes) == 0
