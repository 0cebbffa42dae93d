"""Reservations of the uplink's test server: never more at once than it carries. Pure: time (monotonic seconds) is an argument.

A slot is given for the earliest moment at which the sum of the promised rates fits, in the order of asking. One school holds one slot at a
time: a new request replaces what it held (an agent that was killed asks again).
"""

from dataclasses import dataclass
from secrets import token_hex

from campus_wire.records import MAX_SLOT_SECONDS

MAX_WAITING = 2000
"""More reservations than a prefecture has schools: something is wrong, or somebody hostile."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A part of the server's rate is this school's from start to end (monotonic seconds)."""

    id: str
    school: str
    bits_per_second: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Full:
    """No slot begins in time; the school may ask again after so long."""

    retry_seconds: float


class SlotScheduler:
    """All reservations of one test server."""

    def __init__(self, capacity_bits_per_second: float, opens: float = 0.0) -> None:
        """Empty; no slot begins before `opens`, when those of an earlier process have ended."""
        self._capacity = capacity_bits_per_second
        self._opens = opens
        self._held: dict[str, Reservation] = {}
        self.granted = 0
        self.refused = 0

    def reserve(
        self, school: str, seconds: float, bits_per_second: float, latest_start_seconds: float, now: float
    ) -> Reservation | Full:
        """A slot of so many seconds that begins within `latest_start_seconds`, or when to ask again.

        A rate above the whole capacity gets the whole server: it bounds the rate by itself.
        """
        self._forget_past(now)
        self._held.pop(school, None)
        seconds = min(seconds, MAX_SLOT_SECONDS)
        rate = min(bits_per_second, self._capacity)
        start = self._earliest(seconds, rate, now)
        if start - now > latest_start_seconds or len(self._held) >= MAX_WAITING:
            self.refused += 1
            return Full(max(1.0, start - now))
        reservation = Reservation(token_hex(8), school, rate, start, start + seconds)
        self._held[school] = reservation
        self.granted += 1
        return reservation

    def release(self, school: str, slot_id: str, now: float) -> bool:
        """End a school's own slot early. False when it has none of this name."""
        self._forget_past(now)
        held = self._held.get(school)
        if held is None or held.id != slot_id:
            return False
        del self._held[school]
        return True

    def running(self, now: float) -> list[Reservation]:
        """The slots that have begun and not ended."""
        return [held for held in list(self._held.values()) if held.start <= now < held.end]

    def waiting(self, now: float) -> int:
        """How many slots are still to come?"""
        return sum(held.start > now for held in self._held.values())

    def _earliest(self, seconds: float, rate: float, now: float) -> float:
        """The first moment from which on it fits for the whole time: now, or an end of another slot."""
        begin = max(now, self._opens)
        moments = sorted({begin, *(held.end for held in self._held.values() if held.end > begin)})
        return next(moment for moment in moments if self._fits(moment, moment + seconds, rate))

    def _fits(self, start: float, end: float, rate: float) -> bool:
        """Is the sum of rates within the capacity at every moment? It rises only where a slot starts."""
        overlapping = [held for held in self._held.values() if held.start < end and held.end > start]
        moments = [start, *(held.start for held in overlapping if held.start > start)]
        return all(
            rate + sum(held.bits_per_second for held in overlapping if held.start <= moment < held.end)
            <= self._capacity
            for moment in moments
        )

    def _forget_past(self, now: float) -> None:
        self._held = {school: held for school, held in self._held.items() if held.end > now}
