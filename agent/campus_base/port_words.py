"""A switch port in words, for the agent's commands and the collector's pages."""

from campus_base.messages import Message, message, verbatim
from campus_wire.records import PortRecord

FOUND_BY_WORDS: dict[str, Message] = {
    "inventory": message("by the inventory"),
    "lldp": message("by LLDP"),
    "forwarding_table": message("by the forwarding table"),
}
GRADE_WORDS: dict[str, Message] = {
    "measured": message("measured"),
    "negotiated": message("negotiated"),
    "declared": message("declared"),
}
ERROR_RATIO = 1e-4
"""A cable in order has practically none; 1 in 10 000 frames costs TCP most of its rate."""


def error_ratio(record: PortRecord) -> float | None:
    """Frames with errors of all frames from the classroom, 0 to 1; None where it cannot be said, or nothing came."""
    if record.received_packets is None or (record.receive_errors is None and record.fcs_errors is None):
        return None
    errors = max(record.receive_errors or 0, record.fcs_errors or 0)
    frames = record.received_packets + errors
    return errors / frames if frames else None


def link_words(record: PortRecord) -> Message:
    """What the port negotiated."""
    if not record.up:
        return message("no link")
    speed = record.speed_bits_per_second
    rate = message("{rate} Mbit/s", rate=f"{speed / 1e6:.0f}") if speed else verbatim("—")
    duplex = {"full": message("full duplex"), "half": message("half duplex")}.get(record.duplex or "")
    return message("{rate}, {duplex}", rate=rate, duplex=duplex) if duplex else rate
