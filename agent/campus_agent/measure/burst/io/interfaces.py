"""Which interface carries a test's connection, and what has passed it so far? Linux; elsewhere the answer is "cannot tell".

Octets of an Ethernet interface include the header, but not preamble, FCS and gap.
"""

import contextlib
import socket
import struct
from pathlib import Path

from campus_agent.measure.link.netlink import Counters, Passed, interface_to

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]

__all__ = ["Counters", "Passed", "header_bytes", "interface_of", "link_speed_bits_per_second", "open_counters"]

ETHERNET_HEADER_BYTES = 14
_ARPHRD_ETHER = 1  # linux/if_arp.h; others, loopback too, count IP packets alone
_SIOCGIFHWADDR = 0x8927


def open_counters(name: str | None) -> Counters | None:
    """The counters of an interface; None where the platform has none."""
    if name is not None:
        with contextlib.suppress(OSError, ValueError):
            return Counters(name)
    return None


def interface_of(connected: socket.socket) -> str | None:
    """The interface that leads to the other end of this connection, from the address it is bound to; None when it cannot be told."""
    with contextlib.suppress(OSError):
        peer, local = connected.getpeername(), connected.getsockname()
        scoped = len(peer) > 3 and peer[3] and "%" not in peer[0]
        return interface_to(f"{peer[0]}%{peer[3]}" if scoped else peer[0], local[0])
    return None


def header_bytes(name: str | None) -> int | None:
    """What the interface's octets include of a frame beside the IP packet; None when it cannot be told."""
    answer = _ask(name, _SIOCGIFHWADDR) if name is not None else None
    if answer is None:
        return None
    (kind,) = struct.unpack_from("H", answer, 16)
    return ETHERNET_HEADER_BYTES if kind == _ARPHRD_ETHER else 0


def link_speed_bits_per_second(name: str | None) -> float | None:
    """What the interface negotiated; None where the driver does not tell."""
    with contextlib.suppress(OSError, ValueError):
        speed = int((Path("/sys/class/net") / (name or "") / "speed").read_text())
        return speed * 1e6 if speed > 0 else None
    return None


def _ask(name: str, request: int) -> bytes | None:
    """One ifreq ioctl (netdevice(7)); None when the interface has no answer."""
    if fcntl is None:
        return None
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return fcntl.ioctl(probe, request, struct.pack("256s", name.encode()[:15]))
    return None
