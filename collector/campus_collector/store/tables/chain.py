"""The chain of a school's results: each result's bytes go into a running SHA-256 in the order of storing; a day's checkpoint is its head.

head_n = SHA-256(head_(n-1) || SHA-256(bytes_n)), head_0 = SHA-256(school). Whoever changes, removes or inserts a result changes
every later head; a head that was printed in a report proves what was stored before it. The table of checkpoints is called `seal`.
"""

from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from hashlib import sha256

from campus_collector.domain.archive import LostArchive
from campus_collector.domain.chain import Checkpoint, Leaf, ReceiptMismatch
from campus_collector.store.archive.removed import ArchivedPlaces, ArchivedResults
from campus_collector.store.columns import among, bytes_of, id_text, micros, moment
from campus_collector.store.database import Database
from campus_collector.store.errors import ArchiveLost
from campus_collector.store.packing import DamagedResult, unpack
from campus_collector.store.tables.table import TableGroup
from campus_collector.store.tables.unpacked import AFTER_UNPACKED, IS_UNPACKED, LEAST, UnpackedResults
from campus_collector.store.transport import Row, Transaction
from campus_wire.records import ChainHead

SECONDS_PER_DAY = 86_400
REMOVED_EACH = 16
"""After about so many receipts the older ones are removed."""
KEPT_RECEIPTS = 32
"""A gateway whose last receipts were lost shows an older one; so many batches back it can still be compared."""
MAX_MISMATCHES = 10
"""Of a school: the first ones show what happened."""


