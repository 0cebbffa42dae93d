"""The bytes that tests put on each segment, by day and in all: the daily budget survives a restart."""

import sqlite3
from collections.abc import Sequence
from datetime import date

from campus_agent.spool import counters
from campus_wire.records import Segment

Spending = tuple[Segment, date, int]
KEPT_DAYS = 40
SEGMENTS: tuple[Segment, ...] = ("classroom", "uplink")


def add(connection: sqlite3.Connection, spendings: Sequence[Spending]) -> None:
    """Note bytes by segment and day; days long past are forgotten."""
    for segment, day, test_bytes in spendings:
        connection.execute(
            "INSERT INTO test_bytes VALUES (?, ?, ?) "
            "ON CONFLICT (day, segment) DO UPDATE SET octets = octets + excluded.octets",
            (day.isoformat(), segment, test_bytes),
        )
        _forget(connection, day)
        counters.count(connection, _total(segment), test_bytes)


def _forget(connection: sqlite3.Connection, day: date) -> None:
    """Of more days than are kept, those farthest from this one: the day of a clock gone wrong must not remove today's bytes."""
    connection.execute(
        "DELETE FROM test_bytes WHERE day NOT IN (SELECT day FROM (SELECT DISTINCT day FROM test_bytes)"
        " ORDER BY abs(julianday(day) - julianday(?)) LIMIT ?)",
        (day.isoformat(), KEPT_DAYS),
    )


def of_day(connection: sqlite3.Connection, day: date) -> dict[Segment, int]:
    """Bytes of one day by segment."""
    return dict(connection.execute("SELECT segment, octets FROM test_bytes WHERE day = ?", (day.isoformat(),)))


def total(connection: sqlite3.Connection) -> dict[Segment, int]:
    """Bytes of all days by segment."""
    counts = counters.read(connection)
    return {segment: counts[_total(segment)] for segment in SEGMENTS if _total(segment) in counts}


def _total(segment: Segment) -> str:
    return f"test_bytes_{segment}_total"
