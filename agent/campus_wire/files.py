"""Files written whole or not at all, on any file system; what root makes in a service's folder belongs to the service.

Standard library only. FAT and exFAT know neither hard links nor owners nor modes: nothing here needs them.
"""

import errno
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

from campus_wire.language import Text, from_environment

log = logging.getLogger(__name__)

_NOT_GIVEN = Text(
    "{path}: belongs to user {uid} and could not be given to the owner of {folder} (user {owner}): {reason};"
    " the service may not be able to use it",
    "{path}：属于用户 {uid}，无法改为目录 {folder} 的属主（用户 {owner}）：{reason}；服务可能无法使用该文件",
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
        values = {"uid": status.st_uid, "owner": folder.st_uid, "reason": error.strerror or error}
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
    for one in reversed(missing):
        try:
            one.mkdir(mode=mode)
            follow_owner(one)
        except FileExistsError:
            if not one.is_dir():
                raise


def write_whole(path: Path, body: bytes, mode: int | None = None) -> None:
    """Write a file whole or not at all, durably. `mode` None: that of the file it replaces, else by the umask. Raises OSError with `path`."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        if mode is None:
            with suppress(OSError):
                mode = path.stat().st_mode & 0o777
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        follow_owner(beside)
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from None


def publish(beside: Path, path: Path) -> None:
    """Give a finished file its name, never replacing a file that is there. Raises FileExistsError, OSError.

    The name is taken first by an empty file: `link` does the same in one step, but FAT and exFAT have no links.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
