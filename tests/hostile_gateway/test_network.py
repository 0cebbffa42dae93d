"""The gateway's network is not as it should be: several addresses, many interfaces, dead DNS, broken IPv6, a wrong clock, a captive portal.

Everything runs in namespaces with real links, by the installed command; a certificate that is out of date stands for a wrong clock.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.certificates import EXPIRED, NOT_YET, Authority
from tests.lab.namespaces import Namespace, prefix

AGENT = [sys.executable, "-m", "campus_agent"]
lab = pytest.mark.lab


@contextmanager
def two_hosts(gateway: tuple[str, ...], room: tuple[str, ...]) -> Iterator[tuple[Namespace, Namespace]]:
    """A gateway and one machine behind it, each with these addresses on one interface, in this order."""
    name = prefix()
    hosts = Namespace(f"{name}-gw"), Namespace(f"{name}-pc")
    try:
        for host in hosts:
            host.create()
        hosts[0].ip("link", "add", "lan", "type", "veth", "peer", "name", "nic", "netns", hosts[1].name)
        for host, link, addresses in ((hosts[0], "lan", gateway), (hosts[1], "nic", room)):
            host.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
            for address in addresses:
                host.ip("addr", "add", address, "dev", link, *(["nodad"] if ":" in address else []))
            host.ip("link", "set", link, "up")
            host.run("ethtool", "-K", link, "tso", "off", "gso", "off", "gro", "off")
        yield hosts
    finally:
        for host in hosts:
            host.remove()


def measure(argv: list[str], folder: Path, *what: str, **environment: str) -> dict[str, Any]:
    command = [*argv, *AGENT, "measure", *what, "--json", "--config", str(folder / "agent.toml")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"} | environment,
    )
    assert done.stdout, done.stderr
    return {**json.loads(done.stdout), "exit": done.returncode}


def configure(folder: Path, text: str) -> None:
    (folder / "test.key").write_text("a" * 64 + "\n")
    head = f'[agent]\ntown = "t01"\nschool = "s001"\nstate_dir = "{folder}/state"\ntest_key_file = "test.key"\n'
    (folder / "agent.toml").write_text(head + text)


def seeing(namespace: Namespace, files: dict[str, Path]) -> list[str]:
    """The command that runs another one in a namespace where these files of the system are others."""
    mounts = " && ".join(f"mount --bind {source} {target}" for target, source in files.items())
    script = f'mount --make-rprivate / && {mounts} && exec "$@"'
    return [*namespace.argv("unshare", "-m", "sh", "-c", script, "sh")]


COUNT = textwrap.dedent(
    """
    import json, socket, sys, time
    from campus_agent.measure.link.interface_counters import open_counters
    from campus_agent.measure.link.path import counted_header_bytes, interface_of, link_to
    peer, interface = sys.argv[1:]
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as connected, socket.socket(family, socket.SOCK_DGRAM) as sock:
        connected.connect((peer, 9))
        counters = open_counters(interface_of(connected))
        before = counters.read()
        end = time.monotonic() + 60
        after = before
        while after.sent_packets < before.sent_packets + 20 and time.monotonic() < end:
            sock.sendto(bytes(1000), (peer, 9))  # the first wait for the peer's hardware address
            time.sleep(0.01)
            after = counters.read()
    passed = [after.sent_packets - before.sent_packets, after.sent_bytes - before.sent_bytes]
    print(json.dumps({"interface": link_to(peer).name, "passed": passed,
                      "header": counted_header_bytes(interface), "counted": open_counters(interface) is not None}))
    """
)


def counted(gateway: Namespace, peer: str, interface: str) -> dict[str, Any]:
    done = gateway.run(sys.executable, "-c", COUNT, peer, interface)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@lab
@pytest.mark.parametrize(
    ("gateway", "room", "peer"),
    [
        (("10.9.1.1/24", "10.9.2.1/24"), ("10.9.2.2/24",), "10.9.2.2"),
        (("10.9.2.1/24", "10.9.2.7/24"), ("10.9.1.2/24", "10.9.2.2/24"), "10.9.2.2"),
        (("10.9.1.1/24", "2001:db8:9::1/64"), ("2001:db8:9::2/64",), "2001:db8:9::2"),
        (("2001:db8:8::1/64", "2001:db8:9::1/64"), ("2001:db8:9::2/64",), "2001:db8:9::2"),
    ],
)
def test_counters_are_found_whatever_the_address(gateway: tuple[str, ...], room: tuple[str, ...], peer: str) -> None:
    with two_hosts(gateway, room) as (gw, _):
        actual = counted(gw, peer, "lan")
    assert (actual["interface"], actual["header"]) == ("lan", 14)
    assert actual["passed"][0] >= 10
    assert actual["passed"][1] >= 10 * 1000


LINKS = textwrap.dedent(
    """
    import json
    from campus_agent.measure.discover.links import links
    from campus_agent.measure.link.ethtool import nic_settings
    from campus_agent.measure.probes.host import _interfaces
    nic = nic_settings("lan")
    print(json.dumps({"links": links(), "speed": nic.speed_bits_per_second, "full": nic.full_duplex,
                      "interfaces": {record.name: record.up for record in _interfaces()}}))
    """
)


@lab
def test_every_network_of_an_interface_is_its_and_a_tunnel_is_none() -> None:
    """The kernel is asked in the process's own network namespace, whatever is mounted at /sys; a veth counts as 10 Gbit/s."""
    many = [f"10.9.{n}.1/24" for n in range(1, 120)]
    with two_hosts(tuple(many), ("10.9.1.2/24",)) as (gw, _):
        gw.ip("tuntap", "add", "tun7", "mode", "tun")
        gw.ip("addr", "add", "10.200.0.1/24", "dev", "tun7")
        gw.ip("link", "set", "tun7", "up")
        done = gw.run(sys.executable, "-c", LINKS)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
    assert answer["links"] == {"lan": many}
    assert (answer["speed"], answer["full"]) == (10e9, True)
    assert answer["interfaces"] == {"lan": True, "tun7": False}


