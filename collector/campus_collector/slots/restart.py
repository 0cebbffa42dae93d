"""A collector that starts again must not promise the test server while slots of its earlier life still run.

Only when the last of them ends is kept: one number in a file beside the database.
"""

import contextlib
from pathlib import Path
from time import monotonic, time

from campus_collector.slots.scheduler import SlotScheduler
from campus_wire.records import MAX_SLOT_SECONDS


def open_scheduler(capacity_bits_per_second: float, database: Path) -> SlotScheduler:
    """A scheduler whose first slot begins when those of an earlier process have ended: at once, where there was none."""
    left = 0.0
    with contextlib.suppress(OSError, ValueError):
        left = float(_file(database).read_text(encoding="ascii")) - time()
    return SlotScheduler(capacity_bits_per_second, monotonic() + min(max(left, 0.0), 2 * MAX_SLOT_SECONDS))


def remember_end(database: Path, end: float) -> None:
    """The last slot given ends at this Unix time. When it cannot be written, only the waiting after a restart is lost."""
    new = _file(database).with_suffix(".new")
    with contextlib.suppress(OSError):
        new.write_text(f"{end:.2f}", encoding="ascii")
        new.replace(_file(database))


def _file(database: Path) -> Path:
    return database.with_name("slots-end.txt")
