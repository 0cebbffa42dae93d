"""What waits on disk until the collector has it, and what the agent must remember across restarts.

SQLite in WAL mode with synchronous=FULL: what `put` was given is on disk when it returns, through kill -9 and power loss. The spool
knows bytes, not measurements; it is bounded, drops the oldest first, and counts every drop. One process owns it (`run`); others may
read, and put results, at the same time. As long as the file was never damaged:

    put_total = pending + acknowledged_total + dropped_total + quarantined_total
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from campus_agent.config.model import SpoolLimits
from campus_agent.spool import counters, daily_bytes, files
from campus_agent.spool.database import Database, Role
from campus_agent.spool.errors import SpoolError, SpoolFull
from campus_agent.spool.wire_bounds import encode_within_bounds
from campus_base.messages import message
from campus_wire.records import AnyResult, Segment

T = TypeVar("T")

MAX_QUARANTINED_RESULTS = 1000
MAX_QUARANTINED_BYTES = 10_000_000
MAX_REASON_CHARACTERS = 300

_TOO_LARGE = message(
    "{place}: {results} result(s) of {size} bytes are more than the spool may hold at all ([spool]"
    " max_results, max_bytes)"
)


class Entry(msgspec.Struct, frozen=True):
    """One spooled result: its bytes, and what is needed to correct its time."""

    key: int
    id: str
    boot_id: str
    monotonic_seconds: float
    body: bytes


class SpoolStatus(msgspec.Struct, frozen=True):
    """What waits, what was done, what is wrong. Totals count since the state folder was made."""

    pending_results: int
    pending_bytes: int
    oldest_started_at: str | None
    put_total: int
    acknowledged_total: int
    dropped_total: int
    unwritten_total: int
    quarantined_results: int
    quarantined_total: int
    quarantine_reasons: tuple[tuple[str, int], ...]
    damaged_files: tuple[str, ...]

    @property
    def lost_total(self) -> int:
        """Results that will never reach the collector: dropped for lack of space, or refused by a full disk."""
        return self.dropped_total + self.unwritten_total


class ResultTime(msgspec.Struct):
    """When a spooled result began, and whether its time is trusted."""

    started_at: datetime
    validity: str = ""


def open_spool(state_dir: Path, limits: SpoolLimits | None = None, role: Role = "owner") -> "Spool":
    """The spool of a state folder. Raises AlreadyRunning, NoSpool or SpoolUnusable, each one clear sentence."""
    return Spool(Database(state_dir, role), limits or SpoolLimits())


class Spool:
    """The open spool. Thread-safe."""

    def __init__(self, database: Database, limits: SpoolLimits) -> None:
        """To be made by `open_spool`."""
        self._database = database
        self._limits = limits
        self._unwritten = 0
        self._unwritten_bytes: list[daily_bytes.Spending] = []
        self._unwritten_turn = threading.Lock()

    def __enter__(self) -> "Spool":
        """Close at the end of the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def path(self) -> Path:
        return self._database.path

    def close(self) -> None:
        """Close the file. Everything put is on disk already."""
        self._database.close()

    def put(self, *results: AnyResult, lost_if_refused: bool = True) -> None:
        """Keep results: on disk when this returns. Raises SpoolError when they could not be kept.

        They are then counted as lost, unless the caller keeps them (`lost_if_refused` False) and comes again, or calls `count_lost`.
        """
        rows = [
            (result.id, result.boot_id, result.monotonic_seconds, encode_within_bounds(result)) for result in results
        ]
        with self._unwritten_turn:
            try:
                self._database.write(lambda connection: self._insert(connection, rows))
            except SpoolError:
                self._unwritten += len(rows) if lost_if_refused else 0
                raise
            self._unwritten = 0

    def count_lost(self, results: int) -> None:
        """Results that were never on disk and are given up. Durable with the next result that is put."""
        with self._unwritten_turn:
            self._unwritten += results

    def peek(self, max_results: int = 500, max_bytes: int = 1_000_000) -> list[Entry]:
        """The oldest results, in order, at most so many and so large; a single one may be larger."""

        def read(connection: sqlite3.Connection) -> list[Entry]:
            select = "SELECT key, id, boot_id, monotonic_seconds, body FROM spooled ORDER BY key LIMIT ?"
            entries: list[Entry] = []
            left = max_bytes
            for row in connection.execute(select, (max_results,)):
                entry = Entry(*row)
                left -= len(entry.body)
                if entries and left < 0:
                    break
                entries.append(entry)
            return entries

        return self._database.read(read)

    def acknowledge(self, keys: Iterable[int]) -> int:
        """Remove exactly these: the collector has them. How many were still here."""
        removable = list(keys)

        def remove(connection: sqlite3.Connection) -> int:
            removed = _delete(connection, removable)
            counters.count(connection, "acknowledged_total", removed)
            return removed

        return self._database.write(remove)

    def quarantine(self, reasons: Mapping[int, str]) -> int:
        """Set results apart that will never be accepted, each with its reason. How many were still here."""

        def move(connection: sqlite3.Connection) -> int:
            insert = "INSERT INTO quarantined (id, reason, body) SELECT id, ?, body FROM spooled WHERE key = ?"
            connection.executemany(insert, [(why[:MAX_REASON_CHARACTERS], key) for key, why in reasons.items()])
            moved = _delete(connection, list(reasons))
            counters.count(connection, "quarantined_total", moved)
            _drop_oldest(connection, "quarantined", MAX_QUARANTINED_RESULTS, MAX_QUARANTINED_BYTES)
            return moved

        return self._database.write(move)

    def quarantined(self, max_results: int = 100) -> list[tuple[str, str, bytes]]:
        """The newest results set apart: id, reason, body."""
        select = "SELECT id, reason, body FROM quarantined ORDER BY key DESC LIMIT ?"
        return self._database.read(lambda connection: connection.execute(select, (max_results,)).fetchall())

    def status(self) -> SpoolStatus:
        """The whole state at one moment."""
        return self._database.read(self._status)

    def last_monotonic_seconds(self, boot_id: str) -> float | None:
        """When was the last waiting result of this boot measured, in seconds since that boot? None: nothing waits."""
        select = "SELECT max(monotonic_seconds) FROM spooled WHERE boot_id = ?"
        seconds: float | None = self._database.read(lambda c: c.execute(select, (boot_id,)).fetchone()[0])
        return seconds

    def newest(self) -> ResultTime | None:
        """The time of the result that was kept last, while it waits here."""
        row = self._database.read(lambda c: c.execute("SELECT body FROM spooled ORDER BY key DESC LIMIT 1").fetchone())
        return _time_of(row[0]) if row else None

    def remember(self, name: str, value: Any) -> None:
        """Keep a small value (anything msgspec can write as JSON); None forgets it."""
        row = (name, msgspec.json.encode(value))
        if value is None:
            self._database.write(lambda c: c.execute("DELETE FROM remembered WHERE name = ?", row[:1]))
        else:
            self._database.write(lambda c: c.execute("INSERT OR REPLACE INTO remembered VALUES (?, ?)", row))

    def recall(self, name: str, type_: type[T]) -> T | None:
        """A remembered value; None when there is none, or when it cannot be read as this type."""
        select = "SELECT value FROM remembered WHERE name = ?"
        row = self._database.read(lambda connection: connection.execute(select, (name,)).fetchone())
        try:
            return msgspec.json.decode(row[0], type=type_) if row else None
        except (msgspec.MsgspecError, UnicodeDecodeError, TypeError):
            return None

    def add_test_bytes(self, segment: Segment, day: date, test_bytes: int) -> None:
        """Note that tests put so many bytes on a segment on a day. While the disk refuses, they are counted in memory."""
        with self._unwritten_turn:
            self._unwritten_bytes.append((segment, day, test_bytes))
            with contextlib.suppress(SpoolError):
                self._database.write(lambda connection: daily_bytes.add(connection, self._unwritten_bytes))
                self._unwritten_bytes = []

    def test_bytes_of_day(self, day: date) -> dict[Segment, int]:
        """Bytes that tests put on each segment on a day."""
        counts = self._database.read(lambda connection: daily_bytes.of_day(connection, day))
        for segment, on, test_bytes in self._unwritten_bytes:
            if on == day:
                counts[segment] = counts.get(segment, 0) + test_bytes
        return counts

    def test_bytes_total(self) -> dict[Segment, int]:
        """Bytes that tests ever put on each segment."""
        return self._database.read(daily_bytes.total)

    def _insert(self, connection: sqlite3.Connection, rows: list[tuple[str, str, float, bytes]]) -> None:
        size = sum(len(body) for *_, body in rows)
        limits = self._limits
        if len(rows) > limits.max_results or size > limits.max_bytes:
            raise SpoolFull(_TOO_LARGE, place=self.path, results=len(rows), size=size)
        dropped = _drop_oldest(connection, "spooled", limits.max_results - len(rows), limits.max_bytes - size)
        insert = "INSERT INTO spooled (id, boot_id, monotonic_seconds, body) VALUES (?, ?, ?, ?)"
        connection.executemany(insert, rows)
        counters.count(connection, "put_total", len(rows))
        counters.count(connection, "dropped_total", dropped)
        counters.count(connection, "unwritten_total", self._unwritten)

    def _status(self, connection: sqlite3.Connection) -> SpoolStatus:
        counts = counters.read(connection)
        oldest = connection.execute("SELECT body FROM spooled ORDER BY key LIMIT 1").fetchone()
        time = _time_of(oldest[0]) if oldest else None
        reasons = "SELECT reason, count(*) FROM quarantined GROUP BY reason ORDER BY 2 DESC, 1 LIMIT 10"
        return SpoolStatus(
            pending_results=counts["pending_results"],
            pending_bytes=counts["pending_bytes"],
            oldest_started_at=time.started_at.isoformat().replace("+00:00", "Z") if time else None,
            put_total=counts.get("put_total", 0),
            acknowledged_total=counts.get("acknowledged_total", 0),
            dropped_total=counts.get("dropped_total", 0),
            unwritten_total=counts.get("unwritten_total", 0) + self._unwritten,
            quarantined_results=counts["quarantined_results"],
            quarantined_total=counts.get("quarantined_total", 0),
            quarantine_reasons=tuple(connection.execute(reasons)),
            damaged_files=files.damaged_files(self.path.parent),
        )


