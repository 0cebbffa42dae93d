"""One owner of a state folder at a time, by a lock that ends with its process."""

import fcntl
import os
from pathlib import Path

from campus_agent.spool.errors import AlreadyRunning, SpoolUnusable
from campus_agent.spool.files import prepare_file
from campus_base.messages import message
from campus_base.system_errors import error_words

NAME = "agent.lock"

_RUNNING = message(
    "{place}: campus-agent is already running here (process {pid}); stop it first, or use another state_dir"
)
_NO_LOCK = message("{place}: cannot be locked: {reason}")


def take(state_dir: Path) -> int:
    """The open lock file: it is held as long as the spool is owned; closing it releases the lock. Raises AlreadyRunning.

    `flock` (flock(2)) belongs to the open file: kill -9 releases it, and the file may stay.
    """
    path = state_dir / NAME
    prepare_file(path)
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(handle, 32).decode(errors="replace").strip() or "?"
        os.close(handle)
        raise AlreadyRunning(_RUNNING, place=state_dir, pid=pid) from None
    except OSError as error:
        os.close(handle)
        raise SpoolUnusable(_NO_LOCK, place=path, reason=error_words(error)) from None
    os.truncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle
