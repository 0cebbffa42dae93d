"""One SQLite file: WAL, synchronous=FULL, one writer thread that commits many pieces of work at once; readers have connections of their own.

Nothing is answered before the commit that holds it.
"""

import contextlib
import logging
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from campus_base.language import Text
from campus_collector.domain.records import Change
from campus_collector.store.coordination import changes_after, last_change, record_changes
from campus_collector.store.errors import NoDatabase, StoreBusy, StoreUnavailable, StoreUnusable
from campus_collector.store.files import (
    holds_something,
    lacks_its_log,
    must_be_a_file,
    not_ours,
    prepare_file,
    read_only,
    was_copied_without_log,
    why_not_usable,
)
from campus_collector.store.migrate import is_of_another_program, migrate, shipped
from campus_collector.store.missing_log import note_missing_log

log = logging.getLogger(__name__)

MAX_GROUP = 64
"""At most so many pieces of work share a commit: bounds how long the first of them waits."""
BUSY_TIMEOUT_SECONDS = 5.0
WRITE_SECONDS = 60.0
"""So long `write` waits for its turn."""
WAL_KEPT_BYTES = 64_000_000
"""A write-ahead log that a backup let grow is cut back to this."""
Answer = TypeVar("Answer")
_Job = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]


class Refused(Exception):
    """Raised by work that finds it must not be done: nothing of it is written, its neighbours in the commit are not touched."""


