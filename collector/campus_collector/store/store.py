"""The store: one object with the table groups as attributes, whatever database is under it. Plain records, no SQL; every key starts with the school."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path

from campus_collector.domain.chain import MissingLog
from campus_collector.domain.change import Change
from campus_collector.domain.results import Batch, BatchOutcome, Quotas
from campus_collector.store.archive.removed import ArchivedResults
from campus_collector.store.batches import store_batches
from campus_collector.store.compaction import (
    Compaction,
    CompactionStatus,
    compaction_status,
    has_space_to_give_back,
    space_given_back,
)
from campus_collector.store.database import Database
from campus_collector.store.leases import Lease, held_lease
from campus_collector.store.tables.agents import AgentTable
from campus_collector.store.tables.archives import ArchiveTable
from campus_collector.store.tables.area import AreaTable
from campus_collector.store.tables.attempts import AttemptTable
from campus_collector.store.tables.chain import ChainTable
from campus_collector.store.tables.commands import CommandTable
from campus_collector.store.tables.evidence import EvidenceTable
from campus_collector.store.tables.inventory import InventoryTable
from campus_collector.store.tables.ledger import LedgerTable
from campus_collector.store.tables.missing_log import missing_log
from campus_collector.store.tables.monthly import MonthlyTable
from campus_collector.store.tables.outgoing import OutgoingTable
from campus_collector.store.tables.people import PeopleTable
from campus_collector.store.tables.quarantine import QuarantineTable
from campus_collector.store.tables.releases import ReleaseTable
from campus_collector.store.tables.results import ResultTable
from campus_collector.store.tables.shared_keys import SharedKeyTable
from campus_collector.store.tables.sizes import SizeTable
from campus_collector.store.tables.slots import SlotTable
from campus_collector.store.tables.subjects import SchoolTable, SubjectTable
from campus_collector.store.tables.tallies import TallyTable
from campus_collector.store.tables.tokens import TokenTable
from campus_collector.store.tables.unpacked import UnpackedResults
from campus_collector.store.transport import Transaction


class Store:
    """Write by `submit`; every reader may be called from any thread."""

    def __init__(self, database: Database, quotas: Quotas, archive_dir: Path | None = None) -> None:
        """`quotas` bound what one school may send; results that have left the database are read from `archive_dir`."""
        self._database = database
        self._quotas = quotas
        self._unpacked = UnpackedResults(database)
        self.agents = AgentTable(database)
        self.area = AreaTable(database)
        self.archives = ArchiveTable(database)
        self.archived = ArchivedResults(self.archives, archive_dir)
        self.attempts = AttemptTable(database)
        self.chain = ChainTable(database, self.archived)
        self.commands = CommandTable(database)
        self.evidence = EvidenceTable(database)
        self.inventory = InventoryTable(database)
        self.ledger = LedgerTable(database)
        self.monthly = MonthlyTable(database)
        self.outgoing = OutgoingTable(database)
        self.people = PeopleTable(database)
        self.quarantine = QuarantineTable(database)
        self.releases = ReleaseTable(database)
        self.results = ResultTable(database, self.archived)
        self.schools = SchoolTable(database)
        self.shared_keys = SharedKeyTable(database)
        self.sizes = SizeTable(database, self.archives)
        self.slots = SlotTable(database)
        self.subjects = SubjectTable(database)
        self.tallies = TallyTable(database)
        self.tokens = TokenTable(database)

    def submit(self, batch: Batch) -> "Future[BatchOutcome]":
        """Store a batch; the future is done after the commit. It may raise StoreUnavailable."""
        return self._database.submit_joint(self._store_batches, batch, batch.principal.school)

    def _store_batches(self, transaction: Transaction, batches: Sequence[Batch]) -> list[BatchOutcome]:
        stored = store_batches(transaction, batches, self._quotas, has_unpacked=self._unpacked.any())
        for _, change in stored:
            transaction.note_change(change)
        return [outcome for outcome, _ in stored]

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` after each commit with what it touched, from the thread that made it."""
        self._database.subscribe(listener)

    def follow(self) -> None:
        """Call the listeners with what other processes have committed since last time."""
        self._database.follow()

    def lease(self, name: str, timeout_seconds: float) -> AbstractContextManager[Lease]:
        """Work that one process at a time may do. Raises StoreBusy when another still does it after so long."""
        return held_lease(self._database, name, timeout_seconds)

    def missing_log(self) -> MissingLog | None:
        """Was the database without its -wal, and not every school's gateway has shown since that no result is missing?"""
        return missing_log(self._database)

    def compaction(self, is_stopped: Callable[[], bool], pause: Callable[[float], object]) -> Compaction:
        """What brings results of older versions into the packed form."""
        return Compaction(self._database, is_stopped, pause)

    def compaction_status(self) -> CompactionStatus | None:
        """None when all results are packed."""
        return compaction_status(self._database)

    def has_space_to_give_back(self) -> bool:
        """Were results removed, after they had been packed, since `give_space_back`?"""
        return has_space_to_give_back(self._database)

    def give_space_back(self) -> tuple[int, int] | None:
        """Make the database's files smaller: bytes before and after. Nobody can write meanwhile.

        Raises StoreBusy, NotEnoughSpace, StoreUnavailable.
        """
        sizes = self._database.give_space_back()
        self._database.write(space_given_back)
        return sizes

    def check(self) -> None:
        """Can it be read, and written at the last try, at most a minute ago? Raises StoreUnavailable."""
        self._database.check()

    def close(self) -> None:
        """Commit what is queued, then let go."""
        self._database.close()
