"""Which of this machine's interfaces lead to a network that is the school's?"""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterator

import psutil

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
