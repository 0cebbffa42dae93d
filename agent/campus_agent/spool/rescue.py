"""Which results can still be read from a damaged file? Copied into the new one; the damaged file itself stays as it is.

Rows are read from both ends towards the first unreadable page. A row counts only if its body is a whole JSON object: the rest is
left to the file that was set aside.
"""

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec

_ROWS = "SELECT key, id, boot_id, monotonic_seconds, body FROM spooled"
_COPIED = {
    "INSERT OR REPLACE INTO remembered VALUES (?, ?)": "SELECT name, value FROM remembered",
    "INSERT OR REPLACE INTO test_bytes VALUES (?, ?, ?)": "SELECT day, segment, octets FROM test_bytes",
    "INSERT OR REPLACE INTO counters VALUES (?, ?)": "SELECT name, value FROM counters WHERE name LIKE '%\\_total' ESCAPE '\\'",
    "INSERT INTO quarantined VALUES (?, ?, ?, ?)": "SELECT key, id, reason, body FROM quarantined",
}
_Row = tuple[object, ...]


def rescue(damaged: Path, connection: sqlite3.Connection) -> int:
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
    for insert, select in _COPIED.items():
        for row in _readable(source, select):
            with contextlib.suppress(sqlite3.IntegrityError):
                connection.execute(insert, row)
    return saved


def _leave_used_keys(connection: sqlite3.Connection) -> None:
    """Jump far ahead: a batch may be on its way, and its keys must not come to mean other results."""
    highest = connection.execute("SELECT coalesce(max(key), 0) FROM spooled").fetchone()[0]
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'spooled'")
    connection.execute("INSERT INTO sqlite_sequence VALUES ('spooled', ?)", (highest + secrets.randbits(40),))


def _open(path: Path) -> sqlite3.Connection | None:
    """Read-only with its write-ahead log; without the log where that is what is broken; None where nothing helps."""
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        try:
            connection = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, isolation_level=None)
        except sqlite3.Error:
            continue
        try:
            connection.execute(f"{_ROWS} LIMIT 1").fetchone()
            return connection
        except sqlite3.Error:
            connection.close()
    return None


def _results(source: sqlite3.Connection) -> Iterator[_Row]:
    last = -1
    for row in _readable(source, f"{_ROWS} ORDER BY key"):
        if _is_whole(row):
            last = int(str(row[0]))
            yield row
    for row in _readable(source, f"{_ROWS} WHERE key > {last} ORDER BY key DESC"):
        if _is_whole(row):
            yield row


def _readable(source: sqlite3.Connection, select: str) -> Iterator[_Row]:
    """Rows until the first that cannot be read."""
    try:
        yield from source.execute(select)
    except (sqlite3.Error, OverflowError, UnicodeError):
        return


def _is_whole(row: _Row) -> bool:
    key, result_id, boot_id, monotonic_seconds, body = row
    if not isinstance(key, int) or not isinstance(result_id, str) or not isinstance(boot_id, str):
        return False
    if not isinstance(monotonic_seconds, float) or not isinstance(body, bytes):
        return False
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
