"""Who may open the page? The networks in which the configured classrooms are, and this machine: not the line to the provider, whatever its addresses."""

import ipaddress
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

import psutil

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
REFRESH_SECONDS = 300.0
SMALLEST_PREFIX = {4: 16, 6: 48}
"""A link that claims to be wider is no school's."""
ROUTED_PREFIX = {4: 24, 6: 64}
"""For a classroom behind a router: nothing tells how far its network goes."""


class ClassroomNetworks:
    """The networks of some hosts. Names are looked up beside, now and then: a name server that is dead holds nobody up."""

    def __init__(self, hosts: Sequence[str]) -> None:
        """Addresses count at once, names as soon as they are known."""
        literal = [one for one in hosts if _address(one) is not None]
        self._names = [one for one in hosts if one not in literal]
        self._literal = [address for one in literal if (address := _address(one)) is not None]
        self._found = networks_of(self._literal, links())
        self._closed = threading.Event()
        threading.Thread(target=self._refresh, name="networks", daemon=True).start()

    def contain(self, text: str) -> bool:
        """May this client be answered?"""
        address = _address(text)
        if address is None:
            return False
        return address.is_loopback or any(address in network for network in self._found)

    def close(self) -> None:
        """Look nothing up any more."""
        self._closed.set()

    def _refresh(self) -> None:
        while True:
            addresses = list(self._literal)
            for name in self._names:
                with suppress(OSError, UnicodeError):
                    rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
                    addresses += [address for row in rows if (address := _address(str(row[4][0]))) is not None]
            self._found = networks_of(addresses, links())
            if self._closed.wait(REFRESH_SECONDS):
                return


def networks_of(addresses: Sequence[Address], own: Sequence[Network]) -> frozenset[Network]:
    """The gateway's link that an address is on; its own surroundings where it is behind a router. Pure."""
    found: set[Network] = set()
    for address in addresses:
        on = [link for link in own if address in link]
        around = ipaddress.ip_network((address, ROUTED_PREFIX[address.version]), strict=False)
        found.add(max(on, key=lambda link: link.prefixlen) if on else around)
    return frozenset(found)


def links() -> list[Network]:
    """The networks of this machine's interfaces."""
    found: list[Network] = []
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family in (socket.AF_INET, socket.AF_INET6) and one.netmask:
                with suppress(ValueError):
                    prefix = bin(int(ipaddress.ip_address(one.netmask))).count("1")
                    link = ipaddress.ip_network((one.address.partition("%")[0], prefix), strict=False)
                    if prefix >= SMALLEST_PREFIX[link.version]:
                        found.append(link)
    return found


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
