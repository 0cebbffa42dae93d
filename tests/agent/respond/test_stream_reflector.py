"""The reflector as it is started: `campus-agent respond --stream-port`."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from campus_agent.cli import respond
from campus_agent.measure.stream.packets import SenderPacket, pack_sender, to_timestamp, unpack_reflected
from campus_base.command_line import CommandParser
from tests.agent.measure.equipment.peers import free_port

KEY = "a key of the county"


@contextmanager
def responder(log: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "campus_agent", "respond", "--port", "0", "--iperf3-port", "0", *options]
    with log.open("wb") as out, subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=out) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def packet(sequence: int, key: str | None) -> bytes:
    sender = SenderPacket(sequence, to_timestamp(time.time_ns()), 1, 77)
    return pack_sender(sender, key.encode() if key else None)


def first_answer(sock: socket.socket, address: tuple[str, int], key: str | None) -> tuple[int, bytes]:
    """Ask until the process is there: the number of the last question, and the first answer; later ones are read away."""
    sock.settimeout(0.2)
    for sequence in range(600):
        sock.sendto(packet(sequence, key), address)
        try:
            answer = sock.recv(2048)
        except (TimeoutError, ConnectionRefusedError):
            continue
        sock.settimeout(2)
        with suppress(TimeoutError):
            while True:
                sock.recv(2048)
        return sequence, answer
    raise AssertionError("no answer")


@pytest.mark.parametrize("key", [KEY, None], ids=["with a key", "without"])
def test_it_answers_as_it_is_started(tmp_path: Path, key: str | None) -> None:
    port, options = free_port(socket.SOCK_DGRAM), []
    if key is not None:
        (tmp_path / "key").write_text(key + "\n")
        (tmp_path / "key").chmod(0o600)
        options = ["--test-key-file", str(tmp_path / "key"), "--listen", "127.0.0.1"]
    log = tmp_path / "log"
    with responder(log, "--stream-port", str(port), *options), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sequence, answer = first_answer(sock, ("127.0.0.1", port), key)
        reflected = unpack_reflected(answer, key.encode() if key else None)
        assert reflected is not None
        assert reflected.sender_sequence <= sequence
        assert (reflected.sequence, reflected.sender_ttl) == (0, 64)
        assert 0 <= reflected.sent_ns - reflected.received_ns < 10**9
        sock.sendto(packet(sequence + 1, "another key" if key else None)[: 112 if key else 40], ("127.0.0.1", port))
        with pytest.raises(TimeoutError):
            sock.recv(2048)
    assert "stream_reflector_listens" in log.read_text(), "its own log is that of the program which started it"


def test_it_is_not_open_to_the_network_without_a_key() -> None:
    argv = [
        sys.executable,
        "-m",
        "campus_agent.respond.stream_reflector",
        str(free_port(socket.SOCK_DGRAM)),
        "0.0.0.0",
        "",
    ]
    done = subprocess.run([*argv, str(os.getpid())], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert "needs a key" in done.stderr


def test_a_test_server_of_uplinks_reflects_beside_the_engine_s_port() -> None:
    parser = CommandParser(prog="respond", language="en")
    respond.register(parser)
    of_server = parser.parse_args(["--capacity", "1000000000", "--port", "5301"])
    assert respond.stream_port_of(of_server) == 5302
    assert respond.stream_port_of(parser.parse_args([])) == 0
    assert respond.stream_port_of(parser.parse_args(["--stream-port", "862"])) == 862
