"""What a throughput test is told, whatever the engine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from campus_wire.bandwidth import DEFAULT_TOLERANCE_RATIO
from campus_wire.records import Segment


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
