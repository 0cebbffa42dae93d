"""What two kinds of Ethernet frames say, read octet by octet: LLDP (IEEE 802.1AB) and offers of DHCP (RFC 2131). Pure.

Each reader gives what it needs, or None for a frame that is something else or cannot be read: no order of parts is demanded, and VLAN tags in
front are passed over.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

LLDP_TYPE = 0x88CC
_IPV4_TYPE = 0x0800
_TAGS = (0x8100, 0x88A8, 0x9100)
MAX_TAGS = 4
MAX_TEXT = 60
_CHASSIS, _PORT, _NAME, _ADDRESS = 1, 2, 5, 8
_CHASSIS_MAC, _PORT_MAC, _IPV4 = 4, 3, 1
_UDP, _SERVER_PORT = 17, 67
_COOKIE = b"\x63\x82\x53\x63"
_BOOTP_BYTES = 236
_ROUTER, _MESSAGE, _SERVER = 3, 53, 54
_OFFER, _ACKNOWLEDGED = 2, 5


@dataclass(frozen=True, slots=True)
class Announced:
    """A neighbour by LLDP: the address it sends from, its name, the port it sends on, its IPv4 address; empty where it does not say."""

    mac: str
    name: str
    port: str
    address: str


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer of an address: by which server, from which hardware address, which one, with which router."""

    server: str
    mac: str
    address: str
    router: str


def announced(frame: bytes) -> Announced | None:
    kind, body = _content(frame)
    if kind != LLDP_TYPE:
        return None
    parts = dict(reversed(list(_lldp_parts(body))))  # the first of each kind counts
    if _CHASSIS not in parts and _PORT not in parts:
        return None
    port = parts.get(_PORT, b"")
    port_text = _mac(port[1:]) if port[:1] == bytes([_PORT_MAC]) and len(port) == 7 else _text(port[1:])
    managed = parts.get(_ADDRESS, b"")
    address = socket.inet_ntoa(managed[2:6]) if managed[:2] == bytes([5, _IPV4]) and len(managed) >= 6 else ""
    return Announced(_mac(frame[6:12]), _text(parts.get(_NAME, b"")), port_text, address)


def offered(frame: bytes, transaction: int) -> Offered | None:
    """What a DHCP server answers to our question. A BOOTP reply without DHCP's options offers nothing to a machine that asks by DHCP."""
    kind, body = _content(frame)
    if kind != _IPV4_TYPE or len(body) < 20 or body[0] >> 4 != 4 or body[9] != _UDP:
        return None
    datagram = body[(body[0] & 0x0F) * 4 :]
    reply = datagram[8:]
    if len(reply) < _BOOTP_BYTES + 4 or int.from_bytes(datagram[:2]) != _SERVER_PORT:
        return None
    if reply[0] != 2 or int.from_bytes(reply[4:8]) != transaction or reply[_BOOTP_BYTES : _BOOTP_BYTES + 4] != _COOKIE:
        return None
    options = dict(reversed(list(_options(reply[_BOOTP_BYTES + 4 :]))))
    if options.get(_MESSAGE) not in (bytes([_OFFER]), bytes([_ACKNOWLEDGED])):
        return None
    named, router = options.get(_SERVER, b""), options.get(_ROUTER, b"")
    server = socket.inet_ntoa(named if len(named) == 4 else body[12:16])
    gateway = socket.inet_ntoa(router[:4]) if len(router) >= 4 else ""
    return Offered(server, _mac(frame[6:12]), socket.inet_ntoa(reply[16:20]), gateway)


def _content(frame: bytes) -> tuple[int, bytes]:
    """The type of what a frame carries behind its tags, and that; 0 for none."""
    position = 12
    for _ in range(MAX_TAGS + 1):
        kind = int.from_bytes(frame[position : position + 2])
        if kind not in _TAGS:
            return kind, frame[position + 2 :]
        position += 4
    return 0, b""


def _lldp_parts(body: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 2 <= len(body):
        head = int.from_bytes(body[position : position + 2])
        kind, length = head >> 9, head & 0x1FF
        if kind == 0 or position + 2 + length > len(body):
            return
        yield kind, body[position + 2 : position + 2 + length]
        position += 2 + length


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 1 < len(data) and data[position] != 255:
        if data[position] == 0:  # padding
            position += 1
            continue
        length = data[position + 1]
        if position + 2 + length > len(data):
            return
        yield data[position], data[position + 2 : position + 2 + length]
        position += 2 + length


def _mac(data: bytes) -> str:
    return ":".join(f"{octet:02x}" for octet in data)


def _text(data: bytes) -> str:
    """A name as shown: UTF-8, else GB 18030, printable."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("gb18030", "replace")
    return "".join(letter for letter in text if letter.isprintable()).strip()[:MAX_TEXT]
