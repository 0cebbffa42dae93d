"""Real peers for device tests: net-snmp's agent and GStreamer's RTSP server on loopback; sockets that misbehave."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "fakes" / "rtsp_source.py"
COMMUNITY, AUTH_KEY, PRIV_KEY = "lessons-community", "auth-passphrase", "priv-passphrase"
STREAM_PASSWORD = "secret-of-the-stream"


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def snmpd(folder: Path, more: str = "", port: int | None = None) -> Iterator[int]:
    """net-snmp's agent with a v2c community and a v3 user (SHA-256, AES); its port. `more` are lines of its configuration."""
    if shutil.which("snmpd") is None:
        assert not os.environ.get("CI"), "snmpd must be there under CI"
        pytest.skip("NO SNMPD: install the package snmpd")
    port = port or free_port(socket.SOCK_DGRAM)
    state = folder / "snmp-state"
    state.mkdir(exist_ok=True)
    (folder / "agent.conf").write_text(
        f"agentAddress udp:127.0.0.1:{port}\nrocommunity {COMMUNITY} 127.0.0.1\n"
        f'createUser monitor SHA-256 "{AUTH_KEY}" AES "{PRIV_KEY}"\nrouser monitor priv\nsysDescr Recorder 7.1\n{more}'
    )
    log = folder / "snmpd.log"
    log.unlink(missing_ok=True)
    with subprocess.Popen(
        ["snmpd", "-f", "-C", "-c", str(folder / "agent.conf"), "-Lf", str(log), "-p", str(folder / "snmpd.pid")],
        env=os.environ | {"SNMP_PERSISTENT_DIR": str(state)},
    ) as process:
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end and "NET-SNMP version" not in (log.read_text() if log.exists() else ""):
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()


UPS = """1.3.6.1.2.1.1.3.0|67|123456
1.3.6.1.2.1.33.1.1.3.0|4|UPS firmware 1.0
1.3.6.1.2.1.33.1.2.4.0|2|97
1.3.6.1.2.1.33.1.2.7.0|2|25
1.3.6.1.2.1.33.1.4.1.0|2|{source}
"""
"""A walk of UPS-MIB (RFC 1628): charge in per cent, temperature, output source (3 normal, 5 battery)."""


@contextlib.contextmanager
def ups(folder: Path, source: int = 3, port: int | None = None) -> Iterator[int]:
    """snmpsim as an uninterruptible power supply; its port."""
    port = port or free_port(socket.SOCK_DGRAM)
    data, log = folder / "ups-data", folder / "ups.log"
    data.mkdir(exist_ok=True)
    (data / f"{COMMUNITY}.snmprec").write_text(UPS.format(source=source))
    user = ["--process-user=root", "--process-group=root"] if os.geteuid() == 0 else []
    command = [
        str(Path(sys.executable).with_name("snmpsim-command-responder")), *user, "--force-index-rebuild",
        f"--cache-dir={folder / 'ups-cache'}", f"--data-dir={data}", f"--agent-udpv4-endpoint=127.0.0.1:{port}",
    ]  # fmt: skip
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end and f":{port}" not in log.read_text():
                time.sleep(0.1)
            yield port
        finally:
            process.kill()


@contextlib.contextmanager
def rtsp_source(mode: str = "open", transports: str = "any", sound: str = "pcmu") -> Iterator[str]:
    """GStreamer's RTSP server; the address of its live stream."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as home,
        subprocess.Popen(
            ["/usr/bin/python3", str(SOURCE), str(port), mode, "127.0.0.1", transports, sound],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"HOME": home, "XDG_CACHE_HOME": home},
        ) as process,
    ):
        try:
            if process.stdout is None or process.stdout.readline().strip() != "ready":
                assert not os.environ.get("CI"), "GStreamer's RTSP server must be there under CI"
                pytest.skip("NO RTSP SERVER: install gir1.2-gst-rtsp-server-1.0, python3-gi and the GStreamer plugins")
            yield f"rtsp://127.0.0.1:{port}/live/1"
        finally:
            process.kill()


@contextlib.contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server that does to each client what the test says; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=one, args=(client,), daemon=True).start()

        def one(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                answer(client)

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def udp_server(answer: Callable[[bytes], bytes | None], host: str = "127.0.0.1") -> Iterator[int]:
    """A UDP server that answers each datagram as the test says, or not at all; its port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((host, 0))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    data, address = listener.recvfrom(65_536)
                    said = answer(data)
                    if said is not None:
                        listener.sendto(said, address)

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])
