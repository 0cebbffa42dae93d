"""Figures of a series of round trips. Pure.

RTT: RFC 2681. Loss: round trip, RFC 6673. Jitter: the estimator of RFC 3550 section 6.4.1 and A.8 on round-trip times of
consecutive answers. All in seconds and ratios; what was not measured is absent.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from campus_wire.records import LatencyRecord

Method = Literal["icmp", "udp", "tcp", "tcp_info"]


class Echoes(msgspec.Struct):
    """Probes sent, and the RTT in seconds of each answered one by a number that grows with sending."""

    sent: int = 0
    rtt_seconds: dict[int, float] = msgspec.field(default_factory=dict)
    method: Method = "icmp"

    def in_order(self) -> list[float]:
        """The RTTs in the order of sending."""
        return [self.rtt_seconds[number] for number in sorted(self.rtt_seconds)]

    def record(self) -> LatencyRecord | None:
        """None when nothing was sent."""
        return summary(self) if self.sent else None


def summary(echoes: Echoes) -> LatencyRecord:
    """Counts and figures of one series of probes."""
    rtts = echoes.in_order()
    return latency_record(echoes.method, rtts, echoes.sent, loss_ratio(echoes.sent, len(rtts)))


def latency_record(method: Method, rtts: Sequence[float], packets_sent: int, lost: float | None) -> LatencyRecord:
    """The figures of round trips in seconds, in the order of sending, whoever measured them. Median and p95 are nearest ranks.

    `lost`: round-trip loss ratio; None where it is not known.
    """
    return LatencyRecord(
        method=method,
        packets_sent=packets_sent,
        packets_received=len(rtts),
        rtt_min_seconds=min(rtts, default=None),
        rtt_median_seconds=median(rtts),
        rtt_p95_seconds=percentile(rtts, 0.95),
        rtt_max_seconds=max(rtts, default=None),
        jitter_seconds=jitter_seconds(rtts),
        loss_ratio=lost,
    )


def jitter_seconds(rtts: Sequence[float]) -> float | None:
    """How much do consecutive delays differ? J += (|D| - J) / 16 (RFC 3550 A.8). None below two answers."""
    if len(rtts) < 2:
        return None
    jitter = 0.0
    for before, after in pairwise(rtts):
        jitter += (abs(after - before) - jitter) / 16
    return jitter


def loss_ratio(packets_sent: int, packets_received: int) -> float | None:
    """What share of the packets never came back? Ratio 0-1, round trip (RFC 6673).

    None when nothing was sent: absence is not zero loss.
    """
    if packets_sent == 0:
        return None
    return min(1.0, max(0.0, (packets_sent - packets_received) / packets_sent))


def median(rtts: Sequence[float]) -> float | None:
    """The nearest rank of one half: of an even number the lower one of the middle. None of nothing."""
    return percentile(rtts, 0.5)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed (nearest rank). None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    rank = max(1, -int(-share * len(ordered) // 1))
    return ordered[min(rank, len(ordered)) - 1]
