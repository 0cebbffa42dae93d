"""The chain of a school's results: each result's bytes go into a running SHA-256 in the order of storing; a day's checkpoint is its head.

head_n = SHA-256(head_(n-1) || SHA-256(bytes_n)), head_0 = SHA-256(school). Whoever changes, removes or inserts a result changes
every later head; a head that was printed in a report proves what was stored before it. The table of checkpoints is called `seal`.
"""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

from campus_collector.domain.chain import Checkpoint, Leaf, ReceiptMismatch
from campus_collector.store.columns import bytes_of, micros, moment
from campus_collector.store.tables.table import TableGroup
from campus_collector.store.transport import Transaction
from campus_wire.records import ChainHead

SECONDS_PER_DAY = 86_400
KEPT_RECEIPTS = 32
"""A gateway whose last receipts were lost shows an older one; so many batches back it can still be compared."""
MAX_MISMATCHES = 10
"""Of a school: the first ones show what happened."""


class ChainTable(TableGroup):
    """Checkpoints, the leaves between them, and receipts."""

    def checkpoints(self, school: str) -> list[Checkpoint]:
        """A school's, oldest first."""
        rows = self._database.read(
            "SELECT school, day, last_sequence, head FROM seal WHERE school = :school ORDER BY day", {"school": school}
        )
        return [Checkpoint(*row) for row in rows]

    def first_day(self) -> int | None:
        """The day (UTC, since 1970) on which the first result of all came in; None of none."""
        row = self._database.first("SELECT min((SELECT min(day) FROM seal WHERE seal.school = school.id)) FROM school")
        return row[0] if row else None

    def leaves(self, school: str) -> Iterator[Leaf]:
        """Every place of the chain with the bytes that are stored for it, in order; None: the result is not there any more.

        Results of before the chain began come first, with sequence 0. Of several results with one id the first counts.
        """
        key = {"school": school}
        places = self._database.stream(
            "SELECT coalesce(sequence, 0), id FROM seen WHERE school = :school ORDER BY coalesce(sequence, 0), id", key
        )
        results = self._database.stream(
            "SELECT coalesce(s.sequence, 0), s.id, r.raw, r.subject, r.kind, r.started_at FROM result r JOIN seen s ON s.school = r.school AND s.id = r.id"
            " WHERE r.school = :school ORDER BY coalesce(s.sequence, 0), s.id, r.subject, r.kind, r.started_at",
            key,
        )
        # both in the same order, the places begun first: a result that arrives meanwhile is beyond the last place
        place, result = next(places, None), next(results, None)
        while place is not None:
            sequence = place[0] if isinstance(place[0], int) else 0  # an edit by hand may have left text
            if result is not None and result[:2] == place:
                yield Leaf(sequence, place[1], bytes_of(result[2]), result[3:6])
            else:
                yield Leaf(sequence, place[1], None)
            while result is not None and result[:2] == place:
                result = next(results, None)
            place = next(places, None)

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
        """How many results are stored that no place of the chain names: they did not come through ingest."""
        row = self._database.first(
            "SELECT count(*) FROM result r WHERE school = :school AND NOT EXISTS"
            " (SELECT 1 FROM seen s WHERE s.school = r.school AND s.id = r.id)",
            {"school": school},
        )
        assert row is not None
        return int(row[0])


def first_head(school: str) -> bytes:
    """Where a school's chain begins."""
    return sha256(school.encode()).digest()


def next_head(head: bytes, raw: bytes) -> bytes:
    """The head after one more result."""
    return sha256(head + sha256(raw).digest()).digest()


class ChainAppender:
    """Appends to the chain of one school while a batch is stored."""

    def __init__(self, transaction: Transaction, school: str, now: datetime) -> None:
        """Continues from its last checkpoint."""
        row = transaction.first(
            "SELECT day, last_sequence, head FROM seal WHERE school = :school ORDER BY day DESC LIMIT 1",
            {"school": school},
        )
        last_day, sequence, head = row or (0, 0, first_head(school))
        self.sequence: int = sequence
        self.head: bytes = head
        self._transaction, self._school = transaction, school
        # a clock that was set back adds to the last day instead of an earlier one
        self._day = max(int(last_day), int(now.timestamp()) // SECONDS_PER_DAY)

    def append(self, raw: bytes) -> None:
        self.sequence += 1
        self.head = next_head(self.head, raw)

    def write_checkpoint(self) -> None:
        self._transaction.execute(
            "INSERT INTO seal (school, day, last_sequence, head) VALUES (:school, :day, :sequence, :head)"
            " ON CONFLICT (school, day) DO UPDATE SET last_sequence = excluded.last_sequence, head = excluded.head",
            self._place | {"day": self._day},
        )

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
            expected = first_head(self._school)
        else:
            row = self._transaction.first(
                "SELECT head FROM receipt WHERE school = :school AND sequence = :sequence",
                {"school": self._school, "sequence": claimed.sequence},
            )
            if row is None:
                return None
            (expected,) = row
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

    def receipt(self) -> ChainHead:
        """What the gateway is given; the last ones are kept."""
        self._transaction.execute(
            "INSERT INTO receipt (school, sequence, head) VALUES (:school, :sequence, :head)"
            " ON CONFLICT (school, sequence) DO UPDATE SET head = excluded.head",
            self._place,
        )
        self._transaction.execute(
            "DELETE FROM receipt WHERE school = :school AND sequence NOT IN"
            " (SELECT sequence FROM receipt WHERE school = :school ORDER BY sequence DESC LIMIT :kept)",
            {"school": self._school, "kept": KEPT_RECEIPTS},
        )
        return ChainHead(self.sequence, self.head.hex())

    @property
    def _place(self) -> dict[str, object]:
        return {"school": self._school, "sequence": self.sequence, "head": self.head}
