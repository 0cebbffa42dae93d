"""What the iperf3 worker is asked and what it answers beside libiperf's own report."""

import msgspec

from campus_agent.measure.link.cpu_wait import CpuWait
from campus_agent.measure.request import ThroughputRequest

CONGESTION_CONTROL = "cubic"  # BBR hides standing queues, and a result must not depend on a gateway's default
COUNT_SECONDS = 0.1
"""How often a worker sends a count."""


class Iperf3Task(msgspec.Struct, frozen=True):
    """One direction of a request. `reverse`: the server sends."""

    request: ThroughputRequest
    reverse: bool
    interval_seconds: float = 0.5


class PayloadCount(msgspec.Struct, frozen=True):
    """How many bytes of payload had passed, by the kernel's count, at a moment of the machine's monotonic clock (seconds)."""

    payload_bytes: int
    at: float


class KernelCounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the kernel saw of a load after its warm-up: segments a second, slot by slot of `slot_seconds`; who waited for a processor."""

    segments_per_second: list[float] = []
    slot_seconds: float = 0.0
    waiting: CpuWait = CpuWait()
