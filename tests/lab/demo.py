"""`make run`: a collector, a gateway's agent and a school whose lines and equipment are known, for real; what was measured; until Ctrl-C.

Where network namespaces are not permitted, the "classrooms" are iperf3 servers on loopback: everything works, no rate is shaped.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from campus_base.language import Language, from_environment
from campus_base.messages import bilingual
from tests.lab import first_round
from tests.lab.equipment import COMMUNITY, SWITCH, SWITCH_DEVICE, Ports, bureau_platform, missing, platform
from tests.lab.equipment import recording_room as start_recording_room
from tests.lab.equipment import switch as start_switch
from tests.lab.namespaces import permitted
from tests.lab.programs import free_port, fresh_folder, has_ended, python, running, wait_until_ready
from tests.lab.school import LabSchool, Room

FOLDER = Path(".run/school")
PORT = 8080
UPLINK_BITS_PER_SECOND = 300e6
PATIENCE_SECONDS = 240.0
CYCLES = """
[throughput]
duration_seconds = 2
warmup_seconds = 1
[cycle]
throughput_seconds = 180
latency_seconds = 120
service_seconds = 30
host_seconds = 30
device_seconds = 20
ship_seconds = 1
reference_days = 0
"""
LOOPBACK_ROOMS = (
    Room("c101", "一年级1班", 0.0),
    Room("c102", "一年级2班", 0.0),
    Room("c103", "一年级3班", 0.0, on=False),
)
LOOPBACK_AGENT = """[agent]
school = "s001"
town = "t01"
state_dir = "state"
[collector]
url = "http://127.0.0.1:{port}"
[limits]
daily_test_bytes = 1_000_000_000_000
max_cpu_ratio = 1.0
max_cross_traffic_ratio = 1.0
"""
LOOPBACK_CLASSROOM = """[[classroom]]
id = "{id}"
name = "{name}"
host = "127.0.0.1"
port = {port}
engine = "iperf3"
"""
SERVICE = """[[service]]
id = "platform"
name = "县教育资源平台"
url = "{url}"
"""
FAULT, MENDED = "pull-cable", "plug-in"

T = {
    "no_lab": bilingual(
        "No network namespaces here ({why}): the classrooms are iperf3 servers on loopback, their rates are not shaped.",
        "此处无法使用网络命名空间（{why}）：教室以本机回环上的 iperf3 代替，速率不受限制。",
    ),
    "lab": bilingual(
        "Building a school in network namespaces: 8 classrooms at known line rates and one switched off, an uplink, a switch,"
        " a recording room, a platform.",
        "正在用网络命名空间搭建一所学校：8 间教室的线路速率已知，另有 1 间未开机；还有学校出口、交换机、录播室和平台。",
    ),
    "no_room": bilingual(
        "There is no recording room and no switch: '{package}' is not installed.",
        "没有录播室和交换机：未安装 {package}。",
    ),
    "page": bilingual("Page: {url}   Metrics: {url}metrics", "网页：{url}   指标：{url}metrics"),
    "waiting": bilingual(
        "measured {done} of {all} classrooms{parts} … {seconds:.0f} s",
        "已测量 {done}/{all} 间教室{parts} … {seconds:.0f} 秒",
    ),
    "late": bilingual(
        "Not everything was measured within {seconds:.0f} s; the table shows what is there.",
        "{seconds:.0f} 秒内未能测完，以下为已有结果。",
    ),
    "required": bilingual(
        "required {required:g} Mbit/s, tolerance {tolerance:.0%}", "要求 {required:g} Mbps，允许误差 {tolerance:.0%}"
    ),
    "try": bilingual(
        "\nEverything keeps running and the page renews itself. Try:", "\n系统继续运行，网页会自动更新。可以试试："
    ),
    "try_school": bilingual(
        "  The school with all its parts:      {url}schools/s001", "  查看这所学校的全部内容：  {url}schools/s001"
    ),
    "try_why": bilingual(
        "  Why a classroom is not met:         {url}schools/s001/subjects/{room}",
        "  某个班级为何未达标：      {url}schools/s001/subjects/{room}",
    ),
    "try_fault": bilingual(
        "  Pull the recording room's cable:    {fault}   (half a minute later the page says so)\n"
        "  ... and plug it in again:           {mended}",
        "  拔掉录播室的网线：        {fault}   （半分钟后网页会显示异常）\n  再把网线插回：            {mended}",
    ),
    "try_demo": bilingual(
        "  A county of 100 schools, 13 months: make demo, in another terminal",
        "  100 所学校、13 个月的县：  在另一个终端运行 make demo",
    ),
    "stay": bilingual("Ctrl-C stops all of it.", "按 Ctrl-C 全部停止。"),
    "stopped": bilingual("Stopped; nothing is left running.", "已全部停止。"),
}


@dataclass(slots=True)
class Demonstration:
    """What there is to be measured: `parts` beside the classrooms, and how to cause a fault."""

    rooms: tuple[Room, ...]
    run_agent: list[str]
    uplink_bits_per_second: float | None = None
    parts: tuple[str, ...] = ("platform",)
    has_fault: bool = False


def main() -> int:
    """Run the demonstration. The exit code."""
    language = from_environment()
    for number in (signal.SIGINT, signal.SIGTERM):  # a background job of a shell inherits SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        with fresh_folder(FOLDER, language), ExitStack() as stack:
            return _demonstrate(stack, language)
    except KeyboardInterrupt:
        print("\n" + T["stopped"].in_(language))
        return 0


def _demonstrate(stack: ExitStack, language: Language) -> int:
    port = free_port(PORT, language)
    url = f"http://127.0.0.1:{port}/"
    obstacle = permitted()
    print(T["no_lab"].in_(language, why=obstacle) if obstacle else T["lab"].in_(language), flush=True)
    collector = _collector(stack, port)
    gateway = _gateway()
    if obstacle is None:
        demonstration = _in_namespaces(stack, gateway, port, language)
    else:
        demonstration = _on_loopback(stack, gateway, port, language)
    wait_until_ready(url, collector, FOLDER, language)
    agent = stack.enter_context(running(FOLDER, "agent", demonstration.run_agent))
    programs = {"collector": collector, "agent": agent}
    print(T["page"].in_(language, url=url), flush=True)
    _watch(url, demonstration, programs, language)
    _say_what_to_try(url, demonstration, language)
    while not (ended := has_ended(programs, FOLDER, language)):
        time.sleep(1)
    print(ended, file=sys.stderr)
    return 1


def _collector(stack: ExitStack, port: int) -> "subprocess.Popen[bytes]":
    command = python("campus_collector", "serve", "--state-dir", str(FOLDER / "collector"))
    listen = {"CAMPUS_SERVER_LISTEN": f"127.0.0.1:{port}"}
    return stack.enter_context(running(FOLDER, "collector", command, listen))


def _gateway() -> Path:
    """The gateway's folder, with its token and the community of the equipment."""
    gateway = FOLDER / "gateway"
    gateway.mkdir(mode=0o700)
    command = python(
        "campus_collector", "agent-token", "s001", "--town", "t01", "--state-dir", str(FOLDER / "collector")
    )
    token = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for name, text in (("token", token), ("community", COMMUNITY)):
        (gateway / name).write_text(text)
        (gateway / name).chmod(0o600)
    return gateway


