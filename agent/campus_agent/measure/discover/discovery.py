"""What a discovery asks for and what it finds."""

import msgspec


class DiscoverTask(msgspec.Struct, frozen=True):
    """Look at these links for so long. Each link is an interface and the IPv4 networks it is in, as 10.0.1.1/24."""

    links: dict[str, list[str]]
    seconds: float = 8.0
    max_hosts: int = 1024
    packets_per_second: int = 100
    only_dhcp: bool = False


class CameraAnnouncement(msgspec.Struct, frozen=True):
    """What a device said by WS-Discovery."""

    name: str = ""
    hardware: str = ""
    addresses: list[str] = []


class Host(msgspec.Struct, frozen=True):
    """A machine that answered ARP: which of a few well-known ports take a connection."""

    address: str
    mac: str
    interface: str
    ports: list[int] = []
    camera: CameraAnnouncement | None = None
    lldp_name: str = ""


class Neighbour(msgspec.Struct, frozen=True):
    """What a switch said by LLDP (IEEE 802.1AB): our port on it, and its name and address."""

    interface: str
    mac: str
    name: str
    port: str
    address: str = ""


class DhcpServer(msgspec.Struct, frozen=True):
    """A server that offered an address."""

    interface: str
    server: str
    mac: str
    offered: str
    router: str = ""


class Discovery(msgspec.Struct, frozen=True):
    """All of a discovery. `left_out`: networks that were too large to be swept; `failed`: links that could not be used, and why."""

    hosts: list[Host]
    neighbours: list[Neighbour]
    dhcp: list[DhcpServer]
    left_out: list[str] = []
    failed: dict[str, str] = {}
