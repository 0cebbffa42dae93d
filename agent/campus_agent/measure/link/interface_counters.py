"""Which of the gateway's interfaces leads to a host, what does it claim, and what passed through it?"""

import re
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal

from campus_agent.measure.link.ethtool import NicSettings, nic_settings
from campus_agent.measure.link.netlink import counters_of, interface_to

LOOPBACK = "lo"
MAX_VLAN_TAGS = 4
COUNTER_GAP_BYTES = 24
"""Per packet, what a NIC's counters leave out of a frame on the line: preamble+SFD 8, FCS 4, inter-packet gap 12."""


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as the gateway sees it; speed and duplex are absent where the driver does not tell."""

    name: str
    speed_bits_per_second: float | None
    duplex: Literal["full", "half"] | None
    mtu_bytes: int | None
    vlan_tags: int = 0
    pppoe: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """Octets on the line and packets through an interface since boot, at a moment of the monotonic clock."""

    at: float
    sent_wire_bytes: int
    received_wire_bytes: int


def link_to(address: str) -> Link | None:
    """The interface the kernel routes to this address through; no packet is sent. None when there is no route."""
    name = interface_to(address)
    return describe(name) if name is not None else None


def describe(name: str) -> Link | None:
    """What an interface claims about itself."""
    settings = nic_settings(name)
    return link_of(name, settings) if settings is not None else None


def link_of(name: str, settings: NicSettings) -> Link:
    """The same, where the settings are known already."""
    duplex: Literal["full", "half"] | None = None
    if settings.full_duplex is not None:
        duplex = "full" if settings.full_duplex else "half"
    mtu = settings.mtu_bytes or None
    return Link(name, settings.speed_bits_per_second, duplex, mtu, _vlan_tags(name), name.startswith("ppp"))


def passed(name: str) -> Passed | None:
    """The interface's counters now, as octets on the line; None when it is gone, or no line at all (loopback)."""
    if name == LOOPBACK:
        return None
    counters = counters_of(name)
    if counters is None:
        return None
    return Passed(
        monotonic(),
        counters.sent_octets + COUNTER_GAP_BYTES * counters.sent_packets,
        counters.received_octets + COUNTER_GAP_BYTES * counters.received_packets,
    )


def _vlan_tags(name: str) -> int:
    """How many 802.1Q tags an interface adds to a frame: its own and those of the one below it (Linux: /proc/net/vlan/NAME)."""
    tags = 0
    while tags < MAX_VLAN_TAGS and (below := _interface_below(name)) is not None:
        tags, name = tags + 1, below
    return tags


def _interface_below(name: str) -> str | None:
    """What a VLAN interface stands on ("Device: eth0"); None: it is none."""
    try:
        with (Path("/proc/net/vlan") / name).open(encoding="utf-8", errors="replace") as file:
            found = re.search(r"^Device: *(\S+)", file.read(4096), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None
