"""What waits on disk until the collector has it, and what the agent must remember across restarts.

SQLite in WAL mode with synchronous=FULL: what `put` was given is on disk when it returns, through kill -9 and power loss. The spool
knows octets, not measurements; it is bounded, drops the oldest first, and counts every drop. One process owns it (`run`); others may
read, and put results, at the same time.

    put_total = pending + acknowledged_total + dropped_total + quarantined_total        (while the file was never damaged)
"""

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import msgspec

from campus_agent import config
from campus_agent.spool import files, lock, schema
from campus_agent.spool.errors import SpoolError, SpoolFull, SpoolUnusable, explained, is_damage
from campus_agent.spool.rescue import rescue
from campus_wire.codec import encode_result
from campus_wire.language import Text
from campus_wire.records import AnyResult, Segment

log = logging.getLogger(__name__)

Role = Literal["owner", "writer", "reader"]
T = TypeVar("T")

MAX_QUARANTINED_RESULTS = 1000
MAX_QUARANTINED_BYTES = 10_000_000
MAX_REASON_CHARACTERS = 300
CHECKED_WHOLE_BYTES = 64_000_000
"""Files up to this size are checked page by page on opening; larger ones show damage when it is met."""
BUSY_SECONDS = 15.0
CACHE_KIBIBYTES = 512
DAYS_OF_TEST_BYTES = 40

