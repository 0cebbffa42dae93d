"""What a school has beside its classrooms, as real programs: a recording room (net-snmp, GStreamer), a switch (net-snmp), a platform (HTTP)."""

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from campus_agent.measure.ports import mibs
from tests.lab.programs import python, running
from tests.lab.school import BUREAU, LAN, LabSchool, Room

RECORDER, SWITCH = f"{LAN}240", f"{LAN}2"
COMMUNITY = "lab-community"
STREAM_SOURCE = Path(__file__).parents[1] / "fakes/rtsp_source.py"
HALF_DUPLEX, FULL_DUPLEX = 2, 3
PLATFORM_PAGE = "<!doctype html><meta charset=utf-8><title>教育资源</title><p>教育资源平台（演示）"
DEVICES = """
[[device]]
id = "rec-1"
name = "录播主机"
room = "r1"
profile = "recorder-generic"
host = "{host}"
snmp = {{ version = "2c", community_file = "community", port = {snmp} }}
[[device]]
id = "cam-1"
name = "教师摄像机"
room = "r1"
profile = "stream-rtsp"
host = "{host}"
rtsp = {{ url = "rtsp://{host}:{rtsp}/live/1" }}
"""
SWITCH_DEVICE = """
[[device]]
id = "sw-1"
name = "交换机"
profile = "switch-generic"
host = "{host}"
snmp = {{ version = "2c", community_file = "community" }}
"""
Inside = Callable[..., list[str]]
"""From a command to the command that runs it where the equipment is."""


def missing() -> str:
    """Which of the programs is not installed; "" when all are."""
    if shutil.which("snmpd") is None:
        return "snmpd"
    code = "import gi; gi.require_version('GstRtspServer', '1.0')"
    done = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, check=False)
    return "gir1.2-gst-rtsp-server-1.0" if done.returncode else ""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a recording room answers."""

    host: str = RECORDER
    snmp: int = 161
    rtsp: int = 8554

    @property
    def devices(self) -> str:
        """Its lines of agent.toml."""
        return DEVICES.format(host=self.host, snmp=self.snmp, rtsp=self.rtsp)


def recording_room(stack: ExitStack, folder: Path, ports: Ports, inside: Inside) -> "list[subprocess.Popen[bytes]]":
    """Start recorder and camera, until the stack ends."""
    home = folder / "camera"
    home.mkdir(mode=0o700)
    camera = ("/usr/bin/python3", str(STREAM_SOURCE), str(ports.rtsp), "open", ports.host)
    return [
        _snmpd(stack, folder, "recorder", f"{ports.host}:{ports.snmp}", "sysDescr Recorder 7.1\n", inside),
        stack.enter_context(
            running(folder, "camera", inside(*camera), {"HOME": str(home), "XDG_CACHE_HOME": str(home)})
        ),
    ]


def switch(stack: ExitStack, folder: Path, school: LabSchool) -> None:
    """The school's switch answers SNMP: its own counters and states, and the speeds that its ports would have agreed on."""
    school.switch.ip("addr", "add", f"{SWITCH}/24", "dev", "br0")
    links = json.loads(school.switch.ip("-j", "link"))
    index = {link["ifname"]: link["ifindex"] for link in links}
    lines = ["sysDescr Switch 1.0"]
    for number, room in enumerate(school.rooms, 1):
        port, (speed, duplex) = index[f"port{number}"], _agreed(room)
        lines += [f"override .{mibs.IF_HIGH_SPEED}.{port} uinteger {speed}"]
        lines += [f"override .{mibs.DOT3_DUPLEX}.{port} integer {duplex}"]
    _snmpd(stack, folder, "switch", f"{SWITCH}:161", "\n".join(lines) + "\n", school.switch.argv)


def platform(stack: ExitStack, folder: Path, host: str, port: int, inside: Inside) -> str:
    """Start a platform; its address."""
    pages = folder / "platform"
    pages.mkdir(mode=0o700)
    (pages / "index.html").write_text(PLATFORM_PAGE, encoding="utf-8")
    server = python("http.server", str(port), "--bind", host, "--directory", str(pages))
    stack.enter_context(running(folder, "platform-server", inside(*server)))
    return f"http://{host}:{port}/"


def bureau_platform(stack: ExitStack, folder: Path, school: LabSchool) -> str:
    """A platform behind the school's uplink; its address."""
    return platform(stack, folder, BUREAU, 8000, school.bureau.argv)


def _agreed(room: Room) -> tuple[int, int]:
    """Speed in Mbit/s and duplex, as a port of this line would report them."""
    if room.line_rate_bits_per_second <= 10e6:
        return 10, HALF_DUPLEX
    return (100 if room.line_rate_bits_per_second <= 100e6 else 1000), FULL_DUPLEX


def _snmpd(
    stack: ExitStack, folder: Path, name: str, address: str, lines: str, inside: Inside
) -> "subprocess.Popen[bytes]":
    state = folder / f"{name}-state"
    state.mkdir(mode=0o700)
    config = folder / f"{name}.conf"
    config.write_text(f"agentAddress udp:{address}\nrocommunity {COMMUNITY}\ndontLogTCPWrappersConnects yes\n{lines}")
    command = inside("snmpd", "-f", "-C", "-c", str(config), "-Lo", "-p", str(folder / f"{name}.pid"))
    return stack.enter_context(running(folder, name, command, {"SNMP_PERSISTENT_DIR": str(state)}))
