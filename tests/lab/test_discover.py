"""Discovery in the lab: two DHCP servers, a switch that speaks LLDP, a camera, a classroom; nothing beyond the local link."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.flow.programs import until
from tests.lab.school import LabSchool, Room

pytestmark = pytest.mark.lab
ROOMS = (
    Room("c101", "一年级1班", 300e6),
    Room("dhcp", "信息中心", 300e6),
    Room("rogue", "某办公室", 300e6),
    Room("cam", "录播室", 300e6),
)


def needs(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        assert not os.environ.get("CI"), f"{missing} must be there under CI"
        pytest.skip(f"MISSING {missing}: install dnsmasq-base and lldpd")


def test_what_is_on_the_link(tmp_path: Path) -> None:
    needs("dnsmasq", "lldpd")
    with LabSchool(ROOMS, endpoint="respond") as school:
        for room, lowest in (("dhcp", "10.77.0.100"), ("rogue", "192.168.1.100")):
            inside = school.inside(room)
            if room == "rogue":
                inside.ip("addr", "add", "192.168.1.1/24", "dev", "eth0")
            options = (
                "--port=0",
                "--no-ping",
                "--leasefile-ro",
                "--conf-file=/dev/null",
                f"--pid-file={tmp_path}/{room}.pid",
            )
            where = (
                "--interface=eth0",
                "--bind-interfaces",
                f"--dhcp-range={lowest},{lowest[:-3]}150,1h",
                "--user=root",
            )
            school.keep(inside.popen("dnsmasq", "--keep-in-foreground", *options, *where))
        school.keep(
            school.inside("cam").popen(sys.executable, "-m", "tests.fakes.onvif_probe", school.room("cam").host)
        )
        control = f"/tmp/{school.gateway.name}.lldp"  # lldpd gives up root, so it cannot enter a test's own folder
        switch = school.inside("c101")  # whoever speaks LLDP on the link is a neighbour; the lab's bridge passes it on
        school.switch.run("sh", "-c", "echo 16384 > /sys/class/net/br0/bridge/group_fwd_mask")
        school.keep(switch.popen("lldpd", "-d", "-u", control, "-I", "eth0", "-S", "sw-1 of the lab"))
        until(lambda: Path(control).exists(), 60, "lldpd listens")
        switch.run("lldpcli", "-u", control, "configure", "lldp", "tx-interval", "2")
        time.sleep(2)
        command = (sys.executable, "-m", "campus_agent", "discover", "--interface", "lan")
        done = school.gateway.run(*command, "--json", timeout=180)
        answer = json.loads(done.stdout)
        hosts = {host["address"]: host for host in answer["hosts"]}
        assert {room.host for room in school.rooms} <= set(hosts)
        assert all(address.startswith("10.77.0.") for address in hosts), "nothing beyond our own network is asked"
        camera = hosts[school.room("cam").host]
        assert camera["camera"]["name"] == "LessonCam"
        assert 554 in camera["ports"]
        assert school.room("c101").host in answer["classroom_endpoints"]
        assert {proposal["host"]: proposal["profile"] for proposal in answer["proposals"]} == {
            camera["address"]: "camera-onvif"
        }
        assert {each["server"] for each in answer["dhcp"]} == {school.room("dhcp").host, "192.168.1.1"}
        assert "2 DHCP servers answer" in answer["problems"][0]["en"]
        assert done.returncode == 1
        script = (
            "import asyncio; from campus_wire.codec import encode_result; from campus_agent.measure.probes import network\n"
            "from tests.agent.measure.runs import run\n"
            "print(encode_result(run(network.PROBE, network.task_for('lan'), 'lan')).decode())"
        )
        daily = json.loads(school.gateway.run(sys.executable, "-c", script, timeout=60).stdout)
        assert (daily["kind"], daily["subject"], daily["validity"]) == ("network", "lan", "ok")
        assert {each["server"] for each in daily["record"]["dhcp"]} == {school.room("dhcp").host, "192.168.1.1"}
        Path(control).unlink(missing_ok=True)
        names = [neighbour["name"] for neighbour in answer["neighbours"]]
        assert any(names), answer["neighbours"]


def test_without_the_capability_it_says_so(tmp_path: Path) -> None:
    with LabSchool(ROOMS[:1], endpoint="none") as school:
        drop = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
        done = school.gateway.run(*drop, sys.executable, "-m", "campus_agent", "discover", "--interface", "lan")
        assert done.returncode == 3
        assert "CAP_NET_RAW" in done.stderr
        script = (
            "from campus_agent.measure.probes import network; from tests.agent.measure.runs import run\n"
            "print(run(network.PROBE, network.task_for('lan'), 'lan').failure.kind)"
        )
        assert school.gateway.run(*drop, sys.executable, "-c", script).stdout.strip() == "permission_denied"
        assert "Traceback" not in done.stderr
