"""The gate that every load passes: timetable, budget, segment lock, slot of the test server, a look at line and CPU, in this order.

`rules.py` has the table of who may start a load when.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from datetime import date
from functools import cache, partial
from time import monotonic
from typing import TypeVar

import msgspec

from campus_agent.clock.clock import Clock, system_clock
from campus_agent.config.model import AgentConfig, Collector, Endpoint
from campus_agent.gate.quiet import disturbance
from campus_agent.gate.rules import LoadRules, NoPermit, Situation, refusal
from campus_agent.gate.school_time import SchoolTime, recalled_time
from campus_agent.gate.segment_lock import segment_lock
from campus_agent.measure.machine import QUIET_CHECK_SECONDS
from campus_agent.measure.subjects import segment_of
from campus_agent.schedule.calendar import Calendar, calendar_of, is_blackout
from campus_agent.schedule.timetable import seconds_free
from campus_agent.ship.slots import NoSlot, release, reserve
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import Spool, open_spool
from campus_wire.failures import SkipReason
from campus_wire.records import MAX_SLOT_SECONDS, Segment, SlotRequest

log = logging.getLogger(__name__)
HOUR_SECONDS = 3600.0
T = TypeVar("T")


class Permit(msgspec.Struct):
    """A load may start. What it puts on the wire is charged here and booked when the permit ends."""

    segment: Segment
    day: date
    budget_bytes: int
    spent_bytes: int = 0

    def charge(self, count: int) -> None:
        """Charge `count` bytes on the wire, both directions together."""
        self.spent_bytes += count

    @property
    def bytes_left(self) -> int:
        """What the day still allows."""
        return self.budget_bytes - self.spent_bytes


class Gate:
    """May a load start now? One for each process; the segment lock and the spool are what these share."""

    def __init__(
        self,
        config: AgentConfig,
        calendar: Callable[[], Calendar],
        time: SchoolTime,
        spool: Callable[[], contextlib.AbstractContextManager[Spool]],
        executor: Executor | None = None,
    ) -> None:
        """`executor` has the threads for requests to the collector; None: those of the running loop."""
        self._config = config
        self._calendar = calendar
        self._time = time
        self._spool = spool
        self._executor = executor
        self._permitted: deque[float] = deque()

    @contextlib.asynccontextmanager
    async def open(
        self, endpoint: Endpoint, *, seconds: float, needed_bytes: int, rules: LoadRules, peer: str = ""
    ) -> AsyncIterator[Permit | NoPermit]:
        """A permit for the block, or why there is none; afterwards bytes are booked, slot and lock given back.

        `seconds` is the longest that the test takes, `needed_bytes` what makes a start worth while. `peer` is the address of the other end where
        that is not the endpoint's own.
        """
        async with contextlib.AsyncExitStack() as stack:
            answer = await self._admit(endpoint, seconds, needed_bytes, rules, peer or endpoint.host, stack)
            if isinstance(answer, Permit):
                self._permitted.append(monotonic())
                stack.callback(self._book, answer)
            yield answer

    @property
    def needs_time(self) -> bool:
        """Are there lessons or blackout days, for which the time must be known?"""
        return bool(self._config.timetable.blackout) or self._calendar().has_lessons

    def time_is_unknown(self) -> bool:
        """Could this be a lesson or an examination? A clock that was never set must not disturb one."""
        return self.needs_time and self._time.is_unknown()

    def bytes_left(self) -> int:
        """What the day still allows, all segments together. Raises SpoolError."""
        with self._spool() as spool:
            spent = spool.test_bytes_of_day(self._time.now().date())
        return self._config.limits.daily_test_bytes - sum(spent.values())

    async def _admit(
        self,
        endpoint: Endpoint,
        seconds: float,
        needed_bytes: int,
        rules: LoadRules,
        peer: str,
        stack: contextlib.AsyncExitStack,
    ) -> Permit | NoPermit:
        def refused_now() -> NoPermit | None:
            return refusal(rules, self._situation(rules), seconds, needed_bytes)

        if (refused := refused_now()) is not None:
            return refused
        if not await stack.enter_async_context(segment_lock(self._config.state_dir, rules.segment_wait_seconds)):
            detail = f"another test on this gateway kept the segment for {rules.segment_wait_seconds:.0f} s"
            return NoPermit(SkipReason.SEGMENT_BUSY, detail)
        collector = self._config.collector
        if endpoint.id == "uplink" and collector is not None and rules.slot_wait_seconds is not None:
            refused = refused_now() or await self._take_slot(collector, endpoint, seconds, rules, stack)
            if refused is not None:
                return refused
        if rules.needs_quiet:
            disturbed = await disturbance(peer, endpoint.required_bits_per_second, self._config.limits)
            if disturbed is not None:
                return disturbed
        if (refused := refused_now()) is not None:  # waiting has taken its time
            return refused
        return Permit(segment_of(endpoint), self._time.now().date(), self._budget())

    def _situation(self, rules: LoadRules) -> Situation:
        """What these rules ask for, at this moment."""
        now = self._time.now()
        while self._permitted and monotonic() - self._permitted[0] > HOUR_SECONDS:
            self._permitted.popleft()
        return Situation(
            time_is_unknown=rules.needs_time and self.time_is_unknown(),
            blackout=is_blackout(self._config.timetable, now.date()),
            free_seconds=float("inf") if rules.in_lessons else seconds_free(self._calendar(), now),
            bytes_left=0 if rules.beyond_budget else self._budget(),
            tests_in_last_hour=len(self._permitted),
        )

    def _budget(self) -> int:
        """A spool that cannot be read costs the count, not the test."""
        try:
            return self.bytes_left()
        except SpoolError:
            return self._config.limits.daily_test_bytes

    async def _take_slot(
        self,
        collector: Collector,
        endpoint: Endpoint,
        seconds: float,
        rules: LoadRules,
        stack: contextlib.AsyncExitStack,
    ) -> NoPermit | None:
        """A slot on the uplink's test server, waited for as long as the test still fits into the free time; given back at the end."""
        length = seconds + (QUIET_CHECK_SECONDS if rules.needs_quiet else 0.0)
        latest = min(rules.slot_wait_seconds or 0.0, self._situation(rules).free_seconds - length)
        request = SlotRequest(min(length, MAX_SLOT_SECONDS), endpoint.required_bits_per_second, max(0.0, latest))
        slot = await self._in_thread(partial(reserve, collector, request))
        if isinstance(slot, NoSlot):
            if slot.asked or rules.needs_collector:
                return NoPermit(SkipReason.NO_SLOT, f"no slot on the test server: {slot.detail}")
            log.warning("measured without a slot on the test server: %s", slot.detail)
            return None
        stack.push_async_callback(self._in_thread, partial(release, collector, slot))
        await asyncio.sleep(slot.start_in_seconds)
        return None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _book(self, permit: Permit) -> None:
        """What a test has put on the wire is of the day's bytes, whatever ended it."""
        if not permit.spent_bytes:
            return
        try:
            with self._spool() as spool:
                spool.add_test_bytes(permit.segment, permit.day, permit.spent_bytes)
        except SpoolError as error:
            log.error("test bytes not booked", extra={"error": str(error), "bytes": permit.spent_bytes})


def gate_beside_daemon(config: AgentConfig, clock: Clock | None = None) -> Gate:
    """The gate of a process that does not own the spool: it is opened when it is needed."""
    return Gate(
        config,
        cache(partial(calendar_of, config)),
        recalled_time(config, clock or system_clock()),
        partial(open_spool, config.state_dir, config.spool, "writer"),
    )
