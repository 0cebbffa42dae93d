"""What the kernel says of its interfaces by rtnetlink(7): which of them leads to an address, and what passed it. Linux; elsewhere nothing.

Interfaces are found by route and number, never by address: one that has several addresses, of either family, is found by each of them.
Both questions are of the process's own network namespace, whatever is mounted at /sys, and one answer takes 5 to 10 microseconds
however many interfaces there are (/proc/net/dev is formatted whole for each reading, and comes a page at a time).
"""

import contextlib
import socket
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26  # linux/rtnetlink.h
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_RTM_NEWSTATS, _RTM_GETSTATS = 92, 94
_RTA_DST, _RTA_SRC, _RTA_OIF = 1, 2, 4
_IFA_LOCAL = 2  # linux/if_addr.h
_NLM_F_REQUEST, _NLM_F_DUMP = 1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_IFLA_STATS_LINK_64 = 1  # linux/if_link.h; as a mask 1 << (1 - 1)
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: family, dst_len, src_len, ...
_STATS_REQUEST = struct.Struct("=BBHII")  # if_stats_msg: family, padding, ifindex, filter_mask
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefixlen, flags, scope, index
_ATTRIBUTE = struct.Struct("=HH")
_STATS = struct.Struct("=8Q")  # the head of rtnl_link_stats64: packets, bytes, errors and drops, each received and sent
_ANSWER_BYTES = 32_768
_MAX_DUMP_ANSWERS = 256


class Passed(NamedTuple):
    """What an interface has received and sent since it came up."""

    received_octets: int
    received_packets: int
    sent_octets: int
    sent_packets: int
    receive_errors: int = 0
    send_errors: int = 0
    receive_drops: int = 0
    send_drops: int = 0


class Counters:
    """The counters of one interface, by its number: it may be renamed meanwhile. Raises OSError or ValueError where there are none."""

    def __init__(self, name: str) -> None:
        """Keep the socket open: it is read between two packets."""
        index = socket.if_nametoindex(name)
        request = _STATS_REQUEST.pack(socket.AF_UNSPEC, 0, 0, index, 1 << (_IFLA_STATS_LINK_64 - 1))
        self._message = _message(_RTM_GETSTATS, request)
        self._socket = _open()
        try:
            self.read()
        except (OSError, ValueError):
            self.close()
            raise

    def read(self) -> Passed:
        """The counters now. Raises OSError or ValueError when the interface is gone."""
        body = _ask(self._socket, self._message, _RTM_NEWSTATS)
        counted = _attributes(body[_STATS_REQUEST.size :]).get(_IFLA_STATS_LINK_64, b"")
        if len(counted) < _STATS.size:
            raise ValueError("no counters of this interface")
        received_packets, sent_packets, received, sent, *errors_and_drops = _STATS.unpack_from(counted)
        return Passed(received, received_packets, sent, sent_packets, *errors_and_drops)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def counters_of(name: str) -> Passed | None:
    """The counters of an interface now; None where there are none."""
    with contextlib.suppress(OSError, ValueError), contextlib.closing(Counters(name)) as counters:
        return counters.read()
    return None


def ipv4_addresses(name: str) -> list[str]:
    """All IPv4 addresses of an interface with the length of their networks, as "10.0.1.1/24". Raises OSError."""
    index = socket.if_nametoindex(name)
    request = _message(_RTM_GETADDR, _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0), _NLM_F_REQUEST | _NLM_F_DUMP)
    addresses = []
    with _open() as sock:
        sock.send(request)
        for body in _dump(sock, _RTM_NEWADDR):
            family, prefix, _, _, of = _ADDRESS.unpack_from(body)
            local = _attributes(body[_ADDRESS.size :]).get(_IFA_LOCAL)
            if (family, of) == (socket.AF_INET, index) and local:
                addresses.append(f"{socket.inet_ntop(socket.AF_INET, local)}/{prefix}")
    return addresses


def _dump(sock: socket.socket, wanted: int) -> Iterator[bytes]:
    """The bodies of all messages up to the last. Raises OSError."""
    for _ in range(_MAX_DUMP_ANSWERS):
        answer = memoryview(sock.recv(_ANSWER_BYTES))
        while len(answer) >= _HEADER.size:
            length, kind, *_rest = _HEADER.unpack_from(answer)
            if kind in (_NLMSG_DONE, _NLMSG_ERROR) or length < _HEADER.size:
                return
            if kind == wanted:
                yield bytes(answer[_HEADER.size : length])
            answer = answer[(length + 3) & ~3 :]


def interface_to(peer: str, local: str | None = None) -> str | None:
    """The interface that packets to this address leave by, where `local` is their source; None when there is no route or no telling.

    A zone (`fe80::1%eth0`) names the interface itself. An address of this machine's own is reached by the loopback.
    """
    host, _, zone = peer.removeprefix("::ffff:").partition("%")
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if zone:
            return socket.if_indextoname(int(zone)) if zone.isdecimal() else zone
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        target = socket.inet_pton(family, host)
        source = socket.inet_pton(family, local.removeprefix("::ffff:").partition("%")[0]) if local else b""
        bits = 8 * len(target)
        head = _ROUTE.pack(family, bits, 8 * len(source), 0, 0, 0, 0, 0, 0)
        attributes = _packed(_RTA_DST, target) + (_packed(_RTA_SRC, source) if source else b"")
        with _open() as asked:
            body = _ask(asked, _message(_RTM_GETROUTE, head + attributes), _RTM_NEWROUTE)
        number = _attributes(body[_ROUTE.size :]).get(_RTA_OIF)
        return socket.if_indextoname(int.from_bytes(number, sys.byteorder)) if number else None
    return None


def _open() -> socket.socket:
    asked = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    asked.setblocking(False)  # the kernel has answered when `send` returns
    return asked


def _message(kind: int, body: bytes, flags: int = _NLM_F_REQUEST) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body


def _ask(asked: socket.socket, message: bytes, wanted: int) -> bytes:
    """The body of the answer. Raises OSError; ValueError for a refusal."""
    asked.send(message)
    answer = asked.recv(_ANSWER_BYTES)
    length, kind, *_ = _HEADER.unpack_from(answer)
    if kind != wanted:
        raise ValueError("the kernel has no answer")
    return answer[_HEADER.size : length]


def _packed(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def _attributes(body: bytes) -> dict[int, bytes]:
    """Attributes by their number; lengths are padded to four."""
    found, at = {}, 0
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found
