"""What is a probe? A name, settings, `measure` (all the I/O) and `interpret` (all the arithmetic).

`measure` returns what it saw, `interpret` turns that into a `Finding`; the runner adds id, time, duration and deadline, so no
probe can forget them. Probes know nothing of spool, HTTP or Prometheus.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any, Generic, TypeVar

from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import (
    HostRecord,
    HostResult,
    LatencyProbeRecord,
    LatencyResult,
    ServiceRecord,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)

Record = ThroughputRecord | LatencyProbeRecord | HostRecord | ServiceRecord
AnyResultType = type[ThroughputResult] | type[LatencyResult] | type[HostResult] | type[ServiceResult]
SettingsT = TypeVar("SettingsT")
RawT = TypeVar("RawT")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running measurement stands, for the person who watches it."""

    phase: str
    elapsed_seconds: float
    expected_seconds: float
    line_rate_bits_per_second: float | None = None
    bytes_spent: int = 0
    confidence_ratio: float | None = None


def _nobody(_: Progress) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run is given from outside: its deadline, randomness, and who watches.

    `spent_bytes` is what the run has put on the wire so far, by part of the test: it is charged whatever ends the run.
    """

    deadline_seconds: float
    random: Random = field(default_factory=Random)
    watch: Callable[[Progress], None] = _nobody
    began: float = field(default_factory=monotonic)
    spent_bytes: dict[str, int] = field(default_factory=dict)

    def left_seconds(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.began + self.deadline_seconds - monotonic())


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe concludes: a record, or a failure, and whether the measurement was sound."""

    record: Record | None = None
    validity: Validity = Validity.OK
    failure: Failure | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Probe(Generic[SettingsT, RawT]):
    """One kind of measurement. `deadline_seconds` bounds a whole run, whatever happens in it."""

    name: str
    version: int
    settings: type[SettingsT]
    measure: Callable[[SettingsT, Run], Awaitable[RawT]]
    interpret: Callable[[RawT], Finding]
    deadline_seconds: Callable[[SettingsT], float]
    result: AnyResultType


AnyProbe = Probe[Any, Any]


class ProbeFailed(Exception):
    """The network or the device did not do what was asked: carried as data to the result."""

    def __init__(self, operation: Operation, kind: FailureKind, detail: str = "") -> None:
        """Keep the closed words; the detail is for a technician."""
        super().__init__(f"{operation}: {kind}: {detail}")
        self.failure = Failure(operation, kind, detail[:300])
