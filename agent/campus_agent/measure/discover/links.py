"""Which of this machine's interfaces lead to a network that is the school's?"""

import ipaddress
import socket
from contextlib import suppress

from campus_agent.measure.link.ethtool import (
    ETHERNET,
    LOOPBACK,
    NO_ARP,
    POINT_TO_POINT,
    RUNNING,
    NicSettings,
    nic_settings,
)
from campus_agent.measure.link.rtnetlink import ipv4_addresses


class NoLink(ValueError):
    """There is no such interface, or none with an IPv4 network."""


def links(only: str | None = None) -> dict[str, list[str]]:
    """The interfaces that are up, with their IPv4 networks; loopback, tunnels and point-to-point lines are nobody's LAN. Raises NoLink."""
    names = sorted(name for _, name in socket.if_nameindex())
    lans = [name for name in names if only in (None, name) and _is_lan(nic_settings(name))]
    networks = {name: _networks(name) for name in lans}
    networks = {name: addresses for name, addresses in networks.items() if addresses}
    if not networks:
        description = f"{only} that is a LAN" if only in names else only or "with an IPv4 network"
        raise NoLink(f"no interface {description}; known: {', '.join(names)}")
    return networks


def _is_lan(settings: NicSettings | None) -> bool:
    """Is it up, and Ethernet (or Wi-Fi, a bridge, a VLAN), where addresses are asked for by ARP? A tunnel leads to another network."""
    if settings is None or settings.hardware != ETHERNET or not settings.flags & RUNNING:
        return False
    return not settings.flags & (LOOPBACK | POINT_TO_POINT | NO_ARP)


def _networks(name: str) -> list[str]:
    """The interface's addresses with their networks; a point-to-point pair of two addresses is no network."""
    with suppress(OSError):
        return [address for address in ipv4_addresses(name) if ipaddress.ip_interface(address).network.prefixlen < 31]
    return []