class ChainTable(TableGroup):
    """Checkpoints, the leaves between them, and receipts."""

    def __init__(self, database: Database, archived: ArchivedResults) -> None:
        super().__init__(database)
        self._unpacked = UnpackedResults(database)
        self._archived = archived

    def checkpoints(self, school: str) -> list[Checkpoint]:
        """A school's, oldest first."""
        rows = self._database.read(
            "SELECT school, day, last_sequence, head FROM seal WHERE school = :school ORDER BY day", {"school": school}
        )
        return [Checkpoint(*row) for row in rows]

    def checkpoint_after(self, school: str, sequence: int) -> Checkpoint | None:
        """The first checkpoint that stands behind a place of a school's chain; None: the place is not reached yet."""
        return self._checkpoint(
            "SELECT school, day, last_sequence, head FROM seal WHERE school = :school AND last_sequence >= :sequence"
            " ORDER BY day LIMIT 1",
            {"school": school, "sequence": sequence},
        )

    def last_checkpoint(self, school: str) -> Checkpoint | None:
        """The head of a school's chain now; None: it has no result."""
        return self._checkpoint(
            "SELECT school, day, last_sequence, head FROM seal WHERE school = :school ORDER BY day DESC LIMIT 1",
            {"school": school},
        )

    def _checkpoint(self, sql: str, key: dict[str, object]) -> Checkpoint | None:
        row = self._database.first(sql, key)
        return Checkpoint(*row) if row else None

    def first_day(self) -> int | None:
        """The day (UTC, since 1970) on which the first result of all came in; None of none."""
        row = self._database.first("SELECT min((SELECT min(day) FROM seal WHERE seal.school = school.id)) FROM school")
        return row[0] if row else None

    def last_sequences(self, schools: Sequence[str] | None = None) -> dict[str, int]:
        """The place of the newest result of each school that has any, or of some schools."""
        listed, key = among("school", schools or ())
        rows = self._database.read(
            "SELECT id, (SELECT last_sequence FROM seal WHERE seal.school = school.id ORDER BY day DESC LIMIT 1)"
            " FROM school" + ("" if schools is None else f" WHERE id IN {listed}"),
            key,
        )
        return {school: int(sequence) for school, sequence in rows if sequence is not None}

    def leaves(self, school: str) -> Iterator[Leaf]:
        """Every place of the chain with the bytes that are stored for it, also of results that have left the database, in order; None: the result
        is not there any more, or damaged.

        Results of before the chain began come first, with sequence 0.
        """
        after = LEAST
        if self._unpacked.any():
            last_unpacked = yield from self._unpacked_leaves(school)
            after = last_unpacked if last_unpacked is not None else after
        key = {"school": school, "after": after}
        places = self._database.stream(
            "SELECT s.sequence, s.id FROM numbered_school n JOIN seen s ON s.school = n.number"
            " WHERE n.school = :school AND s.sequence > :after ORDER BY s.sequence, s.id",
            key,
        )
        results = self._database.stream(
            "SELECT r.sequence, r.packed, s.subject, s.kind, r.started_at FROM numbered_school n"
            " JOIN result r ON r.school = n.number JOIN series s ON s.school = r.school AND s.number = r.series"
            " WHERE n.school = :school AND r.sequence > :after ORDER BY r.sequence, r.series, r.started_at",
            key,
        )
        # both in the same order, the places begun first: a result that arrives meanwhile is beyond the last place
        place, result = next(places, None), next(results, None)
        archived = self._archived.places(school)
        while place is not None:
            sequence = _sequence(place[0])
            while result is not None and result[0] < sequence:
                result = next(results, None)
            row = result[1:] if result is not None and result[0] == place[0] else None
            yield (
                _leaf(sequence, id_text(place[1]), row)
                if row
                else _archived_leaf(archived, sequence, id_text(place[1]))
            )
            place = next(places, None)

    def _unpacked_leaves(self, school: str) -> Generator[Leaf, None, int | None]:
        """Those that are still read in their old form; the last sequence that is, None of none. Of several results with one id the first counts."""
        key = {"school": school}
        # on SQLite, which alone has the old form, what is read while the first statement is open is read at one moment
        places = self._database.stream(
            "SELECT coalesce(s.sequence, 0), s.id, u.last_sequence FROM unpacked_school u"
            " JOIN unpacked_seen s ON s.school = u.school"
            " WHERE u.school = :school AND u.state IN ('unpacked', 'set_aside') ORDER BY coalesce(s.sequence, 0), s.id",
            key,
        )
        place = next(places, None)
        results = self._database.stream(
            "SELECT coalesce(s.sequence, 0), s.id, r.raw, r.subject, r.kind, r.started_at FROM unpacked_result r"
            " JOIN unpacked_seen s ON s.school = r.school AND s.id = r.id"
            " WHERE r.school = :school ORDER BY coalesce(s.sequence, 0), s.id, r.subject, r.kind, r.started_at",
            key,
        )
        result = next(results, None) if place is not None else None
        last = None
        while place is not None:
            last = int(place[2])
            if result is not None and result[:2] == place[:2]:
                yield Leaf(_sequence(place[0]), place[1], bytes_of(result[2]), filed=result[3:6])
            else:
                yield Leaf(_sequence(place[0]), place[1], None)
            while result is not None and result[:2] == place[:2]:
                result = next(results, None)
            place = next(places, None)
        return last

    def results_before(self, school: str) -> int:
        """How many results of a school were stored before there was a chain; recorded once, when the database was brought forward."""
        row = self._database.first("SELECT results_before FROM chain_start WHERE school = :school", {"school": school})
        return int(row[0]) if row else 0

    def receipts(self, school: str) -> dict[int, bytes]:
        """The heads that the last receipts of a school carried, by sequence."""
        return dict(
            self._database.read("SELECT sequence, head FROM receipt WHERE school = :school", {"school": school})
        )

    def mismatches(self) -> list[ReceiptMismatch]:
        """Receipts of gateways that did not fit the chain, the newest last."""
        rows = self._database.read(
            "SELECT school, sequence, head, noticed_at, our_sequence FROM chain_mismatch ORDER BY noticed_at, school"
        )
        return [
            ReceiptMismatch(school, sequence, head, moment(noticed_at), our_sequence)
            for school, sequence, head, noticed_at, our_sequence in rows
        ]

    def results_without_leaf(self, school: str) -> int:
        """How many results are stored that no place of the chain names, or a place that has one already: they did not come through ingest."""
        key = {"school": school, "least": LEAST}
        packed = (
            "SELECT count(*) - (SELECT count(*) FROM"
            f" (SELECT r.sequence {_RESULT_OF_SCHOOL} INTERSECT SELECT r.sequence {_SEEN_OF_SCHOOL}) AS both_have)"
            f" {_RESULT_OF_SCHOOL}"
        )
        if self._unpacked.any():
            packed = (
                "SELECT count(*) - (SELECT count(*) FROM"
                f" (SELECT r.sequence {_RESULT_OF_SCHOOL}{AFTER_UNPACKED}"
                f" INTERSECT SELECT r.sequence {_SEEN_OF_SCHOOL}{AFTER_UNPACKED}) AS both_have)"
                " + (SELECT count(*) FROM unpacked_result o WHERE o.school = :school AND"
                f" {IS_UNPACKED} AND NOT EXISTS"
                " (SELECT 1 FROM unpacked_seen s WHERE s.school = o.school AND s.id = o.id))"
                f" {_RESULT_OF_SCHOOL}{AFTER_UNPACKED}"
            )
        row = self._database.first(packed, key)
        assert row is not None
        return int(row[0])


_RESULT_OF_SCHOOL = "FROM numbered_school n JOIN result r ON r.school = n.number WHERE n.school = :school"
_SEEN_OF_SCHOOL = "FROM numbered_school n JOIN seen r ON r.school = n.number WHERE n.school = :school"


def _leaf(sequence: int, result_id: str, row: Row | None) -> Leaf:
    """Of a place in the chain; below 0 it is older than the chain. `row`: packed bytes, subject, kind, time."""
    if row is None:
        return Leaf(max(sequence, 0), result_id, None)
    try:
        return Leaf(max(sequence, 0), result_id, unpack(bytes_of(row[0])), filed=row[1:])
    except DamagedResult as error:
        return Leaf(max(sequence, 0), result_id, None, damage=str(error))


def _archived_leaf(archived: ArchivedPlaces, sequence: int, result_id: str) -> Leaf:
    """Of a place whose result is not in the database: it may have left it."""
    try:
        row = archived.at(sequence)
    except ArchiveLost as error:
        return Leaf(max(sequence, 0), result_id, None, lost=LostArchive(error.month, error.text))
    return _leaf(sequence, result_id, None if row is None else (row.packed, row.subject, row.kind, row.started_at))


