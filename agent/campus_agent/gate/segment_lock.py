"""Never two load tests at once on a school's segment: the daemon, the classroom page and a person at the terminal take turns.

A lock on a file of the state folder (flock(2)); the kernel releases it when its holder dies, however it dies.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

from campus_base.files import follow_owner, make_folder

FILE = "segment.lock"
ASK_AGAIN_SECONDS = 0.2


@contextlib.asynccontextmanager
async def segment_lock(state_dir: Path, wait_seconds: float) -> AsyncIterator[bool]:
    """Hold the segment for the block. False when another process held it for longer than `wait_seconds`.

    Where the state folder cannot be used (a person without its rights), nothing can be promised: True.
    """
    try:
        handle = _open(state_dir)
    except OSError:
        yield True
        return
    try:
        yield await _take(handle, monotonic() + wait_seconds)
    finally:
        os.close(handle)


def _open(state_dir: Path) -> int:
    make_folder(state_dir, 0o700)
    handle = os.open(state_dir / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    # root at the terminal: the service, which owns the folder, must be able to take it too
    follow_owner(state_dir / FILE)
    return handle


async def _take(handle: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= deadline:
                return False
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        else:
            return True
