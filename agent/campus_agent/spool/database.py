"""One open SQLite file whose transactions are durable, and which replaces itself when it is found damaged.

The owner checks the file on opening and, wherever it meets damage, sets the file aside, begins a new one, saves what can be read,
and does the work there. Writers and readers beside it only report the damage: two processes must not both rename.
"""

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote

from campus_agent.spool import content, files, lock, schema
from campus_agent.spool.errors import SpoolError, SpoolUnusable, explained, is_damage, may_be_damage
from campus_agent.spool.salvage import salvage
from campus_base.messages import message

log = logging.getLogger(__name__)

Role = Literal["owner", "writer", "reader"]
T = TypeVar("T")

CHECKED_WHOLE_BYTES = 64_000_000
"""Files up to this size are checked page by page on opening; larger ones show damage when it is met."""
LATEST_VERSION = schema.VERSION + 20
"""A header that names a later version than this is damaged: an older program never meets so new a file."""
BUSY_SECONDS = 15.0
CACHE_KIBIBYTES = 128

_NEWER = message(
    "{place}: written by a newer campus-agent (spool version {found}, this one reads up to {known});"
    " install that version again, or choose another state_dir: nothing was changed"
)
_DAMAGED = message(
    "{place}: damaged: {reason}; start campus-agent run: it sets the file aside and saves what can be read"
)


class Database:
    """The open file. Thread-safe: one connection behind one lock."""

    def __init__(self, state_dir: Path, role: Role) -> None:
        """Open it, and as owner take the state folder. Raises SpoolError."""
        self.path = state_dir / files.NAME
        self._role = role
        self._turn = threading.RLock()
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
            self._release()
            raise

    def close(self) -> None:
        """Close the file and let go of the folder. Everything written is on disk already."""
        with self._turn:
            self._connection.close()
            self._release()

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the work in one transaction, on disk when this returns. Raises SpoolError; then nothing of it was done."""
        return self._guarded(lambda: _transact(self._connection, "BEGIN IMMEDIATE", work))

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the work on one moment's state. Raises SpoolError."""
        return self._guarded(lambda: _transact(self._connection, "BEGIN", work))

    def _guarded(self, work: Callable[[], T]) -> T:
        with self._turn:
            try:
                return work()
            except Exception as error:
                reason = self._reason_to_replace(error)
            self._connection.close()
            try:
                self._connection = self._replace_damaged(reason)
                return work()
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def _reason_to_replace(self, error: Exception) -> str:
        """What is wrong with the file's content, which caused this error. Raises the error itself, in our words, where nothing is."""
        if not may_be_damage(error) or self._role != "owner":
            if isinstance(error, sqlite3.Error) or may_be_damage(error):
                raise self._explained(error) from error
            raise error
        if is_damage(error):
            return str(error)
        try:
            self._examine(self._connection, whole=True)
        except Exception as examined:
            if may_be_damage(examined):
                return f"{error}; {examined}"
        raise error

    def _open(self) -> sqlite3.Connection:
        if self._role == "owner" and files.has_orphaned_log(self.path):
            log.error("a write-ahead log without its spool was set aside", extra={"file": str(self._rename_damaged())})
        try:
            return self._connect()
        except Exception as error:
            if isinstance(error, SpoolError):
                raise
            if self._role != "owner" or not may_be_damage(error):
                raise self._explained(error) from error
            reason = f"{type(error).__name__}: {error}"
        try:
            return self._replace_damaged(reason)
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _connect(self) -> sqlite3.Connection:
        mode = "ro" if self._role == "reader" else "rw"
        other = files.what_is_no_file(self.path)
        if other is not None:  # opening a pipe would wait for ever
            raise _damage(other)
        if mode == "rw":
            files.prepare_file(self.path)
        if self._role == "owner" and files.is_marked_read_only(self.path):
            raise _damage("its header forbids to write")
        uri = f"file:{quote(str(self.path))}?mode={mode}"
        connection = sqlite3.connect(uri, BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True)
        try:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            connection.execute("PRAGMA synchronous = FULL")
            self._examine(connection, whole=self._role == "owner" and self.path.stat().st_size <= CHECKED_WHOLE_BYTES)
            if mode == "rw":
                connection.execute("PRAGMA journal_mode = WAL")
                schema.migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _examine(self, connection: sqlite3.Connection, whole: bool) -> None:
        """Raise for damage whatever it meets, SpoolUnusable for a newer version; `whole`: every page, table and row is looked at."""
        if not schema.is_ours(connection):
            raise _damage("a database of another program")
        version = schema.version_of(connection)
        if not 0 <= version <= LATEST_VERSION:
            raise _damage(f"version {version}")
        if version > schema.VERSION:
            raise SpoolUnusable(_NEWER, place=self.path, found=version, known=schema.VERSION)
        if version == 0 and self._role == "reader":
            raise files.no_spool(self.path)
        if whole:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise _damage(str(verdict))
            wrong = content.what_is_wrong(connection) if version == schema.VERSION else None
            if wrong is not None:
                raise _damage(wrong)

    def _replace_damaged(self, reason: str) -> sqlite3.Connection:
        aside = self._rename_damaged()
        connection = self._connect()
        try:
            saved = _transact(connection, "BEGIN IMMEDIATE", lambda new: salvage(aside, new))
        except BaseException:
            connection.close()
            raise
        fields = {"reason": reason, "file": str(aside), "rescued_results": saved}
        log.error("the spool was damaged: it was set aside and a new one begun", extra=fields)
        return connection

    def _rename_damaged(self) -> Path:
        try:
            return files.rename_damaged(self.path, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
        except OSError as error:
            raise explained(error, self.path) from error

    def _explained(self, error: Exception) -> SpoolError:
        if may_be_damage(error):
            return SpoolUnusable(_DAMAGED, place=self.path, reason=error)
        if isinstance(error, sqlite3.Error | OSError):
            return explained(error, self.path)
        raise error

    def _release(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def _transact(connection: sqlite3.Connection, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
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


def _damage(reason: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error
