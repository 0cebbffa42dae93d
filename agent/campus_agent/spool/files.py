"""The files of the spool: their places, owners and modes; damaged ones are renamed."""

import contextlib
import errno
import os
import stat
from pathlib import Path

from campus_agent.spool.errors import NoSpool, SpoolUnusable
from campus_base.file_kind import why_no_file
from campus_base.files import follow_owner, make_folder
from campus_base.messages import message
from campus_base.system_errors import errno_words, error_words

NAME = "spool.db"
_DAMAGED = f"{NAME}.damaged-"
_SIDE_FILES = ("-wal", "-shm")

_NO_FOLDER = message(
    "{place}: the state folder cannot be used: {reason}; check [agent] state_dir and who owns the folder"
)
_NO_FILE = message("{place}: cannot be opened: {reason}; run this as the agent's user or as root")
_NOTHING = message("{place}: no spool here yet; the agent has not run")


def prepare_folder(state_dir: Path) -> None:
    """Make the state folder (0700) when it is missing. An existing folder keeps its mode: it may be shared on purpose."""
    try:
        make_folder(state_dir, 0o700)
    except OSError as error:
        raise SpoolUnusable(_NO_FOLDER, place=state_dir, reason=error_words(error)) from None


def prepare_file(path: Path) -> None:
    """Make an empty file (0600) when it is missing; close an existing one to everybody else.

    Made by root for the agent's own user, it belongs to whom the folder belongs to: a `measure` as root must not lock the agent out.
    An existing file is never opened here: closing it would drop the locks that SQLite holds on it in this process (fcntl(2)).
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        status = path.lstat()
        follow_owner(path)
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077 and status.st_uid == os.geteuid():
            with contextlib.suppress(PermissionError):  # FAT has no modes
                path.chmod(0o600)
    except OSError as error:
        raise SpoolUnusable(_NO_FOLDER, place=path.parent, reason=error_words(error)) from None
    if not os.access(path, os.R_OK | os.W_OK):
        raise SpoolUnusable(_NO_FILE, place=path, reason=errno_words(errno.EACCES))


def require_file(path: Path) -> None:
    """Refuse to read where nothing is, or where this user may not."""
    try:
        path.stat()
    except FileNotFoundError:
        raise no_spool(path) from None
    except OSError as error:
        raise SpoolUnusable(_NO_FILE, place=path, reason=error_words(error)) from None
    if not os.access(path, os.R_OK):
        raise SpoolUnusable(_NO_FILE, place=path, reason=errno_words(errno.EACCES))


def no_spool(path: Path) -> NoSpool:
    """The error for a file that is missing, or was made and never used."""
    return NoSpool(_NOTHING, place=path.parent)


def rename_damaged(path: Path, stamp: str) -> Path:
    """Rename a damaged file and what belongs to it; nothing is deleted. The new name.

    The write-ahead log goes first: left beside a new file it would be played into it.
    """
    aside = _free_name(path.with_name(f"{_DAMAGED}{stamp}"))
    for suffix in (*_SIDE_FILES, ""):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(aside.with_name(aside.name + suffix))
    return aside


def is_marked_read_only(path: Path) -> bool:
    """Does the header itself forbid to write? Bytes 18 and 19 are 1 or 2 in every file that we make (https://sqlite.org/fileformat.html).

    Asked before this process has a connection to the file: closing it would drop that connection's locks.
    """
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError:
        return False
    return len(header) == 20 and not {header[18], header[19]} <= {1, 2}


def what_is_no_file(path: Path) -> str | None:
    """Which of the spool's files is a folder, a pipe or a device instead, in words; None where all are files, or not there."""
    for suffix in ("", *_SIDE_FILES):
        with contextlib.suppress(OSError):  # links that lead nowhere are told by who opens them
            why = why_no_file(path.with_name(path.name + suffix))
            if why is not None:
                return why.en
    return None


def has_orphaned_log(path: Path) -> bool:
    """Is there a write-ahead log without its file? It must not meet a new one."""
    return not path.exists() and any(path.with_name(path.name + suffix).exists() for suffix in _SIDE_FILES)


def damaged_files(state_dir: Path) -> tuple[str, ...]:
    """Names of the files that were set aside, oldest first; a file counts once with what belongs to it."""
    names = {name for name in os.listdir(state_dir) if name.startswith(_DAMAGED)}
    return tuple(sorted({name.removesuffix("-wal").removesuffix("-shm") for name in names}))


def _free_name(path: Path) -> Path:
    name, number = path, 1
    while any(name.with_name(name.name + suffix).exists() for suffix in ("", *_SIDE_FILES)):
        number += 1
        name = path.with_name(f"{path.name}-{number}")
    return name
