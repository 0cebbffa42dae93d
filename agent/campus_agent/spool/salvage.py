"""Which results can still be read from a damaged file? Copied into the new one; the damaged file itself stays as it is.

Rows are read from both ends towards the first unreadable page. A row counts only if its body is a whole JSON object: the rest is
left to the file that was set aside.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import getrandbits
from urllib.parse import quote

from campus_agent.spool.content import ROWS, Row
from campus_base.file_kind import is_special

_COPIED = {
    "INSERT OR REPLACE INTO remembered VALUES (?, ?)": "remembered",
    "INSERT OR REPLACE INTO test_bytes VALUES (?, ?, ?)": "test_bytes",
    "INSERT OR REPLACE INTO counters VALUES (?, ?)": "counters",
    "INSERT OR IGNORE INTO quarantined VALUES (?, ?, ?, ?)": "quarantined",
}


def salvage(damaged: Path, connection: sqlite3.Connection) -> int:
    """Copy what can be read into the open transaction of a new spool. How many results were saved."""
    source = _open(damaged)
    saved = 0
    if source is not None:
        try:
            saved = _copy(source, connection)
        finally:
            source.close()
    _leave_used_keys(connection)
    return saved


def _copy(source: sqlite3.Connection, connection: sqlite3.Connection) -> int:
    saved = 0
    for row in _results(source):
        saved += connection.execute("INSERT OR IGNORE INTO spooled VALUES (?, ?, ?, ?, ?)", row).rowcount
    for insert, table in _COPIED.items():
        select, is_valid = ROWS[table]
        for row in _readable(source, select):
            if is_valid(row) and (table != "counters" or str(row[0]).endswith("_total")):
                connection.execute(insert, row)
    return saved


def _leave_used_keys(connection: sqlite3.Connection) -> None:
    """Jump far ahead: a batch may be on its way, and its keys must not come to mean other results."""
    highest = connection.execute("SELECT coalesce(max(key), 0) FROM spooled").fetchone()[0]
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'spooled'")
    connection.execute("INSERT INTO sqlite_sequence VALUES ('spooled', ?)", (highest + getrandbits(40),))


def _open(path: Path) -> sqlite3.Connection | None:
    """Read-only with its write-ahead log; without the log where that is what is broken; None where nothing helps."""
    if is_special(path):
        return None
    has_log = not is_special(path.with_name(path.name + "-wal"))
    for mode in ("mode=ro", "mode=ro&immutable=1") if has_log else ("mode=ro&immutable=1",):
        try:
            connection = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, isolation_level=None)
        except sqlite3.Error:
            continue
        connection.text_factory = _text
        try:
            connection.execute("PRAGMA writable_schema = ON")  # a trigger that is no longer understood costs no row
            connection.execute(f"{ROWS['spooled'][0]} LIMIT 1").fetchone()
            return connection
        except (sqlite3.Error, UnicodeError):  # an error text that quotes the damage
            connection.close()
    return None


def _text(raw: bytes) -> str | bytes:
    """Text; what is not UTF-8 stays bytes, which no valid row has there: only its own row is lost."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _results(source: sqlite3.Connection) -> Iterator[Row]:
    select, is_valid = ROWS["spooled"]
    last = -1
    for row in _readable(source, f"{select} ORDER BY key"):
        if is_valid(row):
            last = int(str(row[0]))
            yield row
    for row in _readable(source, f"{select} WHERE key > {last} ORDER BY key DESC"):
        if is_valid(row):
            yield row


def _readable(source: sqlite3.Connection, select: str) -> Iterator[Row]:
    """Rows until the first that cannot be read."""
    try:
        yield from source.execute(select)
    except (sqlite3.Error, OverflowError, UnicodeError, MemoryError):
        return
