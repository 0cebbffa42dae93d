"""What is measured again and again, in which lane, how often. Pure.

Two lanes never wait for each other: `load` (throughput, reference, latency: one at a time, they share the segment) and `light` (host,
services, equipment).
"""

from functools import cached_property
from typing import Literal
from zlib import crc32

import msgspec

Lane = Literal["load", "light"]
OnBlackout = Literal["measure", "skip", "omit"]
DAY_SECONDS = 86_400.0


class Job(msgspec.Struct, frozen=True, dict=True):
    """One thing measured again and again; `kind` is the name of its probe."""

    kind: str
    subject: str
    every_seconds: float
    lane: Lane = "light"
    heavy: bool = False
    """It loads the line: never in a lesson, never beyond the day's bytes."""
    first_seconds: float = 0.0
    """How long after the start of the agent it is due first."""
    on_blackout: OnBlackout = "skip"
    """On a day without tests it is measured because it sends nothing; or a skip says that it is not; or it is left out without one."""

    @cached_property
    def name(self) -> str:
        """How it is called in the state that is kept: kind/subject."""
        return f"{self.kind}/{self.subject}"


def share(*names: str) -> float:
    """A stable share between 0 and 1 that differs from name to name: spreads a fleet without anybody's coordination."""
    return crc32("/".join(names).encode()) / 2**32
