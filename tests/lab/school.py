"""A school in network namespaces: gateway, switch, classrooms at true line rates, a line to the bureau.

    bureau ===wan=== gateway ===lan=== switch (bridge) === classroom c010, c050, ...

Every classroom's line is shaped in both directions so that the number is a line rate: offloads off (a super-packet would count its
overhead once), and tbf told of the 24 octets per frame it does not see. Nothing touches the host's own network. Usage:

    with LabSchool() as school:
        school.gateway.run("ping", "-c1", school.room("c100").host)
        school.cross_traffic("c100", 30e6, seconds=5)
        config = school.agent_toml(folder, engine="iperf3")
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from tests.lab.namespaces import Namespace, command, prefix, sweep

LAN = "10.77.0."
LAN6 = "fd00:77::"
WAN = "198.51.100."
GATEWAY_WAN, BUREAU = f"{WAN}1", f"{WAN}10"
IPERF3_PORT, CAMPUS_PORT = 5201, 5301
TEST_KEY = "lab-test-key-0123456789abcdef"
ONE_MEASUREMENT = 0.03
"""How far one rate may be off on a machine that runs everything at once; how exact the engine is, tests/agent/measure/burst and the benchmark say."""


@dataclass(frozen=True, slots=True)
class Room:
    """A classroom: its line rate in bits per second, and whether its machine is on; delay and loss are one way."""

    id: str
    name: str
    line_rate_bits_per_second: float
    on: bool = True
    delay_seconds: float = 0.0
    loss_ratio: float = 0.0
    host: str = ""
    host6: str = ""

    @property
    def truth(self) -> str:
        """The verdict this line deserves against 100 Mbit/s with a tolerance of 2 %."""
        if not self.on:
            return "insufficient"
        return "met" if self.line_rate_bits_per_second >= 98e6 else "not_met"


DEFAULT_ROOMS: tuple[Room, ...] = (
    Room("c010", "一年级1班", 10e6),
    Room("c050", "一年级2班", 50e6),
    Room("c090", "二年级1班", 90e6),
    Room("c097", "二年级2班", 97e6),
    Room("c100", "三年级1班", 100e6),
    Room("c101", "三年级2班", 100e6),
    Room("c110", "四年级1班", 110e6),
    Room("c300", "四年级2班", 300e6),
    Room("c000", "五年级1班", 100e6, on=False),
)


class LabSchool:
    """Built on entering, removed on leaving, whatever happens between."""

    def __init__(
        self,
        rooms: Iterable[Room] = DEFAULT_ROOMS,
        wan_bits_per_second: float = 300e6,
        endpoint: str = "iperf3",
    ) -> None:
        """`endpoint`: what runs in each classroom and at the bureau: iperf3, respond (ours), or none."""
        self._prefix = prefix()
        self._tag = self._prefix.removeprefix("cm-").replace("-", "")[-8:]
        self.gateway, self.switch, self.bureau = (self._namespace(role) for role in ("gw", "sw", "bureau"))
        self.rooms = tuple(
            replace(room, host=f"{LAN}{11 + n}", host6=f"{LAN6}{11 + n:x}") for n, room in enumerate(rooms)
        )
        self._wan = wan_bits_per_second
        self._endpoint = endpoint
        self._made: list[Namespace] = []
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> "LabSchool":
        """Build; a half-built lab is removed."""
        sweep()
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove everything."""
        self.close()

    def close(self) -> None:
        """End the processes, remove the namespaces."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for namespace in self._made:
            namespace.remove()
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        self._made.clear()
        self._processes.clear()

    def room(self, room_id: str) -> Room:
        """By id."""
        return next(room for room in self.rooms if room.id == room_id)

    def inside(self, room_id: str) -> Namespace:
        """The namespace of a classroom."""
        return self._namespace(room_id)

    def keep(self, process: "subprocess.Popen[str]") -> "subprocess.Popen[str]":
        """End this process with the lab."""
        self._processes.append(process)
        return process

    def connect(self, role: str, address: str) -> Namespace:
        """One more host on the school's network, on a cable that is not shaped."""
        inside = self._namespace(role)
        self._create(inside)
        self._cable(inside, "eth0", self.switch, f"port-{role}", None)
        inside.ip("addr", "add", f"{address}/24", "dev", "eth0")
        inside.ip("route", "add", "default", "via", f"{LAN}1")
        return inside

    def serve(self, where: Namespace, endpoint: str) -> None:
        """Start a test endpoint in a namespace."""
        if endpoint == "iperf3":
            self.keep(where.popen("iperf3", "-s", "-p", str(IPERF3_PORT)))
        elif endpoint == "respond":
            key = ("--test-key-file", str(self._key_file()))
            module = (sys.executable, "-m", "campus_agent", "respond", "--listen", "0.0.0.0")
            self.keep(where.popen(*module, "--port", str(CAMPUS_PORT), "--iperf3-port", str(IPERF3_PORT), *key))

    def cross_traffic(self, room_id: str, line_rate_bits_per_second: float, seconds: float) -> "subprocess.Popen[str]":
        """Paced UDP from the gateway to a classroom's sink, in the background."""
        sender = (sys.executable, "-m", "tests.lab.cross", self.room(room_id).host)
        return self.keep(self.gateway.popen(*sender, str(line_rate_bits_per_second), str(seconds)))

    def shape_wan(self, bits_per_second: float) -> None:
        """Change the rate of the line to the bureau."""
        for namespace, device in ((self.gateway, "wan"), (self.bureau, "wan")):
            _shape(namespace, device, bits_per_second)

    def agent_toml(
        self,
        folder: Path,
        engine: str = "iperf3",
        collector_url: str | None = None,
        uplink: bool = False,
        required_uplink_bits_per_second: int = 1_000_000_000,
        services: Mapping[str, str] | None = None,
        more: str = "",
        switch: str | None = None,
    ) -> Path:
        """A configuration of the gateway's agent that fits this school. `switch`: the id of the device whose ports the classrooms hang on."""
        port = CAMPUS_PORT if engine == "campus" else IPERF3_PORT
        (folder / "test.key").write_text(TEST_KEY + "\n")
        (folder / "test.key").chmod(0o600)
        lines = ["[agent]", 'town = "t01"', 'school = "s001"', 'state_dir = "state"', 'test_key_file = "test.key"']
        if collector_url:
            lines += ["[collector]", f'url = "{collector_url}"', 'token_file = "token"']
            if collector_url.startswith("https"):
                lines.append('ca_file = "ca.pem"')
        # The rooms share this machine's processors with the gateway: the CPU guard would measure the lab, not the gateway.
        lines += ["[limits]", "daily_test_bytes = 20_000_000_000", "max_cpu_ratio = 1.0"]
        lines += [more]
        for number, room in enumerate(self.rooms, 1):
            lines += ["[[classroom]]", f'id = "{room.id}"', f'name = "{room.name}"', f'host = "{room.host}"']
            lines += [f'engine = "{engine}"', f"port = {port}"]
            lines += [f'switch = "{switch}"', f'switch_port = "port{number}"'] if switch else []
        if uplink:
            lines += ["[uplink]", f'host = "{BUREAU}"', f'engine = "{engine}"', f"port = {port}"]
            lines += [f"required_bits_per_second = {required_uplink_bits_per_second}"]
        for service, url in (services or {}).items():
            lines += ["[[service]]", f'id = "{service}"', f'url = "{url}"']
        path = folder / "agent.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def _build(self) -> None:
        for namespace in (self.gateway, self.switch, self.bureau):
            self._create(namespace)
        self.switch.ip("link", "add", "br0", "type", "bridge")
        self.switch.ip("link", "set", "br0", "up")
        self._cable(self.gateway, "lan", self.switch, "port0", None)
        self.gateway.ip("addr", "add", f"{LAN}1/24", "dev", "lan")
        self.gateway.ip("-6", "addr", "add", f"{LAN6}1/64", "dev", "lan", "nodad")
        self._cable(self.gateway, "wan", self.bureau, "wan", self._wan, into_bridge=False)
        self.gateway.ip("addr", "add", f"{GATEWAY_WAN}/24", "dev", "wan")
        self.bureau.ip("addr", "add", f"{BUREAU}/24", "dev", "wan")
        self.bureau.ip("route", "add", f"{LAN}0/24", "via", GATEWAY_WAN)
        self.gateway.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for number, room in enumerate(self.rooms, 1):
            self._add_room(number, room)
        if self._endpoint != "none":
            self.serve(self.bureau, self._endpoint)
            self._wait_for_endpoints()

    def _add_room(self, number: int, room: Room) -> None:
        inside = self._namespace(room.id)
        self._create(inside)
        bridge = "br0"
        if room.delay_seconds or room.loss_ratio:
            bridge = f"br{number}"
            self._relay(number, bridge, room)
        self._cable(inside, "eth0", self.switch, f"port{number}", room.line_rate_bits_per_second, bridge=bridge)
        inside.ip("addr", "add", f"{room.host}/24", "dev", "eth0")
        inside.ip("-6", "addr", "add", f"{room.host6}/64", "dev", "eth0", "nodad")
        inside.ip("route", "add", "default", "via", f"{LAN}1")
        if not room.on:
            inside.ip("link", "set", "eth0", "down")
        elif self._endpoint != "none":
            self.serve(inside, self._endpoint)
            self.keep(inside.popen(sys.executable, "-m", "tests.lab.cross", "sink"))

    def _relay(self, number: int, bridge: str, room: Room) -> None:
        """A bridge of its own for this room, joined to the switch by a relay that delays and drops."""
        near, far = f"tapn{number}", f"tapf{number}"
        self.switch.ip("link", "add", bridge, "type", "bridge")
        self.switch.ip("link", "set", bridge, "up")
        for device, master in ((near, "br0"), (far, bridge)):
            self.switch.ip("tuntap", "add", device, "mode", "tap")
            self.switch.ip("link", "set", device, "master", master, "up")
        relay = (sys.executable, "-m", "tests.lab.relay", near, far)
        self.keep(self.switch.popen(*relay, str(room.delay_seconds), str(room.loss_ratio)))

    def _cable(
        self,
        host: Namespace,
        host_device: str,
        other: Namespace,
        other_device: str,
        bits_per_second: float | None,
        into_bridge: bool = True,
        bridge: str = "br0",
    ) -> None:
        """A cable between two hosts; the other end goes into the switch's bridge."""
        ends = (f"a{self._tag}", f"b{self._tag}")
        command("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end, namespace, device in ((ends[0], host, host_device), (ends[1], other, other_device)):
            command("ip", "link", "set", end, "netns", namespace.name, "name", device)
            namespace.run("ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off")
            if bits_per_second:
                _shape(namespace, device, bits_per_second)
            if namespace is self.switch and into_bridge:
                namespace.ip("link", "set", device, "master", bridge)
            namespace.ip("link", "set", device, "up")

    def _wait_for_endpoints(self) -> None:
        """Until every server listens."""
        port = CAMPUS_PORT if self._endpoint == "respond" else IPERF3_PORT
        places = [self.bureau] + [self._namespace(room.id) for room in self.rooms if room.on]
        end = time.monotonic() + 30
        for place in places:
            while f":{port} " not in place.run("ss", "-Hltn").stdout:
                if time.monotonic() > end:
                    raise TimeoutError(f"{place.name}: nothing listens on port {port}")
                time.sleep(0.05)

    def _create(self, namespace: Namespace) -> None:
        self._made.append(namespace)
        namespace.create()

    def _namespace(self, role: str) -> Namespace:
        return Namespace(f"{self._prefix}-{role}")

    def _key_file(self) -> Path:
        import tempfile

        path = Path(tempfile.gettempdir()) / f"{self._prefix}.key"
        if not path.exists():
            path.write_text(TEST_KEY + "\n")
            path.chmod(0o600)
        return path


def _shape(namespace: Namespace, device: str, bits_per_second: float) -> None:
    """A true line rate: tbf counts the Ethernet header; 24 octets of preamble, FCS and gap are told to it."""
    queue = max(64_000, round(bits_per_second / 8 * 0.01))
    shaper = ("tbf", "rate", f"{round(bits_per_second)}bit", "burst", "16000", "limit", str(queue), "overhead", "24")
    command("tc", "-n", namespace.name, "qdisc", "replace", "dev", device, "root", *shaper)
