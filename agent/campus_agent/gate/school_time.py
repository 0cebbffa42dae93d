"""The school's local time, by the collector's clock where that is known, and whether it is known at all."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

from campus_agent.clock.clock import EARLIEST_PLAUSIBLE, Clock, ClockEstimate, of_boot, offset_seconds
from campus_agent.config.model import AgentConfig
from campus_agent.ship.shipper import ESTIMATES_KEY
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import open_spool
from campus_agent.spool.time_floor import TimeFloor, is_unknown, recall_floor

TimeKnowledge = tuple[ClockEstimate | None, TimeFloor]


class SchoolTime:
    """`time_knowledge` gives what was learnt from the collector in this boot, and the earliest time it can be."""

    def __init__(self, clock: Clock, zone: ZoneInfo, time_knowledge: Callable[[], TimeKnowledge]) -> None:
        self._clock = clock
        self._zone = zone
        self._time_knowledge = time_knowledge

    def now(self) -> datetime:
        """Aware local time: an hour off, a test could fall into a lesson."""
        estimate, _ = self._time_knowledge()
        offset = offset_seconds(self._clock, estimate) or 0.0
        return datetime.fromtimestamp(self._clock.wall() + offset, self._zone)

    def is_unknown(self) -> bool:
        """Is the clock behind what was known before, and has the collector not been reached since?"""
        estimate, floor = self._time_knowledge()
        return is_unknown(self._clock, estimate, floor)


def recalled_time(config: AgentConfig, clock: Clock) -> SchoolTime:
    """For a process that does not own the spool: what the daemon has learnt is read from the spool each time."""

    def time_knowledge() -> TimeKnowledge:
        with suppress(SpoolError), open_spool(config.state_dir, config.spool, role="reader") as spool:
            estimates = spool.recall(ESTIMATES_KEY, tuple[ClockEstimate, ...]) or ()
            return of_boot(estimates, clock.boot_id), recall_floor(spool, clock, estimates)
        return None, TimeFloor(clock.boot_id, clock.monotonic(), EARLIEST_PLAUSIBLE.timestamp())

    return SchoolTime(clock, config.timezone, time_knowledge)
