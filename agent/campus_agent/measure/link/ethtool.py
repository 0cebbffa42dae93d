"""What a network interface of this machine is set to, asked by ioctl (netdevice(7), linux/ethtool.h). Linux, in the process's network namespace.

The kernel is asked directly: psutil would take 0.7 MB of the resident program.
"""

import socket
import struct
from array import array
from typing import NamedTuple

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]

_GET_FLAGS, _GET_MTU, _GET_HARDWARE, _ETHTOOL = 0x8913, 0x8921, 0x8927, 0x8946  # linux/sockios.h
LOOPBACK, POINT_TO_POINT, RUNNING, NO_ARP = 0x8, 0x10, 0x40, 0x80  # IFF_..., linux/if.h
ETHERNET, PPP = 1, 512  # ARPHRD_..., linux/if_arp.h
_NAME_BYTES = 16  # IFNAMSIZ; the name, then a union of 24 bytes: struct ifreq
_GET_SETTINGS = 1  # ETHTOOL_GSET
_ETHTOOL_COMMAND = struct.Struct("=I8xHB13xH14x")  # ethtool_cmd: cmd, speed (low half), duplex, speed (high half)
_DUPLEX = {0: False, 1: True}
_MAX_MBIT_PER_SECOND = 2**31 - 1  # above it is SPEED_UNKNOWN


class NicSettings(NamedTuple):
    """`speed_bits_per_second` and `full_duplex` are None where the driver gives none."""

    flags: int
    hardware: int
    mtu_bytes: int
    speed_bits_per_second: float | None
    full_duplex: bool | None


def nic_settings(name: str) -> NicSettings | None:
    """The settings now; None when there is no such interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            (flags,) = struct.unpack_from("=H", _ask(sock, _GET_FLAGS, name), _NAME_BYTES)
            (hardware,) = struct.unpack_from("=H", _ask(sock, _GET_HARDWARE, name), _NAME_BYTES)
            (mtu,) = struct.unpack_from("=i", _ask(sock, _GET_MTU, name), _NAME_BYTES)
        except (OSError, ValueError):
            return None
        speed, full_duplex = _speed_and_duplex(sock, name)
    return NicSettings(flags, hardware, mtu, speed, full_duplex)


def _speed_and_duplex(sock: socket.socket, name: str) -> tuple[float | None, bool | None]:
    """In bits per second; unknown for Wi-Fi, tunnels, and a port without a cable."""
    answer = array("B", _ETHTOOL_COMMAND.pack(_GET_SETTINGS, 0, 0, 0))
    try:
        _ask(sock, _ETHTOOL, name, struct.pack("P", answer.buffer_info()[0]))
    except OSError:
        return None, None
    _, low, duplex, high = _ETHTOOL_COMMAND.unpack(answer)
    mbit_per_second = high << 16 | low
    speed = mbit_per_second * 1e6 if 0 < mbit_per_second <= _MAX_MBIT_PER_SECOND else None
    return speed, _DUPLEX.get(duplex)


def _ask(sock: socket.socket, request: int, name: str, value: bytes = b"") -> bytes:
    """Raises OSError; ValueError for what cannot be a name, and on other systems."""
    encoded = name.encode(errors="surrogateescape")
    if fcntl is None or not 0 < len(encoded) < _NAME_BYTES:
        raise ValueError("no name of an interface")
    return fcntl.ioctl(sock, request, struct.pack("16s24s", encoded, value))
