"""The chain of a school's results: each result's octets go into a running SHA-256 in the order of storing; a day's seal is its head.

head_n = SHA-256(head_(n-1) || SHA-256(octets_n)), head_0 = SHA-256(school). Whoever changes, removes or inserts a result changes
every later head; a head that was printed in a report proves what was stored before it.
"""

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

from campus_collector.domain.records import Link, Mismatch, Seal
from campus_collector.store.database import Database, micros, moment_of, octets_of
from campus_wire.records import ChainHead

SECONDS_PER_DAY = 86_400
KEPT_RECEIPTS = 32
"""A gateway whose last receipts were lost shows an older one; so many batches back it can still be compared."""
MAX_MISMATCHES = 10
"""Of a school: the first ones tell what happened."""


class Chain:
    """Seals, and what they seal."""

    def __init__(self, database: Database) -> None:
        """Shares the store's file."""
        self._database = database

    def seals(self, school: str) -> list[Seal]:
        """A school's seals, oldest first."""
        rows = self._database.all(
            "SELECT school, day, last_sequence, head FROM seal WHERE school = ? ORDER BY day", (school,)
        )
        return [Seal(*row) for row in rows]

    def first_day(self) -> int | None:
        """The day (UTC, since 1970) on which the first result of all came in; None of none."""
        row = self._database.one("SELECT min((SELECT min(day) FROM seal WHERE seal.school = school.id)) FROM school")
        return row[0] if row else None

    def links(self, school: str) -> Iterator[Link]:
        """Every place of the chain with the octets that are stored for it, in order; octets None: the result is not there any more.

        Results of before the chain began come first, with sequence 0.
        """
        with self._database.reading() as connection:
            connection.execute("CREATE TEMP TABLE IF NOT EXISTS place (id TEXT PRIMARY KEY, subject, kind, started_at)")
            connection.execute("DELETE FROM place")
            connection.execute(
                "INSERT OR IGNORE INTO place SELECT id, subject, kind, started_at FROM result WHERE school = ?",
                (school,),
            )
            rows = connection.execute(
                "SELECT coalesce(s.sequence, 0), s.id, r.raw FROM seen s LEFT JOIN place p ON p.id = s.id"
                " LEFT JOIN result r ON r.school = s.school AND r.subject = p.subject AND r.kind = p.kind"
                " AND r.started_at = p.started_at AND r.id = p.id WHERE s.school = ? ORDER BY s.sequence",
                (school,),
            )
            for sequence, name, raw in rows:
                yield Link(sequence, name, None if raw is None else octets_of(raw))
            connection.execute("DELETE FROM place")

    def results_before(self, school: str) -> int:
        """How many results of a school were stored before there was a chain; recorded once, when the database was brought forward."""
        row = self._database.one("SELECT results_before FROM chain_start WHERE school = ?", (school,))
        return int(row[0]) if row else 0

    def receipts(self, school: str) -> dict[int, bytes]:
        """The heads that the last receipts of a school carried, by sequence."""
        return dict(self._database.all("SELECT sequence, head FROM receipt WHERE school = ?", (school,)))

    def mismatches(self) -> list[Mismatch]:
        """Receipts of gateways that did not fit the chain, the newest last."""
        rows = self._database.all(
            "SELECT school, sequence, head, noticed_at, our_sequence FROM chain_mismatch ORDER BY noticed_at, school"
        )
        return [
            Mismatch(school, number, head, moment, ours)
            for school, number, head, at, ours in rows
            if (moment := moment_of(at)) is not None
        ]

    def unlinked(self, school: str) -> int:
        """How many results are stored that no place of the chain names? Somebody put them there."""
        row = self._database.one(
            "SELECT count(*) FROM result r WHERE school = ? AND NOT EXISTS"
            " (SELECT 1 FROM seen s WHERE s.school = r.school AND s.id = r.id)",
            (school,),
        )
        return int(row[0])


def first_head(school: str) -> bytes:
    """Where a school's chain begins."""
    return sha256(school.encode()).digest()


def next_head(head: bytes, octets: bytes) -> bytes:
    """The head after one more result."""
    return sha256(head + sha256(octets).digest()).digest()


class Growing:
    """The chain of one school while a batch is stored."""

    def __init__(self, connection: sqlite3.Connection, school: str, now: datetime) -> None:
        """From its last seal on."""
        row = connection.execute(
            "SELECT day, last_sequence, head FROM seal WHERE school = ? ORDER BY day DESC LIMIT 1", (school,)
        ).fetchone()
        last_day = int(row[0]) if row else 0
        self.sequence: int = row[1] if row else 0
        self.head: bytes = row[2] if row else first_head(school)
        self._connection, self._school = connection, school
        self._day = max(last_day, int(now.timestamp()) // SECONDS_PER_DAY)  # a clock set back opens no sealed day

    def add(self, octets: bytes) -> int:
        """One more result; its place."""
        self.sequence += 1
        self.head = next_head(self.head, octets)
        return self.sequence

    def seal(self) -> None:
        """After the batch."""
        self._connection.execute(
            "INSERT INTO seal VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " last_sequence = excluded.last_sequence, head = excluded.head",
            (self._school, self._day, self.sequence, self.head),
        )

    def fits(self, claimed: ChainHead | None, now: datetime) -> bool | None:
        """Is what the gateway's last receipt said part of the chain? A head that is not is recorded. None: nothing to compare."""
        if claimed is None:
            return None
        head = bytes.fromhex(claimed.head)
        if claimed.sequence == self.sequence:
            ours: bytes | None = self.head
        elif claimed.sequence == 0:
            ours = first_head(self._school)
        elif claimed.sequence < self.sequence:
            row = self._connection.execute(
                "SELECT head FROM receipt WHERE school = ? AND sequence = ?", (self._school, claimed.sequence)
            ).fetchone()
            if row is None:
                return None
            ours = row[0]
        else:
            ours = None
        if ours == head:
            return True
        self._connection.execute(
            "INSERT OR IGNORE INTO chain_mismatch SELECT ?1, ?2, ?3, ?4, ?5"
            " WHERE (SELECT count(*) FROM chain_mismatch WHERE school = ?1) < ?6",
            (self._school, claimed.sequence, head, micros(now), self.sequence, MAX_MISMATCHES),
        )
        return False

    def receipt(self) -> ChainHead:
        """What the gateway is given to keep; remembered for a while."""
        self._connection.execute(
            "INSERT OR REPLACE INTO receipt VALUES (?, ?, ?)", (self._school, self.sequence, self.head)
        )
        self._connection.execute(
            "DELETE FROM receipt WHERE school = ?1 AND sequence NOT IN"
            " (SELECT sequence FROM receipt WHERE school = ?1 ORDER BY sequence DESC LIMIT ?2)",
            (self._school, KEPT_RECEIPTS),
        )
        return ChainHead(self.sequence, self.head.hex())
