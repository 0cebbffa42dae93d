"""What a burst, or a window of a stream, says about the line. Rates are line rates in bits per second."""

from dataclasses import dataclass
from enum import StrEnum


class RejectReason(StrEnum):
    """Why does a burst not count?"""

    NOTHING_ARRIVED = "nothing_arrived"
    TOO_FEW = "too_few"
    STARVED = "starved"
    OVERFLOW = "overflow"
    CLOCK = "clock"
    UNSTEADY = "unsteady"
    WAITED = "waited"


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """What one burst says.

    `rate` is the capacity when `saturated`, else the rate that was proved; `spread` its standard error. `unattributed` is other
    traffic that one end saw and that may, or may not, have shared the line. `counters_read` is false when neither end's interface counters told
    anything of the window. `bias` is a standard error that more bursts do not reduce. `limit` names what set the rate. `whole` is the mean from the
    first packet to the last. `seconds` is the window that was read, `span_seconds` the whole burst as it arrived. `overflow` is what the receive
    buffer threw away, `client_cpu_ratio` how busy the client's core was with the burst, `waited_seconds` how long its sender or its receiver
    had no processor though it was ready (the longer of the two; None: unknown).
    """

    rate: float
    spread: float
    saturated: bool
    mean: float = 0.0
    offered: float = 0.0
    test_rate: float = 0.0
    cross_traffic: float = 0.0
    unattributed: float = 0.0
    bias: float = 0.0
    counted: bool = False
    counters_read: bool = True
    limit: str | None = None
    seconds: float = 0.0
    span_seconds: float = 0.0
    whole: float = 0.0
    lost: int = 0
    overflow: int = 0
    client_cpu_ratio: float | None = None
    waited_seconds: float | None = None
    reject_reason: RejectReason | None = None
