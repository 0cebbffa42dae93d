"""One SQLite file: WAL, synchronous=FULL, one writer thread that commits many pieces of work at once; readers have connections of their own.

Nothing is answered before the commit that holds it.
"""

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from campus_collector.store.interface import Change, StoreUnavailable, StoreUnusable
from campus_collector.store.migrate import migrate, shipped

MAX_GROUP = 64
"""At most so many pieces of work share a commit: bounds how long the first of them waits."""
BUSY_TIMEOUT_SECONDS = 5.0

Answer = TypeVar("Answer")
_Job = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]


class Database:
    """Read from any thread, write by handing in work."""

    def __init__(self, path: Path) -> None:
        """Open or make the file and bring it up to date. Raises StoreUnusable, StoreUnavailable."""
        self.path = path
        self._local = threading.local()
        self._listeners: list[Callable[[Change], None]] = []
        self._changes: list[Change] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        try:
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            connection = self._connect()
            migrate(connection, shipped("sqlite"))
            connection.close()
        except sqlite3.DatabaseError as error:
            kind = StoreUnavailable if isinstance(error, sqlite3.OperationalError) else StoreUnusable
            raise kind(f"{path}: {error}") from None
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror or error}") from None
        self._writer = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._writer.start()

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Called from the writer's thread after each commit."""
        self._listeners.append(listener)

    def note(self, change: Change) -> None:
        """Said by work, inside the writer: what the commit touches."""
        self._changes.append(change)

    def submit(self, work: Callable[[sqlite3.Connection], Answer]) -> "Future[Answer]":
        """Queue work for the next commit; the future is done after it. It may raise StoreUnavailable, or what the work raised."""
        future: Future[Answer] = Future()
        if self._closed:
            future.set_exception(StoreUnavailable("the store is closed"))
        else:
            self._jobs.put((work, future))
        return future

    def write(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Do it now and wait for the commit."""
        return self.submit(work).result()

    def all(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """All rows."""
        with self.reading() as connection:
            return connection.execute(sql, values).fetchall()

    def one(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        """The first row, or None."""
        with self.reading() as connection:
            return connection.execute(sql, values).fetchone()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's own connection. Raises StoreUnavailable."""
        try:
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = sqlite3.connect(
                    f"file:{self.path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None
                )
            yield connection
        except sqlite3.Error as error:
            self._local.connection = None
            raise StoreUnavailable(f"{self.path}: {error}") from None

    def close(self) -> None:
        """What is queued is committed first."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._writer.join()

    def _write(self) -> None:
        """The writer's thread: take what waits, commit it once, answer all."""
        connection: sqlite3.Connection | None = None
        while True:
            jobs = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while len(jobs) < MAX_GROUP:
                    jobs.append(self._jobs.get_nowait())
            waiting = [job for job in jobs if job is not None]
            self._changes.clear()
            answers: list[tuple[Future[Any], Any]] = []
            try:
                if waiting:
                    if not self.path.exists():
                        raise StoreUnavailable(f"{self.path} is gone")
                    connection = connection or self._connect()
                    connection.execute("BEGIN IMMEDIATE")
                    answers = [(future, _try(connection, work)) for work, future in waiting]
                    connection.execute("COMMIT")
            except Exception as error:
                if connection is not None:
                    with contextlib.suppress(sqlite3.Error):
                        connection.close()
                    connection = None
                trouble = error if isinstance(error, StoreUnavailable) else StoreUnavailable(f"{self.path}: {error}")
                for _, future in waiting:
                    future.set_exception(trouble)
            else:
                for change in self._changes:  # before the answers: whoever has one must never read what was before it
                    for listener in self._listeners:
                        listener(change)
                for future, answer in answers:
                    if isinstance(answer, Refused):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
            if None in jobs:
                if connection is not None:
                    connection.close()
                return

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection


class Refused(Exception):
    """Raised by work that finds it must not be done, before it has written anything: its neighbours in the commit are not touched."""


def _try(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Any]) -> Any:
    try:
        return work(connection)
    except Refused as refusal:
        return refusal


def octets_of(value: bytes | str) -> bytes:
    """What a column holds; somebody else's hand may have left text where octets were."""
    return value if isinstance(value, bytes) else str(value).encode()


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    delta = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def moment_of(micros_: int | None) -> datetime | None:
    """The moment of so many microseconds since 1970, UTC."""
    return None if micros_ is None else datetime.fromtimestamp(micros_ / 1e6, UTC)
