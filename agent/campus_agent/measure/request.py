"""What a throughput test is asked, whatever the engine, in the daemon and in its workers."""

from typing import Final, Literal

import msgspec

from campus_wire.bandwidth import DEFAULT_TOLERANCE_RATIO, reaches
from campus_wire.encapsulation import Encapsulation
from campus_wire.records import Segment

REFERENCE_RATIO = 1.2
"""A reference asks for so much goodput over the target: enough for the verdict, and a bound for its bytes."""
WIRE_RATIO = 1.07
"""Bytes on the wire for one of payload, MTU 1500 and all usual headers: 1538/1448, rounded up."""
LineDirection = Literal["down", "up"]
DIRECTIONS: Final[tuple[LineDirection, LineDirection]] = ("down", "up")
"""In the order in which they are tested."""


def gateway_sends(segment: Segment, direction: LineDirection) -> bool:
    """Does this gateway send in this direction? A classroom's line ends at the responder, an uplink at the gateway."""
    return (direction == "down") == (segment == "classroom")


class ThroughputRequest(msgspec.Struct, frozen=True):
    """Where, by which engine, against which target, and when the result is not sound.

    The engine that sends it to its worker puts the address in place of the name (`host`), what is known of the path
    (`encapsulation`) and the worker's own bound (`deadline_seconds`).
    """

    host: str
    port: int
    engine: str
    segment: Segment
    required_bits_per_second: float
    tolerance_ratio: float = DEFAULT_TOLERANCE_RATIO
    duration_seconds: int = 10
    warmup_seconds: int = 1
    max_cross_traffic_ratio: float = 0.5
    """Other traffic above this share of the target ends the test at once, unless the verdict is certain."""
    max_cpu_ratio: float = 0.8
    test_key_file: str | None = None
    """Its content is read where it is needed, and goes nowhere else."""
    mode: Literal["quick", "reference"] = "quick"
    max_bytes: int | None = None
    """What this test may put on the wire, both directions together; None: no bound but its duration."""
    encapsulation: Encapsulation = Encapsulation()
    deadline_seconds: float = 10.0
    """Of the whole test in our own engine's worker, resolving a name left out."""
    subject: str = ""
    """The classroom, or `uplink`."""
    page_socket: str = ""
    """Where the process of the classroom's page answers, for the engine `browser`."""

    @property
    def threshold_bits_per_second(self) -> float:
        """The least line rate that counts as the target reached."""
        return self.required_bits_per_second * self.tolerance_ratio

    @property
    def max_cross_traffic_bits_per_second(self) -> float:
        return self.required_bits_per_second * self.max_cross_traffic_ratio

    def reached_by(self, line_rate_bits_per_second: float) -> bool:
        """Does this line rate reach the target, the tolerance allowed for?"""
        return reaches(line_rate_bits_per_second, self.required_bits_per_second, self.tolerance_ratio)

    @property
    def line_seconds(self) -> int:
        """How long a test by TCP loads each direction."""
        return self.duration_seconds + self.warmup_seconds

    @property
    def max_goodput_bits_per_second(self) -> int:
        """What a reference asks for at most; 0: as much as the line takes."""
        return round(REFERENCE_RATIO * self.required_bits_per_second) if self.mode == "reference" else 0
