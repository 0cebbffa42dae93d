"""A copy of the database that is consistent while the collector runs, and putting one back.

The copy is made under one read transaction: writers go on, and what they write meanwhile waits in the write-ahead log and is not in
the copy. Without that transaction SQLite's online backup would begin again at each commit (https://www.sqlite.org/backup.html). The
log grows by what is written during the copy, and is cut back afterwards; the copy is checked before it gets its name.
"""

import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from campus_base.files import file_mode_of, follow_owner, make_folder, publish
from campus_base.messages import message
from campus_collector.store.errors import NoDatabase, NotEnoughSpace, StoreUnusable, unavailable
from campus_collector.store.files import (
    holds_something,
    must_be_a_file,
    not_ours,
    read_only,
    untouched,
    was_copied_without_log,
)
from campus_collector.store.migrate import shipped

PAGES_A_STEP = 2000
"""8 MB between two looks at the clock, the disk and the progress bar."""
LEAST_FREE_BYTES = 100_000_000
"""With less than this left beside the running database a copy gives up: the log it holds back must not stop the collector."""
LEFTOVER_SECONDS = 3600.0
"""The unfinished copy of a backup that was killed is removed by the next one, when nothing was written to it for so long."""
CHECK_INSTRUCTIONS = 100_000
_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_TOOBIG"})
Step = Callable[[int, int], None]


class TooSlow(Exception):
    """The copy was not finished in the time it was given; nothing is left of it."""


def backup(database: Path, target: Path, step: Step | None = None, seconds: float | None = None) -> int:
    """Copy a database to a new file, mode 600; its size in bytes.

    Raises StoreUnavailable, StoreUnusable, FileExistsError, NotEnoughSpace, OSError; TooSlow when it takes longer than `seconds`.
    """
    must_be_a_file(database)
    if not holds_something(database):
        raise NoDatabase(database)
    return _copy(database, target, step, seconds)


def restore(copy: Path, database: Path, step: Step | None = None) -> int:
    """Put a copy where no database is; it belongs to whom the folder belongs to. Raises StoreUnusable for what is no sound copy of ours,
    FileExistsError, NotEnoughSpace, OSError."""
    must_be_a_file(copy)
    if not copy.is_file():
        raise FileNotFoundError(2, os.strerror(2), str(copy))
    if was_copied_without_log(copy):
        raise StoreUnusable(
            message(
                "{copy}: was copied from a running collector without {name}-wal: what is in that file is"
                " missing. If it is a collector's file that another program closed after a crash: copy it to"
                " {database} by hand",
                copy=copy,
                name=copy.name,
                database=database,
            )
        )
    _must_be_ours(copy)
    for suffix in ("", "-wal", "-shm"):
        if database.with_name(database.name + suffix).exists():
            raise FileExistsError(17, os.strerror(17), str(database) + suffix)
    return _copy(copy, database, step, None, live=True)


def _copy(source: Path, target: Path, step: Step | None, seconds: float | None, *, live: bool = False) -> int:
    if target.exists():
        raise FileExistsError(17, os.strerror(17), str(target))
    make_folder(target.parent)
    _remove_leftovers(target)
    _must_have_room(source, target.parent)
    deadline = None if seconds is None else time.monotonic() + seconds
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file_mode_of(target.parent) if live else 0o600))
    try:
        _copy_pages(source, beside, step, deadline)
        _must_be_ours(beside, deadline)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        follow_owner(beside)
        publish(beside, target)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "") in _FULL:
            raise NotEnoughSpace(target.parent, _size(source), shutil.disk_usage(target.parent).free) from None
        raise unavailable(source, error) from None
    finally:
        for name in (beside, beside.with_name(beside.name + "-journal")):
            with suppress(OSError):
                name.unlink()
    return target.stat().st_size


def _copy_pages(source: Path, beside: Path, step: Step | None, deadline: float | None) -> None:
    def on_step(_: int, left: int, whole: int) -> None:
        _must_be_in_time(deadline)
        free = shutil.disk_usage(source.parent).free
        if left and free < LEAST_FREE_BYTES and source.with_name(source.name + "-wal").exists():
            raise NotEnoughSpace(source.parent, LEAST_FREE_BYTES, free)
        if step is not None:
            step(whole - left, whole)

    with (
        closing(sqlite3.connect(read_only(source), uri=True, timeout=30, isolation_level=None)) as read,
        closing(sqlite3.connect(beside, isolation_level=None)) as write,
    ):
        write.execute("PRAGMA journal_mode = OFF")  # a copy that is not finished is thrown away
        write.execute("PRAGMA synchronous = OFF")  # it is brought to the disk at the end
        read.execute("BEGIN")
        read.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on one moment is read
        read.backup(write, pages=PAGES_A_STEP, progress=on_step)
        read.execute("ROLLBACK")
        write.execute("PRAGMA journal_mode = DELETE")


def _must_be_in_time(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise TooSlow


def _must_have_room(source: Path, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _size(source):
        raise NotEnoughSpace(folder, _size(source), free)


def _size(source: Path) -> int:
    """Of the database with its log: more than the copy will take."""
    size = source.stat().st_size
    with suppress(OSError):
        size += source.with_name(source.name + "-wal").stat().st_size
    return size


def _remove_leftovers(target: Path) -> None:
    for name in target.parent.glob(f".{_escaped(target.name)}.*.part"):
        with suppress(OSError):
            if time.time() - name.stat().st_mtime > LEFTOVER_SECONDS:
                name.unlink()


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _must_be_ours(copy: Path, deadline: float | None = None) -> None:
    """Is it a whole database of ours, of this version or an older one?"""
    try:
        with closing(sqlite3.connect(untouched(copy), uri=True)) as database:
            if deadline is not None:
                database.set_progress_handler(lambda: time.monotonic() >= deadline, CHECK_INSTRUCTIONS)
            (state,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if state != "ok":
                raise StoreUnusable(message("{copy}: damaged: {state}", copy=copy, state=state))
            applied = {row[0] for row in database.execute("SELECT name FROM migration")}
    except sqlite3.Error as error:
        _must_be_in_time(deadline)
        raise not_ours(copy, error) from None
    unknown = sorted(applied - {step.name for step in shipped("sqlite")})
    if unknown or not applied:
        listed = ", ".join(unknown)
        newer = message("{copy}: is of a newer collector ({listed})", copy=copy, listed=listed)
        raise StoreUnusable(newer if unknown else message("{copy}: is empty", copy=copy))
