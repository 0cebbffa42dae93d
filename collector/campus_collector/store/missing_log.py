"""A database that was found in WAL mode without its -wal: a copy of a running collector's file that lacks its newest results, or the file of
a collector that crashed, which another SQLite program opened and closed: closing moved the log in, and nothing is missing.

The file is the same in both cases. The gateways' receipts are not: a gateway that holds the receipt for a result that is missing says so with
its next batch. So a school counts as confirmed when its gateway shows a receipt at least as new as the school's chain was when that was noticed.
"""

import sqlite3
from datetime import UTC, datetime

from campus_collector.domain.records import MissingLog

MISSING_LOG = "copied_without_log"
"""The mark: when it was noticed, microseconds since 1970. It goes when every school is confirmed."""
UNCONFIRMED = "unconfirmed/"
"""With the school behind it, the mark of a school that is not confirmed: so many results its chain had."""
NEVER = 2**62
"""In place of that number: the receipt did not fit, results are missing."""
REPORTED_WITHIN_MICROS = 86_400 * 1_000_000
"""A school whose gateway had been silent for longer, when the newest batch came in, is not waited for: its gateway may never come back."""


def note_missing_log(connection: sqlite3.Connection, now: int) -> None:
    """In one commit: remember that the log was missing, and of which schools a receipt is asked for."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT OR IGNORE INTO mark VALUES (?, ?)", (MISSING_LOG, now))
    connection.execute(
        "INSERT INTO mark SELECT ?1 || seal.school, max(last_sequence) FROM seal JOIN"
        " (SELECT school, max(last_report_at) AS reported_at FROM agent GROUP BY school) AS report"
        " ON report.school = seal.school"
        " WHERE reported_at >= (SELECT max(last_report_at) FROM agent) - ?2 GROUP BY seal.school"
        " ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
        (UNCONFIRMED, REPORTED_WITHIN_MICROS),
    )
    connection.execute("COMMIT")


def note_receipt(connection: sqlite3.Connection, school: str, sequence: int, fits: bool) -> None:
    """Within a commit: a gateway showed its receipt for so many results, which fits the school's chain or does not."""
    if sequence == 0 or _noticed_at(connection) is None:
        return
    name = UNCONFIRMED + school
    if not fits:
        connection.execute("INSERT OR REPLACE INTO mark VALUES (?, ?)", (name, NEVER))
        return
    connection.execute("DELETE FROM mark WHERE name = ? AND value <= ?", (name, sequence))
    if not _unconfirmed(connection):
        connection.execute("DELETE FROM mark WHERE name = ?", (MISSING_LOG,))


def missing_log(connection: sqlite3.Connection) -> MissingLog | None:
    """What is known of it; None when the log was never missing, or every school is confirmed."""
    noticed_at = _noticed_at(connection)
    if noticed_at is None:
        return None
    return MissingLog(datetime.fromtimestamp(noticed_at / 1e6, UTC), _unconfirmed(connection))


def _noticed_at(connection: sqlite3.Connection) -> int | None:
    row = connection.execute("SELECT value FROM mark WHERE name = ?", (MISSING_LOG,)).fetchone()
    return row[0] if row else None


def _unconfirmed(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Schools that are still in the inventory and are not confirmed."""
    rows = connection.execute(
        "SELECT id FROM school JOIN mark ON mark.name = ? || school.id WHERE removed_at IS NULL ORDER BY id",
        (UNCONFIRMED,),
    )
    return tuple(row[0] for row in rows)
