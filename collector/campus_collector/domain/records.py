"""Records that more than one layer speaks of: schools and their subjects, batches of results, evidence, the chain, people. Every key starts with the school."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from campus_wire.records import AgentState, Announcement, AnyResult, ChainHead, Quarantined

SubjectKind = Literal["classroom", "uplink", "recording_room", "service"]
Source = Literal["announced", "inventory"]


@dataclass(frozen=True, slots=True)
class MissingLog:
    """The database was found without its -wal file; `unconfirmed` schools have not shown by a receipt that no result is missing."""

    noticed_at: datetime
    unconfirmed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose token this is."""

    school: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Whose gateway a code has enrolled, and the school's town."""

    principal: Principal
    town: str


@dataclass(frozen=True, slots=True)
class School:
    """A school of the inventory, or one that an agent announced."""

    id: str
    name: str
    town: str
    town_name: str
    source: Source
    town_seat: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """Something a target is judged on; `required_bits_per_second` None means the policy's; with an `exempt_reason` it is not judged.

    `since` is when it became known, or its first result if that is earlier.
    """

    school: str
    kind: SubjectKind
    id: str
    name: str
    required_bits_per_second: float | None
    source: Source
    exempt_reason: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Valid:
    """A result that passed ingest: decoded, and the octets as they came."""

    result: AnyResult
    raw: bytes


@dataclass(frozen=True, slots=True)
class Bad:
    """A result that did not pass: kept apart with the reason; `raw` is bounded."""

    id: str | None
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A result in quarantine, for people to see."""

    school: str
    received_at: datetime
    id: str | None
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Quotas:
    """What one school may send: bounds for a broken or stolen gateway, far above what a large school measures."""

    subjects_of_one_kind: int = 500
    results_per_day: int = 500_000
    bytes_per_day: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Batch:
    """All of one request, stored in one piece or not at all."""

    principal: Principal
    received_at: datetime
    boot_id: str
    valid: tuple[Valid, ...]
    bad: tuple[Bad, ...]
    agent: AgentState | None = None
    announcement: Announcement | None = None
    claimed: ChainHead | None = None
    """What the agent's last receipt said of the chain."""
    sent_at: datetime | None = None
    """By the agent's clock; None: as it was received."""


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of it; durable when this is returned."""

    stored: int
    duplicate: int
    quarantined: int
    chain: ChainHead | None = None
    chain_fits: bool | None = None
    beyond_quota: list[Quarantined] = field(default_factory=list)
    """Results that were understood and are more than a school may send; they are among `quarantined`."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest result of a subject and kind, and the newest valid one, by start time whatever the order of arrival."""

    school: str
    subject: str
    kind: str
    any: AnyResult
    ok: AnyResult | None


IDENTITY_SHARED_FOR = timedelta(days=1)
"""Two returns of an earlier boot within this mean that two machines report as one agent; pages say so for as long after the last one."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as the collector knows it."""

    school: str
    agent_id: str
    last_report_at: datetime | None
    boot_id: str
    state: AgentState | None
    identity_shared_at: datetime | None = None
    """When two machines were last noticed that report as this agent."""

    def is_shared(self, now: datetime) -> bool:
        """Do two machines report as this agent, as far as the last day shows?"""
        return self.identity_shared_at is not None and now - self.identity_shared_at < IDENTITY_SHARED_FOR


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit touched, for caches: results of (school, subject, kind), schools whose agent `reported`, whose list of subjects was
    `announced` otherwise and whose evidence was `judged`; `inventory` when any school or subject may have changed, `ledger` when problems did."""

    subjects: frozenset[tuple[str, str, str]] = field(default_factory=frozenset)
    inventory: bool = False
    ledger: bool = False
    reported: frozenset[str] = field(default_factory=frozenset)
    announced: frozenset[str] = field(default_factory=frozenset)
    judged: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Unjudged:
    """An hour (since 1970) of a subject whose results wait for the judge; `arrivals` grows with each that comes."""

    school: str
    subject: str
    kind: str
    hour: int
    arrivals: int


@dataclass(frozen=True, slots=True)
class DayRow:
    """The evidence of a local day (since 1970) for one target, as the judge wrote it; `basis` names the rule it was judged by."""

    school: str
    day: int
    subject: str
    target: str
    basis: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """The head of a school's chain after the last result that came on a day (UTC, since 1970)."""

    school: str
    day: int
    last_sequence: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A gateway had a receipt for another head than the school's chain has: noticed when, and how far the chain reached then."""

    school: str
    sequence: int
    head: bytes
    noticed_at: datetime
    our_sequence: int


@dataclass(frozen=True, slots=True)
class Link:
    """A place in a school's chain, and the octets that are stored for it."""

    sequence: int
    id: str
    octets: bytes | None


@dataclass(frozen=True, slots=True)
class Import:
    """An inventory that was put in force: counts of changes by sheet."""

    version: int
    imported_at: datetime | None
    effective_from: datetime | None
    imported_by: str
    changes: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Person:
    """Who may read (viewer), work on the ledger (operator), change the inventory too (admin): everywhere, or in one town."""

    name: str
    role: str
    town: str
