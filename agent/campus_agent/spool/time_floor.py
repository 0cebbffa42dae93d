"""The earliest time it can be. A gateway without a clock battery starts in the past: its clock must not run behind what was known before.

A floor is a moment that has certainly passed: the collector's last word, the last result that was kept, or the gateway's own time while nothing
contradicted it. The newest is kept in the spool. A clock behind it is not believed until the collector says the time, or the system's time service has set it.
"""

from datetime import datetime

import msgspec

from campus_agent.clock.clock import EARLIEST_PLAUSIBLE, Clock, ClockEstimate, offset_seconds
from campus_agent.spool.spool import Spool
from campus_wire.failures import Validity

FLOOR_KEY = "time_floor"
BEHIND_KEY = "boots_behind"
KEPT_BOOTS = 16
TOLERANCE_SECONDS = 300.0
"""A time service sets a quick clock back by as much; an examination day is not missed by it."""
REMEMBER_SECONDS = 600.0
"""The floor is written so often: disks wear."""


class TimeFloor(msgspec.Struct, frozen=True):
    """At `monotonic_seconds` of this boot it was `epoch` (Unix time) or later."""

    boot_id: str
    monotonic_seconds: float
    epoch: float

    def at(self, boot_id: str, monotonic_seconds: float) -> float:
        """The earliest Unix time it can be at a moment of a boot: within the floor's own boot time has gone on since."""
        passed = monotonic_seconds - self.monotonic_seconds if boot_id == self.boot_id else 0.0
        return self.epoch + max(0.0, passed)

    def is_above(self, epoch: float, boot_id: str, monotonic_seconds: float) -> bool:
        """Is this time too early to be true?"""
        return epoch < self.at(boot_id, monotonic_seconds) - TOLERANCE_SECONDS


def recall_floor(spool: Spool, clock: Clock, estimates: tuple[ClockEstimate, ...]) -> TimeFloor:
    """What an earlier run knew, as a floor at this moment of this boot. Raises SpoolError."""
    now = clock.monotonic()
    known = [EARLIEST_PLAUSIBLE.timestamp()]
    stored = spool.recall(FLOOR_KEY, TimeFloor)
    if stored is not None:
        known.append(stored.at(clock.boot_id, now))
    for last in estimates[-1:]:
        passed = now if last.boot_id == clock.boot_id else last.learnt_monotonic_seconds
        known.append(last.epoch_at_boot + passed)
    newest = spool.newest()
    if newest is not None and newest.validity != Validity.CLOCK_UNTRUSTED:
        known.append(newest.started_at.timestamp())
    return TimeFloor(clock.boot_id, now, max(known))


def is_unknown(clock: Clock, estimate: ClockEstimate | None, floor: TimeFloor) -> bool:
    """Can nobody say what time it is? The collector did not in this boot, and the clock is behind what was known before."""
    if offset_seconds(clock, estimate) is not None:
        return False
    return floor.is_above(clock.wall(), clock.boot_id, clock.monotonic()) and not clock.is_set()


def note_behind(spool: Spool, floor: TimeFloor) -> None:
    """Results of this boot from before its floor get no trusted time unless the collector answers in it. Raises SpoolError."""
    others = [behind for behind in boots_behind(spool) if behind.boot_id != floor.boot_id]
    spool.remember(BEHIND_KEY, [*others, floor][-KEPT_BOOTS:])


def boots_behind(spool: Spool) -> tuple[TimeFloor, ...]:
    """The floors of boots whose clock was found behind. Raises SpoolError."""
    return spool.recall(BEHIND_KEY, tuple[TimeFloor, ...]) or ()


def is_before_floor(
    floors: tuple[TimeFloor, ...], boot_id: str, monotonic_seconds: float, started_at: datetime
) -> bool:
    """Was this label written by a clock that was behind?"""
    floor = next((known for known in floors if known.boot_id == boot_id), None)
    return floor is not None and floor.is_above(started_at.timestamp(), boot_id, monotonic_seconds)
