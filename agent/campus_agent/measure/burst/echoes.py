"""How long do small packets take there and back, idle and beside the load? Pure book-keeping and arithmetic.

RTT: RFC 2681, without the time the answer waited in the responder. The figures are those of `measure.delays`.
"""

from dataclasses import dataclass, field
from statistics import median

from campus_agent.measure.burst.protocol.datagram import Datagram
from campus_agent.measure.link.rtt import latency_record, loss_ratio
from campus_wire.records import LatencyRecord


@dataclass(slots=True)
class Echoes:
    """Probes sent, and the RTT of each answered one, in nanoseconds by the moment of sending."""

    sent: int = 0
    rtt_ns: dict[int, int] = field(default_factory=dict)

    def answered(self, datagram: Datagram, arrived_ns: int) -> None:
        """Note the answer a datagram carries, if it carries one; only the first counts."""
        if datagram.answers_ns and datagram.answers_ns not in self.rtt_ns:
            rtt = arrived_ns - datagram.answers_ns - datagram.held_ns
            if rtt > 0:
                self.rtt_ns[datagram.answers_ns] = rtt

    def median_seconds(self) -> float | None:
        """The usual RTT; None without an answer."""
        return median(self.rtt_ns.values()) / 1e9 if self.rtt_ns else None

    def record(self) -> LatencyRecord | None:
        """The figures; None when nothing was sent."""
        if not self.sent:
            return None
        in_order = [self.rtt_ns[sent] / 1e9 for sent in sorted(self.rtt_ns)]
        return latency_record("udp", in_order, self.sent, loss_ratio(self.sent, len(in_order)))
