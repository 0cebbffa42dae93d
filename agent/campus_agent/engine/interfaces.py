"""Which interface carries this address, and what has passed it so far? Linux; elsewhere the answer is "cannot tell".

Counters come from /proc/self/net/dev, which is of the process's own network namespace whatever is mounted at /sys; one read takes 5 to
10 microseconds and is of one moment. Octets of an Ethernet interface there include the header, but not preamble, FCS and gap.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]

ETHERNET_HEADER_BYTES = 14
_ARPHRD_ETHER = 1  # linux/if_arp.h; others, loopback too, count IP packets alone
_SIOCGIFADDR = 0x8915
_SIOCGIFHWADDR = 0x8927
_COUNTERS_FILE = "/proc/self/net/dev"
_MAX_COUNTERS_BYTES = 65_536


class Passed(NamedTuple):
    """What an interface has received and sent since it came up."""

    received_octets: int
    received_packets: int
    sent_octets: int
    sent_packets: int


class Counters:
    """The counters of one interface. Raises OSError or ValueError where there are none."""

    def __init__(self, name: str) -> None:
        """Keep the file open: it is read between two packets."""
        self._label = f"{name}:".encode()
        self._file = os.open(_COUNTERS_FILE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.read()
        except ValueError:
            self.close()
            raise

    def read(self) -> Passed:
        """The counters now. The columns are those of proc(5)."""
        text = os.pread(self._file, _MAX_COUNTERS_BYTES, 0)
        start = text.find(self._label)
        while start > 0 and text[start - 1] not in b" \n":  # "eth0:" is the end of "veth0:" too
            start = text.find(self._label, start + 1)
        if start < 0:
            raise ValueError("the interface is gone")
        columns = text[start + len(self._label) :].split(None, 10)
        return Passed(int(columns[0]), int(columns[1]), int(columns[8]), int(columns[9]))

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)


def open_counters(name: str | None) -> Counters | None:
    """The counters of an interface; None where the platform has none."""
    if name is not None:
        with contextlib.suppress(OSError, ValueError):
            return Counters(name)
    return None


def interface_of(address: str) -> str | None:
    """The interface that has this address of ours; None when it cannot be told."""
    address, _, zone = address.removeprefix("::ffff:").partition("%")
    with contextlib.suppress(OSError, ValueError):
        if ":" in address:
            wanted = socket.inet_pton(socket.AF_INET6, address).hex()
            return next((name for found, name in _ipv6_addresses() if found == wanted and zone in ("", name)), None)
        packed = socket.inet_aton(address)
        for _, name in socket.if_nameindex():
            answer = _ask(name, _SIOCGIFADDR)
            if answer is not None and (answer[20:24] == packed or (name == "lo" and packed[0] == 127)):
                return name
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


def _ipv6_addresses() -> Iterator[tuple[str, str]]:
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        packed, *_, name = line.split()
        yield packed, name
