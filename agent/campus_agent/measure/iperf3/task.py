"""What the iperf3 worker is asked and what it answers."""

import msgspec

from campus_agent.measure.link.waiting import Waiting

CONGESTION_CONTROL = "cubic"  # BBR hides standing queues, and a result must not depend on a gateway's default


class Iperf3Task(msgspec.Struct, frozen=True):
    """What to do. `reverse`: the server sends. `max_bits_per_second` of goodput, 0: as fast as it goes."""

    host: str
    port: int
    duration_seconds: int
    warmup_seconds: int
    reverse: bool
    interval_seconds: float = 0.5
    max_bits_per_second: int = 0


METER_SECONDS = 0.1
"""How often a worker says what has passed."""


class Meter(msgspec.Struct, frozen=True):
    """How many octets of payload had passed, by the kernel's count, at a moment of the machine's monotonic clock (seconds)."""

    payload_bytes: int
    at: float = 0.0


class Observed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the kernel saw of a load after its warm-up: segments a second, slot by slot of `slot_seconds`; who waited for a processor."""

    segments_per_second: list[float] = []
    slot_seconds: float = 0.0
    waiting: Waiting = Waiting()
