"""How much of a line is left for the payload, and back: goodput to line rate.

"100 Mbit/s to the class" is a line rate. A Fast-Ethernet link in perfect order delivers 94.15 Mbit/s of TCP goodput, so
goodput is converted to the equivalent line rate before it is compared with a target:

    line_rate = goodput x (MTU + L2) / MSS,   MSS = MTU - IP - TCP

Octets per frame: Ethernet II with preamble+SFD 8, header 14, FCS 4, inter-packet gap 12 (IEEE 802.3 clause 3 and 4.4.2);
VLAN tag 4 (802.1Q); IPv4 20 (RFC 791), IPv6 40 (RFC 8200); TCP 20 (RFC 9293) plus 12 with timestamps (RFC 7323 section 3.2,
padded); PPPoE + PPP 8, taken from the MTU (RFC 2516 section 7).
"""

from typing import Literal

import msgspec

ETHERNET_OVERHEAD_BYTES = 38
MIN_MTU_BYTES, MAX_MTU_BYTES = 576, 65_535
VLAN_TAG_BYTES = 4
PPPOE_BYTES = 8
TCP_HEADER_BYTES = 20
TCP_TIMESTAMPS_BYTES = 12
UDP_HEADER_BYTES = 8
IP_HEADER_BYTES: dict[str, int] = {"ipv4": 20, "ipv6": 40}

AddressFamily = Literal["ipv4", "ipv6"]


class Encapsulation(msgspec.Struct, frozen=True, gc=False):
    """What the formula needs of the path. `mtu_bytes` is the largest IP packet, after any PPPoE."""

    mtu_bytes: int = 1500
    address_family: AddressFamily = "ipv4"
    tcp_timestamps: bool = True
    vlan_tags: int = 0
    pppoe: bool = False

    def __post_init__(self) -> None:
        """Refuse what no path can be: the formula divides by the MSS."""
        if not MIN_MTU_BYTES <= self.mtu_bytes <= MAX_MTU_BYTES:
            raise ValueError(f"mtu_bytes must be 576 to 65535, not {self.mtu_bytes}")
        if not 0 <= self.vlan_tags <= 4:
            raise ValueError(f"vlan_tags must be 0 to 4, not {self.vlan_tags}")

    @property
    def mss_bytes(self) -> int:
        """TCP payload octets in a full segment."""
        options = TCP_TIMESTAMPS_BYTES if self.tcp_timestamps else 0
        return self.mtu_bytes - IP_HEADER_BYTES[self.address_family] - TCP_HEADER_BYTES - options

    @property
    def wire_bytes(self) -> int:
        """Octets a full packet occupies on the line, preamble and gap included."""
        pppoe = PPPOE_BYTES if self.pppoe else 0
        return self.mtu_bytes + pppoe + ETHERNET_OVERHEAD_BYTES + VLAN_TAG_BYTES * self.vlan_tags


def mtu_from_mss(mss_bytes: int, address_family: AddressFamily, tcp_timestamps: bool) -> int:
    """The MTU a TCP connection works with. `mss_bytes` is the payload of a full segment, after options."""
    options = TCP_TIMESTAMPS_BYTES if tcp_timestamps else 0
    return mss_bytes + options + TCP_HEADER_BYTES + IP_HEADER_BYTES[address_family]


def line_rate_from_goodput(goodput_bits_per_second: float, path: Encapsulation) -> float:
    """Which line rate does this TCP goodput prove? Bits per second in and out."""
    return goodput_bits_per_second * path.wire_bytes / path.mss_bytes


def goodput_from_line_rate(line_rate_bits_per_second: float, path: Encapsulation) -> float:
    """How much TCP goodput does a line in perfect order deliver? The inverse of `line_rate_from_goodput`."""
    return line_rate_bits_per_second * path.mss_bytes / path.wire_bytes


def wire_bytes_of(payload_bytes: int, path: Encapsulation) -> int:
    """Octets on the line for this many octets of TCP payload in full segments (acknowledgements not counted)."""
    segments, rest = divmod(payload_bytes, path.mss_bytes)
    overhead = path.wire_bytes - path.mss_bytes
    return payload_bytes + overhead * (segments + (1 if rest else 0))
