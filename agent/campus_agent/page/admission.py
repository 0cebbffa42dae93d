"""The one browser test that may run: admitted by the gate, held until it is over or its browser has gone away, kept like every result."""

import asyncio
import ipaddress
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import msgspec

from campus_agent.clock.clock import Clock, system_clock
from campus_agent.config.model import AgentConfig, Endpoint
from campus_agent.gate.gate import Permit, gate_beside_daemon
from campus_agent.gate.rules import GateReason, NoPermit, browser_rules
from campus_agent.gate.school_time import recalled_time
from campus_agent.measure.guards import soundness
from campus_agent.measure.link.resolve import resolve_all, without_mapping
from campus_agent.measure.probe import Finding, ProbeFailed
from campus_agent.measure.probes import PROBES
from campus_agent.measure.runner import Runner, single
from campus_agent.measure.stamp import stamp
from campus_agent.page.agent_socket import CarriedTests
from campus_agent.page.browser_test import LOAD_SECONDS, MAX_LOAD_BYTES, BrowserTest
from campus_agent.page.carried_test import CarriedTest
from campus_agent.page.keys import RoomKeys
from campus_agent.page.networks import ClassroomNetworks
from campus_agent.page.waiting import WaitingPage, WaitingPages
from campus_agent.schedule.calendar import calendar_of
from campus_agent.spool.store import store_result
from campus_base.messages import Message, message
from campus_wire.failures import SkipReason, Validity
from campus_wire.records import InspectionRecord, InspectionResult, Rate, Seconds

log = logging.getLogger(__name__)
EXPECTED_SECONDS = 30.0
"""What a test takes with its waiting for the browser: so long before a lesson none begins."""
ADMISSION_SECONDS = 50.0
"""Longer than the gate waits for the segment and looks at the line."""
RELEASE_SECONDS = 5.0
Answer = TypeVar("Answer")


WHY: dict[str, Message] = {
    "blackout": message("Today nothing is tested (examinations)."),
    "lesson": message("Lessons are on: please test in a break."),
    "busy": message("Another test is running: please try again in a minute."),
    "traffic": message("The line is in use: the result would say nothing of it."),
    "cpu": message("The gateway is busy: please try again in a minute."),
    "often": message("There were many tests in the last hour; please try later."),
    "octets": message("Today's allowance for tests is used up."),
    "clock": message("The gateway does not know the time yet: please try again in a minute."),
    "room": message("There is no such classroom."),
}
PAGE_REASONS: dict[SkipReason | GateReason, str] = {
    SkipReason.BLACKOUT: "blackout",
    SkipReason.LESSON: "lesson",
    SkipReason.SEGMENT_BUSY: "busy",
    SkipReason.CROSS_TRAFFIC: "traffic",
    SkipReason.GATEWAY_CPU: "cpu",
    SkipReason.BYTE_BUDGET: "octets",
    GateReason.HOURLY_LIMIT: "often",
    GateReason.TIME_UNKNOWN: "clock",
}
"""The gate's reasons in the words of the page's interface."""


