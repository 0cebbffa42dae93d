"""May a test begin now, and what becomes of one: lessons, blackout days, the day's octets, one at a time, so many an hour; kept like every result."""

import asyncio
import ipaddress
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, TypeVar

from campus_agent.clock.clock import EARLIEST_PLAUSIBLE, Clock, Estimate, of_boot, offset_seconds, system_clock
from campus_agent.config.model import AgentConfig, Endpoint
from campus_agent.gate.now import keep
from campus_agent.gate.quiet import disturbance
from campus_agent.gate.segment import alone
from campus_agent.measure.guards import soundness
from campus_agent.measure.link.resolve import resolve_all
from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.stamp import stamp
from campus_agent.measure.throughput_settings import Settings
from campus_agent.page.browser_test import LOAD_SECONDS, MAX_LOAD_BYTES, WHOLE_SECONDS, Trial
from campus_agent.page.networks import ClassroomNetworks
from campus_agent.schedule.calendar import calendar_of
from campus_agent.ship.shipper import ESTIMATES_KEY
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.known_time import is_unknown, recall_floor
from campus_agent.spool.spool import open_spool
from campus_base.language import Text
from campus_wire.failures import SkipReason, Validity
from campus_wire.records import InspectionRecord, InspectionResult

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 30.0
"""Longer than one measurement of the agent's own: a person who waits is told so by the page."""
HOUR_SECONDS = 3600.0
Answer = TypeVar("Answer")

WHY: dict[str, Text] = {
    "blackout": Text("Today nothing is tested (examinations).", "今天是停测日（考试期间），不进行测速。"),
    "lesson": Text("Lessons are on: please test in a break.", "正在上课，请在课间再测。"),
    "busy": Text("Another test is running: please try again in a minute.", "另有测速正在进行，请一分钟后再试。"),
    "traffic": Text(
        "The line is in use: the result would say nothing of it.", "线路正被占用，此时测速结果不准，请稍后再试。"
    ),
    "cpu": Text("The gateway is busy: please try again in a minute.", "网关正忙，请一分钟后再试。"),
    "often": Text("There were many tests in the last hour; please try later.", "一小时内测速次数过多，请稍后再试。"),
    "octets": Text("Today's allowance for tests is used up.", "今天的测速流量已用完，请明天再测。"),
    "clock": Text(
        "The gateway does not know the time yet: please try again in a minute.", "网关时钟尚未校准，请稍后再试。"
    ),
    "room": Text("There is no such classroom.", "没有这个班级。"),
}


class NotNow(Exception):
    """A test may not begin; `reason` is a key of WHY."""

    def __init__(self, reason: str) -> None:
        """Say why."""
        super().__init__(reason)
        self.reason = reason


