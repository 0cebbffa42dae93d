"""A school around the booted machine: its root is the gateway; classrooms and a box of equipment are namespaces on its bridge.

root (gateway, bureau) 10.77.0.1 === br0 === room1 10.77.0.11 (our responder, 110 Mbit/s)
                                        === room2 10.77.0.12 (stock iperf3, 110 Mbit/s)
                                        === box   10.77.0.50 (recorder: snmpd and an RTSP stream; switch: FAKE; platform; test server)
"""

import contextlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.fakes.snmp_agent import agent, objects
from tests.fakes.switch import FakeSwitch, Port
from tests.lab.namespaces import Namespace, command
from tests.lab.school import _shape

GATEWAY, ROOM1, ROOM2, BOX = "10.77.0.1", "10.77.0.11", "10.77.0.12", "10.77.0.50"
COMMUNITY = "lessons-community"
STREAM_PASSWORD = "secret-of-the-stream"
SWITCH_PORT, STREAM_PORT, PLATFORM_PORT = 1161, 8554, 8000
LINE_RATE = 110e6
ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def gateway_lab(folder: Path, key: Path) -> Iterator[None]:
    """The school for the length of a block. `key` is the school's test key, as the enrolment made it."""
    command("ip", "link", "add", "br0", "type", "bridge")
    command("ip", "link", "set", "br0", "up")
    command("ip", "addr", "add", f"{GATEWAY}/24", "dev", "br0")
    processes: list[subprocess.Popen[str]] = []
    places = {}
    try:
        for number, (name, address) in enumerate({"room1": ROOM1, "room2": ROOM2, "box": BOX}.items(), 1):
            places[name] = _host(name, number, address, LINE_RATE if name != "box" else None)
        module = (sys.executable, "-m", "campus_agent", "respond", "--listen", "0.0.0.0", "--test-key-file", str(key))
        processes.append(places["room1"].popen(*module, "--port", "5301", "--iperf3-port", "5201"))
        processes.append(places["room2"].popen("iperf3", "-s", "-p", "5201"))
        processes.append(places["box"].popen(*module, "--port", "5301", "--iperf3-port", "0"))
        processes += _equipment(folder, places["box"])
        yield
    finally:
        for process in processes:
            process.kill()
        for place in places.values():
            place.remove()
        command("ip", "link", "del", "br0")


def inside(name: str) -> Namespace:
    """The namespace of a host of this school."""
    return Namespace(f"lab-{name}")


def _host(name: str, number: int, address: str, bits_per_second: float | None) -> Namespace:
    place, port = inside(name), f"port{number}"
    place.create()
    command("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", place.name)
    command("ip", "link", "set", port, "master", "br0", "up")
    place.ip("addr", "add", f"{address}/24", "dev", "eth0")
    place.ip("link", "set", "eth0", "up")
    offloads = ("tso", "off", "gso", "off", "gro", "off")
    command("ethtool", "-K", port, *offloads)
    place.run("ethtool", "-K", "eth0", *offloads)
    if bits_per_second:
        _shape(place, "eth0", bits_per_second)
        shaper = ("tbf", "rate", f"{round(bits_per_second)}bit", "burst", "16000", "limit", "137500", "overhead", "24")
        command("tc", "qdisc", "replace", "dev", port, "root", *shaper)
    return place


def _equipment(folder: Path, box: Namespace) -> list["subprocess.Popen[str]"]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "snmpd.conf").write_text(f"agentAddress udp:{BOX}:161\nrocommunity {COMMUNITY} {GATEWAY}/24\n")
    state = os.environ | {"SNMP_PERSISTENT_DIR": str(folder / "snmp"), "HOME": str(folder)}
    return [
        box.popen("snmpd", "-f", "-C", "-c", str(folder / "snmpd.conf"), "-p", str(folder / "snmpd.pid"), env=state),
        box.popen("/usr/bin/python3", str(ROOT / "tests/fakes/rtsp_source.py"), str(STREAM_PORT), "digest", BOX, env=state),
        box.popen(sys.executable, "-m", "tests.packaging.gateway_lab", "box", cwd=ROOT),
    ]  # fmt: skip


class _Platform(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html><title>platform</title></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def serve_box() -> None:
    """In the box: a platform's page and a FAKE switch, until ended."""
    platform = http.server.ThreadingHTTPServer((BOX, PLATFORM_PORT), _Platform)
    threading.Thread(target=platform.serve_forever, daemon=True).start()
    reply = agent(objects(FakeSwitch({1: Port("Gi0/1"), 2: Port("Gi0/2")}).known()))
    with socket.socket(type=socket.SOCK_DGRAM) as listener:
        listener.bind((BOX, SWITCH_PORT))
        while True:
            data, address = listener.recvfrom(65_536)
            listener.sendto(reply(data), address)


def serve_lab(folder: Path, key: Path) -> None:
    """As a unit of type notify: until it is ended."""
    with gateway_lab(folder, key):
        subprocess.run(["systemd-notify", "--ready"], check=True)
        signal.pause()


if __name__ == "__main__":
    if sys.argv[1:] == ["box"]:
        serve_box()
    else:
        serve_lab(*map(Path, sys.argv[1:]))
