"""The path to a host from this machine's kernel, without sending a packet: the interface, its speed and duplex, the largest packet."""

import contextlib
import re
import socket
import sys
from pathlib import Path
from typing import Literal

import msgspec

from campus_agent.measure.link import tcp_info
from campus_agent.measure.link.ethtool import ETHERNET, PPP, NicSettings, nic_settings
from campus_agent.measure.link.resolve import is_mapped, without_mapping
from campus_agent.measure.link.rtnetlink import route_interface
from campus_wire.encapsulation import MAX_MTU_BYTES, MIN_MTU_BYTES, AddressFamily, Encapsulation, mtu_from_mss
from campus_wire.records import ThroughputRecord

LOOPBACK = "lo"
ETHERNET_HEADER_BYTES = 14
MAX_VLAN_TAGS = 4
_IP_MTU_DISCOVER, _IP_MTU = 10, 14  # linux/in.h
_IPV6_MTU_DISCOVER, _IPV6_MTU = 23, 24  # linux/in6.h
_PMTUDISC_DO = 2


class Link(msgspec.Struct, frozen=True):
    """An interface of the gateway; speed and duplex are absent where the driver does not give them."""

    name: str
    speed_bits_per_second: float | None
    duplex: Literal["full", "half"] | None
    mtu_bytes: int | None
    vlan_tags: int = 0
    pppoe: bool = False


def link_to(address: str) -> Link | None:
    """The interface the kernel routes to this address through, from the address it would send from. None when there is no route."""
    name = interface_to(address, _source_towards(address))
    settings = nic_settings(name) if name is not None else None
    return link_of(name, settings) if name is not None and settings is not None else None


def link_of(name: str, settings: NicSettings, proc_net: Path = Path("/proc/net")) -> Link:
    """An interface whose settings are known already.

    A PPP interface may have any name (pppd's `ifname`). VLAN tags are those of the interface itself and of what its PPPoE session uses.
    """
    pppoe = settings.hardware == PPP
    below = _pppoe_device(proc_net) if pppoe else name
    duplex: Literal["full", "half"] | None = None
    if settings.full_duplex is not None:
        duplex = "full" if settings.full_duplex else "half"
    mtu = settings.mtu_bytes or None
    return Link(name, settings.speed_bits_per_second, duplex, mtu, _vlan_tags(below, proc_net) if below else 0, pppoe)


def encapsulation_through(link: Link | None) -> Encapsulation:
    """What an interface adds to each packet; MTU and address family are those that are usual."""
    return Encapsulation(vlan_tags=link.vlan_tags, pppoe=link.pppoe) if link is not None else Encapsulation()


def with_link(record: ThroughputRecord, link: Link | None) -> ThroughputRecord:
    """The record with what the gateway's interface claims."""
    if link is None:
        return record
    return msgspec.structs.replace(
        record, link_speed_bits_per_second=link.speed_bits_per_second, link_duplex=link.duplex
    )


def interface_to(peer: str, local: str | None = None) -> str | None:
    """The interface that packets to this address leave by, where `local` is their source; None when there is no route or no telling.

    A zone (`fe80::1%eth0`) names the interface itself. An address of this machine's own is reached by the loopback.
    """
    host, zone = _without_zone(peer)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if zone:
            return socket.if_indextoname(int(zone)) if zone.isdecimal() else zone
        return route_interface(host, _without_zone(local)[0] if local else None)
    return None


def interface_of(connected: socket.socket) -> str | None:
    """The interface that leads to the other end of this connection, from the address it is bound to; None when it cannot be determined."""
    with contextlib.suppress(OSError):
        peer, local = connected.getpeername(), connected.getsockname()
        scoped = len(peer) > 3 and peer[3] and "%" not in peer[0]
        return interface_to(f"{peer[0]}%{peer[3]}" if scoped else peer[0], local[0])
    return None


