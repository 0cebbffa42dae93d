"""The lab itself: its lines are what they claim, it leaves nothing behind, and it never touches the host's network."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.lab.busy import first_usable
from tests.lab.namespaces import Namespace, existing, sweep
from tests.lab.school import BUREAU, DEFAULT_ROOMS, IPERF3_PORT, LabSchool, Room

pytestmark = pytest.mark.lab
HUNDRED = next(room for room in DEFAULT_ROOMS if room.id == "c100")
OFF = next(room for room in DEFAULT_ROOMS if not room.on)


def host_network() -> str:
    """Addresses, routes and links of the host's own namespace."""
    parts = [
        subprocess.run(["ip", *what], capture_output=True, text=True, check=True).stdout
        for what in (["-br", "addr"], ["route"])
    ]
    return "\n".join(parts)


def echo(where: Namespace, host: str, count: int = 2, interval: float = 0.1) -> dict[str, Any]:
    """Echoes from one host of the lab to another."""
    done = where.run(sys.executable, "-m", "tests.lab.echo", host, str(count), str(interval))
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def names() -> set[str]:
    return {name for name in existing() if name.startswith(f"cm-{os.getpid()}-")}


def test_rooms_answer_a_switched_off_one_does_not_and_nothing_is_left() -> None:
    before = host_network()
    with LabSchool([HUNDRED, OFF]) as school:
        assert len(names()) == 5
        on, off = school.room("c100"), school.room(OFF.id)
        assert echo(school.gateway, on.host)["received"] > 0
        assert echo(school.gateway, on.host6)["received"] > 0
        assert echo(school.gateway, off.host)["received"] == 0
        assert echo(school.inside("c100"), BUREAU)["received"] > 0
        assert host_network() == before
    assert names() == set()
    assert host_network() == before


def test_an_exception_removes_the_lab() -> None:
    with pytest.raises(RuntimeError, match="in the middle"), LabSchool([HUNDRED]):
        raise RuntimeError("in the middle")
    assert names() == set()


@contextmanager
def foreground_lab() -> Iterator["subprocess.Popen[str]"]:
    """`make lab` as a process, up; whatever happens it is ended, and what it left is swept."""
    process = subprocess.Popen([sys.executable, "-m", "tests.lab"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "ip netns exec" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait(60)
        sweep()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_removes_the_lab(number: signal.Signals) -> None:
    with foreground_lab() as process:
        mine = f"cm-{process.pid}-"
        assert [name for name in existing() if name.startswith(mine)]
        process.send_signal(number)
        assert process.wait(60) == 0
        assert not [name for name in existing() if name.startswith(mine)]


def test_a_killed_owner_s_lab_is_swept_and_a_living_one_is_not() -> None:
    with foreground_lab() as process:
        mine = f"cm-{process.pid}-"
        assert not [name for name in sweep() if name.startswith(mine)]
        inside = Namespace(next(name for name in existing() if name.startswith(mine) and name.endswith("-c100")))
        assert echo(inside, "10.77.0.1")["received"] > 0
        process.kill()
        process.wait(60)
        assert [name for name in sweep() if name.startswith(mine)]
        assert not [name for name in existing() if name.startswith(mine)]


def test_the_relay_delays_and_drops() -> None:
    rooms = [replace(HUNDRED, id="c1", delay_seconds=0.01), replace(HUNDRED, id="c2", loss_ratio=0.2)]
    with LabSchool(rooms, endpoint="none") as school:
        echo(school.gateway, school.room("c1").host)  # the address has to be asked first
        slow, lossy = (partial(echo, school.gateway, school.room(room).host) for room in ("c1", "c2"))
        seen = first_usable(
            lambda: slow(10, 0.05), lambda seen: seen["received"] == 10 and seen["mean_rtt_seconds"] <= 0.040
        )
        assert seen["mean_rtt_seconds"] >= 0.020, seen  # 10 ms each way; a busy machine adds
        # 0.8 x 0.8 = 64 % come back
        first_usable(lambda: lossy(300, 0.01), lambda seen: 0.5 <= seen["received"] / seen["sent"] <= 0.78)


def test_cross_traffic_arrives_at_about_its_rate() -> None:
    with LabSchool([HUNDRED]) as school:
        inside = school.inside("c100")

        def received() -> int:
            return int(inside.run("cat", "/sys/class/net/eth0/statistics/rx_packets").stdout)

        def rate() -> float:
            sender = school.cross_traffic("c100", 30e6, seconds=4)
            time.sleep(1)
            began, before = time.monotonic(), received()
            time.sleep(2)
            seen = (received() - before) * 1538 * 8 / (time.monotonic() - began)
            sender.wait()
            return seen

        first_usable(rate, lambda seen: seen == pytest.approx(30e6, rel=0.15))


def test_a_line_cannot_carry_more_than_it_claims() -> None:
    room: Room = replace(HUNDRED, id="c20", line_rate_bits_per_second=20e6)
    with LabSchool([room]) as school:
        command = (
            "iperf3",
            "-c",
            school.room("c20").host,
            "-p",
            str(IPERF3_PORT),
            "-u",
            "-b",
            "40M",
            "-t",
            "2",
            "-l",
            "1472",
        )

        def rate() -> float:
            end = json.loads(school.gateway.run(*command, "-J").stdout)["end"]["sum"]
            received: float = end["bytes"] * (1 - end["lost_percent"] / 100) * 8 / end["seconds"] * 1538 / 1472
            assert received <= 1.05 * 20e6
            return received

        first_usable(rate, lambda received: received >= 0.95 * 20e6)
