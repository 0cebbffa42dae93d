"""Closed months in the store: figures, what was published, documents as they were issued. Only added to; the database refuses the rest."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from campus_collector.store.database import Database, Refused, micros, moment_of


@dataclass(frozen=True, slots=True)
class ClosedMonth:
    """One, as it was closed; `figures` and `published` are octets of the report's own."""

    month: str
    closed_at: datetime
    hash: str
    program_version: str
    figures: bytes
    published: bytes


@dataclass(frozen=True, slots=True)
class Issued:
    """A document as it was issued."""

    month: str
    form: str
    language: str
    issued_at: datetime
    sha256: str
    body: bytes


class MonthlyTable:
    """What was closed and issued."""

    def __init__(self, database: Database) -> None:
        """Shares the store's file."""
        self._database = database

    def hashes(self) -> dict[str, str]:
        """All closed months, oldest first, with the hash of their figures."""
        return dict(self._database.all("SELECT month, hash FROM monthly ORDER BY month"))

    def closed(self, month: str) -> ClosedMonth | None:
        """One; None when it is not closed."""
        row = self._database.one(
            "SELECT month, closed_at, hash, program_version, figures, published FROM monthly WHERE month = ?", (month,)
        )
        return ClosedMonth(row[0], _moment(row[1]), row[2], row[3], row[4], row[5]) if row else None

    def close(self, closed: ClosedMonth) -> None:
        """Keep a month for good. Raises Refused when it is closed already."""

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM monthly WHERE month = ?", (closed.month,)).fetchone():
                raise Refused(f"{closed.month} is closed already")
            connection.execute(
                "INSERT INTO monthly VALUES (?, ?, ?, ?, ?, ?)",
                (
                    closed.month, micros(closed.closed_at), closed.hash, closed.program_version, closed.figures, closed.published,
                ),
            )  # fmt: skip

        self._database.write(work)

    def issue(self, month: str, form: str, language: str, body: bytes, now: datetime) -> Issued:
        """Keep a document of a closed month; the first one stays, and is what is returned."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR IGNORE INTO monthly_document VALUES (?, ?, ?, ?, ?, ?)",
                (month, form, language, micros(now), sha256(body).hexdigest(), body),
            )

        self._database.write(work)
        kept = self.issued(month, form, language)
        assert kept is not None
        return kept

    def issued(self, month: str, form: str, language: str) -> Issued | None:
        """A document as it was issued; None when it was not yet."""
        row = self._database.one(
            "SELECT month, form, language, issued_at, sha256, body FROM monthly_document"
            " WHERE month = ? AND form = ? AND language = ?",
            (month, form, language),
        )
        return Issued(row[0], row[1], row[2], _moment(row[3]), row[4], row[5]) if row else None

    def documents(self, month: str) -> list[tuple[str, str]]:
        """(form, language) of all that was issued of a month."""
        rows = self._database.all(
            "SELECT form, language FROM monthly_document WHERE month = ? ORDER BY form, language", (month,)
        )
        return [(row[0], row[1]) for row in rows]


def _moment(micros_: int) -> datetime:
    moment = moment_of(micros_)
    assert moment is not None
    return moment
