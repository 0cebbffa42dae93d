"""How long do small packets take there and back, idle and beside the load? Pure book-keeping and arithmetic.

RTT: RFC 2681, without the time the answer waited in the responder. Jitter: RFC 3550 A.8 on consecutive RTTs. Loss: round trip, RFC 6673.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from campus_agent.engine.datagram import Datagram
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
        ranked = sorted(in_order)
        return LatencyRecord(
            method="udp",
            packets_sent=self.sent,
            packets_received=len(ranked),
            rtt_min_seconds=ranked[0] if ranked else None,
            rtt_median_seconds=median(ranked) if ranked else None,
            rtt_p95_seconds=ranked[-(-95 * len(ranked) // 100) - 1] if ranked else None,
            rtt_max_seconds=ranked[-1] if ranked else None,
            jitter_seconds=_jitter(in_order),
            loss_ratio=max(0.0, 1 - len(ranked) / self.sent),
        )


def _jitter(rtts: list[float]) -> float | None:
    """J += (|D| - J) / 16; None below two answers."""
    jitter = 0.0
    for before, after in pairwise(rtts):
        jitter += (abs(after - before) - jitter) / 16
    return jitter if len(rtts) > 1 else None
