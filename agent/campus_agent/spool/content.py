"""Checks rows: of a whole file when it is opened, and each row that is saved from a damaged one.

SQLite's own check knows pages and records; it does not know that a text is UTF-8, that a day is a day, or that a count is the count.
"""

import sqlite3
from collections.abc import Callable
from datetime import date

import msgspec

from campus_agent.spool import schema
from campus_agent.spool.daily_bytes import SEGMENTS

Row = tuple[object, ...]
HIGHEST_KEY = 2**62
"""Beyond it SQLite has soon no key left; only damage makes one."""
HIGHEST_COUNT = 2**53


def is_result(row: Row) -> bool:
    """key, id, boot_id, monotonic_seconds, body of a spooled result: a JSON object."""
    key, result_id, boot_id, monotonic_seconds, body = row
    if not _is_key(key) or not isinstance(result_id, str) or not isinstance(boot_id, str):
        return False
    if not isinstance(monotonic_seconds, float) or not isinstance(body, bytes):
        return False
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def is_refused_result(row: Row) -> bool:
    """key, id, reason, body of a quarantined result."""
    key, result_id, reason, body = row
    return _is_key(key) and isinstance(result_id, str) and isinstance(reason, str) and isinstance(body, bytes)


def is_count(row: Row) -> bool:
    """name, value of a counter."""
    name, value = row
    return isinstance(name, str) and isinstance(value, int) and 0 <= value <= HIGHEST_COUNT


def is_remembered(row: Row) -> bool:
    """name, value of what is remembered."""
    name, value = row
    return isinstance(name, str) and isinstance(value, bytes)


def is_spending(row: Row) -> bool:
    """Is the row a day, a segment and its bytes?"""
    day, segment, test_bytes = row
    try:
        date.fromisoformat(str(day))
    except ValueError:
        return False
    return segment in SEGMENTS and isinstance(test_bytes, int) and 0 <= test_bytes <= HIGHEST_COUNT


ROWS: dict[str, tuple[str, Callable[[Row], bool]]] = {
    "spooled": ("SELECT key, id, boot_id, monotonic_seconds, body FROM spooled", is_result),
    "quarantined": ("SELECT key, id, reason, body FROM quarantined", is_refused_result),
    "counters": ("SELECT name, value FROM counters", is_count),
    "remembered": ("SELECT name, value FROM remembered", is_remembered),
    "test_bytes": ("SELECT day, segment, octets FROM test_bytes", is_spending),
}


def what_is_wrong(connection: sqlite3.Connection) -> str | None:
    """The first thing that no program of ours wrote; None where all is well. Text that is no UTF-8 raises as sqlite3 does."""
    if not schema.is_whole(connection):
        return "tables are missing or changed"
    for table, (select, is_valid) in ROWS.items():
        if not all(is_valid(row) for row in connection.execute(select)):
            return f"a row of {table} makes no sense"
    counts = dict(connection.execute("SELECT name, value FROM counters"))
    for table, name in (("spooled", "pending"), ("quarantined", "quarantined")):
        count = connection.execute(f"SELECT count(*), coalesce(sum(length(body)), 0) FROM {table}").fetchone()  # noqa: S608
        if (counts.get(f"{name}_results"), counts.get(f"{name}_bytes")) != count:
            return f"the counts of {table} are wrong"
    return None


def _is_key(key: object) -> bool:
    return isinstance(key, int) and 0 <= key < HIGHEST_KEY