def _in_namespaces(stack: ExitStack, gateway: Path, port: int, language: Language) -> Demonstration:
    school = stack.enter_context(LabSchool(wan_bits_per_second=UPLINK_BITS_PER_SECOND))
    parts, devices, package = ("uplink", "platform"), "", missing()
    if package:
        print(T["no_room"].in_(language, package=package), flush=True)
    else:
        start_switch(stack, FOLDER, school)
        ports = Ports()
        room = school.connect("rec", ports.host)
        start_recording_room(stack, FOLDER, ports, room.argv)
        devices, parts = ports.devices + SWITCH_DEVICE.format(host=SWITCH), (*parts, "recording_room", "switch")
        for name, state in ((FAULT, "down"), (MENDED, "up")):
            _script(name, [*room.argv("ip", "link", "set", "eth0"), state])
    address = bureau_platform(stack, FOLDER, school)
    school.agent_toml(
        gateway,
        collector_url=f"http://127.0.0.1:{port}",
        uplink=True,
        more=CYCLES + devices + SERVICE.format(url=address),
        switch=None if package else "sw-1",
    )
    path = str((FOLDER / "bridge").resolve())
    stack.enter_context(running(FOLDER, "bridge-outside", python("tests.lab.bridge", "outside", path, str(port))))
    inside = school.gateway.argv(*python("tests.lab.bridge", "inside", path, str(port)))
    stack.enter_context(running(FOLDER, "bridge-inside", inside))
    run = school.gateway.argv(*_agent_command(gateway))
    return Demonstration(school.rooms, run, UPLINK_BITS_PER_SECOND, parts, not package)


