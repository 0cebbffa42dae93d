"""Look at the local links with scapy, in a separate process: 76 MB, and packets of its own making (CAP_NET_RAW).

Nothing is sent beyond the local links: ARP to our own networks, one DHCPDISCOVER by broadcast, one WS-Discovery probe by link-local
multicast (TTL 1). LLDP is only listened to. Whatever else passes by is left out, and a link that cannot be used costs itself only.
"""

import ctypes
import ipaddress
import os
import socket
import struct
import tempfile
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom
from time import monotonic, sleep
from typing import Any, Generic, TypeVar

from campus_agent.measure.discover import wsdiscovery
from campus_agent.measure.discover.discovery import (
    CameraAnnouncement,
    DhcpServer,
    DiscoverTask,
    Discovery,
    Host,
    Neighbour,
)
from campus_agent.measure.discover.frames import Announced, Offered, announced, offered
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import FailureKind, Operation

PORTS = (80, 161, 443, 554, 5201, 5301, 8000)
PORT_SECONDS = 0.7
DHCP_ANSWER_SECONDS = 1.5
MAX_FRAMES = 256
"""Kept of one link: a flood of frames that look right must not fill the memory."""
_RANDOM = SystemRandom()
MAX_FRAME_BYTES = 4096
ETH_P_ALL = 0x0003  # linux/if_ether.h
SO_ATTACH_FILTER = 26  # asm-generic/socket.h
PACKET_OUTGOING = 4  # linux/if_packet.h
_LOAD_TYPE, _TO_END = (0x28, 0, 0, 12), ((0x06, 0, 0, 0), (0x06, 0, 0, MAX_FRAME_BYTES))
_TAGGED = ((0x15, 3, 0, 0x8100), (0x15, 2, 0, 0x88A8), (0x15, 1, 0, 0x9100))
LLDP_FILTER = (_LOAD_TYPE, (0x15, 4, 0, 0x88CC), *_TAGGED, *_TO_END)
DHCP_FILTER = (
    _LOAD_TYPE,
    (0x15, 0, 5, 0x0800),
    (0x30, 0, 0, 23),  # the protocol
    (0x15, 0, 6, 17),
    (0xB1, 0, 0, 14),  # the length of the IP header
    (0x48, 0, 0, 14),  # the source port
    (0x15, 4, 3, 67),
    *_TAGGED,
    *_TO_END,
)
"""What the kernel passes on (classic BPF, linux/bpf_common.h: code, if true, if false, operand): LLDP; UDP from port 67; and what is tagged."""
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_MULTICAST = 263, 1, 0  # linux/socket.h, linux/if_packet.h
LLDP_GROUP = bytes.fromhex("0180c200000e")


Task = DiscoverTask


