"""A copy of the database that is consistent while the collector runs, and putting one back.

SQLite's online backup copies pages under a read transaction and begins again for pages that change meanwhile
(https://www.sqlite.org/backup.html); the copy is checked before it gets its name.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from campus_collector.store.interface import StoreUnavailable, StoreUnusable
from campus_collector.store.migrate import shipped

PAGES_A_STEP = 2000
"""8 MB: the writer waits no longer than one step takes."""
Step = Callable[[int, int], None]


def backup(database: Path, target: Path, step: Step | None = None) -> int:
    """Copy a database to a new file, mode 600; its size in octets. Raises StoreUnavailable, StoreUnusable, FileExistsError, OSError."""
    if not database.is_file():
        raise StoreUnavailable(f"{database}: there is no database")
    return _copy(database, target, step)


def restore(copy: Path, database: Path, step: Step | None = None) -> int:
    """Put a copy where no database is. Raises StoreUnusable for what is no sound copy of ours, FileExistsError, OSError."""
    if not copy.is_file():
        raise FileNotFoundError(2, os.strerror(2), str(copy))
    _must_be_ours(copy)
    for beside in ("", "-wal", "-shm"):
        if database.with_name(database.name + beside).exists():
            raise FileExistsError(17, os.strerror(17), str(database) + beside)
    return _copy(copy, database, step)


def _copy(source: Path, target: Path, step: Step | None) -> int:
    if target.exists():
        raise FileExistsError(17, os.strerror(17), str(target))
    target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(source, timeout=30)) as read, closing(sqlite3.connect(beside)) as write:
            read.backup(
                write, pages=PAGES_A_STEP, progress=lambda _, left, whole: step(whole - left, whole) if step else None
            )
            write.execute("PRAGMA journal_mode = DELETE")
        _must_be_ours(beside)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        os.link(beside, target)  # fails when somebody else has made it meanwhile
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{source}: {error}") from None
    finally:
        for name in (beside, beside.with_name(beside.name + "-journal")):
            with suppress(FileNotFoundError):
                name.unlink()
    return target.stat().st_size


def _must_be_ours(copy: Path) -> None:
    """Is it a whole database of ours, of this version or an older one?"""
    try:
        with closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as database:
            (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if said != "ok":
                raise StoreUnusable(f"{copy}: damaged: {said}")
            applied = {row[0] for row in database.execute("SELECT name FROM migration")}
    except sqlite3.Error as error:
        raise StoreUnusable(f"{copy}: is no database of the collector: {error}") from None
    unknown = sorted(applied - {one.name for one in shipped("sqlite")})
    if unknown or not applied:
        raise StoreUnusable(
            f"{copy}: is of a newer collector ({', '.join(unknown)})" if unknown else f"{copy}: is empty"
        )
