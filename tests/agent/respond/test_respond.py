"""`campus-agent respond`: stock clients are served, a hung child is replaced, a taken port is told."""

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from packaging.requirements import Requirement

from campus_agent.respond.iperf3_server import peers_on
from tests.agent.measure.equipment.peers import free_port


@contextmanager
def responder(log: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "campus_agent", "respond", *arguments]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not psutil.pid_exists(process.pid) or psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE


def client(port: int) -> "subprocess.CompletedProcess[str]":
    command = ["iperf3", "-c", "127.0.0.1", "-p", str(port), "-n", "1M", "-J"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def served(port: int) -> bool:
    for _ in range(100):
        if '"sum_received"' in client(port).stdout:
            return True
        time.sleep(0.1)
    return False


def test_stock_clients_are_served_again_and_again_also_after_the_child_died(tmp_path: Path) -> None:
    port = free_port()
    with responder(tmp_path / "log", "--port", "0", "--iperf3-port", str(port), "--listen", "127.0.0.1") as process:
        assert served(port)
        assert served(port)
        (child,) = psutil.Process(process.pid).children()
        child.kill()
        assert served(port)


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "campus_agent",
        "respond",
        "--port",
        "0",
        "--iperf3-port",
        str(port),
        "--listen",
        "127.0.0.1",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        assert served(port)
        (child,) = psutil.Process(process.pid).children()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)
    assert child.wait(60) is None or not child.is_running()


def test_our_engine_needs_a_key_beyond_loopback(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "campus_agent",
        "respond",
        "--listen",
        "0.0.0.0",
        "--port",
        str(free_port()),
        "--iperf3-port",
        "0",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "key" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"), [(("--port", "70000"), "65535"), (("--test-key-file", "/nowhere"), "/nowhere")]
)
def test_wrong_use_is_told(arguments: tuple[str, ...], told: str) -> None:
    command = [sys.executable, "-m", "campus_agent", "respond", "--iperf3-port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [
            sys.executable,
            "-m",
            "campus_agent",
            "respond",
            "--listen",
            "127.0.0.1",
            "--port",
            port,
            "--iperf3-port",
            "0",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "in use" in done.stderr


def test_without_a_key_iperf3_answers_everybody_and_our_engine_only_this_machine(tmp_path: Path) -> None:
    ports = {"--port": free_port(), "--iperf3-port": free_port()}
    arguments = [str(word) for pair in ports.items() for word in pair]
    with responder(tmp_path / "log", *arguments):
        assert served(ports["--iperf3-port"])
        listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout.split()
    assert f"127.0.0.1:{ports['--port']}" in listening
    assert f"*:{ports['--iperf3-port']}" in listening
    assert "answers on this machine only" in (tmp_path / "log").read_text()


def test_nothing_to_answer_is_a_usage_mistake() -> None:
    argv = [sys.executable, "-m", "campus_agent", "respond", "--port", "0", "--iperf3-port", "0"]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=60, env=os.environ | {"CAMPUS_LANG": "zh"}
    )
    assert done.returncode == 2
    assert "没有可应答的服务" in done.stderr


def test_the_watchdog_s_library_is_new_enough() -> None:
    """`Process.net_connections` came with psutil 6.0 (its HISTORY): the project must ask for that."""
    pyproject = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [Requirement(line) for line in pyproject["project"]["optional-dependencies"]["agent"]]
    (psutil_asked,) = [each for each in asked if each.name == "psutil"]
    assert not psutil_asked.specifier.contains("5.9.8")
    assert psutil_asked.specifier.contains("6.0.0")
    assert psutil_asked.specifier.contains(psutil.__version__)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, listening.accept()[0]:
            assert tuple(client.getsockname()) in peers_on(port)
    assert peers_on(1) == set()
