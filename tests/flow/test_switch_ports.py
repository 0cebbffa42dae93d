"""A switch beside the classrooms: a port at 10 Mbit/s half duplex, frames with errors, a link that is gone; each shows within two rounds as its
own metric and words, and the port beside it stays well."""

import subprocess
import urllib.request
from pathlib import Path

from tests.agent.measure.equipment.peers import COMMUNITY, udp_server
from tests.fakes.snmp_agent import agent, objects
from tests.fakes.switch import FakeSwitch, Port
from tests.flow.programs import ENVIRONMENT, python, until
from tests.flow.test_recording_room import school
from tests.flow.test_room_faults import page

TWO_ROUNDS_SECONDS = 3 * (2 * 10 + 8)
"""Two rounds of ten seconds and the sending, on a machine that is three times as slow."""
CONFIGURED = """
[[device]]
id = "sw-1"
profile = "switch-generic"
host = "127.0.0.1"
snmp = {{ version = "2c", community_file = "community", port = {port} }}
[[classroom]]
id = "c101"
host = "127.0.0.1"
port = 1
switch = "sw-1"
switch_port = "Gi0/1"
[[classroom]]
id = "c102"
host = "127.0.0.1"
port = 1
switch = "sw-1"
switch_port = "2"
"""


def gauges(port: int, room: str) -> dict[str, float]:
    """The port's metrics of one classroom, by the end of their names."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"http://127.0.0.1:{port}/metrics", timeout=10
    ) as answer:
        lines = answer.read().decode().splitlines()
    mine = [line for line in lines if line.startswith("campus_classroom_") and f'classroom="{room}"' in line]
    return {line.split("{")[0].removeprefix("campus_classroom_"): float(line.rsplit(" ", 1)[1]) for line in mine}


def shows(port: int, room: str, **expected: float) -> bool:
    try:
        now = gauges(port, room)
    except OSError:  # not up yet
        return False
    return all(now.get(name) == value for name, value in expected.items())


WELL = {"port_up": 1.0, "port_full_duplex": 1.0, "link_speed_bits_per_second": 1e9}


def test_each_fault_of_a_port_shows_as_itself(tmp_path: Path) -> None:
    fake = FakeSwitch({1: Port("Gi0/1"), 2: Port("Gi0/2")})

    def known() -> dict[str, object]:
        fake.uptime += 3  # every question finds it a little older
        return fake.known()

    with (
        udp_server(agent(lambda *question: objects(known())(*question))) as switch,
        school(tmp_path, CONFIGURED.format(port=switch), {"community": COMMUNITY}) as (port, config),
    ):
        until(lambda: shows(port, "c101", **WELL) and shows(port, "c102", **WELL), 120, "both ports are well")
        assert "campus_room_up" not in gauges(port, "c101"), "a switch is no recording room"
        text = page(port, "zh", "/subjects/c101")
        assert "端口 sw-1 Gi0/1：1000 Mbps，全双工（依据基础信息）" in text
        assert "依据：交换机端口速率" in text
        assert "录播室" not in page(port, "zh").split("<main>")[1]

        fake.ports[1].speed_mbit, fake.ports[1].duplex = 10, 2
        slow = {"port_full_duplex": 0.0, "link_speed_bits_per_second": 1e7}
        until(lambda: shows(port, "c101", **slow), TWO_ROUNDS_SECONDS, "10 Mbit/s, half duplex")
        assert shows(port, "c102", **WELL)
        assert "端口 sw-1 Gi0/1：10 Mbps，半双工" in page(port, "zh", "/subjects/c101")
        assert "port sw-1 Gi0/1: 10 Mbit/s, half duplex (by the inventory)" in page(port, "en", "/subjects/c101")
        done = subprocess.run(
            python("campus_agent", "measure", "port", "c101", "--config", str(config)),
            capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=180,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stdout.splitlines()[:2] == ["c101: sw-1 Gi0/1 (by the inventory)", "  10 Mbit/s, half duplex"]

        fake.ports[1] = Port("Gi0/1")
        until(lambda: shows(port, "c101", **WELL), TWO_ROUNDS_SECONDS, "mended")
        fake.ports[2].fcs, fake.ports[2].packets = 300, 9_700
        until(lambda: gauges(port, "c102").get("port_error_ratio", 0) == 0.03, TWO_ROUNDS_SECONDS, "frames with errors")
        assert "错误帧 3.00%：网线或水晶头存在故障" in page(port, "zh", "/subjects/c102")
        assert gauges(port, "c101").get("port_error_ratio", 0) == 0

        fake.ports[2].up = False
        until(lambda: shows(port, "c102", port_up=0.0), TWO_ROUNDS_SECONDS, "no link")
        assert "端口 sw-1 Gi0/2：无连接" in page(port, "zh", "/subjects/c102")
        assert shows(port, "c101", **WELL)
    actual = (tmp_path / "agent.log").read_text() + (tmp_path / "collector.log").read_text()
    assert COMMUNITY not in actual
    assert "Traceback" not in actual
