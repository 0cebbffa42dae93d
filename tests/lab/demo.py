"""`make run`: collector, one agent and a school whose lines are known, for real; a table of what was measured; until Ctrl-C.

Where network namespaces are not permitted, the "classrooms" are iperf3 servers on loopback: everything works, no rate is shaped.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from campus_base.language import Language, from_environment
from campus_base.messages import bilingual
from campus_base.wire_words import FAILURE_WORDS, RESULT_WORDS, VALIDITY_WORDS
from campus_wire.bandwidth import Verdict
from campus_wire.failures import FailureKind, Validity
from tests.lab.namespaces import permitted
from tests.lab.school import LabSchool, Room

FOLDER = Path(".run")
PATIENCE_SECONDS = 240.0
CYCLES = """
[throughput]
duration_seconds = 3
warmup_seconds = 1
[cycle]
throughput_seconds = 180
latency_seconds = 120
service_seconds = 30
host_seconds = 30
ship_seconds = 1
reference_days = 0
"""
LOOPBACK_ROOMS = (
    Room("c101", "一年级1班", 0.0),
    Room("c102", "一年级2班", 0.0),
    Room("c103", "一年级3班", 0.0, on=False),
)

T = {
    "no_lab": bilingual(
        "No network namespaces here ({why}): the classrooms are iperf3 servers on loopback, their rates are not shaped.",
        "此处无法使用网络命名空间（{why}）：教室以本机回环上的 iperf3 代替，速率不受限制。",
    ),
    "lab": bilingual(
        "Building a school in network namespaces: 8 classrooms at known line rates, one switched off.",
        "正在用网络命名空间搭建一所学校：8 间教室的线路速率已知，另有 1 间未开机。",
    ),
    "port": bilingual("Port 8080 is taken; using {port}.", "8080 端口已被占用，改用 {port}。"),
    "page": bilingual("Page: {url}   Metrics: {url}metrics", "网页：{url}   指标：{url}metrics"),
    "waiting": bilingual(
        "measured {done} of {all} classrooms … {seconds:.0f} s", "已测量 {done}/{all} 间教室 … {seconds:.0f} 秒"
    ),
    "late": bilingual(
        "Not every classroom was measured within {seconds:.0f} s; the table shows what is there.",
        "{seconds:.0f} 秒内未能测完所有教室，以下为已有结果。",
    ),
    "stay": bilingual(
        "Everything keeps running and the page renews itself. Ctrl-C stops all of it.",
        "系统继续运行，网页会自动更新。按 Ctrl-C 全部停止。",
    ),
    "stopped": bilingual("Stopped; nothing is left running.", "已全部停止。"),
    "died": bilingual("{what} ended unexpectedly; see {log}", "{what} 意外退出，请查看 {log}"),
    "required": bilingual(
        "required {required:g} Mbit/s, tolerance {tolerance:.0%}", "要求 {required:g} Mbit/s，允许误差 {tolerance:.0%}"
    ),
}
HEADINGS = (
    bilingual("classroom", "班级"),
    bilingual("true line", "真实线路"),
    bilingual("down", "下行"),
    bilingual("up", "上行"),
    bilingual("verdict", "结论"),
    bilingual("reason", "原因"),
)


def main() -> int:
    """Run the demonstration. The exit code."""
    language = from_environment()
    for number in (signal.SIGINT, signal.SIGTERM):  # a background job of a shell inherits SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    FOLDER.mkdir(mode=0o700)
    try:
        with ExitStack() as stack:
            return _demonstrate(stack, language)
    except KeyboardInterrupt:
        print("\n" + T["stopped"].in_(language))
        return 0


def _demonstrate(stack: ExitStack, language: Language) -> int:
    port = _free_port(language)
    url = f"http://127.0.0.1:{port}/"
    obstacle = permitted()
    print(T["no_lab"].in_(language, why=obstacle) if obstacle else T["lab"].in_(language), flush=True)
    state = ("--state-dir", str(FOLDER / "collector"))
    environment = os.environ | {"CAMPUS_SERVER_LISTEN": f"127.0.0.1:{port}"}
    collector = stack.enter_context(_process("collector", _python("campus_collector", "serve", *state), environment))
    token = subprocess.run(
        _python("campus_collector", "agent-token", "s001", "--town", "t01", *state),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    gateway = FOLDER / "gateway"
    gateway.mkdir(mode=0o700)
    (gateway / "token").write_text(token)
    (gateway / "token").chmod(0o600)
    run = _python("campus_agent", "run", "--config", str(gateway / "agent.toml"))
    if obstacle is None:
        school = stack.enter_context(LabSchool())
        rooms: tuple[Room, ...] = school.rooms
        school.agent_toml(
            gateway,
            collector_url=f"http://127.0.0.1:{port}",
            uplink=False,
            services={"collector": f"{url}healthz"},
            more=CYCLES,
        )
        path = str((FOLDER / "bridge").resolve())
        stack.enter_context(_process("bridge-outside", _python("tests.lab.bridge", "outside", path, str(port))))
        inside = school.gateway.argv(*_python("tests.lab.bridge", "inside", path, str(port)))
        stack.enter_context(_process("bridge-inside", inside))
        run = school.gateway.argv(*run)
    else:
        rooms = LOOPBACK_ROOMS
        _loopback_rooms(stack, gateway, port)
    _wait_until_ready(url, collector, language)
    agent = stack.enter_context(_process("agent", run))
    print(T["page"].in_(language, url=url), flush=True)
    _watch(url, rooms, {"collector": collector, "agent": agent}, language)
    print(T["stay"].in_(language), flush=True)
    while True:
        time.sleep(1)
        for what, process in (("collector", collector), ("agent", agent)):
            if process.poll() is not None:
                print(T["died"].in_(language, what=what, log=FOLDER / f"{what}.log"), file=sys.stderr)
                return 1


def _watch(url: str, rooms: tuple[Room, ...], processes: dict[str, Any], language: Language) -> None:
    """Wait for the first round with a line of progress, then print the table."""
    began = time.monotonic()
    measured: dict[str, Any] = {}
    while time.monotonic() - began < PATIENCE_SECONDS:
        measured = {each["subject"]: each for each in _school(url) if each["kind"] == "classroom" and each["latest"]}
        seconds = time.monotonic() - began
        text = T["waiting"].in_(language, done=len(measured), all=len(rooms), seconds=seconds)
        print(f"\r\x1b[K{text}" if sys.stdout.isatty() else text, end="" if sys.stdout.isatty() else "\n", flush=True)
        if len(measured) == len(rooms):
            break
        for what, process in processes.items():
            if process.poll() is not None:
                raise SystemExit("\n" + T["died"].in_(language, what=what, log=FOLDER / f"{what}.log"))
        time.sleep(0.5 if sys.stdout.isatty() else 5)
    if sys.stdout.isatty():
        print("\r\x1b[K", end="")
    if len(measured) < len(rooms):
        print(T["late"].in_(language, seconds=time.monotonic() - began), file=sys.stderr)
    rows = [[heading.in_(language) for heading in HEADINGS]]
    rows += [_row(room, measured.get(room.id), language) for room in rooms]
    print(_aligned(rows))
    print(T["required"].in_(language, required=100, tolerance=0.02), flush=True)


def _row(room: Room, subject: dict[str, Any] | None, language: Language) -> list[str]:
    off, unshaped = bilingual("switched off", "未开机"), bilingual("not shaped", "未限速")
    rate = room.line_rate_bits_per_second / 1e6
    truth = off.in_(language) if not room.on else f"{rate:g}" if rate else unshaped.in_(language)
    latest = subject["latest"] if subject else {}
    rates = [latest.get(name) for name in ("down", "up")]
    shown = [f"{rate['line_rate_bits_per_second'] / 1e6:.2f}" if rate else "—" for rate in rates]
    verdict, reason = Verdict.INSUFFICIENT, ""
    if latest.get("failure"):
        reason = FAILURE_WORDS[FailureKind(latest["failure"]["kind"])].in_(language)
    elif latest and latest["validity"] != Validity.OK:
        reason = f"{VALIDITY_WORDS[Validity(latest['validity'])].in_(language)} {latest['detail']}"
    elif all(rates):
        verdict = Verdict(latest["verdict"])
        slowest = min(rate["line_rate_bits_per_second"] for rate in rates if rate)
        if verdict is Verdict.NOT_MET:
            reason = bilingual("{rate:.1f} Mbit/s is below 98", "{rate:.1f} Mbit/s，低于 98 Mbit/s").in_(
                language, rate=slowest / 1e6
            )
    mark = {"met": "✓", "not_met": "✗"}.get(verdict, "?")
    return [f"{room.id} {room.name}", truth, *shown, f"{mark} {RESULT_WORDS[verdict].in_(language)}", reason]


def _loopback_rooms(stack: ExitStack, gateway: Path, port: int) -> None:
    lines = [
        "[agent]",
        'school = "s001"',
        'town = "t01"',
        'state_dir = "state"',
        "[collector]",
        f'url = "http://127.0.0.1:{port}"',
    ]
    lines += [
        "[limits]",
        "daily_test_bytes = 1_000_000_000_000",
        "max_cpu_ratio = 1.0",
        "max_cross_traffic_ratio = 1.0",
        CYCLES,
    ]
    for number, room in enumerate(LOOPBACK_ROOMS):
        own = _any_port()
        if room.on:
            stack.enter_context(_process(f"iperf3-{number}", ["iperf3", "-s", "-B", "127.0.0.1", "-p", str(own)]))
        lines += [
            "[[classroom]]",
            f'id = "{room.id}"',
            f'name = "{room.name}"',
            'host = "127.0.0.1"',
            f"port = {own}",
            'engine = "iperf3"',
        ]
    (gateway / "agent.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def _process(
    name: str, argv: list[str], environment: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A child with its log in .run, ended with SIGTERM, then by force, by its pid."""
    with (FOLDER / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


_DIRECT = build_opener(ProxyHandler({}))


def _school(url: str) -> list[dict[str, Any]]:
    try:
        with _DIRECT.open(f"{url}v1/schools/s001", timeout=5) as answer:
            subjects: list[dict[str, Any]] = json.load(answer)["subjects"]
            return subjects
    except (URLError, OSError):
        return []


def _wait_until_ready(url: str, collector: "subprocess.Popen[bytes]", language: Language) -> None:
    for _ in range(150):
        try:
            _DIRECT.open(f"{url}readyz", timeout=5).close()
            return
        except (URLError, OSError):
            if collector.poll() is not None:
                break
            time.sleep(0.2)
    print(T["died"].in_(language, what="collector", log=FOLDER / "collector.log"), file=sys.stderr)
    raise SystemExit(1)


def _free_port(language: Language) -> int:
    for port in range(8080, 8100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port != 8080:
            print(T["port"].in_(language, port=port), flush=True)
        return port
    raise SystemExit("no free port between 8080 and 8099")


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _aligned(rows: list[list[str]]) -> str:
    def width(text: str) -> int:
        return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)

    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    sys.exit(main())
