"""What passed between two readings of a port? Pure.

Counters wrap (RFC 2863 section 3.1.6), start again with the switch, and jump when the switch says so (ifCounterDiscontinuityTime). A
difference that the port could not have carried is no difference, and one of a counter that may have gone round more than once is none either:
nothing is said rather than something wrong.
"""

import msgspec

from campus_agent.measure.ports.reading import PortReading

TICKS_PER_SECOND = 100
UPTIME_BITS = 32
WRAP_WITHIN_TICKS = 86_400 * TICKS_PER_SECOND
"""Polls are less than a day apart."""
ROOM = 1.05
"""A counter may be read a little later than the clock."""
LEAST_PACKET_BITS = 84 * 8
"""The shortest frame with preamble and gap: bounds how many packets a port can carry."""


class PortTraffic(msgspec.Struct, frozen=True):
    """Between two readings; None where a counter is missing or not to be believed."""

    seconds: float
    received_octets: int | None
    sent_octets: int | None
    received_packets: int | None
    receive_errors: int | None
    send_errors: int | None
    fcs_errors: int | None
    late_collisions: int | None

    def utilization(self, speed_bits_per_second: float | None) -> float | None:
        """The busier direction's share of the port's speed, 0 to 1."""
        octets = [count for count in (self.received_octets, self.sent_octets) if count is not None]
        if not octets or not speed_bits_per_second:
            return None
        return min(1.0, max(octets) * 8 / self.seconds / speed_bits_per_second)


def traffic_between(before: PortReading, after: PortReading) -> PortTraffic | None:
    """None when nothing can be said: the switch began again, its counters jumped, or no time passed."""
    ticks = (after.uptime_ticks - before.uptime_ticks) % 2**UPTIME_BITS
    if after.uptime_ticks < before.uptime_ticks and before.uptime_ticks < 2**UPTIME_BITS - WRAP_WITHIN_TICKS:
        return None  # restarted: uptime went back, and not by wrapping after 497 days
    if ticks == 0 or before.discontinuity_ticks != after.discontinuity_ticks or before.name != after.name:
        return None
    seconds = ticks / TICKS_PER_SECOND
    speeds = [speed for speed in (before.speed_bits_per_second, after.speed_bits_per_second) if speed]
    most_octets = ROOM * max(speeds) * (seconds + 1) / 8 if speeds else None
    most_packets = ROOM * max(speeds) * (seconds + 1) / LEAST_PACKET_BITS if speeds else None
    received = sent = packets = None
    if before.octet_bits == after.octet_bits and _holds(after.octet_bits, most_octets):
        received = _difference(before.received_octets, after.received_octets, after.octet_bits, most_octets)
        sent = _difference(before.sent_octets, after.sent_octets, after.octet_bits, most_octets)
    if before.packet_bits == after.packet_bits and _holds(after.packet_bits, most_packets):
        packets = _difference(before.received_packets, after.received_packets, after.packet_bits, most_packets)

    def errors(name: str) -> int | None:
        return _difference(getattr(before, name), getattr(after, name), 32, most_packets)

    return PortTraffic(
        seconds,
        received,
        sent,
        packets,
        errors("receive_errors"),
        errors("send_errors"),
        errors("fcs_errors"),
        errors("late_collisions"),
    )


def _holds(bits: int, most: float | None) -> bool:
    """Can a counter of this width not have gone round unseen? One of 32 bits goes round in 34 s of octets at 1 Gbit/s."""
    return bits >= 64 or (most is not None and most < 2**bits)


def _difference(before: int | None, after: int | None, bits: int, most: float | None) -> int | None:
    if before is None or after is None:
        return None
    difference = (after - before) % 2**bits
    return None if most is not None and difference > most else difference