_NEWER = Text(
    "{place}: written by a newer campus-agent (spool version {found}, this one reads up to {known}); install that version again, "
    "or choose another state_dir: nothing was changed",
    "{place}:由更新版本的网关程序写入(留存库版本 {found},本程序最高支持 {known});请重新安装该版本,或更换 state_dir;数据未作任何改动",
)
_TOO_LARGE = Text(
    "{place}: {results} result(s) of {octets} bytes are more than the spool may hold at all ([spool] max_results, max_bytes)",
    "{place}:{results} 条结果共 {octets} 字节,超过留存上限([spool] max_results、max_bytes)",
)
_DAMAGED = Text(
    "{place}: damaged: {reason}; start campus-agent run: it sets the file aside and saves what can be read",
    "{place}:文件已损坏:{reason};请启动 campus-agent run,它会另存该文件并抢救可读内容",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One spooled result: its octets, and what is needed to correct its time."""

    key: int
    id: str
    boot_id: str
    monotonic_seconds: float
    body: bytes


@dataclass(frozen=True, slots=True)
class SpoolStatus:
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
        """Results that will never reach the collector: dropped for lack of room, or refused by a full disk."""
        return self.dropped_total + self.unwritten_total


def open_spool(state_dir: Path, limits: config.Spool | None = None, role: Role = "owner") -> "Spool":
    """The spool of a state folder. Raises AlreadyRunning, NoSpool or SpoolUnusable, each one clear sentence."""
    return Spool(state_dir, limits or config.Spool(), role)


class Spool:
    """The open spool. Thread-safe: one connection behind one lock."""

    def __init__(self, state_dir: Path, limits: config.Spool, role: Role) -> None:
        """Use `open_spool`."""
        self.path = state_dir / files.NAME
        self._limits = limits
        self._role = role
        self._turn = threading.RLock()
        self._unwritten = 0
        self._last_key = 0
        self._lock_file: int | None = None
        if role == "reader":
            files.require_file(self.path)
        else:
            files.prepare_folder(state_dir)
        if role == "owner":
            self._lock_file = lock.take(state_dir)
        try:
            self._connection = self._open()
        except BaseException:
            self._let_go()
            raise

    def __enter__(self) -> "Spool":
        """Close at the end of the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the file and let go of the lock. Everything put is on disk already."""
        with self._turn:
            self._connection.close()
            self._let_go()

    def put(self, *results: AnyResult) -> None:
        """Keep results: on disk when this returns. Raises SpoolError when they could not be kept; that is counted too."""
        rows = [
            (result.id, result.boot_id, result.monotonic_seconds, encode_result(result)) for result in results
        ]
        try:
            self._write(lambda connection: self._insert(connection, rows))
        except SpoolError:
            with self._turn:
                self._unwritten += len(rows)
            raise

    def peek(self, max_results: int = 500, max_bytes: int = 1_000_000) -> list[Entry]:
        """The oldest results, in order, at most so many and so large; a single one may be larger."""

        def read(connection: sqlite3.Connection) -> list[Entry]:
            found: list[Entry] = []
            octets = 0
            select = "SELECT key, id, boot_id, monotonic_seconds, body FROM spooled ORDER BY key LIMIT ?"
            for row in connection.execute(select, (max_results,)):
                entry = Entry(*row)
                octets += len(entry.body)
                if found and octets > max_bytes:
                    break
                found.append(entry)
            return found

        found = self._read(read)
        if found:
            self._last_key = max(self._last_key, found[-1].key)
        return found

    def acknowledge(self, keys: Iterable[int]) -> int:
        """Remove exactly these: the collector has them. How many were still here."""
        wanted = list(keys)

        def remove(connection: sqlite3.Connection) -> int:
            removed = _delete(connection, wanted)
            _count(connection, "acknowledged_total", removed)
            return removed

        return self._write(remove)

    def quarantine(self, reasons: Mapping[int, str]) -> int:
        """Set results apart that will never be accepted, each with its reason. How many were still here."""

        def move(connection: sqlite3.Connection) -> int:
            insert = "INSERT INTO quarantined (id, reason, body) SELECT id, ?, body FROM spooled WHERE key = ?"
            connection.executemany(insert, [(why[:MAX_REASON_CHARACTERS], key) for key, why in reasons.items()])
            moved = _delete(connection, list(reasons))
            _count(connection, "quarantined_total", moved)
            _drop_oldest(connection, "quarantined", MAX_QUARANTINED_RESULTS, MAX_QUARANTINED_BYTES)
            return moved

        return self._write(move)

    def quarantined(self, max_results: int = 100) -> list[tuple[str, str, bytes]]:
        """The newest results set apart: id, reason, octets."""
        select = "SELECT id, reason, body FROM quarantined ORDER BY key DESC LIMIT ?"
        return self._read(lambda connection: connection.execute(select, (max_results,)).fetchall())

    def status(self) -> SpoolStatus:
        """The whole state at one moment."""
        return self._read(self._status)

    def last_monotonic_seconds(self, boot_id: str) -> float | None:
        """When was the last waiting result of this boot measured, in seconds since that boot? None: nothing waits."""
        select = "SELECT max(monotonic_seconds) FROM spooled WHERE boot_id = ?"
        found: float | None = self._read(lambda connection: connection.execute(select, (boot_id,)).fetchone()[0])
        return found

    def remember(self, name: str, value: Any) -> None:
        """Keep a small value (anything msgspec can write as JSON); None forgets it."""

        def write(connection: sqlite3.Connection) -> None:
            if value is None:
                connection.execute("DELETE FROM remembered WHERE name = ?", (name,))
            else:
                connection.execute("INSERT OR REPLACE INTO remembered VALUES (?, ?)", (name, msgspec.json.encode(value)))

        self._write(write)

    def recall(self, name: str, type_: type[T]) -> T | None:
        """A remembered value; None when there is none, or when it cannot be read as this type."""
        select = "SELECT value FROM remembered WHERE name = ?"
        row = self._read(lambda connection: connection.execute(select, (name,)).fetchone())
        try:
            return msgspec.json.decode(row[0], type=type_) if row else None
        except (msgspec.MsgspecError, UnicodeDecodeError, TypeError):
            return None

    def add_test_bytes(self, segment: Segment, day: date, octets: int) -> None:
        """Note that tests put so many octets on a segment on a day."""

        def add(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO test_bytes VALUES (?, ?, ?) "
                "ON CONFLICT (day, segment) DO UPDATE SET octets = octets + excluded.octets",
                (day.isoformat(), segment, octets),
            )
            _count(connection, f"test_bytes_{segment}_total", octets)
            oldest = day - min(timedelta(DAYS_OF_TEST_BYTES), day - date.min)
            connection.execute("DELETE FROM test_bytes WHERE day < ?", (oldest.isoformat(),))

        self._write(add)

    def test_bytes_of_day(self, day: date) -> dict[Segment, int]:
        """Octets that tests put on each segment on a day."""
        select = "SELECT segment, octets FROM test_bytes WHERE day = ?"
        return self._read(lambda connection: dict(connection.execute(select, (day.isoformat(),))))

    def test_bytes_total(self) -> dict[Segment, int]:
        """Octets that tests ever put on each segment."""

        def read(connection: sqlite3.Connection) -> dict[Segment, int]:
            counters = _counters(connection)
            segments: tuple[Segment, ...] = ("classroom", "uplink")
            names = {segment: f"test_bytes_{segment}_total" for segment in segments}
            return {segment: counters[name] for segment, name in names.items() if name in counters}

        return self._read(read)

    def _insert(self, connection: sqlite3.Connection, rows: list[tuple[str, str, float, bytes]]) -> None:
        octets = sum(len(body) for *_, body in rows)
        limits = self._limits
        if len(rows) > limits.max_results or octets > limits.max_bytes:
            raise SpoolFull(_TOO_LARGE, place=self.path, results=len(rows), octets=octets)
        insert = "INSERT INTO spooled (id, boot_id, monotonic_seconds, body) VALUES (?, ?, ?, ?)"
        dropped = _drop_oldest(connection, "spooled", limits.max_results - len(rows), limits.max_bytes - octets)
        connection.executemany(insert, rows)
        _count(connection, "put_total", len(rows))
        _count(connection, "dropped_total", dropped)
        _count(connection, "unwritten_total", self._unwritten)

    def _status(self, connection: sqlite3.Connection) -> SpoolStatus:
        counters = _counters(connection)
        oldest = connection.execute("SELECT body FROM spooled ORDER BY key LIMIT 1").fetchone()
        reasons = connection.execute(
            "SELECT reason, count(*) FROM quarantined GROUP BY reason ORDER BY 2 DESC, 1 LIMIT 10"
        )
        return SpoolStatus(
            pending_results=counters["pending_results"],
            pending_bytes=counters["pending_bytes"],
            oldest_started_at=_started_at(oldest[0]) if oldest else None,
            put_total=counters.get("put_total", 0),
            acknowledged_total=counters.get("acknowledged_total", 0),
            dropped_total=counters.get("dropped_total", 0),
            unwritten_total=counters.get("unwritten_total", 0) + self._unwritten,
            quarantined_results=counters["quarantined_results"],
            quarantined_total=counters.get("quarantined_total", 0),
            quarantine_reasons=tuple((str(reason), int(count)) for reason, count in reasons),
            damaged_files=files.damaged_files(self.path.parent),
        )

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._guarded(lambda: self._transact("BEGIN IMMEDIATE", work))

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._guarded(lambda: self._transact("BEGIN", work))

    def _guarded(self, work: Callable[[], T]) -> T:
        """Do it; where the owner meets damage, set the file aside, begin a new one, and do it there."""
        with self._turn:
            try:
                return work()
            except sqlite3.DatabaseError as error:
                if not is_damage(error) or self._role != "owner":
                    raise self._explained(error) from error
                self._connection.close()
                self._connection = self._begin_anew(str(error))
                try:
                    return work()
                except sqlite3.DatabaseError as again:
                    raise self._explained(again) from again

    def _transact(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        connection.execute(begin)
        try:
            done = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise
        return done

    def _explained(self, error: sqlite3.Error) -> SpoolError:
        if is_damage(error):
            return SpoolUnusable(_DAMAGED, place=self.path, reason=error)
        return explained(error, self.path)

    def _open(self) -> sqlite3.Connection:
        if self._role == "owner" and files.has_orphaned_log(self.path):
            log.warning("a write-ahead log without its spool was set aside", extra={"file": str(self._set_aside())})
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if not is_damage(error) or self._role != "owner":
                raise self._explained(error) from error
            reason = str(error)
        try:
            return self._begin_anew(reason)
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _connect(self) -> sqlite3.Connection:
        mode = "ro" if self._role == "reader" else "rw"
        if mode == "rw":
            files.prepare_file(self.path)
        target = f"file:{quote(str(self.path))}?mode={mode}"
        connection = sqlite3.connect(
            target, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
        )
        try:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            connection.execute("PRAGMA synchronous = FULL")
            self._examine(connection)
            if mode == "rw":
                connection.execute("PRAGMA journal_mode = WAL")
                schema.migrate(connection)
            elif schema.version_of(connection) == 0:
                files.require_file(self.path.with_name("-"))  # made, never used: the same as none
            return connection
        except BaseException:
            connection.close()
            raise

    def _examine(self, connection: sqlite3.Connection) -> None:
        """Raise DatabaseError for damage, SpoolUnusable for a newer version."""
        if not schema.is_ours(connection):
            raise _damage("a database of another program")
        found = schema.version_of(connection)
        if found > schema.VERSION:
            raise SpoolUnusable(_NEWER, place=self.path, found=found, known=schema.VERSION)
        if self._role == "owner" and self.path.stat().st_size <= CHECKED_WHOLE_BYTES:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise _damage(str(verdict))

    def _begin_anew(self, reason: str) -> sqlite3.Connection:
        aside = self._set_aside()
        self._connection = connection = self._connect()
        saved = self._transact("BEGIN IMMEDIATE", lambda new: rescue(aside, new))
        self._transact("BEGIN IMMEDIATE", self._skip_used_keys)
        log.error(
            "the spool was damaged: set aside, a new one begun",
            extra={"reason": reason, "file": str(aside), "rescued_results": saved},
        )
        return connection

    def _skip_used_keys(self, connection: sqlite3.Connection) -> None:
        """A batch may be on its way: its keys must not come to mean other results."""
        update = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'spooled'"
        if connection.execute(update, (self._last_key,)).rowcount == 0:
            connection.execute("INSERT INTO sqlite_sequence VALUES ('spooled', ?)", (self._last_key,))

    def _set_aside(self) -> Path:
        try:
            return files.set_aside(self.path, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
        except OSError as error:
            raise explained(error, self.path) from error

    def _let_go(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def _drop_oldest(connection: sqlite3.Connection, table: str, max_results: int, max_bytes: int) -> int:
    """Remove the oldest until at most so many and so large remain. How many were removed."""
    counters = _counters(connection)
    waiting = "pending" if table == "spooled" else "quarantined"
    results = counters[f"{waiting}_results"] - max_results
    octets = counters[f"{waiting}_bytes"] - max_bytes
    if results <= 0 and octets <= 0:
        return 0
    last = dropped = 0
    for key, length in connection.execute(f"SELECT key, length(body) FROM {table} ORDER BY key"):  # noqa: S608
        if results <= 0 and octets <= 0:
            break
        last, dropped, results, octets = key, dropped + 1, results - 1, octets - length
    connection.execute(f"DELETE FROM {table} WHERE key <= ?", (last,))  # noqa: S608
    return dropped


def _delete(connection: sqlite3.Connection, keys: list[int]) -> int:
    return sum(connection.execute("DELETE FROM spooled WHERE key = ?", (key,)).rowcount for key in keys)


def _count(connection: sqlite3.Connection, name: str, amount: int) -> None:
    if amount:
        connection.execute(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (name, amount),
        )


def _counters(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT name, value FROM counters"))


def _started_at(body: bytes) -> str | None:
    class Started(msgspec.Struct):
        started_at: str

    try:
        return msgspec.json.decode(body, type=Started).started_at
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _damage(reason: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error