def _time_of(body: bytes) -> ResultTime | None:
    """None for what is no result, or has a time without a zone."""
    try:
        time = msgspec.json.decode(body, type=ResultTime)
    except (msgspec.MsgspecError, ValueError):
        return None
    return time if time.started_at.tzinfo is not None else None


def _delete(connection: sqlite3.Connection, keys: list[int]) -> int:
    return sum(connection.execute("DELETE FROM spooled WHERE key = ?", (key,)).rowcount for key in keys)


def _drop_oldest(connection: sqlite3.Connection, table: str, max_results: int, max_bytes: int) -> int:
    """Remove the oldest of a table until at most so many and so large remain. How many were removed."""
    counts = counters.read(connection)
    waiting = "pending" if table == "spooled" else "quarantined"
    results = counts[f"{waiting}_results"] - max_results
    size = counts[f"{waiting}_bytes"] - max_bytes
    if results <= 0 and size <= 0:
        return 0
    last = dropped = 0
    for key, length in connection.execute(f"SELECT key, length(body) FROM {table} ORDER BY key"):  # noqa: S608
        if results <= 0 and size <= 0:
            break
        last, dropped, results, size = key, dropped + 1, results - 1, size - length
    connection.execute(f"DELETE FROM {table} WHERE key <= ?", (last,))  # noqa: S608
    return dropped
