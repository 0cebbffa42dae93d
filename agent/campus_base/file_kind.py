"""What stands at a path where a file is expected: a pipe, a device or a folder is named as such, and never opened."""

import stat
from pathlib import Path

from campus_base.language import Text

NOT_A_FILE = Text("is no file, but a folder, a device or a pipe", "不是普通文件，而是目录、设备或管道")
_KINDS = (
    (stat.S_ISDIR, Text("a folder", "文件夹")),
    (stat.S_ISFIFO, Text("a named pipe", "命名管道")),
    (stat.S_ISCHR, Text("a device", "设备文件")),
    (stat.S_ISBLK, Text("a device", "设备文件")),
    (stat.S_ISSOCK, Text("a socket", "套接字")),
)


def why_no_file(path: Path) -> Text | None:
    """What is there instead of a file, in words; None for a file, and where there is nothing. Raises OSError."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    for is_kind, words in _KINDS:
        if is_kind(mode):
            return Text(f"{path}: is {words.en}, not a file", f"{path}：是{words.zh}，不是文件")
    return None


def is_special(path: Path) -> bool:
    """Is there something else than a file, which could let a reader wait or read for ever? False where nobody may look."""
    try:
        return why_no_file(path) is not None
    except (OSError, ValueError):
        return False