@lab
def test_counters_are_read_among_sixty_interfaces() -> None:
    """More than a page of /proc/net/dev: the interface in use stands anywhere in it."""
    with two_hosts(("10.9.1.1/24",), ("10.9.1.2/24",)) as (gw, _):
        pairs = "\n".join(f"link add classroom{n} type veth peer name port{n}" for n in range(30))
        subprocess.run(["ip", "-n", gw.name, "-batch", "-"], input=pairs, text=True, check=True)
        actual = counted(gw, "10.9.1.2", "lan")
        others = [counted(gw, "10.9.1.2", name)["counted"] for name in ("classroom0", "port29")]
    assert actual["passed"][0] >= 10
    assert all(others)


@lab
@pytest.mark.parametrize("family", ["", "-6"])
def test_the_interface_is_that_of_the_rule_for_the_source(family: str) -> None:
    """Two lines, and what is sent from the address of the second one leaves by it, by a rule of its own."""
    local, peer, default = ("2001:db8:9::1", "2001:db8:7::1", "::/0") if family else ("10.9.1.1", "10.7.0.1", "default")
    length = 64 if family else 24
    with two_hosts((f"{local}/{length}",), (f"{local[:-1]}2/{length}",)) as (gw, _):
        gw.ip("link", "add", "second", "type", "veth", "peer", "name", "other")
        for name in ("second", "other"):
            gw.ip("link", "set", name, "up")
        arguments = [family] if family else []
        gw.ip(*arguments, "route", "add", default, "via", f"{local[:-1]}2", "dev", "lan", "src", local)
        gw.ip(*arguments, "route", "add", default, "dev", "second", "table", "100")
        gw.ip(*arguments, "rule", "add", "from", local, "lookup", "100")
        done = gw.run(sys.executable, "-c", LINK_TO, peer)
    assert done.stdout.split() == ["second", "second"], done.stderr