def _on_loopback(stack: ExitStack, gateway: Path, port: int, language: Language) -> Demonstration:
    lines = LOOPBACK_AGENT.format(port=port) + CYCLES
    parts, package = ("platform",), missing()
    if package:
        print(T["no_room"].in_(language, package=package), flush=True)
    else:
        ports = Ports("127.0.0.1", _any_port(socket.SOCK_DGRAM), _any_port())
        programs = start_recording_room(stack, FOLDER, ports, lambda *command: list(command))
        lines, parts = lines + ports.devices, (*parts, "recording_room")
        for name, number in ((FAULT, "STOP"), (MENDED, "CONT")):
            _script(name, ["kill", f"-{number}", *(str(program.pid) for program in programs)])
    address = platform(stack, FOLDER, "127.0.0.1", _any_port(), lambda *command: list(command))
    lines += SERVICE.format(url=address)
    for number, room in enumerate(LOOPBACK_ROOMS):
        answers_at = _any_port()
        if room.on:
            server = ["iperf3", "-s", "-B", "127.0.0.1", "-p", str(answers_at)]
            stack.enter_context(running(FOLDER, f"iperf3-{number}", server))
        lines += LOOPBACK_CLASSROOM.format(id=room.id, name=room.name, port=answers_at)
    (gateway / "agent.toml").write_text(lines, encoding="utf-8")
    return Demonstration(LOOPBACK_ROOMS, _agent_command(gateway), None, parts, not package)


def _agent_command(gateway: Path) -> list[str]:
    return python("campus_agent", "run", "--config", str(gateway / "agent.toml"))


def _script(name: str, command: list[str]) -> None:
    """A command of many words under a short name."""
    path = FOLDER / name
    path.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n")
    path.chmod(0o700)


def _watch(
    url: str, demonstration: Demonstration, programs: dict[str, "subprocess.Popen[bytes]"], language: Language
) -> None:
    """Wait for the first round with a line of progress, then print what was measured. Raises SystemExit when a program ends."""
    began, rooms, parts = time.monotonic(), demonstration.rooms, demonstration.parts
    measured, is_terminal = first_round.Round(), sys.stdout.isatty()
    while time.monotonic() - began < PATIENCE_SECONDS:
        measured = first_round.read(url)
        done = sum(room.id in measured.throughput for room in rooms)
        listed = "".join(f", {first_round.PARTS[part].in_(language)}" for part in parts if measured.has(part))
        values = {"done": done, "all": len(rooms), "parts": listed, "seconds": time.monotonic() - began}
        text = T["waiting"].in_(language, **values)
        print(f"\r\x1b[K{text}" if is_terminal else text, end="" if is_terminal else "\n", flush=True)
        if not measured.waits_for(rooms, parts):
            break
        if ended := has_ended(programs, FOLDER, language):
            raise SystemExit("\n" + ended)
        time.sleep(0.5 if is_terminal else 5)
    if is_terminal:
        print("\r\x1b[K", end="")
    if measured.waits_for(rooms, parts):
        print(T["late"].in_(language, seconds=time.monotonic() - began), file=sys.stderr)
    print(first_round.table(measured, rooms, demonstration.uplink_bits_per_second, language))
    print(T["required"].in_(language, required=100, tolerance=0.02))
    print("\n".join(first_round.equipment(measured, language)), flush=True)


def _say_what_to_try(url: str, demonstration: Demonstration, language: Language) -> None:
    is_shaped = demonstration.uplink_bits_per_second is not None
    not_met = demonstration.rooms[0 if is_shaped else -1]
    values = {"url": url, "room": not_met.id, "fault": FOLDER / FAULT, "mended": FOLDER / MENDED}
    wanted = ["try", "try_school", "try_why", *(["try_fault"] if demonstration.has_fault else []), "try_demo", "stay"]
    for key in wanted:
        print(T[key].in_(language, **values), flush=True)


def _any_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
