"""What is known of one burst, and what it says. Times are nanoseconds of one side's monotonic clock; the two clocks are never compared,
only differences are. Rates are line rates in bits per second: bytes on the wire, preamble and gap included.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from campus_wire.encapsulation import Encapsulation


class CounterSample(NamedTuple):
    """What the receiver's interface had received at this moment of the receiver's clock."""

    at_ns: int
    total_bytes: int
    packets: int


class Departure(NamedTuple):
    """What the sender's interface had sent when packet `sequence` of the burst was due next, at this moment of the sender's clock."""

    sent_ns: int
    total_bytes: int
    packets: int
    sequence: int


@dataclass(slots=True)
class Arrivals:
    """One burst as its receiver saw it: a column per fact, in the order of arrival.

    `count` is how many packets had arrived by then: a long burst lists only some. `packets` counts all. `overflow` is what the
    receive buffer threw away, `overflow_ns` when it last did so. `waited_ns` is how long the receiver's thread had no processor though
    it was ready; None: unknown.
    """

    received_ns: list[int] = field(default_factory=list)
    sent_ns: list[int] = field(default_factory=list)
    sequence: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    samples: list[CounterSample] = field(default_factory=list)
    departures: list[Departure] = field(default_factory=list)
    packets: int = 0
    overflow: int = 0
    overflow_ns: int = 0
    clock_step_ns: int = 0
    kernel_stamps: bool = True
    waited_ns: int | None = None


@dataclass(slots=True)
class StreamArrivals:
    """What a receiver saw of a stream: payload bytes so far at moments of its clock, and its interface's counters beside them.

    `waited_ns`: how long its thread, or the sender's, had no processor though it was ready; None: unknown.
    """

    at_ns: list[int] = field(default_factory=list)
    payload_bytes: list[int] = field(default_factory=list)
    samples: list[CounterSample] = field(default_factory=list)
    waited_ns: int | None = None


IsEnough = Callable[[StreamArrivals], bool]
"""Called with what has come so far; True ends the stream."""


@dataclass(frozen=True, slots=True)
class BurstObservation:
    """One burst with what is needed to read it.

    `receiver_frame_overhead_bytes` and `sender_frame_overhead_bytes` are what the interface counters leave out per packet; None: no counters.
    `subscriber_receives`: the receiver's interface is the one that belongs to this line alone.
    """

    arrivals: Arrivals
    departures: Sequence[Departure]
    wire_bytes: int
    receiver_frame_overhead_bytes: int | None
    sender_frame_overhead_bytes: int | None
    subscriber_receives: bool


@dataclass(frozen=True, slots=True)
class StreamObservation:
    """A stream with what is needed to read it; `frame_overhead_bytes` is what the receiver's counters leave out per packet; None: no counters."""

    arrivals: StreamArrivals
    path: Encapsulation
    frame_overhead_bytes: int | None
    round_trip_seconds: float
    subscriber_receives: bool
