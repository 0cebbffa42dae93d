"""What is known of one pulse, and what it says. Times are nanoseconds of one side's monotonic clock; the two clocks are never compared,
only differences are. Rates are line rates in bits per second: octets on the wire, preamble and gap included.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Sample(NamedTuple):
    """What the receiver's interface had received at this moment of the receiver's clock."""

    at_ns: int
    octets: int
    packets: int


class Departure(NamedTuple):
    """What the sender's interface had sent when packet `sequence` of the pulse was due next, at this moment of the sender's clock."""

    sent_ns: int
    octets: int
    packets: int
    sequence: int


@dataclass(slots=True)
class Arrivals:
    """One pulse as its receiver saw it: a column per fact, in the order of arrival.

    `count` is how many packets had arrived by then: a long pulse lists only some. `packets` counts all. `overflow` is what the
    receive buffer threw away, `overflow_ns` when it last did so. `waited_ns` is how long the receiver's thread had no processor though
    it was ready; None: unknown.
    """

    received_ns: list[int] = field(default_factory=list)
    sent_ns: list[int] = field(default_factory=list)
    sequence: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    departures: list[Departure] = field(default_factory=list)
    packets: int = 0
    overflow: int = 0
    overflow_ns: int = 0
    clock_step_ns: int = 0
    kernel_stamps: bool = True
    waited_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    """One pulse with what is needed to read it.

    `receiver_gap_bytes` and `sender_gap_bytes` are what the interface counters leave out per packet; None: no counters.
    `subscriber_receives`: the receiver's interface is the one that belongs to this line alone.
    """

    arrivals: Arrivals
    departures: Sequence[Departure]
    wire_bytes: int
    receiver_gap_bytes: int | None
    sender_gap_bytes: int | None
    subscriber_receives: bool


class Flaw(StrEnum):
    """Why does a pulse say nothing?"""

    NOTHING_ARRIVED = "nothing_arrived"
    TOO_FEW = "too_few"
    STARVED = "starved"
    OVERFLOW = "overflow"
    CLOCK = "clock"
    UNSTEADY = "unsteady"
    WAITED = "waited"


@dataclass(frozen=True, slots=True)
class View:
    """What one pulse says.

    `rate` is the capacity when `saturated`, else the rate that was proved; `spread` its standard error. `unattributed` is other
    traffic that one end saw and that may, or may not, have shared the line. `counters_read` is false when neither end's interface counters told
    anything of the window. `bias` is a standard error that more pulses do not reduce. `limit` names what set the rate. `whole` is the mean from the
    first packet to the last. `seconds` is the window that was read, `span_seconds` the whole pulse as it arrived. `overflow` is what the receive
    buffer threw away, `client_cpu_ratio` how busy the client's core was with the pulse, `waited_seconds` how long its sender or its receiver
    had no processor though it was ready (the longer of the two; None: unknown).
    """

    rate: float
    spread: float
    saturated: bool
    mean: float = 0.0
    offered: float = 0.0
    own: float = 0.0
    others: float = 0.0
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
    flaw: Flaw | None = None
