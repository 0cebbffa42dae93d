"""What a probe is: it declares when and how it measures; `measure` does the I/O and returns findings.

The runner adds id, times, duration, validity and deadline to each finding, so no probe can forget them. Probes know nothing of spool,
HTTP or Prometheus.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from random import Random
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from campus_agent.config.model import AgentConfig
from campus_agent.schedule.jobs import Job
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity

SettingsT = TypeVar("SettingsT")
RecordT = TypeVar("RecordT")


class Progress(msgspec.Struct, frozen=True):
    """The state of a running measurement. `phase`: resolve, latency, busy, down or up."""

    phase: str
    elapsed_seconds: float
    expected_seconds: float = 0.0
    line_rate_bits_per_second: float | None = None
    bytes_spent: int = 0
    confidence_ratio: float | None = None


def ignore(_: object) -> None:
    """The default observer of progress and of bytes spent."""


class Run(msgspec.Struct, frozen=True):
    """What one run is given from outside: its deadline, randomness, observer, and what earlier runs of the probe remembered.

    `spent_bytes` is what the run has put on the wire so far, by part of the test: it is charged whatever ends the run.
    """

    deadline_seconds: float
    random: Random = msgspec.field(default_factory=Random)
    watch: Callable[[Progress], None] = ignore
    memory: MutableMapping[str, Any] = msgspec.field(default_factory=dict)
    began: float = msgspec.field(default_factory=monotonic)
    spent_bytes: dict[str, int] = msgspec.field(default_factory=dict)

    def left_seconds(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.began + self.deadline_seconds - monotonic())

    def total_spent_bytes(self) -> int:
        return sum(self.spent_bytes.values())


class Finding(msgspec.Struct, Generic[RecordT], frozen=True, omit_defaults=True):
    """What was concluded of one subject: a record or a failure, and whether the measurement was sound.

    `subject`, `kind` (of the result, as on the wire) and `seconds` are given where they differ from the run's: one run may have
    findings of several subjects and kinds.
    """

    record: RecordT | None = None
    validity: Validity = Validity.OK
    failure: Failure | None = None
    detail: str = ""
    skipped: SkipReason | None = None
    subject: str = ""
    kind: str = ""
    seconds: float | None = None


AnyFinding = Finding[Any]


class Cost(NamedTuple):
    """What a run takes; bytes on the wire, both directions."""

    seconds: float
    test_bytes: int


def no_jobs(_: AgentConfig) -> Iterable[Job]:
    """The jobs of a probe that runs only when a person asks for it."""
    return ()


def own_subject(_: AgentConfig, subject: str) -> list[AnyFinding]:
    """The empty findings of a probe whose run has one result, of the job's own subject."""
    return [Finding(subject=subject)]


def no_bytes(_: AgentConfig, subject: str) -> int:
    return 0


def usually_a_second(_: AgentConfig, subject: str) -> Cost:
    return Cost(1.0, 0)


class Probe(msgspec.Struct, Generic[SettingsT], frozen=True, kw_only=True):
    """One kind of measurement, with all that the daemon needs of it.

    `name` is also the kind of its jobs, `kind` that of its results. `settings(config, subject, max_bytes)` raises KeyError for a subject that is not configured.
    `measure` returns one finding a subject. What the network or a device did is a finding with `failure` (and a `record` of what was seen
    before), or ProbeFailed or OSError when there is nothing to keep. The runner adds the deadline's TimeoutError. Any other exception is
    our own mistake: it is logged with its traceback, and becomes a result too.
    `deadline_seconds` bounds a whole run. `unmeasured` gives the empty findings of a run that did not take place: which results say so.
    `preceded_by`: a job of this name and the same subject is run immediately before, and must succeed.
    `least_bytes`: what a run needs at least to be worth a start; `typical_cost`: what it usually takes.
    """

    name: str
    kind: str
    settings: Callable[[AgentConfig, str, int | None], SettingsT]
    measure: Callable[[SettingsT, Run], Awaitable[Sequence[AnyFinding]]]
    deadline_seconds: Callable[[SettingsT], float]
    jobs: Callable[[AgentConfig], Iterable[Job]] = no_jobs
    unmeasured: Callable[[AgentConfig, str], Sequence[AnyFinding]] = own_subject
    preceded_by: str = ""
    least_bytes: Callable[[AgentConfig, str], int] = no_bytes
    typical_cost: Callable[[AgentConfig, str], Cost] = usually_a_second


AnyProbe = Probe[Any]
Probes = Mapping[str, AnyProbe]


class ProbeFailed(Exception):
    """The network or the device did not do what was asked: carried as data to the result."""

    def __init__(self, operation: Operation, kind: FailureKind, detail: str = "") -> None:
        """Keep the closed words; the detail is for a technician."""
        super().__init__(f"{operation}: {kind}: {detail}")
        self.failure = Failure(operation, kind, detail[:300])
