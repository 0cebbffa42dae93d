"""Questions to the kernel by rtnetlink(7), in the process's own network namespace, whatever is mounted at /sys. Linux only.

Interfaces are named by number: one that has several addresses, of either family, is found by each of them. An answer takes 5 to 10
microseconds however many interfaces there are (/proc/net/dev is formatted whole for each reading, and comes a page at a time).
"""

import socket
import struct
import sys
from collections.abc import Iterator

_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26  # linux/rtnetlink.h
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_RTM_NEWSTATS, _RTM_GETSTATS = 92, 94
_RTA_DST, _RTA_SRC, _RTA_OIF = 1, 2, 4
_IFA_LOCAL = 2  # linux/if_addr.h
_IFLA_STATS_LINK_64 = 1  # linux/if_link.h; as a mask 1 << (1 - 1)
_NLM_F_REQUEST, _NLM_F_DUMP = 1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: family, dst_len, src_len, ...
_STATS_REQUEST = struct.Struct("=BBHII")  # if_stats_msg: family, padding, ifindex, filter_mask
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefixlen, flags, scope, index
_ATTRIBUTE = struct.Struct("=HH")
_ANSWER_BYTES = 32_768
_MAX_DUMP_ANSWERS = 256


class StatsSocket:
    """Reads the statistics of one interface, which may be renamed meanwhile. Raises OSError when there is no such interface."""

    def __init__(self, interface: str) -> None:
        """Keep the socket open: it is read between two packets."""
        index = socket.if_nametoindex(interface)
        request = _STATS_REQUEST.pack(socket.AF_UNSPEC, 0, 0, index, 1 << (_IFLA_STATS_LINK_64 - 1))
        self._request = _message(_RTM_GETSTATS, request)
        self._socket = _open()

    def read(self) -> bytes:
        """struct rtnl_link_stats64 now; empty where the interface has none. Raises OSError or ValueError when it is gone."""
        body = _ask(self._socket, self._request, _RTM_NEWSTATS)
        return _attributes(body[_STATS_REQUEST.size :]).get(_IFLA_STATS_LINK_64, b"")

    def close(self) -> None:
        self._socket.close()


def route_interface(target: str, source: str | None) -> str | None:
    """The interface of the route to an address, for packets from `source`. Raises OSError or ValueError where there is no route."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    packed_target = socket.inet_pton(family, target)
    packed_source = socket.inet_pton(family, source) if source else b""
    head = _ROUTE.pack(family, 8 * len(packed_target), 8 * len(packed_source), 0, 0, 0, 0, 0, 0)
    attributes = _attribute(_RTA_DST, packed_target) + (_attribute(_RTA_SRC, packed_source) if source else b"")
    with _open() as sock:
        body = _ask(sock, _message(_RTM_GETROUTE, head + attributes), _RTM_NEWROUTE)
    index = _attributes(body[_ROUTE.size :]).get(_RTA_OIF)
    return socket.if_indextoname(int.from_bytes(index, sys.byteorder)) if index else None


def ipv4_addresses(interface: str) -> list[str]:
    """All IPv4 addresses of an interface with the length of their networks, as "10.0.1.1/24". Raises OSError."""
    wanted_index = socket.if_nametoindex(interface)
    request = _message(_RTM_GETADDR, _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0), _NLM_F_REQUEST | _NLM_F_DUMP)
    addresses = []
    with _open() as sock:
        sock.send(request)
        for body in _dump(sock, _RTM_NEWADDR):
            family, prefix, _, _, index = _ADDRESS.unpack_from(body)
            local = _attributes(body[_ADDRESS.size :]).get(_IFA_LOCAL)
            if (family, index) == (socket.AF_INET, wanted_index) and local:
                addresses.append(f"{socket.inet_ntop(socket.AF_INET, local)}/{prefix}")
    return addresses


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    sock.setblocking(False)  # the kernel has answered when `send` returns
    return sock


def _message(kind: int, body: bytes, flags: int = _NLM_F_REQUEST) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body


def _ask(sock: socket.socket, message: bytes, expected_kind: int) -> bytes:
    """The body of the answer. Raises OSError; ValueError for a refusal."""
    sock.send(message)
    answer = sock.recv(_ANSWER_BYTES)
    length, kind, *_ = _HEADER.unpack_from(answer)
    if kind != expected_kind:
        raise ValueError("the kernel has no answer")
    return answer[_HEADER.size : length]


def _dump(sock: socket.socket, expected_kind: int) -> Iterator[bytes]:
    """The bodies of all messages up to the last. Raises OSError."""
    for _ in range(_MAX_DUMP_ANSWERS):
        answer = memoryview(sock.recv(_ANSWER_BYTES))
        while len(answer) >= _HEADER.size:
            length, kind, *_rest = _HEADER.unpack_from(answer)
            if kind in (_NLMSG_DONE, _NLMSG_ERROR) or length < _HEADER.size:
                return
            if kind == expected_kind:
                yield bytes(answer[_HEADER.size : length])
            answer = answer[(length + 3) & ~3 :]


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def _attributes(body: bytes) -> dict[int, bytes]:
    """Attributes by their number; lengths are padded to four."""
    attributes, start = {}, 0
    while start + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, start)
        if length < _ATTRIBUTE.size:
            break
        attributes[kind] = body[start + _ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3
    return attributes
