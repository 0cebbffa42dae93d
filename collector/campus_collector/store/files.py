"""The database's file: how it is named for SQLite, whose it is, and whether its write-ahead log is there."""

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from campus_base.file_kind import why_no_file
from campus_base.files import file_mode_of, follow_owner, make_folder, sync_folder
from campus_base.messages import Message, message
from campus_base.system_errors import error_words
from campus_collector.store.errors import StoreUnavailable, StoreUnusable

WAL_CHECKS, WAL_CHECK_SECONDS = 4, 0.1
SIDE_FILES = ("-wal", "-shm")
_OPENING = "-opening"
"""Behind the name of the database: that of an empty file which is there while this program opens or closes it."""
_WAL_VERSIONS = b"\x02\x02"
"""Bytes 18 and 19 of a database in WAL mode (https://www.sqlite.org/fileformat.html, 1.3)."""


def not_ours(path: Path, reason: Message | Exception) -> StoreUnusable:
    """The refusal of a file that is no database of this program; an exception stands for SQLite's words."""
    reason = reason if isinstance(reason, Message) else error_words(reason)
    return StoreUnusable(message("{path}: {reason}: it is no database of the collector", path=path, reason=reason))


def read_only(path: Path) -> str:
    """SQLite's URI of a file that is only read; `?`, `#` and `%` in the path stand for themselves."""
    return f"file:{quote(os.fsencode(path.absolute()))}?mode=ro"


def must_be_a_file(path: Path) -> None:
    """Raises StoreUnusable for a pipe, a device or a folder, StoreUnavailable where nobody may look. Nothing at the path is no mistake here."""
    try:
        why = why_no_file(path)
    except OSError as error:
        raise not_usable(path, error) from None
    if why is not None:
        raise StoreUnusable(why)


def holds_something(path: Path) -> bool:
    """Is there a file with content? An empty one is what a `touch`, or a program that ended at once, leaves: no database yet."""
    try:
        return path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def prepare_file(path: Path) -> None:
    """Make the file and its folder where they are missing; as root, what root owns in somebody else's folder follows the folder.

    SQLite itself gives the files beside it the owner and mode of the file. Raises OSError.
    """
    make_folder(path.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, file_mode_of(path.parent)))
    for name in (path, *(path.with_name(path.name + suffix) for suffix in SIDE_FILES)):
        with suppress(FileNotFoundError):
            follow_owner(name)


def note_opening(path: Path) -> None:
    """Before the mode of the database changes, or its last connection is closed: whoever is killed now may leave WAL mode without a -wal,
    which nobody may take for a copy."""
    with suppress(OSError):  # a full disk: a warning too many is better than no collector
        name = _opening_file(path)
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600))
        follow_owner(name)
        sync_folder(path.parent)


def note_opened(path: Path) -> None:
    """Take back `note_opening`, if the log is where the mode of the database says."""
    if not lacks_its_log(path):
        sync_folder(path.parent)  # the -wal has its name on the disk before this name leaves it
        with suppress(OSError):
            _opening_file(path).unlink()


def _opening_file(path: Path) -> Path:
    return path.with_name(path.name + _OPENING)


def lacks_its_log(path: Path) -> bool:
    """Is it in WAL mode, and no -wal beside it?

    A collector that ends takes its file out of WAL mode; one that was killed leaves the -wal. So such a file is a copy.
    """
    if path.with_name(path.name + "-wal").exists():
        return False  # and the file is not opened: closing it would drop the locks SQLite holds on it in this process (fcntl(2))
    with suppress(OSError), path.open("rb") as file:
        return file.read(20)[18:20] == _WAL_VERSIONS
    return False


def was_copied_without_log(path: Path) -> bool:
    """Was it copied from a running collector without its -wal? What was only in the log is then missing.

    Up to 0.2.0 a file stayed in WAL mode when its program ended: of an older one nothing can be said. Looked at again and again,
    because for a moment it looks so too when another process opens or closes the file.
    """
    for _ in range(WAL_CHECKS):
        if not lacks_its_log(path) or _opening_file(path).exists() or _is_older(path):
            return False
        time.sleep(WAL_CHECK_SECONDS)
    return True


def untouched(path: Path) -> str:
    """SQLite's URI of a copy: beside one in WAL mode without a log SQLite would make files, or fail where it cannot."""
    return read_only(path) + ("&immutable=1" if lacks_its_log(path) else "")


def _is_older(path: Path) -> bool:
    """Without any table it is not: its program has not ended. A file that is no database counts as older."""
    try:
        with closing(sqlite3.connect(untouched(path), uri=True)) as connection:
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        return True
    return bool(names) and "change" not in names


def not_usable(path: Path, error: Exception) -> StoreUnavailable:
    """What the system or SQLite says of the file; what a person must do, where this user may not read or write it."""
    reason = _why_not_ours(path) or error_words(error)
    return StoreUnavailable(message("{path}: {reason}", path=path, reason=reason))


def _why_not_ours(path: Path) -> Message | None:
    for name in (path.parent, path, *(path.with_name(path.name + suffix) for suffix in SIDE_FILES)):
        if os.path.exists(name) and not os.access(name, os.R_OK | os.W_OK):
            return message(
                "{name} belongs to user {owner}, this is user {user}: give it to the service's user (chown)",
                name=name,
                owner=name.stat().st_uid,
                user=os.geteuid(),
            )
    return None
