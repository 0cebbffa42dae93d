"""What has passed through an interface since it came up, by the kernel's 64-bit counters (struct rtnl_link_stats64, linux/if_link.h)."""

import contextlib
import struct
from time import monotonic
from typing import NamedTuple

import msgspec

from campus_agent.measure.link.path import LOOPBACK
from campus_agent.measure.link.rtnetlink import StatsSocket

FRAME_OVERHEAD_BYTES = 24
"""Per packet, what a NIC's counters leave out of a frame on the line: preamble+SFD 8, FCS 4, inter-packet gap 12."""
_STATS = struct.Struct("=8Q")  # packets, bytes, errors and drops, each received and sent


class InterfaceCounters(NamedTuple):
    """Bytes as the interface counts them: on Ethernet with the header, without preamble, FCS and gap."""

    received_bytes: int
    received_packets: int
    sent_bytes: int
    sent_packets: int
    receive_errors: int = 0
    send_errors: int = 0
    receive_drops: int = 0
    send_drops: int = 0


class WireCounters(msgspec.Struct, frozen=True):
    """Bytes on the line through an interface since it came up, at a moment of the monotonic clock."""

    at: float
    sent_wire_bytes: int
    received_wire_bytes: int

    def in_direction(self, *, sends: bool) -> int:
        """What this gateway has sent, or received."""
        return self.sent_wire_bytes if sends else self.received_wire_bytes


class CounterReader:
    """Reads the counters of one interface again and again. Raises OSError or ValueError where there are none."""

    def __init__(self, interface: str) -> None:
        self._stats = StatsSocket(interface)
        try:
            self.read()
        except (OSError, ValueError):
            self.close()
            raise

    def read(self) -> InterfaceCounters:
        """The counters now. Raises OSError or ValueError when the interface is gone."""
        stats = self._stats.read()
        if len(stats) < _STATS.size:
            raise ValueError("no counters of this interface")
        received_packets, sent_packets, received, sent, *errors_and_drops = _STATS.unpack_from(stats)
        return InterfaceCounters(received, received_packets, sent, sent_packets, *errors_and_drops)

    def close(self) -> None:
        self._stats.close()


def open_counters(interface: str | None) -> CounterReader | None:
    """None where the interface, or the platform, has no counters."""
    if interface is not None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return CounterReader(interface)
    return None


def read_counters(interface: str) -> InterfaceCounters | None:
    """The counters now; None where there are none."""
    reader = open_counters(interface)
    if reader is None:
        return None
    with contextlib.closing(reader):
        return reader.read()


def wire_counters(interface: str) -> WireCounters | None:
    """The counters now as bytes on the line; None when the interface is gone, or no line at all (loopback)."""
    counters = read_counters(interface) if interface != LOOPBACK else None
    if counters is None:
        return None
    return WireCounters(
        monotonic(),
        counters.sent_bytes + FRAME_OVERHEAD_BYTES * counters.sent_packets,
        counters.received_bytes + FRAME_OVERHEAD_BYTES * counters.received_packets,
    )
