"""What is measured again and again, in which lane, how often. Pure.

Two lanes never wait for each other: `load` (throughput, reference, latency: one at a time, they share the segment) and `light` (host,
services, equipment).
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal
from zlib import crc32

Lane = Literal["load", "light"]
OnBlackout = Literal["measure", "skip", "omit"]
DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Job:
    """One thing measured again and again; `kind` is the name of its probe."""

    kind: str
    subject: str
    every_seconds: float
    lane: Lane = field(default="light", compare=False)
    heavy: bool = field(default=False, compare=False)
    """It loads the line: never in a lesson, never beyond the day's bytes."""
    first_seconds: float = field(default=0.0, compare=False)
    """How long after the start of the agent it is due first."""
    on_blackout: OnBlackout = field(default="skip", compare=False)
    """On a day without tests it is measured because it sends nothing; or a skip says that it is not; or it is left out without one."""

    @cached_property
    def name(self) -> str:
        """How it is called in the state that is kept: kind/subject."""
        return f"{self.kind}/{self.subject}"


def share(*names: str) -> float:
    """A stable share between 0 and 1 that differs from name to name: spreads a fleet without anybody's coordination."""
    return crc32("/".join(names).encode()) / 2**32
