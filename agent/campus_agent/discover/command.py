"""`campus-agent discover`: our own links, the worker, and its findings for a person, a program or a spreadsheet."""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psutil

from campus_agent.discover.found import Found, Task
from campus_agent.discover.proposal import classroom_endpoints, problems, proposals
from campus_agent.measure.worker import run_worker
from campus_wire.language import Language, Text

_GET_FLAGS, _GET_HARDWARE = 0x8913, 0x8927  # SIOCGIFFLAGS, SIOCGIFHWADDR, linux/sockios.h
_LOOPBACK, _POINT_TO_POINT, _NO_ARP = 0x8, 0x10, 0x80  # linux/if.h
_ETHERNET = 1  # ARPHRD_ETHER, linux/if_arp.h


class NoLink(ValueError):
    """There is no such interface, or none with an IPv4 network."""


def links(only: str | None = None) -> dict[str, list[str]]:
    """The interfaces that are up, with their IPv4 networks; loopback, tunnels and point-to-point lines are nobody's LAN. Raises NoLink."""
    stats = psutil.net_if_stats()
    found = {name: list(_networks(name)) for name, state in stats.items() if state.isup and _is_lan(name)}
    found = {name: networks for name, networks in found.items() if networks and only in (None, name)}
    if not found:
        known = ", ".join(sorted(stats))
        wanted = f"{only} that is a LAN" if only in stats else only or "with an IPv4 network"
        raise NoLink(f"no interface {wanted}; known: {known}")
    return found


def _is_lan(name: str) -> bool:
    """Is it Ethernet (or Wi-Fi, a bridge, a VLAN), where addresses are asked for by ARP? A tunnel leads to somebody else's network."""
    request = struct.pack("16s16x", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            (flags,) = struct.unpack_from("H", fcntl.ioctl(sock, _GET_FLAGS, request), 16)
            (hardware,) = struct.unpack_from("H", fcntl.ioctl(sock, _GET_HARDWARE, request), 16)
        except OSError:
            return False
    return hardware == _ETHERNET and not flags & (_LOOPBACK | _POINT_TO_POINT | _NO_ARP)


def _networks(name: str) -> Iterator[str]:
    for address in psutil.net_if_addrs().get(name, []):
        if address.family.name == "AF_INET" and address.netmask:
            network = ipaddress.ip_interface(f"{address.address}/{address.netmask}")
            if network.network.prefixlen < 31:
                yield str(network)


async def discover(task: Task, on_progress: Callable[[Any], None]) -> Found:
    """Raises ProbeFailed (no permission), TimeoutError."""
    hosts = sum(ipaddress.ip_interface(one).network.num_addresses for nets in task.links.values() for one in nets)
    sweep = min(hosts, task.max_hosts * len(task.links)) * (1 / task.packets_per_second + 0.05)
    body = await run_worker("discover", task, 60 + 2 * sweep + len(task.links) * (task.seconds + 8), on_progress)
    return msgspec.json.decode(body, type=Found)


def as_json(found: Found) -> dict[str, Any]:
    """All of it, with what is proposed and what is wrong."""
    return {
        **msgspec.to_builtins(found),
        "proposals": proposals(found.hosts),
        "classroom_endpoints": classroom_endpoints(found.hosts),
        "problems": [{"en": one.en, "zh": one.zh} for one in problems(found)],
    }


def in_words(found: Found, language: Language) -> str:
    """The same for a person."""
    t = Text
    text = t(
        "{hosts} host(s), {dhcp} DHCP server(s), {neighbours} LLDP neighbour(s).",
        "主机 {hosts} 台，DHCP 服务器 {dhcp} 台，LLDP 邻居 {neighbours} 个。",
    )
    lines = [text.in_(language, hosts=len(found.hosts), dhcp=len(found.dhcp), neighbours=len(found.neighbours))]
    guessed = {row["host"]: row for row in proposals(found.hosts)}
    for host in found.hosts:
        row = guessed.get(host.address)
        what = f"{row['profile']} ({row['confidence']:.0%}) {row['name']}" if row else ""
        ports = ",".join(map(str, host.ports))
        lines.append(f"  {host.address:<15} {host.mac}  {ports:<18} {what}".rstrip())
    for one in found.neighbours:
        lines.append(
            f"  {one.interface}: {one.name} {t('port', '端口').in_(language)} {one.port} {one.address}".rstrip()
        )
    for one_server in found.dhcp:
        lines.append(f"  DHCP {one_server.server} ({one_server.mac}) → {one_server.offered}")
    for network in found.left_out:
        lines.append(
            t("  {network} is too large and was not swept", "  {network} 范围过大，未扫描").in_(
                language, network=network
            )
        )
    for name, why in found.failed.items():
        text = t("  {name} could not be used: {why}", "  {name} 无法使用：{why}")
        lines.append(text.in_(language, name=name, why=why))
    lines += [f"! {problem.in_(language)}" for problem in problems(found)]
    return "\n".join(lines)
