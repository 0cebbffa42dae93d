"""Run this thread before others while a burst lasts, some tens of milliseconds: a pause of a time slice would spoil it."""

import contextlib
import os
from collections.abc import Iterator

_FIRST = -20
"""The scheduler's weight at its most. Not a real-time class: that could take all time from the kernel's network threads."""


@contextlib.contextmanager
def raised_priority() -> Iterator[None]:
    """Ahead of other processes for the length of a block, where this one may (CAP_SYS_NICE); else nothing changes."""
    if not hasattr(os, "setpriority"):  # not a Unix
        yield
        return
    before = os.getpriority(os.PRIO_PROCESS, 0)  # of this thread alone, on Linux
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _FIRST)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, before)
