"""The label of a new result: id, when it started, in which run of the gateway. Pure but for the clock it is given."""

from datetime import UTC, datetime
from typing import Any

from campus_agent.clock.clock import NOTICEABLE_SECONDS, Clock, ClockEstimate, is_applied, offset_seconds
from campus_wire.ids import new_result_id


def stamp(clock: Clock, estimate: ClockEstimate | None, seconds_ago: float) -> dict[str, Any]:
    """For a measurement that started that long ago. The wall clock is corrected when the collector's time is known."""
    offset = offset_seconds(clock, estimate)
    wall = clock.wall() - seconds_ago
    if offset is not None and estimate is not None:
        if is_applied(offset, estimate):
            wall += offset
        elif abs(offset) > NOTICEABLE_SECONDS:
            offset = None  # the exchange was too slow to tell: nothing is claimed
    return {
        "id": new_result_id(round(wall * 1000)),
        "started_at": datetime.fromtimestamp(max(0.0, wall), UTC),
        "boot_id": clock.boot_id,
        "monotonic_seconds": max(0.0, clock.monotonic() - seconds_ago),
        "clock_offset_seconds": None if offset is None else round(offset, 3),
    }