def counted_header_bytes(interface: str | None) -> int | None:
    """What the interface's byte counters include of a frame beside the IP packet; None when it cannot be determined."""
    settings = nic_settings(interface) if interface is not None else None
    if settings is None:
        return None
    return ETHERNET_HEADER_BYTES if settings.hardware == ETHERNET else 0


def forbid_fragments(udp: socket.socket) -> None:
    """A fragmented packet would be two frames on the line, and count as one."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError):
        udp.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
    if udp.family == socket.AF_INET6:
        with contextlib.suppress(OSError):
            udp.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DO)


def uses_timestamps(tcp: socket.socket) -> bool:
    """Do this connection's segments carry timestamps, twelve bytes each? Where the system does not say: yes, nearly all do."""
    info = tcp_info.read(tcp)
    return info is None or info.timestamps


def mtu_towards(udp: socket.socket, peer: tuple[object, ...]) -> int | None:
    """The largest IP packet to `peer` (a socket's address) by the kernel's path MTU; None where it gives none."""
    level, option = (
        (socket.IPPROTO_IPV6, _IPV6_MTU)
        if udp.family == socket.AF_INET6 and not is_mapped(str(peer[0]))
        else (socket.IPPROTO_IP, _IP_MTU)
    )
    try:
        with socket.socket(udp.family, socket.SOCK_DGRAM) as probe:
            probe.connect(peer)
            return probe.getsockopt(level, option)
    except OSError:
        return None


def path_mtu_bytes(udp: socket.socket, tcp: socket.socket, family: AddressFamily) -> int:
    """The largest IP packet both the route (connected `udp`) and the control connection's MSS allow."""
    candidates = [MAX_MTU_BYTES]
    if not sys.platform.startswith("linux"):
        return candidates[0]
    level, option = (socket.IPPROTO_IP, _IP_MTU) if family == "ipv4" else (socket.IPPROTO_IPV6, _IPV6_MTU)
    with contextlib.suppress(OSError):
        candidates.append(udp.getsockopt(level, option))
    with contextlib.suppress(OSError):
        mss = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        candidates.append(mtu_from_mss(mss, family, uses_timestamps(tcp)))
    return max(MIN_MTU_BYTES, min(candidates))


def _source_towards(address: str) -> str | None:
    """The address that packets to this one are sent from: rules by source may lead them another way than the target's own route."""
    host, zone = _without_zone(address)
    if zone:
        return None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.suppress(OSError, ValueError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # sends nothing
        return str(probe.getsockname()[0])
    return None


def _without_zone(address: str) -> tuple[str, str]:
    """An address as the kernel takes it, and its zone or ""."""
    host, _, zone = without_mapping(address).partition("%")
    return host, zone


def _pppoe_device(proc_net: Path) -> str | None:
    """The interface that this gateway's PPPoE sessions use ("Id Address Device" in /proc/net/pppoe); None: none, or several."""
    with contextlib.suppress(OSError), (proc_net / "pppoe").open(encoding="utf-8", errors="replace") as file:
        devices = {fields[2] for line in file.read(4096).splitlines()[1:] if len(fields := line.split(None, 2)) == 3}
        return devices.pop().strip() if len(devices) == 1 else None
    return None


def _vlan_tags(interface: str, proc_net: Path) -> int:
    """How many 802.1Q tags an interface adds to a frame: its own and those of the one below it (Linux: /proc/net/vlan/NAME)."""
    tags = 0
    while tags < MAX_VLAN_TAGS and (below := _interface_below(interface, proc_net)) is not None:
        tags, interface = tags + 1, below
    return tags


def _interface_below(vlan: str, proc_net: Path) -> str | None:
    """What a VLAN interface stands on ("Device: eth0"); None: it is none."""
    try:
        with (proc_net / "vlan" / vlan).open(encoding="utf-8", errors="replace") as file:
            device = re.search(r"^Device: *(\S+)", file.read(4096), re.MULTILINE)
    except OSError:
        return None
    return device[1] if device else None
