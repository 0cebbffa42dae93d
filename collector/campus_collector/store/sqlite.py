"""SQLite: one file in WAL mode, synchronous=FULL; readers see the last commit while the writer works."""

import json
import logging
import os
import random
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

from campus_base.messages import message
from campus_base.system_errors import error_words
from campus_collector.domain.change import Change
from campus_collector.store.columns import micros
from campus_collector.store.errors import NoDatabase, NotEnoughSpace, StoreBusy, StoreUnavailable, StoreUnusable
from campus_collector.store.files import (
    holds_something,
    lacks_its_log,
    must_be_a_file,
    not_ours,
    not_usable,
    note_opened,
    note_opening,
    prepare_file,
    read_only,
    was_copied_without_log,
)
from campus_collector.store.migrate import MIGRATION_TABLE, applied_migrations, migrate, shipped
from campus_collector.store.tables.missing_log import note_missing_log
from campus_collector.store.transport import (
    ALL_SCHOOLS,
    KEEP_NEWEST,
    NO_PARAMS,
    Lists,
    Params,
    Queryable,
    Row,
    SeenChanges,
)

log = logging.getLogger(__name__)

BUSY_TIMEOUT_SECONDS = 5.0
WAL_KEPT_BYTES = 64_000_000
"""A write-ahead log that a backup let grow is cut back to this."""
_NAME = re.compile(r":([a-z_]+)")
"""A parameter in a statement."""
LEAST_FREE_BYTES = 10_000_000
"""With less than this a commit may fail any moment: the collector is not ready."""


class SqliteConnection:
    """See `transport.TransportConnection`."""

    error: type[Exception] = sqlite3.Error
    stored_ids_statement = "SELECT id FROM seen WHERE school = :school AND id IN (:ids)"

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Of a connection without transactions of its own (`isolation_level=None`)."""
        self._connection = connection
        self.writes_to: Path | None = None
        """The file, if closing this connection may remove its log."""
        self.changes: list[Change] = []

    def note_change(self, change: Change) -> None:
        self.changes.append(change)

    @property
    def is_open(self) -> bool:
        return True

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def read(self, sql: str, params: Params = NO_PARAMS) -> list[Row]:
        return self._connection.execute(sql, params).fetchall()

    def read_in(self, sql: str, lists: Lists, params: Params = NO_PARAMS) -> list[Row]:
        # by position: of a name SQLite looks through all that a statement has
        values: list[object] = []

        def place(name: re.Match[str]) -> str:
            listed = lists.get(name[1])
            if listed is None:
                values.append(params[name[1]])
                return "?"
            if listed and isinstance(listed[0], bytes):
                values.extend(listed)
                return ", ".join("?" * len(listed))
            # the statement stays the same however many there are, and there is no bound
            values.append(json.dumps(listed))
            return "SELECT value FROM json_each(?)"

        return self._connection.execute(_NAME.sub(place, sql), values).fetchall()

    def first(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        row: Row | None = self._connection.execute(sql, params).fetchone()
        return row

    def stream(self, sql: str, params: Params = NO_PARAMS) -> Iterator[Row]:
        return self._connection.execute(sql, params)

    def clock_micros(self) -> int:
        return time.time_ns() // 1000  # a file is of one machine

    def changes_from(self, number: int) -> SeenChanges:
        rows = self.read("SELECT what, school, number FROM change WHERE number >= :number", {"number": number})
        return SeenChanges("", max((row[2] + 1 for row in rows), default=number), rows)

    def number_changes(self, changes: Sequence[tuple[str, str]]) -> int:
        ((number,),) = self.read("SELECT coalesce(max(number), 0) + 1 FROM change")
        self.execute_many(
            f"INSERT INTO change (what, school, number) VALUES (:what, :school, :number){KEEP_NEWEST}",  # noqa: S608
            [{"what": what, "school": school, "number": number} for what, school in changes],
        )
        return int(number)

    def execute(self, sql: str, params: Params = NO_PARAMS) -> int:
        return self._connection.execute(sql, params).rowcount

    def execute_many(self, sql: str, rows: Iterable[Params]) -> int:
        return self._connection.executemany(sql, rows).rowcount

    def sent_together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        places = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)  # noqa: S608

    def begin(self, whose: str = ALL_SCHOOLS) -> None:
        """One writer at a time, whoever's work it is."""
        self._connection.execute("BEGIN IMMEDIATE")

    def begin_snapshot(self) -> None:
        self._connection.execute("BEGIN")

    def execute_script(self, sql: str) -> None:
        # not `executescript`: it commits what was begun
        statement = ""
        for line in sql.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                self._connection.execute(statement)
                statement = ""
        self._connection.execute(statement)  # what ends without a semicolon, or a comment

    def table_names(self) -> set[str]:
        return {name for (name,) in self.read("SELECT name FROM sqlite_master WHERE type = 'table'")} - {
            "sqlite_sequence"
        }

    def column_names(self, table: str) -> list[str]:
        return [name for (name,) in self.read("SELECT name FROM pragma_table_info(:table)", {"table": table})]

    @contextmanager
    def loading(self, table: str) -> Iterator[None]:
        triggers = self.read(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table", {"table": table}
        )
        for name, _ in triggers:
            self._connection.execute(f"DROP TRIGGER {name}")
        yield
        for _, sql in triggers:
            self._connection.execute(sql)

    def close(self) -> None:
        if self.writes_to is not None:
            note_opening(self.writes_to)  # SQLite removes the log when the last connection is closed
        self._connection.close()
        if self.writes_to is not None:
            note_opened(self.writes_to)