LINK_TO = textwrap.dedent(
    """
    import socket, sys
    from campus_agent.measure.link.path import interface_of, link_to
    with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((sys.argv[1], 9))
        print(interface_of(sock), link_to(sys.argv[1]).name)
    """
)


def listening(host: Namespace, port: int) -> None:
    for _ in range(200):
        if host.run("ss", "-Hltn", f"sport = :{port}").stdout.strip():
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


@lab
@pytest.mark.parametrize("route", ["blackhole", "unreachable"])
def test_broken_ipv6_does_not_keep_a_platform_from_being_reached(tmp_path: Path, route: str) -> None:
    """The name has an address of each family; the system prefers IPv6, which is swallowed (or refused) on the way."""
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n2001:db8:99::2 platform.test\n10.9.1.2 platform.test\n")
    configure(tmp_path, '[[service]]\nid = "p"\nurl = "http://platform.test/"\n')
    with two_hosts(("10.9.1.1/24", "2001:db8:9::1/64"), ("10.9.1.2/24", "2001:db8:9::2/64")) as (gw, pc):
        gw.ip("-6", "route", "add", "default", "via", "2001:db8:9::2")
        pc.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        pc.ip("-6", "route", "add", route, "2001:db8:99::/64")
        (tmp_path / "index.html").write_text("the platform")
        pc.popen(sys.executable, "-m", "http.server", "80", "--bind", "10.9.1.2", "--directory", str(tmp_path))
        listening(pc, 80)
        answer = measure(seeing(gw, {"/etc/hosts": tmp_path / "hosts"}), tmp_path, "service", "p")
    assert (answer["success"], answer["http_status"], answer["failure"]) == (True, 200, None)
    assert (answer["address"], answer["address_family"]) == ("10.9.1.2", "ipv4")


FETCH = """
import sys
from pathlib import Path
from campus_agent.config.model import Collector
from campus_agent.ship.connection import CollectorConnection
print(CollectorConnection(Collector(sys.argv[1], Path("token"))).get("/index.html").status)
"""


@lab
@pytest.mark.parametrize("engine", ["campus", "iperf3"])
def test_broken_ipv6_stops_neither_tests_nor_shipping(tmp_path: Path, engine: str) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n2001:db8:99::2 room.test\n10.9.1.2 room.test\n")
    row = f'[[classroom]]\nid = "c1"\nhost = "room.test"\nengine = "{engine}"\nport = 5301\n'
    configure(tmp_path, row + "[throughput]\nduration_seconds = 2\nwarmup_seconds = 0\n")
    with two_hosts(("10.9.1.1/24", "2001:db8:9::1/64"), ("10.9.1.2/24", "2001:db8:9::2/64")) as (gw, pc):
        gw.ip("-6", "route", "add", "default", "via", "2001:db8:9::2")
        pc.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        pc.ip("-6", "route", "add", "blackhole", "2001:db8:99::/64")
        if engine == "campus":
            pc.popen(
                *AGENT, "respond", "--port", "5301", "--iperf3-port", "0", "--test-key-file", str(tmp_path / "test.key")
            )
        else:
            pc.popen("iperf3", "-s", "-p", "5301", "-B", "10.9.1.2")
        (tmp_path / "index.html").write_text("the collector")
        pc.popen(sys.executable, "-m", "http.server", "80", "--bind", "10.9.1.2", "--directory", str(tmp_path))
        listening(pc, 5301)
        listening(pc, 80)
        inside = seeing(gw, {"/etc/hosts": tmp_path / "hosts"})
        answer = measure(inside, tmp_path, "classroom", "c1")
        command = [*inside, sys.executable, "-c", FETCH, "http://room.test"]
        fetched = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer["failure"] is None, answer
    assert answer["down"]["bytes"] > 0
    assert fetched.stdout.strip() == "200", fetched.stderr


