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
"""For a classroom behind a router: the size of its network is not known."""


class ClassroomNetworks:
    """The networks of some hosts. Names are looked up in a thread, now and then: a name server that does not answer delays nobody."""

    def __init__(self, hosts: Sequence[str]) -> None:
        """Addresses count at once, names as soon as they are known."""
        self._literal = [address for host in hosts if (address := _address(host)) is not None]
        self._names = [host for host in hosts if _address(host) is None]
        self._networks = networks_of(self._literal, links())
        self._closed = threading.Event()
        threading.Thread(target=self._refresh, name="networks", daemon=True).start()

    def contain(self, text: str) -> bool:
        """May this client be answered?"""
        address = _address(text)
        if address is None:
            return False
        return address.is_loopback or any(address in network for network in self._networks)

    def close(self) -> None:
        self._closed.set()

    def _refresh(self) -> None:
        while True:
            addresses = list(self._literal)
            for name in self._names:
                with suppress(OSError, UnicodeError):
                    rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
                    addresses += [address for row in rows if (address := _address(str(row[4][0]))) is not None]
            self._networks = networks_of(addresses, links())
            if self._closed.wait(REFRESH_SECONDS):
                return


def networks_of(addresses: Sequence[Address], links: Sequence[Network]) -> frozenset[Network]:
    """The narrowest of the gateway's links that each address is on; for one behind a router, the network around it. Pure."""
    networks: set[Network] = set()
    for address in addresses:
        on = [link for link in links if address in link]
        around = ipaddress.ip_network((address, ROUTED_PREFIX[address.version]), strict=False)
        networks.add(max(on, key=lambda link: link.prefixlen) if on else around)
    return frozenset(networks)


def links() -> list[Network]:
    """The networks of this machine's interfaces."""
    networks: list[Network] = []
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family in (socket.AF_INET, socket.AF_INET6) and address.netmask:
                with suppress(ValueError):
                    prefix = bin(int(ipaddress.ip_address(address.netmask))).count("1")
                    link = ipaddress.ip_network((address.address.partition("%")[0], prefix), strict=False)
                    if prefix >= SMALLEST_PREFIX[link.version]:
                        networks.append(link)
    return networks


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