class NotAdmitted(Exception):
    """A test may not begin; `reason` is a key of WHY."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BrowserCount(msgspec.Struct, frozen=True):
    """What the browser itself counted; nobody can check it."""

    down_bits_per_second: Rate | None = None
    up_bits_per_second: Rate | None = None
    rtt_median_seconds: Seconds | None = None


class Admission:
    """Admits one test at a time. The gate is held by a task on an event loop of its own, beside the server's threads."""

    def __init__(self, config: AgentConfig, clock: Clock | None = None) -> None:
        """Raises ConfigurationError for the `holidays_file`."""
        self.config = config
        self._clock = clock or system_clock()
        self._calendar = calendar_of(config)
        self._time = recalled_time(config, self._clock)
        self._gate = gate_beside_daemon(config, self._clock)
        self.networks = ClassroomNetworks([classroom.host for classroom in config.classrooms])
        self.keys = RoomKeys(config.state_dir)
        self.carried = CarriedTests(WaitingPages())
        self._lock = threading.Lock()
        self._running: BrowserTest | None = None
        self._held: Future[None] | None = None
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="page-loop", daemon=True).start()

    def holidays_are_known(self) -> bool:
        """False: whether lessons are on today is provisional, only weekends count."""
        return not self._calendar.has_lessons or self._calendar.covers(self._time.now().year)

    def classrooms(self) -> tuple[Endpoint, ...]:
        """The classrooms that may be tested."""
        return self.config.classrooms

    def begin(self, classroom_id: str, client: str, browser: str) -> BrowserTest:
        """Begin a test of a classroom from a browser. Raises NotAdmitted."""
        classroom = next((room for room in self.config.classrooms if room.id == classroom_id), None)
        if classroom is None:
            raise NotAdmitted("room")
        with self._lock:
            if self._running is not None and not self._running.expired():
                raise NotAdmitted("busy")
            test = self._running = BrowserTest(classroom, client, browser)
        admitted: Future[Permit | NoPermit] = Future()
        try:
            self._held = asyncio.run_coroutine_threadsafe(self._hold(test, admitted), self._loop)
            answer = admitted.result(ADMISSION_SECONDS)
            if isinstance(answer, NoPermit):
                raise NotAdmitted(PAGE_REASONS[answer.reason])
        except BaseException:
            self._end(test)
            raise
        return test

    def wait(self, room: str, key: str, page: WaitingPage) -> str | None:
        """Hold the request of a page that stays open; else why it may not wait: `room`, `key` or `elsewhere`.

        Only the classroom's own machine may: whoever took the key elsewhere would have another line measured in its name.
        """
        classroom = next(
            (each for each in self.config.classrooms if each.id == room and each.engine == "browser"), None
        )
        if classroom is None:
            return "room"
        if not self.keys.opens(room, key):
            self.carried.pages.note(room, "key", page.client)
            return "key"
        if not self._is_host_of(classroom, page.client):
            log.warning("a page with a classroom's key is elsewhere", extra={"subject": room, "client": page.client})
            self.carried.pages.note(room, "elsewhere", page.client)
            return "elsewhere"
        self.carried.pages.add(room, page)
        return None

    def test(self, test_id: str) -> BrowserTest | CarriedTest | None:
        """The test that runs, if it has this id."""
        carried = self.carried.running
        if carried is not None and carried.id == test_id and not carried.expired():
            return carried
        return self.begun(test_id)

    def begun(self, test_id: str) -> BrowserTest | None:
        """The test that a person began, if it runs and has this id."""
        running = self._running
        if running is None or running.id != test_id or running.expired():
            return None
        running.touch()
        return running

    def finish(self, test: BrowserTest, counted: BrowserCount) -> InspectionResult:
        """Keep what was measured, and what the browser says it counted beside it. The line is free again, and the bytes are booked."""
        held = self._held
        result = self._store(test, "the browser carried too little to say a rate", counted)
        self._end(test)
        if held is not None:
            wait([held], RELEASE_SECONDS)
        return result

    def close(self) -> None:
        self.networks.close()
        self.carried.pages.close()
        running = self._running
        if running is not None:
            self._end(running)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _hold(self, test: BrowserTest, admitted: "Future[Permit | NoPermit]") -> None:
        """Hold the gate until the test is over, however it ends; one that its browser left is kept as such."""
        try:
            async with self._gate.open(
                test.classroom,
                seconds=EXPECTED_SECONDS,
                needed_bytes=2 * min(MAX_LOAD_BYTES, int(test.classroom.required_bits_per_second * LOAD_SECONDS / 8)),
                rules=browser_rules(self.config.page),
                peer=test.client,
            ) as answer:
                if isinstance(answer, Permit):
                    test.admit(answer.bytes_left // 2)
                    admitted.set_result(answer)
                    await asyncio.to_thread(test.wait)
                    if not test.over.is_set():
                        await asyncio.to_thread(self._store, test, "the browser went away", BrowserCount())
                        self._end(test)
                    answer.charge(test.test_bytes())
                else:
                    admitted.set_result(answer)
        except Exception as error:
            if admitted.done():
                log.exception("browser test failed")
            else:
                admitted.set_exception(error)

    def _store(self, test: BrowserTest, lacking: str, counted: BrowserCount) -> InspectionResult:
        """The result, kept whatever came of the test; `lacking` says why it has not both rates."""
        test.stop()
        record, seconds = test.record(), monotonic() - test.began
        if record.down is None or record.up is None:
            validity, detail = Validity.NOT_MEASURED, lacking
        else:
            request = PROBES["throughput"].settings(self.config, test.classroom.id, None)
            validity, detail = soundness(record, request, test.waits())
        inspection = InspectionRecord(
            record,
            test.browser,
            test.client,
            self._is_host_of(test.classroom, test.client),
            counted.down_bits_per_second,
            counted.up_bits_per_second,
            counted.rtt_median_seconds,
        )
        findings = [Finding(inspection, validity, detail=detail)]
        runner = Runner(self.config, partial(stamp, self._clock, None))
        result = single(runner.results(PROBES["browser"], test.classroom.id, findings, seconds), InspectionResult)
        store_result(self.config, result)
        log.info("inspected", extra={"id": result.id, "subject": result.subject, "client": test.client})
        return result

    def _is_host_of(self, classroom: Endpoint, client_address: str) -> bool:
        """Is this the address of the classroom's registered machine?"""
        try:
            addresses = self._wait(resolve_all(classroom.host, 2.0))
        except (ProbeFailed, TimeoutError):
            return False
        client = ipaddress.ip_address(without_mapping(client_address).partition("%")[0])
        return any(ipaddress.ip_address(address.text) == client for address in addresses)

    def _end(self, test: BrowserTest) -> None:
        test.over.set()
        with self._lock:
            if self._running is test:
                self._running = None

    def _wait(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ADMISSION_SECONDS)