class Database:
    """Read from any thread, write by handing in work."""

    def __init__(self, path: Path, *, must_exist: bool = False) -> None:
        """Open the file and bring it up to date; begin it when it is not there, unless it `must_exist`.

        Raises StoreUnusable, StoreUnavailable, of which NoDatabase.
        """
        self.path = path
        self._local = threading.local()
        self._listeners: list[Callable[[Change], None]] = []
        self._changes: list[Change] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._readers: list[sqlite3.Connection] = []
        self._following = threading.Lock()
        """Held while changes are numbered or read, never while listeners are called."""
        self._connection: sqlite3.Connection | None = None
        self.last_commit_at = float("-inf")
        """When the writer tried last (monotonic), whatever came of it."""
        self.trouble = ""
        """Why its last commit failed; "" when it did not."""
        try:
            must_be_a_file(path)
            if must_exist and not holds_something(path):
                raise NoDatabase(path)
            self._seen = self._open()
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):
                raise not_ours(path, error) from None
            raise StoreUnavailable(f"{path}: {why_not_usable(path) or error}") from None
        except OSError as error:
            raise StoreUnavailable(f"{path}: {why_not_usable(path) or error.strerror or error}") from None
        self._writer = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._writer.start()

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Called after each commit, from the writer's thread; for other processes' commits from whatever thread found them (`follow`)."""
        self._listeners.append(listener)

    def note(self, change: Change) -> None:
        """Called by work, inside the writer: what the commit touches."""
        self._changes.append(change)

    def follow(self) -> None:
        """Pass on what other processes have committed since last time. Raises StoreUnavailable."""
        with self.reading() as connection:
            self._follow(connection)

    def submit(self, work: Callable[[sqlite3.Connection], Answer]) -> "Future[Answer]":
        """Queue work for the next commit; the future is done after it. It may raise StoreUnavailable or Refused."""
        future: Future[Answer] = Future()
        with self._closing:
            if self._closed:
                future.set_exception(StoreUnavailable("the store is closed"))
            else:
                self._jobs.put((work, future))
        return future

    def write(self, work: Callable[[sqlite3.Connection], Answer], seconds: float | None = WRITE_SECONDS) -> Answer:
        """Do it and wait for the commit. Raises StoreUnavailable, Refused; StoreBusy when it was not begun within `seconds`.

        What was begun is waited for: when this raises, nothing was written and nothing will be.
        """
        future = self.submit(work)
        try:
            return future.result(seconds)
        except FutureTimeout:
            if not future.cancel():
                return future.result()
            raise StoreBusy(f"{self.path}: not written within {seconds:.0f} s") from None

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
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        try:
            if connection is None:
                connection = self._local.connection = self._read_connection()
            yield connection
        except sqlite3.Error as error:
            self._local.connection = None
            self._let_go(connection)
            raise StoreUnavailable(f"{self.path}: {error}") from None

    def close(self) -> None:
        """What is queued is committed first. The last process to let go takes the file out of WAL mode (`files.was_copied_without_log`)."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._writer.join()
        for reader in self._readers:
            with contextlib.suppress(sqlite3.Error):
                reader.close()
        self._leave_wal_mode()

    def _open(self) -> int:
        """Bring the file up to date; the number of its newest change."""
        prepare_file(self.path)
        incomplete = was_copied_without_log(self.path)
        # it stays open for the writer: without a connection SQLite would take the log away again
        connection = self._connection = self._connect()
        try:
            try:
                migrate(connection, shipped("sqlite"))
            except StoreUnusable as error:
                raise StoreUnusable(Text(f"{self.path}: {error.text.en}", f"{self.path}：{error.text.zh}")) from None
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # the file itself tells from now on what it is
            if incomplete:
                log.warning(
                    "the database has no -wal: it was copied without it, or another program closed it after a crash."
                    " Results may be missing; the gateways' receipts will show it",
                    extra={"file": str(self.path)},
                )
                note_missing_log(connection, micros(datetime.now(UTC)))
            return last_change(connection)
        except BaseException:
            self._disconnect()
            raise

    def _write(self) -> None:
        """The writer's thread: take what waits, commit it once, answer all. Nothing that work or a listener raises ends it."""
        last = False
        while not last:
            jobs = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while len(jobs) < MAX_GROUP:
                    jobs.append(self._jobs.get_nowait())
            last = None in jobs
            # a future that was cancelled while it waited is not done, one that runs cannot be cancelled any more
            waiting = [job for job in jobs if job is not None and job[1].set_running_or_notify_cancel()]
            if waiting:
                self._commit(waiting)
        self._disconnect()

    def _commit(self, jobs: Sequence[_Job]) -> None:
        answers: list[tuple[Future[Any], Any]] = []
        changes: list[Change] = []
        self.last_commit_at = time.monotonic()
        try:
            if not self.path.exists():
                raise StoreUnavailable(f"{self.path} is gone")
            connection = self._connection = self._connection or self._connect()
            connection.execute("BEGIN IMMEDIATE")
            self._follow(connection)  # nobody else commits from here on
            for work, future in jobs:
                self._changes.clear()
                answers.append((future, self._try(connection, work)))
                changes += self._changes
            number = record_changes(connection, changes)
            with self._following:  # until both are done this process's changes would look like another's
                connection.execute("COMMIT")
                self._seen = max(self._seen, number)
        except BaseException as error:
            self._disconnect()
            trouble = error if isinstance(error, StoreUnavailable) else StoreUnavailable(f"{self.path}: {error}")
            self.trouble = str(trouble)
            for _, future in jobs:
                future.set_exception(trouble)
            return
        self.trouble = ""
        # before the answers: whoever has an answer must never read what was before it. What this process judged it knows already
        self._tell([replace(change, judged=frozenset()) for change in changes])
        for future, answer in answers:
            if isinstance(answer, _Failed):
                future.set_exception(answer.error)
            else:
                future.set_result(answer)

    def _follow(self, connection: sqlite3.Connection) -> None:
        """Listeners first, then the number: whoever finds nothing new has current caches. Two threads at once may both pass it on."""
        with self._following:
            number, change = changes_after(connection, self._seen)
        if change is not None:
            self._tell([change])
        with self._following:
            self._seen = max(self._seen, number)

    def _try(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Do one piece of work: what it returned, or _Failed, and then nothing of it is written. Raises when the whole commit is lost."""
        connection.execute("SAVEPOINT work")
        try:
            answer = work(connection)
        except BaseException as error:
            if not connection.in_transaction:  # SQLite gave up the whole transaction: a full or failing disk
                raise
            connection.execute("ROLLBACK TO work")
            connection.execute("RELEASE work")
            self._changes.clear()
            if isinstance(error, Refused | StoreUnavailable):
                return _Failed(error)
            if not isinstance(error, sqlite3.Error):
                log.error("work for the database failed", exc_info=error)
            return _Failed(StoreUnavailable(f"{self.path}: {type(error).__name__}: {error}"))
        connection.execute("RELEASE work")
        return answer

    def _tell(self, changes: Sequence[Change]) -> None:
        for change in changes:
            for listener in self._listeners:
                try:
                    listener(change)
                except Exception:
                    log.exception("what follows a change failed")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            if is_of_another_program(connection):  # before anything of it is changed
                raise not_ours(self.path, "a database of another program")
        except BaseException:
            connection.close()
            raise
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        return connection

    def _read_connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            read_only(self.path), uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._readers.append(connection)  # closed with the store; its thread may have ended by then
        return connection

    def _let_go(self, reader: sqlite3.Connection | None) -> None:
        """A reader that failed: its files are closed, or a disk that fails for hours would use them up."""
        if reader is not None:
            with contextlib.suppress(sqlite3.Error, ValueError):
                reader.close()
                self._readers.remove(reader)

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _leave_wal_mode(self) -> None:
        """If nobody else has the file open: the switch is refused to all but the last. Two that end at once may refuse each other."""
        for _ in range(5):
            with contextlib.suppress(sqlite3.Error, OSError):
                if self.path.exists():
                    with contextlib.closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as connection:
                        connection.execute("PRAGMA journal_mode = DELETE")
            if not lacks_its_log(self.path):
                return
            time.sleep(random.uniform(0, 0.05))


class _Failed:
    """What became of work that could not be done."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


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
