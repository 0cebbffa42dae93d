"""What stands at a path where a file is expected: a pipe, a device or a folder is named as such, and never opened."""

import stat
from pathlib import Path

from campus_base.messages import Message, message

NOT_A_FILE = message("is no file, but a folder, a device or a pipe")
_KINDS = (
    (stat.S_ISDIR, message("a folder")),
    (stat.S_ISFIFO, message("a named pipe")),
    (stat.S_ISCHR, message("a device")),
    (stat.S_ISBLK, message("a device")),
    (stat.S_ISSOCK, message("a socket")),
)


def why_no_file(path: Path) -> Message | None:
    """What is there instead of a file, in words; None for a file, and where there is nothing. Raises OSError."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    for is_kind, words in _KINDS:
        if is_kind(mode):
            return message("{path}: is {words}, not a file", path=path, words=words)
    return None


def is_special(path: Path) -> bool:
    """Is there something else than a file, which could let a reader wait or read for ever? False where it may not be examined."""
    try:
        return why_no_file(path) is not None
    except (OSError, ValueError):
        return False
