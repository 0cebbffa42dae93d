"""Reservations of the uplink's test server: never more at once than it carries, whichever collector is asked.

A slot is given for the earliest moment at which the sum of the promised rates fits, in the order of asking. One school holds one slot at a
time: a new request replaces what it held (an agent that was killed asks again).
"""

from collections import defaultdict
from collections.abc import Sequence
from math import ceil
from secrets import token_hex

from campus_collector.domain.slots import Full, Reservation
from campus_collector.store.store import Store
from campus_wire.records import MAX_SLOT_SECONDS

MAX_HELD = 2000
"""More reservations than a prefecture has schools: something is wrong, or somebody hostile."""


class SlotScheduler:
    """All reservations of one test server. They are in the store: collectors on one database never give more than it carries."""

    def __init__(self, store: Store, capacity_bits_per_second: float) -> None:
        self._table = store.slots
        self._capacity = int(capacity_bits_per_second)

    def reserve(
        self, school: str, seconds: float, bits_per_second: float, latest_start_seconds: float
    ) -> Reservation | Full:
        """A slot of so many seconds that begins within `latest_start_seconds`, in seconds from now; or when to ask again.

        Raises StoreUnavailable.
        """

        def plan(held: Sequence[Reservation]) -> Reservation | Full:
            return earliest_slot(held, self._capacity, school, seconds, bits_per_second, latest_start_seconds)

        return self._table.reserve(school, plan)

    def release(self, school: str, slot_id: str) -> bool:
        """End a school's own slot early. False when it has none of this id. Raises StoreUnavailable."""
        return self._table.release(school, slot_id)


def earliest_slot(
    held: Sequence[Reservation],
    capacity: int,
    school: str,
    seconds: float,
    bits_per_second: float,
    latest_start_seconds: float,
) -> Reservation | Full:
    """The slot that a school gets beside those of other schools; seconds are from now.

    A rate above the whole capacity gets the whole server: it bounds the rate by itself.
    """
    seconds = min(seconds, MAX_SLOT_SECONDS)
    rate = min(ceil(bits_per_second), capacity)
    start = _earliest(held, seconds, rate, capacity)
    if start > latest_start_seconds or len(held) >= MAX_HELD:
        return Full(max(1.0, start))
    return Reservation(token_hex(8), school, rate, start, start + seconds)


def _earliest(held: Sequence[Reservation], seconds: float, rate: int, capacity: int) -> float:
    """The first moment from now (0) on from which it fits for the whole time. The load changes only where a slot starts or ends."""
    steps: defaultdict[float, int] = defaultdict(int)
    for slot in held:
        steps[max(slot.start, 0.0)] += slot.bits_per_second
        steps[max(slot.end, 0.0)] -= slot.bits_per_second
    start: float | None = 0.0
    load = 0
    for moment in sorted(steps):
        if start is not None and moment >= start + seconds:
            return start
        load += steps[moment]
        if load + rate > capacity:
            start = None
        elif start is None:
            start = moment
    assert start is not None  # after the last end nothing is held
    return start
