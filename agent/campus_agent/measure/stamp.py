"""The label of a new result: id, when it started, in which run of the gateway. Pure but for the clock it is given."""

from datetime import UTC, datetime
from typing import NamedTuple

from campus_agent.clock.clock import NOTICEABLE_SECONDS, Clock, ClockEstimate, is_applied, offset_seconds
from campus_wire.ids import new_result_id


class Stamp(NamedTuple):
    """`monotonic_seconds` is of the boot `boot_id`; the offset is absent while the collector's time is unknown."""

    id: str
    started_at: datetime
    boot_id: str
    monotonic_seconds: float
    clock_offset_seconds: float | None = None


def stamp(clock: Clock, estimate: ClockEstimate | None, seconds_ago: float) -> Stamp:
    """For a measurement that started that long ago. The wall clock is corrected when the collector's time is known."""
    offset = offset_seconds(clock, estimate)
    wall = clock.wall() - seconds_ago
    if offset is not None and estimate is not None:
        if is_applied(offset, estimate):
            wall += offset
        elif abs(offset) > NOTICEABLE_SECONDS:
            offset = None  # the exchange was too slow to be exact: no offset is recorded
    return Stamp(
        new_result_id(round(wall * 1000)),
        datetime.fromtimestamp(max(0.0, wall), UTC),
        clock.boot_id,
        max(0.0, clock.monotonic() - seconds_ago),
        None if offset is None else round(offset, 3),
    )
