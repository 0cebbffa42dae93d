"""Files written whole or not at all, on any file system; what root makes in a service's folder belongs to the service.

Standard library only. FAT and exFAT know neither hard links nor owners nor modes: nothing here needs them.
"""

import errno
import fcntl
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from campus_base.language import from_environment
from campus_base.messages import message
from campus_base.system_errors import error_words

log = logging.getLogger(__name__)

_NOT_GIVEN = message(
    "{path}: belongs to user {uid} and could not be given to the owner of {folder} (user {owner}):"
    " {reason}; the service may not be able to use it"
)


def follow_owner(path: Path) -> bool:
    """Give what root made to the owner of its folder; False, and a warning, when that cannot be done.

    A symbolic link is never followed. Nothing is done for other users than root, or when the owner is right.
    """
    if os.geteuid() != 0:
        return True
    folder = path.parent.stat()
    status = path.lstat()
    if status.st_uid != 0 or (status.st_uid, status.st_gid) == (folder.st_uid, folder.st_gid):
        return True
    try:
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)
    except OSError as error:
        values = {"uid": status.st_uid, "owner": folder.st_uid, "reason": error_words(error)}
        log.warning(_NOT_GIVEN.in_(from_environment(), path=path, folder=path.parent, **values))
        return False
    return True


def file_mode_of(folder: Path) -> int:
    """The mode of a new file by the mode of its folder: 0o640 in a folder of 0o750, 0o600 in one of 0o700; never for everybody."""
    return 0o600 | (folder.stat().st_mode & 0o060)


def make_folder(folder: Path, mode: int = 0o750) -> None:
    """Make a folder and its missing parents; each belongs to the owner of the folder it is in. Raises OSError."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder.parent == folder:
            break
        folder = folder.parent
    for parent in reversed(missing):
        try:
            parent.mkdir(mode=mode)
            follow_owner(parent)
        except FileExistsError:
            if not parent.is_dir():
                raise


def write_whole(path: Path, body: bytes, mode: int | None = None, owner: tuple[int, int] | None = None) -> None:
    """Write a file whole or not at all, durably. Raises OSError with `path`.

    `mode` None: that of the file it replaces, else by the umask. `owner` (user, group; only root may give one) None: that of the folder.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        if mode is None:
            with suppress(OSError):
                mode = path.stat().st_mode & 0o777
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                with suppress(PermissionError):  # FAT has no modes
                    os.fchmod(descriptor, mode)
            if owner is not None:
                os.fchown(descriptor, *owner)
            file.write(body)
            file.flush()
            os.fsync(descriptor)
        if owner is None:
            follow_owner(beside)
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from None


def check_writable(path: Path) -> None:
    """Raise OSError where a file beside `path` cannot be written: for what must not be begun in vain."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_whole(beside, b"", 0o600)
    beside.unlink()


def publish(beside: Path, path: Path) -> None:
    """Give a finished file its name, durably, never replacing a file that is there. Raises FileExistsError, OSError.

    Those who publish in one folder wait for each other: `link` would refuse a name that is taken, but FAT and exFAT have no links.
    """
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a file server without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        beside.replace(path)
        _sync(descriptor)
    finally:
        os.close(descriptor)


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of a file that only its owner reads; where there is none, what `make` gives, which all processes then find. Raises OSError."""
    if not path.exists():
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
        write_whole(beside, make(), 0o600)
        try:
            publish(beside, path)
        except FileExistsError:  # another process was first
            beside.unlink()
    return path.read_bytes()


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where its file system can: a power cut takes none back."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)


def _sync(descriptor: int) -> None:
    with suppress(OSError):
        os.fsync(descriptor)