def work(task: DiscoverTask, progress: Callable[[Any], None]) -> Discovery:
    """Sweep, listen, ask. Raises ProbeFailed without CAP_NET_RAW."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {
            "XDG_CACHE_HOME": scratch,
            "XDG_CONFIG_HOME": scratch,
        }  # scapy would leave files in the user's home
        return _discover(task, progress)


def _discover(task: DiscoverTask, progress: Callable[[Any], None]) -> Discovery:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
        import scapy.arch
        import scapy.layers.l2  # noqa: F401 - the links' own protocols are needed before anything is sent
    except PermissionError:
        detail = "discovery needs CAP_NET_RAW (root, or the capability of the systemd unit)"
        raise ProbeFailed(Operation.PREPARE, FailureKind.PERMISSION_DENIED, detail) from None
    except (ImportError, OSError) as error:
        raise ProbeFailed(Operation.PREPARE, FailureKind.TOOL_MISSING, f"scapy: {error}") from None
    discovery = Discovery([], [], [])
    failed: dict[str, str] = {}
    for interface, networks in task.links.items():
        try:
            _discover_link(interface, networks, task, discovery, progress)
        except Exception as error:  # unplugged meanwhile, or whatever scapy makes of a link: this link's own trouble
            failed[interface] = f"{getattr(error, 'strerror', None) or error}"[:100]
    by_address = {neighbour.address: neighbour.name for neighbour in discovery.neighbours if neighbour.address}
    named = [
        Host(h.address, h.mac, h.interface, h.ports, h.camera, by_address.get(h.address, "")) for h in discovery.hosts
    ]
    return Discovery(named, discovery.neighbours, discovery.dhcp, discovery.left_out, failed)


def _discover_link(
    interface: str, networks: list[str], task: DiscoverTask, discovery: Discovery, progress: Callable[[Any], None]
) -> None:
    """One link, into what is found. Raises OSError when it cannot be used."""
    if task.only_dhcp:
        discovery.dhcp.extend(_ask_dhcp(interface))
        return
    with _Listener(interface, LLDP_FILTER, announced) as listener:
        began = monotonic()
        discovery.dhcp.extend(_ask_dhcp(interface))
        cameras = _ask_cameras(networks)
        for network in networks:
            addresses = [str(address) for address in ipaddress.ip_interface(network).network.hosts()]
            if len(addresses) > task.max_hosts:
                discovery.left_out.append(network)
                continue
            discovery.hosts.extend(_sweep(interface, network, addresses, cameras, task, progress))
        sleep(max(0.0, began + task.seconds - monotonic()))
    heard: dict[str, Announced] = {neighbour.mac: neighbour for neighbour in listener.heard}
    discovery.neighbours.extend(
        Neighbour(interface, neighbour.mac, neighbour.name, neighbour.port, neighbour.address)
        for neighbour in heard.values()
    )


def _sweep(
    interface: str,
    network: str,
    addresses: list[str],
    cameras: dict[str, CameraAnnouncement],
    task: DiscoverTask,
    progress: Callable[[Any], None],
) -> list[Host]:
    """Who answers ARP, a few at a time; then a handful of ports of each."""
    from scapy.layers.l2 import ARP, Ether
    from scapy.sendrecv import srp

    hosts: dict[str, str] = {}
    gap = 1 / task.packets_per_second
    for first in range(0, len(addresses), 64):
        part = addresses[first : first + 64]
        question = Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst=part)
        answered, _ = srp(question, iface=interface, timeout=0.6, inter=gap, verbose=False)
        asked = set(part)
        hosts |= {str(reply.psrc): str(reply.hwsrc) for _, reply in answered if str(reply.psrc) in asked}
        progress({"network": network, "asked": first + len(part), "of": len(addresses), "found": len(hosts)})
    own_address = str(ipaddress.ip_interface(network).ip)
    hosts.pop(own_address, None)
    with ThreadPoolExecutor(32) as pool:
        ports = dict(zip(hosts, pool.map(_open_ports, hosts), strict=True))
    return [
        Host(address, mac, interface, ports[address], cameras.get(address))
        for address, mac in sorted(hosts.items(), key=lambda item: ipaddress.ip_address(item[0]))
    ]


def _open_ports(address: str) -> list[int]:
    ports = []
    for port in PORTS:
        with socket.socket() as sock:
            sock.settimeout(PORT_SECONDS)
            if sock.connect_ex((address, port)) == 0:
                ports.append(port)
    return ports


def _ask_dhcp(interface: str) -> list[DhcpServer]:
    """Who offers addresses? A discover with a made-up hardware address; no offer is ever taken up."""
    from scapy.layers.dhcp import BOOTP, DHCP
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.sendrecv import sendp

    mac = bytes([0x02, *(_RANDOM.randrange(256) for _ in range(5))])
    transaction = _RANDOM.getrandbits(32)
    discover = (
        Ether(src=mac, dst="ff:ff:ff:ff:ff:ff")
        / IP(src="0.0.0.0", dst="255.255.255.255")  # noqa: S104 - what a machine without an address sends
        / UDP(sport=68, dport=67)
        / BOOTP(chaddr=mac + bytes(10), xid=transaction, flags=0x8000)
        / DHCP(options=[("message-type", "discover"), ("param_req_list", [1, 3, 6]), "end"])
    )

    def read(frame: bytes) -> Offered | None:
        return offered(frame, transaction)

    with _Listener(interface, DHCP_FILTER, read) as listener:
        for _ in range(2):
            sendp(discover, iface=interface, verbose=False)
            sleep(DHCP_ANSWER_SECONDS)
    offers = {offer.server: offer for offer in listener.heard}
    return [DhcpServer(interface, offer.server, offer.mac, offer.address, offer.router) for offer in offers.values()]


def _ask_cameras(networks: list[str]) -> dict[str, CameraAnnouncement]:
    """Who answers a WS-Discovery probe on this link?"""
    cameras: dict[str, CameraAnnouncement] = {}
    for network in networks:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            own_address = str(ipaddress.ip_interface(network).ip)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own_address))
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
                except (OSError, wsdiscovery.NotUnderstood):
                    continue
                for match in matches[:1]:
                    cameras[address] = CameraAnnouncement(
                        match.scope("name")[:60], match.scope("hardware")[:60], list(match.addresses)[:4]
                    )
    return cameras


ReadT = TypeVar("ReadT")


class _Listener(Generic[ReadT]):
    """Reads the frames of one link in a thread; `heard` is what `read` makes of them. Raises OSError where a link cannot be listened to.

    A socket of our own: frames that a library cannot take apart would end its listening.
    """

    def __init__(
        self, interface: str, instructions: tuple[tuple[int, int, int, int], ...], read: Callable[[bytes], ReadT | None]
    ) -> None:
        self.heard: list[ReadT] = []
        self._read = read
        self._ended = threading.Event()
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # of no type until it is filtered
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in instructions))
        try:
            program = struct.pack("HP", len(instructions), ctypes.addressof(code))
            self._sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
            self._sock.bind((interface, ETH_P_ALL))
            index = socket.if_nametoindex(interface)
            membership = struct.pack("iHH8s", index, PACKET_MR_MULTICAST, 6, LLDP_GROUP)
            self._sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
            self._sock.settimeout(0.2)
        except OSError:
            self._sock.close()
            raise
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "_Listener[ReadT]":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._sock.close()

    def _listen(self) -> None:
        while not self._ended.is_set() and len(self.heard) < MAX_FRAMES:
            try:
                frame, sender = self._sock.recvfrom(MAX_FRAME_BYTES)
            except TimeoutError:
                continue
            except OSError:  # the link went down
                self._ended.wait(0.2)
                continue
            announcement = self._read(frame) if sender[2] != PACKET_OUTGOING else None
            if announcement is not None:
                self.heard.append(announcement)
