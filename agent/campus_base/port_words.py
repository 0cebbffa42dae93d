"""A switch port in words, for the agent's commands and the collector's pages."""

from campus_base.language import Text
from campus_wire.records import PortRecord

FOUND_BY_WORDS: dict[str, Text] = {
    "inventory": Text("by the inventory", "依据基础信息"),
    "lldp": Text("by LLDP", "依据 LLDP"),
    "forwarding_table": Text("by the forwarding table", "依据转发表"),
}
GRADE_WORDS: dict[str, Text] = {
    "measured": Text("measured", "实测"),
    "negotiated": Text("negotiated", "协商"),
    "declared": Text("declared", "申报"),
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


def link_words(record: PortRecord) -> Text:
    """What the port negotiated."""
    if not record.up:
        return Text("no link", "无连接")
    speed = record.speed_bits_per_second
    rate = f"{speed / 1e6:.0f} Mbit/s" if speed else "—"
    duplex = {"full": Text("full duplex", "全双工"), "half": Text("half duplex", "半双工")}.get(record.duplex or "")
    return Text(f"{rate}, {duplex.en}", f"{rate}，{duplex.zh}") if duplex else Text(rate, rate)
