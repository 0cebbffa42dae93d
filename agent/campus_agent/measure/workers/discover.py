"""Look at the local links with scapy, in a process of its own: 76 MB, and packets of its own making (CAP_NET_RAW).

Nothing is sent beyond the local links: ARP to our own networks, one DHCPDISCOVER by broadcast, one WS-Discovery probe by link-local
multicast (TTL 1). LLDP is only listened to.
"""

import ipaddress
import os
import socket
import tempfile
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom
from time import monotonic, sleep
from typing import Any

from campus_agent.discover import wsdiscovery
from campus_agent.discover.found import Camera, DhcpServer, Found, Host, Neighbour, Task
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import FailureKind, Operation

PORTS = (80, 161, 443, 554, 5201, 5301, 8000)
PORT_SECONDS = 0.7
LLDP_TYPE = 0x88CC
_RANDOM = SystemRandom()


def work(task: Task, progress: Callable[[Any], None]) -> Found:
    """Sweep, listen, ask. Raises ProbeFailed without CAP_NET_RAW."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {
            "XDG_CACHE_HOME": scratch,
            "XDG_CONFIG_HOME": scratch,
        }  # scapy would leave files in the user's home
        return _discover(task, progress)


def _discover(task: Task, progress: Callable[[Any], None]) -> Found:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
        import scapy.arch
        import scapy.layers.l2  # noqa: F401 - the links' own protocols are needed before anything is sent
    except PermissionError:
        detail = "discovery needs CAP_NET_RAW (root, or the capability of the systemd unit)"
        raise ProbeFailed(Operation.PREPARE, FailureKind.PERMISSION_DENIED, detail) from None
    except (ImportError, OSError) as error:
        raise ProbeFailed(Operation.PREPARE, FailureKind.TOOL_MISSING, f"scapy: {error}") from None
    hosts: list[Host] = []
    neighbours: list[Neighbour] = []
    dhcp: list[DhcpServer] = []
    left_out: list[str] = []
    for interface, networks in task.links.items():
        if task.only_dhcp:
            dhcp += _ask_dhcp(interface)
            continue
        listener = _listen(interface)
        began = monotonic()
        dhcp += _ask_dhcp(interface)
        cameras = _ask_cameras(networks)
        for network in networks:
            addresses = [str(one) for one in ipaddress.ip_interface(network).network.hosts()]
            if len(addresses) > task.max_hosts:
                left_out.append(network)
                continue
            hosts += _sweep(interface, network, addresses, cameras, task, progress)
        sleep(max(0.0, began + task.seconds - monotonic()))
        neighbours += _heard(interface, listener)
    by_address = {one.address: one.name for one in neighbours if one.address}
    named = [Host(h.address, h.mac, h.interface, h.ports, h.camera, by_address.get(h.address, "")) for h in hosts]
    return Found(named, neighbours, dhcp, left_out)


def _sweep(
    interface: str,
    network: str,
    addresses: list[str],
    cameras: dict[str, Camera],
    task: Task,
    progress: Callable[[Any], None],
) -> list[Host]:
    """Who answers ARP, a few at a time; then a handful of ports of each."""
    from scapy.layers.l2 import ARP, Ether
    from scapy.sendrecv import srp

    found: dict[str, str] = {}
    gap = 1 / task.packets_per_second
    for first in range(0, len(addresses), 64):
        part = addresses[first : first + 64]
        question = Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst=part)
        answered, _ = srp(question, iface=interface, timeout=0.6, inter=gap, verbose=False)
        found |= {str(reply.psrc): str(reply.hwsrc) for _, reply in answered}
        progress({"network": network, "asked": first + len(part), "of": len(addresses), "found": len(found)})
    own = str(ipaddress.ip_interface(network).ip)
    found.pop(own, None)
    with ThreadPoolExecutor(32) as pool:
        ports = dict(zip(found, pool.map(_open_ports, found), strict=True))
    return [
        Host(address, mac, interface, ports[address], cameras.get(address))
        for address, mac in sorted(found.items(), key=lambda one: ipaddress.ip_address(one[0]))
    ]


def _open_ports(address: str) -> list[int]:
    found = []
    for port in PORTS:
        with socket.socket() as sock:
            sock.settimeout(PORT_SECONDS)
            if sock.connect_ex((address, port)) == 0:
                found.append(port)
    return found


def _ask_dhcp(interface: str) -> list[DhcpServer]:
    """Who offers addresses? A discover with a made-up hardware address; no offer is ever taken up."""
    from scapy.layers.dhcp import BOOTP, DHCP
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.sendrecv import AsyncSniffer, sendp

    mac = bytes([0x02, *(_RANDOM.randrange(256) for _ in range(5))])
    transaction = _RANDOM.getrandbits(32)
    sniffer = AsyncSniffer(
        iface=interface,
        store=True,
        lfilter=lambda p: p.haslayer(BOOTP) and p[BOOTP].op == 2 and p[BOOTP].xid == transaction,
    )
    sniffer.start()
    sleep(0.3)
    discover = (
        Ether(src=mac, dst="ff:ff:ff:ff:ff:ff")
        / IP(src="0.0.0.0", dst="255.255.255.255")  # noqa: S104 - what a machine without an address sends
        / UDP(sport=68, dport=67)
        / BOOTP(chaddr=mac + bytes(10), xid=transaction, flags=0x8000)
        / DHCP(options=[("message-type", "discover"), ("param_req_list", [1, 3, 6]), "end"])
    )
    for _ in range(2):
        sendp(discover, iface=interface, verbose=False)
        sleep(1.5)
    offers: dict[str, DhcpServer] = {}
    for packet in sniffer.stop() or []:
        options = {one[0]: one[1] for one in packet[DHCP].options if isinstance(one, tuple)}
        server = str(options.get("server_id") or packet[IP].src)
        offers[server] = DhcpServer(
            interface, server, str(packet.src), str(packet[BOOTP].yiaddr), str(options.get("router", ""))
        )
    return list(offers.values())


def _ask_cameras(networks: list[str]) -> dict[str, Camera]:
    """Who answers a WS-Discovery probe on this link?"""
    found: dict[str, Camera] = {}
    for network in networks:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            own = str(ipaddress.ip_interface(network).ip)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
            sock.settimeout(0.3)
            try:
                sock.sendto(wsdiscovery.probe(str(uuid.uuid4())), (wsdiscovery.GROUP, wsdiscovery.PORT))
            except OSError:
                continue
            end = monotonic() + 2.0
            while monotonic() < end:
                try:
                    answer, (address, _) = sock.recvfrom(wsdiscovery.MAX_ANSWER_BYTES + 1)
                    matches = wsdiscovery.parse(answer)
                except (TimeoutError, wsdiscovery.NotUnderstood):
                    continue
                for match in matches[:1]:
                    found[address] = Camera(
                        match.scope("name")[:60], match.scope("hardware")[:60], list(match.addresses)[:4]
                    )
    return found


def _listen(interface: str) -> Any:
    from scapy.sendrecv import AsyncSniffer

    sniffer = AsyncSniffer(iface=interface, store=True, lfilter=lambda packet: getattr(packet, "type", 0) == LLDP_TYPE)
    sniffer.start()
    return sniffer


def _heard(interface: str, sniffer: Any) -> list[Neighbour]:
    """What the switch at the other end of our cable says of itself."""
    from scapy.contrib.lldp import LLDPDUManagementAddress, LLDPDUPortID, LLDPDUSystemName
    from scapy.layers.l2 import Ether

    found: dict[str, Neighbour] = {}
    for packet in sniffer.stop() or []:
        frame = Ether(bytes(packet))
        name = frame[LLDPDUSystemName].system_name if frame.haslayer(LLDPDUSystemName) else b""
        port = frame[LLDPDUPortID].id if frame.haslayer(LLDPDUPortID) else b""
        address = ""
        if frame.haslayer(LLDPDUManagementAddress):
            octets = bytes(frame[LLDPDUManagementAddress].management_address)
            address = socket.inet_ntoa(octets) if len(octets) == 4 else ""
        found[str(frame.src)] = Neighbour(interface, str(frame.src), _text(name), _text(port), address)
    return list(found.values())


def _text(value: Any) -> str:
    raw = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return "".join(letter for letter in raw if letter.isprintable())[:60]
