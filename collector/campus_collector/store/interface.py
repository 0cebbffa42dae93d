"""What a store does, whatever database is under it. Plain records, no SQL; every key starts with the school."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from campus_wire.language import Language, Text
from campus_wire.records import AgentState, Announcement, AnyResult, ChainHead, Outcome, Quarantined
from campus_wire.terminal import escape_cell

if TYPE_CHECKING:
    from campus_collector.store.chain import Chain
    from campus_collector.store.coordination import Lease
    from campus_collector.store.evidence import EvidenceTable
    from campus_collector.store.inventory import InventoryTable
    from campus_collector.store.ledger import LedgerTable
    from campus_collector.store.monthly import MonthlyTable
    from campus_collector.store.people import PeopleTable

SubjectKind = Literal["classroom", "uplink", "recording_room", "service"]
Source = Literal["announced", "inventory"]


class StoreError(Exception):
    """The database cannot be used; `in_` says why. Reasons that only SQLite or the system gives are the same in both languages."""

    def __init__(self, words: Text | str) -> None:
        """In both languages, or the same in both."""
        text = words if isinstance(words, Text) else Text(words, words)
        super().__init__(text.en)
        self.text = text

    def in_(self, language: Language) -> str:
        """Why, in one language, on one line."""
        return escape_cell(self.text.in_(language))


class StoreUnavailable(StoreError):
    """The database cannot be used now: locked, full, gone. Nothing was stored."""


class NoDatabase(StoreUnavailable):
    """There is no database at this place, and the work needs one."""

    def __init__(self, path: Path) -> None:
        """`path` is where the database was looked for."""
        super().__init__(
            Text(
                f"{path}: there is no database; are --state-dir and --config right?",
                f"{path}：此处没有数据库，请检查 --state-dir 或 --config",
            )
        )


class StoreBusy(StoreUnavailable):
    """Somebody else does this work now, or the store did not answer in time."""


class StoreUnusable(StoreError):
    """The database cannot be used by this program: newer, damaged, changed migrations. A person must look."""


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


class Store(Protocol):
    """Write by `submit`; every reader may be called from any thread."""

    evidence: "EvidenceTable"
    inventory: "InventoryTable"
    ledger: "LedgerTable"
    chain: "Chain"
    monthly: "MonthlyTable"
    people: "PeopleTable"

    def submit(self, batch: Batch) -> "Future[BatchOutcome]":
        """Store a batch; the future is done after the commit. It may raise StoreUnavailable."""

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Be told after each commit what it touched, from the writer's thread."""

    def follow(self) -> None:
        """Tell the listeners what other processes have committed since last time."""

    def lease(self, name: str, patience_seconds: float) -> "AbstractContextManager[Lease]":
        """Work that one process at a time may do. Raises StoreBusy when another still does it after so long."""

    def missing_log(self) -> MissingLog | None:
        """Was the database without its -wal, and not every school's gateway has shown since that no result is missing?"""

    def issue_token(
        self, token_hash: bytes, principal: Principal, town: str | None, now: datetime, expires: datetime | None = None
    ) -> None:
        """Let a token speak for a school's agent, for ever or until it expires."""

    def issue_code(self, code_hash: bytes, school: str, town: str | None, now: datetime, expires: datetime) -> None:
        """Let a code enrol a school's gateway, once; an earlier code of the school is void."""

    def redeem_code(self, code_hash: bytes, token_hash: bytes, now: datetime) -> Enrolment | None:
        """Exchange a code for a token; the school's earlier tokens are revoked. None for an unknown, used or expired code."""

    def rotate_token(self, token_hash: bytes, successor: bytes, now: datetime) -> bool:
        """Let a successor take a token's place; the token is good until the successor is first used. Was the token good?"""

    def revoke_tokens(self, school: str, now: datetime) -> int:
        """Refuse all of a school's tokens from now on. How many there were."""

    def authenticate(self, token_hash: bytes) -> Principal | None:
        """Whose token is this? None for an unknown, revoked or expired one; what it replaces is revoked by its first use."""

    def token_expiries(self) -> dict[str, datetime]:
        """When the last of a school's tokens expires, or expired; schools with a token without end are absent."""

    def schools(self, since: datetime | None = None) -> list[School]:
        """All schools, by town and id; with `since` also those that were removed later than that."""

    def subjects(
        self, school: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[Subject]:
        """All subjects, or one school's; with `since` also those that were removed later than that, with `until` only those known before."""

    def latest(self, school: str | None = None, subject: str | None = None) -> list[Latest]:
        """The newest results of all subjects, of one school's, or of one subject of it."""

    def results(self, school: str, subject: str, kind: str, start: datetime, end: datetime) -> Iterator[AnyResult]:
        """One subject's results with start <= started_at < end, oldest first."""

    def raw_results(
        self, school: str, subject: str | None, kind: str | None, start: datetime, end: datetime, limit: int
    ) -> list[bytes]:
        """The same as octets, of one or all subjects and kinds, newest first, bounded."""

    def agents(self, school: str | None = None) -> list[Agent]:
        """All agents, or one school's."""

    def measurement_totals(self) -> dict[tuple[str, Outcome], int]:
        """How many results were ever stored, by kind and outcome."""

    def ingest_totals(self) -> dict[str, int]:
        """How many results ever arrived, by `stored`, `duplicate`, `quarantined`."""

    def quarantined(self, school: str | None, limit: int) -> list[Bad]:
        """The newest results that were kept apart."""

    def quarantine_rows(self, school: str | None, limit: int) -> list[QuarantinedRow]:
        """The same with school and time of arrival."""

    def quarantine_counts(self) -> dict[str, int]:
        """How many results are in quarantine, by school."""

    def check(self) -> None:
        """Can it be read, and written at the last try, at most a minute ago? Raises StoreUnavailable."""

    def close(self) -> None:
        """Finish what is queued, then let go."""