def _sequence(stored: object) -> int:
    """A place in the chain; 0 where an edit by hand has left text."""
    return stored if isinstance(stored, int) else 0


def first_head(school: str) -> bytes:
    """Where a school's chain begins."""
    return sha256(school.encode()).digest()


def next_head(head: bytes, raw: bytes) -> bytes:
    """The head after one more result."""
    return head_after(head, sha256(raw).digest())


def head_after(head: bytes, digest: bytes) -> bytes:
    """The head after one more result, by the SHA-256 of its bytes."""
    return sha256(head + digest).digest()


class ChainAppender:
    """Appends to the chain of one school while batches are stored."""

    def __init__(self, transaction: Transaction, school: str, now: datetime, checkpoint: Row | None) -> None:
        """Continues from its last checkpoint: day, sequence and head."""
        last_day, sequence, head = checkpoint or (0, 0, first_head(school))
        self.sequence: int = sequence
        self.head: bytes = head
        self._transaction, self.school = transaction, school
        # a clock that was set back adds to the last day instead of an earlier one
        self._day = max(int(last_day), int(now.timestamp()) // SECONDS_PER_DAY)
        self._began_with = sequence
        self._receipts: dict[int, bytes] = {}
        """Given since, and not written yet."""

    def append(self, raw: bytes) -> None:
        self.sequence += 1
        self.head = next_head(self.head, raw)

    def checkpoint(self) -> dict[str, object] | None:
        """The row of `seal`; None when nothing was appended."""
        return self._place | {"day": self._day} if self.sequence != self._began_with else None

    def compare(self, claimed: ChainHead | None, now: datetime) -> bool | None:
        """Is the head of the gateway's last receipt part of the chain? One that is not is recorded. None: nothing to compare."""
        if claimed is None:
            return None
        head = bytes.fromhex(claimed.head)
        if claimed.sequence > self.sequence:
            expected = None
        elif claimed.sequence == self.sequence:
            expected = self.head
        elif claimed.sequence == 0:
            expected = first_head(self.school)
        else:
            expected = self._given(claimed.sequence)
            if expected is None:
                return None
        if expected == head:
            return True
        self._transaction.execute(
            "INSERT INTO chain_mismatch (school, sequence, head, noticed_at, our_sequence)"
            " SELECT :school, :claimed, :claimed_head, :now, :sequence"
            " WHERE (SELECT count(*) FROM chain_mismatch WHERE school = :school) < :most"
            " ON CONFLICT (school, sequence, head) DO NOTHING",
            self._place
            | {"claimed": claimed.sequence, "claimed_head": head, "now": micros(now), "most": MAX_MISMATCHES},
        )
        return False

    def _given(self, sequence: int) -> bytes | None:
        if sequence in self._receipts:
            return self._receipts[sequence]
        row = self._transaction.first(
            "SELECT head FROM receipt WHERE school = :school AND sequence = :sequence",
            {"school": self.school, "sequence": sequence},
        )
        return row[0] if row is not None else None

    def receipt(self) -> ChainHead:
        """What the gateway is given."""
        self._receipts[self.sequence] = self.head
        return ChainHead(self.sequence, self.head.hex())

    def receipts(self) -> list[dict[str, object]]:
        """The rows of `receipt`."""
        return [
            {"school": self.school, "sequence": sequence, "head": head} for sequence, head in self._receipts.items()
        ]

    @property
    def _place(self) -> dict[str, object]:
        return {"school": self.school, "sequence": self.sequence, "head": self.head}


def write_chains(transaction: Transaction, chains: Sequence[ChainAppender]) -> None:
    """The checkpoints, and the receipts that were given; of a school the last ones are kept."""
    transaction.execute_many(
        "INSERT INTO seal (school, day, last_sequence, head) VALUES (:school, :day, :sequence, :head)"
        " ON CONFLICT (school, day) DO UPDATE SET last_sequence = excluded.last_sequence, head = excluded.head",
        [row for row in (chain.checkpoint() for chain in chains) if row is not None],
    )
    with_receipts = [chain for chain in chains if chain.receipts()]
    transaction.execute_many(
        "INSERT INTO receipt (school, sequence, head) VALUES (:school, :sequence, :head)"
        " ON CONFLICT (school, sequence) DO UPDATE SET head = excluded.head",
        [row for chain in with_receipts for row in chain.receipts()],
    )
    transaction.execute_many(
        "DELETE FROM receipt WHERE school = :school AND sequence <= (SELECT sequence FROM receipt"
        " WHERE school = :school ORDER BY sequence DESC LIMIT 1 OFFSET :kept)",
        # not each time: that would be one statement more in each commit. A head is a hash: one of many comes so, wherever the chain is
        [
            {"school": chain.school, "kept": KEPT_RECEIPTS}
            for chain in with_receipts
            if chain.head[0] % REMOVED_EACH == 0
        ],
    )
