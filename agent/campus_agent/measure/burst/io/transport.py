"""What the sockets know of the path: the largest packet, and that none may be cut up on the way."""

import contextlib
import socket
import sys

from campus_wire.encapsulation import AddressFamily, mtu_from_mss

_IP_MTU_DISCOVER, _IP_MTU = 10, 14  # linux/in.h
_IPV6_MTU_DISCOVER, _IPV6_MTU = 23, 24  # linux/in6.h
_PMTUDISC_DO = 2
_TCP_INFO_OPTIONS = 5  # offset in struct tcp_info, linux/tcp.h
_TCPI_OPT_TIMESTAMPS = 1
_LARGEST_MTU_BYTES = 65_535


def forbid_fragments(udp: socket.socket) -> None:
    """A fragmented packet would be two frames on the line, and count as one."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError):
        udp.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
    if udp.family == socket.AF_INET6:
        with contextlib.suppress(OSError):
            udp.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DO)


def uses_timestamps(tcp: socket.socket) -> bool:
    """Do this connection's segments carry timestamps, twelve octets each? Where the system does not tell: yes, nearly all do."""
    with contextlib.suppress(OSError, AttributeError, IndexError):
        return bool(tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[_TCP_INFO_OPTIONS] & _TCPI_OPT_TIMESTAMPS)
    return True


def mtu_towards(udp: socket.socket, peer: tuple[object, ...]) -> int | None:
    """The largest IP packet the kernel knows to pass to `peer` (a socket's address), without a packet sent; None: it does not tell."""
    level, option = (
        (socket.IPPROTO_IPV6, _IPV6_MTU)
        if udp.family == socket.AF_INET6 and not str(peer[0]).startswith("::ffff:")
        else (socket.IPPROTO_IP, _IP_MTU)
    )
    try:
        with socket.socket(udp.family, socket.SOCK_DGRAM) as probe:
            probe.connect(peer)
            return probe.getsockopt(level, option)
    except OSError:
        return None


def path_mtu_bytes(udp: socket.socket, tcp: socket.socket, family: AddressFamily) -> int:
    """The largest IP packet both the route (connected `udp`) and the control connection's MSS allow."""
    found = [_LARGEST_MTU_BYTES]
    if not sys.platform.startswith("linux"):
        return found[0]
    level, option = (socket.IPPROTO_IP, _IP_MTU) if family == "ipv4" else (socket.IPPROTO_IPV6, _IPV6_MTU)
    with contextlib.suppress(OSError):
        found.append(udp.getsockopt(level, option))
    with contextlib.suppress(OSError):
        mss = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        found.append(mtu_from_mss(mss, family, uses_timestamps(tcp)))
    return max(576, min(found))
