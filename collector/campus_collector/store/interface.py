"""What a store does, whatever database is under it. Plain records, no SQL; every key starts with the school."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from campus_collector.domain.records import (
    Agent,
    Bad,
    Batch,
    BatchOutcome,
    Change,
    Enrolment,
    Latest,
    MissingLog,
    Principal,
    QuarantinedRow,
    School,
    Subject,
)
from campus_wire.records import AnyResult, Outcome

if TYPE_CHECKING:
    from campus_collector.store.chain import Chain
    from campus_collector.store.coordination import Lease
    from campus_collector.store.evidence import EvidenceTable
    from campus_collector.store.inventory import InventoryTable
    from campus_collector.store.ledger import LedgerTable
    from campus_collector.store.monthly import MonthlyTable
    from campus_collector.store.people import PeopleTable


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