class SqliteTransport:
    """See `transport.Transport`."""

    error = SqliteConnection.error
    dialect = "sqlite"
    writers = 1

    def __init__(self, path: Path, *, must_exist: bool = False) -> None:
        self.name = str(path)
        self._path, self._must_exist = path, must_exist
        self._of_thread = threading.local()
        self._readers: list[SqliteConnection] = []

    def open(self) -> SqliteConnection:
        try:
            must_be_a_file(self._path)
            if self._must_exist and not holds_something(self._path):
                raise NoDatabase(self._path)
            return self._open()
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):
                raise not_ours(self._path, error) from None
            raise not_usable(self._path, error) from None
        except OSError as error:
            raise not_usable(self._path, error) from None

    def _open(self) -> SqliteConnection:
        prepare_file(self._path)
        incomplete = was_copied_without_log(self._path)
        # it stays open for the writer: without a connection SQLite would take the log away again
        connection = self.connect()
        try:
            self._migrate(connection)
            if incomplete:
                log.warning(
                    "the database has no -wal: it was copied without it, or another program closed it after a crash."
                    " Results may be missing; the gateways' receipts will show it",
                    extra={"file": str(self._path)},
                )
                connection.begin()
                note_missing_log(connection, micros(datetime.now(UTC)))
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: SqliteConnection) -> None:
        try:
            if migrate(connection, shipped(self.dialect)):
                # brings the migrated schema from the log into the file, so that a copy of the file alone shows its version
                connection.first("PRAGMA wal_checkpoint(PASSIVE)")
        except StoreUnusable as error:
            raise StoreUnusable(message("{path}: {text}", path=self._path, text=error.text)) from None

    def applied(self) -> dict[str, str] | None:
        must_be_a_file(self._path)
        if not holds_something(self._path):
            return None
        try:
            with closing(SqliteConnection(_connect(read_only(self._path), uri=True))) as connection:
                return applied_migrations(connection)
        except sqlite3.Error as error:
            raise not_ours(self._path, error) from None

    def connect(self) -> SqliteConnection:
        connection = SqliteConnection(_connect(self._path))
        try:
            # before anything in the file is changed
            names = connection.table_names()
            if names and MIGRATION_TABLE not in names:
                raise not_ours(self._path, message("a database of another program"))
            connection.writes_to = self._path
            note_opening(self._path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.table_names()  # SQLite makes the log when the database is next read
            note_opened(self._path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
            # Debian's SQLite overwrites what is removed with zeros, page for page: moving an old database would write all of it once more
            connection.first("PRAGMA secure_delete = FAST")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def reader(self) -> Iterator[SqliteConnection]:
        """This thread's: opened once, closed with the store."""
        connection: SqliteConnection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = SqliteConnection(_connect(read_only(self._path), uri=True))
            self._readers.append(connection)
        try:
            yield connection
        except sqlite3.Error:
            # a disk that fails for hours would otherwise use up the files a process may open
            self._of_thread.connection = None
            with suppress(sqlite3.Error, ValueError):
                connection.close()
                self._readers.remove(connection)
            raise

    def require_present(self) -> None:
        if not self._path.exists():
            raise StoreUnavailable(message("{path} is gone", path=self._path))

    def check(self) -> None:
        self.require_present()
        free = shutil.disk_usage(self._path.parent).free
        if free < LEAST_FREE_BYTES:
            raise StoreUnavailable(
                message("only {free} bytes are free in {folder}", free=free, folder=self._path.parent)
            )

    def space(self, connection: Queryable) -> tuple[int, int | None, int]:
        free_pages, page_bytes = connection.first("PRAGMA freelist_count"), connection.first("PRAGMA page_size")
        reusable = free_pages[0] * page_bytes[0] if free_pages and page_bytes else 0
        try:
            log_file = self._path.with_name(self._path.name + "-wal")
            log_bytes = log_file.stat().st_size if log_file.exists() else 0
            return self._path.stat().st_size + log_bytes, shutil.disk_usage(self._path.parent).free, reusable
        except OSError as error:
            raise not_usable(self._path, error) from None

    def give_space_back(self) -> tuple[int, int]:
        """SQLite writes the database anew into a temporary file, and that back through the write-ahead log: in one transaction."""
        before = self._path.stat().st_size
        try:
            with closing(self.connect()) as connection:
                _require_room_for_vacuum(connection, self._path.parent)
                connection.execute("VACUUM")
                connection.first("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise StoreBusy(message("{path}: {reason}", path=self._path, reason=error_words(error))) from None
        return before, self._path.stat().st_size

    def close(self) -> None:
        """Take the file out of WAL mode, if no other process has it open: to all but the last the switch is refused.

        Two processes that end at once may refuse each other. See `files.was_copied_without_log`.
        """
        for reader in self._readers:
            with suppress(sqlite3.Error):
                reader.close()
        for _ in range(5):
            with suppress(sqlite3.Error, OSError):
                if self._path.exists():
                    note_opening(self._path)
                    with closing(sqlite3.connect(self._path, timeout=0, isolation_level=None)) as connection:
                        connection.execute("PRAGMA journal_mode = DELETE")
                    note_opened(self._path)
            if not lacks_its_log(self._path):
                return
            time.sleep(random.uniform(0, 0.05))


def _require_room_for_vacuum(connection: SqliteConnection, folder: Path) -> None:
    """Raises NotEnoughSpace."""
    pages, free_pages, page_size = (
        (connection.first(f"PRAGMA {name}") or (0,))[0] for name in ("page_count", "freelist_count", "page_size")
    )
    content = (pages - free_pages) * page_size
    temporary = _temporary_folder()
    together = os.stat(temporary).st_dev == os.stat(folder).st_dev
    for place, needed in ((folder, content * (2 if together else 1)), (temporary, content)):
        free = shutil.disk_usage(place).free
        if free < needed + LEAST_FREE_BYTES:
            raise NotEnoughSpace(place, needed + LEAST_FREE_BYTES, free)


def _temporary_folder() -> Path:
    """Where SQLite makes its temporary files (https://www.sqlite.org/tempfiles.html, section 5)."""
    named = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp")  # noqa: S108
    return next((Path(name) for name in named if name and os.access(name, os.W_OK | os.X_OK)), Path())


def _connect(target: Path | str, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(target, uri=uri, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
