"""Batches of results on their way into the store, and results as they are read from it."""

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from campus_collector.domain.agents import Principal
from campus_wire.records import AgentState, Announcement, AnyResult, ChainHead, Quarantined


class AcceptedResult(msgspec.Struct, frozen=True, gc=False):
    """A result that may be stored: decoded, and the bytes as they came."""

    result: AnyResult
    raw: bytes


@dataclass(frozen=True, slots=True)
class RejectedResult:
    """A result that is kept apart with the reason; `raw` is bounded. `id` is None when it could not be read."""

    id: str | None
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class QuarantinedResult:
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
    accepted: tuple[AcceptedResult, ...]
    rejected: tuple[RejectedResult, ...]
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


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result with its bytes as they came, and its place in the school's chain; 0: it was stored before there was one."""

    result: AnyResult
    raw: bytes
    sequence: int