@lab
def test_dead_name_servers_are_named_and_end_in_time(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 10.9.1.99\nnameserver 10.9.1.98\n")
    configure(tmp_path, '[[service]]\nid = "p"\nurl = "http://platform.test/"\n')
    with two_hosts(("10.9.1.1/24",), ("10.9.1.2/24",)) as (gw, _):
        gw.ip("route", "add", "blackhole", "10.9.1.98/31")
        answer = measure(seeing(gw, {"/etc/resolv.conf": tmp_path / "resolv.conf"}), tmp_path, "service", "p")
    assert answer["failure"]["operation"] == "resolve"
    assert answer["failure"]["kind"] in ("name_server_failed", "timeout", "name_not_found")
    assert answer["phase_duration_seconds"]["connect"] is None


@contextmanager
def web_server(answer: bytes, certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """One answer for everybody, on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if context is not None and certificate is not None:
        context.load_cert_chain(*certificate)
    with socket.create_server(("127.0.0.1", 0)) as listening_socket:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listening_socket.accept()
                except OSError:
                    return
                with suppress(OSError), plain:
                    line = context.wrap_socket(plain, server_side=True) if context else plain
                    line.recv(8192)
                    line.sendall(answer)
                    line.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listening_socket.getsockname()[1]


def http(status: str, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@pytest.mark.parametrize(
    ("answer", "expect"),
    [
        (http("302 Found", "", "Location: http://portal.example/login"), ""),
        (http("302 Found", "", "Location: https://10.200.0.1:8443/"), "status = [302]"),
        (http("511 Network Authentication Required"), ""),
        (http("200 OK", "<meta http-equiv=refresh content='0;url=http://10.200.0.1/'>"), ""),
        (http("200 OK", "<script>location.href='http://10.200.0.1/a70.htm'</script>"), ""),
        (http("200 OK", "<h1>校园网认证</h1>"), 'text = "智慧教育"'),
        (http("302 Found", "", "Location: http://localhost/x"), 'host = "127.0.0.1"'),
    ],
)
def test_a_captive_portal_is_no_success(tmp_path: Path, answer: bytes, expect: str) -> None:
    with web_server(answer) as port:
        row = f'[[service]]\nid = "p"\nurl = "http://127.0.0.1:{port}/"\n'
        configure(tmp_path, row + (f"expect = {{ {expect} }}\n" if expect else ""))
        actual = measure([], tmp_path, "service", "p")
    assert (actual["verdict"], actual["success"], actual["exit"]) == ("not_met", False, 1)
    assert actual["failure"]["kind"] == "intercepted"


@pytest.mark.parametrize(
    ("valid", "their_date", "verdict"),
    [
        (NOT_YET, None, "insufficient"),
        (EXPIRED, datetime(2020, 6, 1, tzinfo=UTC), "insufficient"),
        (EXPIRED, "now", "not_met"),
    ],
)
def test_a_wrong_clock_is_the_gateway_s(
    tmp_path: Path, valid: tuple[str, str], their_date: datetime | str | None, verdict: str
) -> None:
    authority = Authority(tmp_path / "ca")
    moment = datetime.now(UTC) if isinstance(their_date, str) else their_date
    dates = [f"Date: {format_datetime(moment, usegmt=True)}"] if moment else []
    with web_server(http("200 OK", "ok", *dates), authority.certificate("p", "IP:127.0.0.1", valid)) as port:
        configure(tmp_path, f'[[service]]\nid = "p"\nurl = "https://127.0.0.1:{port}/"\n')
        answer = measure([], tmp_path, "service", "p", SSL_CERT_FILE=str(authority.ca_file))
        enrolled = subprocess.run(
            [*AGENT, "enroll", f"https://127.0.0.1:{port}", "ABCD-EFGH-JKLM", "--dir", str(tmp_path / "etc"),
             "--ca-file", str(authority.ca_file)],
            capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"CAMPUS_LANG": "en"},
        )  # fmt: skip
    assert answer["verdict"] == verdict
    assert (answer["validity"] == "clock_untrusted") is (verdict == "insufficient")
    assert enrolled.returncode == 1
    assert ("this gateway's clock is wrong" in enrolled.stderr) is (verdict == "insufficient")
    assert "the code was not used" in enrolled.stderr
