"""What a throughput test is told, whatever the engine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from campus_wire.bandwidth import DEFAULT_TOLERANCE_RATIO
from campus_wire.records import Segment

REFERENCE_RATIO = 1.2
"""A reference asks for so much goodput over the target: enough for the verdict, and a bound for its bytes."""
WIRE_RATIO = 1.07
"""Octets on the wire for one of payload, MTU 1500 and all usual headers: 1538/1448, rounded up."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where, which engine, against which target, and when the result is not sound."""

    host: str
    port: int
    engine: str
    segment: Segment
    required_bits_per_second: float
    tolerance_ratio: float = DEFAULT_TOLERANCE_RATIO
    duration_seconds: int = 10
    warmup_seconds: int = 1
    max_cross_traffic_ratio: float = 0.5
    max_cpu_ratio: float = 0.8
    test_key_file: Path | None = None
    mode: Literal["quick", "reference"] = "quick"
    max_bytes: int | None = None
    """What this test may put on the wire, both directions together; None: no bound but its duration."""