class House:
    """The rules of one gateway, and the one test that may run. Its waiting is done on a loop of its own."""

    def __init__(
        self, config: AgentConfig, clock: Clock | None = None, now: Callable[[], datetime] | None = None
    ) -> None:
        """Nothing runs. `now` gives the local time (for tests)."""
        self.config = config
        self._clock = clock or system_clock()
        self._now = now or self._local_now
        self._calendar = calendar_of(config)
        self.networks = ClassroomNetworks([one.host for one in config.classrooms])
        self._lock = threading.Lock()
        self._trial: Trial | None = None
        self._begun: deque[float] = deque()
        self._holding: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="page-loop", daemon=True).start()

    def holidays_are_known(self) -> bool:
        """False: whether lessons are on today is provisional, only weekends count."""
        return not self._calendar.has_lessons or self._calendar.covers(self._now().year)

    def rooms(self) -> tuple[Endpoint, ...]:
        """The classrooms that may be tested."""
        return self.config.classrooms

    def begin(self, room_id: str, client: str, browser: str) -> Trial:
        """Begin a test of a classroom from a browser. Raises NotNow."""
        room = next((one for one in self.config.classrooms if one.id == room_id), None)
        if room is None:
            raise NotNow("room")
        self._may_test_at(self._now())
        with self._lock:
            if self._trial is not None and not self._trial.expired():
                raise NotNow("busy")
            while self._begun and monotonic() - self._begun[0] > HOUR_SECONDS:
                self._begun.popleft()
            if len(self._begun) >= self.config.page.tests_per_hour:
                raise NotNow("often")
            left = self._octets_left()
            if left < self._octets_of(room):
                raise NotNow("octets")
            trial = Trial(room, client, browser, left // 2)
            self._trial = trial
        try:
            self._wait(self._take_segment(trial))
            disturbed = self._wait(disturbance(client, room.required_bits_per_second, self.config.limits))
            if disturbed is not None:
                raise NotNow("cpu" if disturbed[0] is SkipReason.GATEWAY_CPU else "traffic")
        except BaseException:
            self._end(trial)
            raise
        self._begun.append(monotonic())
        trial.touch()
        return trial

    def trial(self, name: str) -> Trial | None:
        """The test that runs, if it has this name."""
        running = self._trial
        if running is None or running.id != name or running.expired():
            return None
        running.touch()
        return running

    def finish(self, trial: Trial, down: float | None, up: float | None, rtt: float | None) -> InspectionResult:
        """Keep what was measured, and what the browser says it counted beside it. The line is free again."""
        result = self._keep(trial, "the browser carried too little to say a rate", down, up, rtt)
        self._end(trial)
        return result

    def _keep(self, trial: Trial, lacking: str, *told: float | None) -> InspectionResult:
        """What the test put on the line is counted, whatever came of it; `lacking` says why it has not both rates."""
        trial.down.stop()
        trial.up.stop()
        record, seconds = trial.record(), monotonic() - trial.began
        if record.down is None or record.up is None:
            validity, detail = Validity.NOT_MEASURED, lacking
        else:
            validity, detail = soundness(record, self._settings(trial.room), trial.waits())
        result = InspectionResult(
            **stamp(self._clock, None, seconds),
            subject=trial.room.id,
            school=self.config.school,
            duration_seconds=seconds,
            validity=validity,
            detail=detail,
            record=InspectionRecord(record, trial.browser, trial.client, self._is_own(trial), *told),
        )
        keep(self.config, result, trial.test_bytes())
        log.info("inspected", extra={"id": result.id, "subject": result.subject, "client": trial.client})
        return result

    def _settings(self, room: Endpoint) -> Settings:
        """What decides whether a test of this classroom was sound."""
        return Settings(
            room.host,
            room.port,
            "browser",
            "classroom",
            room.required_bits_per_second,
            max_cpu_ratio=self.config.limits.max_cpu_ratio,
        )

    def close(self) -> None:
        """End what runs."""
        self.networks.close()
        running = self._trial
        if running is not None:
            self._end(running)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _may_test_at(self, now: datetime) -> None:
        if (self._calendar.has_lessons or self.config.timetable.blackout) and (
            now < EARLIEST_PLAUSIBLE or self._time_is_unknown()
        ):
            raise NotNow("clock")
        day = self._calendar.day(now.date())
        if day.blackout:
            raise NotNow("blackout")
        until = (now + timedelta(seconds=WHOLE_SECONDS / 2)).time()
        if not self.config.page.in_lessons and any(one.start <= until and now.time() < one.end for one in day.lessons):
            raise NotNow("lesson")

    def _local_now(self) -> datetime:
        """By the collector's clock where that is known: an hour off, a test could fall into a lesson."""
        wall = self._clock.wall()
        with suppress(SpoolError), open_spool(self.config.state_dir, self.config.spool, role="reader") as spool:
            known = spool.recall(ESTIMATES_KEY, tuple[Estimate, ...]) or ()
            wall += offset_seconds(self._clock, of_boot(known, self._clock.boot_id)) or 0.0
        return datetime.fromtimestamp(wall, self.config.timezone)

    def _time_is_unknown(self) -> bool:
        """Is the clock behind what was known before, and the collector has not told the time since?"""
        with suppress(SpoolError), open_spool(self.config.state_dir, self.config.spool, role="reader") as spool:
            known = spool.recall(ESTIMATES_KEY, tuple[Estimate, ...]) or ()
            return is_unknown(self._clock, of_boot(known, self._clock.boot_id), recall_floor(spool, self._clock, known))
        return False

    def _octets_left(self) -> int:
        """What the day still allows. A spool that cannot be read costs the count, not the test."""
        with suppress(SpoolError):
            with open_spool(self.config.state_dir, self.config.spool, role="reader") as spool:
                spent = spool.test_bytes_of_day(self._now().date())
            return self.config.limits.daily_test_bytes - sum(spent.values())
        return self.config.limits.daily_test_bytes

    @staticmethod
    def _octets_of(room: Endpoint) -> int:
        return 2 * min(MAX_LOAD_BYTES, int(room.required_bits_per_second * LOAD_SECONDS / 8))

    async def _take_segment(self, trial: Trial) -> None:
        """Hold the school's segment until the test is over, however it ends; one that its browser left is kept as such."""
        taken: asyncio.Future[bool] = self._loop.create_future()

        async def hold() -> None:
            async with alone(self.config.state_dir, PATIENCE_SECONDS) as ours:
                taken.set_result(ours)
                if not ours:
                    return
                await asyncio.to_thread(trial.wait)
            if not trial.over.is_set():
                await asyncio.to_thread(self._keep, trial, "the browser went away")
                self._end(trial)

        task = asyncio.ensure_future(hold())
        self._holding.add(task)
        task.add_done_callback(self._holding.discard)
        if not await taken:
            raise NotNow("busy")

    def _is_own(self, trial: Trial) -> bool:
        try:
            known = self._wait(resolve_all(trial.room.host, 2.0))
        except (ProbeFailed, TimeoutError):
            return False
        client = ipaddress.ip_address(trial.client.removeprefix("::ffff:"))
        return any(ipaddress.ip_address(address.text) == client for address in known)

    def _end(self, trial: Trial) -> None:
        trial.over.set()
        with self._lock:
            if self._trial is trial:
                self._trial = None

    def _wait(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS + 20)
