"""How much disk the database takes, how fast it grows, and when the disk will be full. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

GROWTH_DAYS = 30
"""Growth is that of so many days: holidays and weekends are in it."""


class DaySize(NamedTuple):
    """The database at the last look of a day: bytes on disk, and the results it holds."""

    day: date
    used_bytes: int
    results: int


@dataclass(frozen=True, slots=True)
class Space:
    """The database now. `results`: those it holds, without those that have left it. `free_bytes`: what the disk has left; None where the
    database runs on another machine."""

    used_bytes: int
    results: int
    free_bytes: int | None
    results_per_day: float | None
    """Mean of the last days: those that came, less those that left; None before the second day."""
    reusable_bytes: int = 0
    """Of `used_bytes`, what results that left have freed inside the file: new ones are written there first."""

    @property
    def bytes_per_result(self) -> float | None:
        """Everything the database holds, without room that is used again, divided by its results; None without results."""
        return (self.used_bytes - self.reusable_bytes) / self.results if self.results else None

    @property
    def growth_bytes_per_day(self) -> float | None:
        """By the results that come, not by the file: a file also shrinks, and grows in steps."""
        if self.results_per_day is None or self.bytes_per_result is None:
            return None
        return self.results_per_day * self.bytes_per_result

    @property
    def full_in_days(self) -> float | None:
        """Until the disk is full if it goes on so; None where that is not known or nothing grows."""
        if self.free_bytes is None or not self.growth_bytes_per_day:
            return None
        return (self.free_bytes + self.reusable_bytes) / self.growth_bytes_per_day


def results_per_day(days: Sequence[DaySize], today: date, results: int) -> float | None:
    """`days` oldest first; None when all of them are of today or in the future."""
    for size in days:
        if today - timedelta(days=GROWTH_DAYS) <= size.day < today:
            return max(0, results - size.results) / (today - size.day).days
    return None
