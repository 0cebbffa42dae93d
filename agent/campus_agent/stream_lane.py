"""The lane of the daemon that keeps the lesson stream going, and makes results of it: loaded only where the stream is on."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, time
from functools import partial
from typing import Any

import msgspec

from campus_agent.clock.clock import Clock
from campus_agent.config.model import NETWORK_ROOM, AgentConfig, Device, Endpoint
from campus_agent.gate.gate import Gate
from campus_agent.gate.school_time import SchoolTime
from campus_agent.measure.link.connect import ECHO_SECONDS, reachable
from campus_agent.measure.link.resolve import Address, resolve, resolve_all
from campus_agent.measure.probe import AnyFinding, Finding, ProbeFailed
from campus_agent.measure.probes import PROBES
from campus_agent.measure.runner import Runner
from campus_agent.measure.stream.interruptions import Unfinished
from campus_agent.measure.stream.minutes import MINUTE
from campus_agent.measure.stream.observer import Observed, StreamObserver
from campus_agent.measure.stream.packets import padded_bytes
from campus_agent.measure.stream.run import StreamRun
from campus_agent.measure.stream.sender import Echo, StreamSocket
from campus_agent.schedule.calendar import Calendar, Day, DayKind
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import Spool
from campus_base.settings import read_secret
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity
from campus_wire.ids import new_result_id
from campus_wire.records import AnyResult, LessonStreamRecord

log = logging.getLogger(__name__)

STATE_KEY = "lesson_stream"
LOOK_AGAIN_SECONDS = 15.0
RETRY_SECONDS, FAILURE_EVERY_SECONDS = 30.0, 300.0
RESOLVE_SECONDS = 5.0
CLOCK_STEP_SECONDS = 1.0
MAX_RECORDERS = 10
FRAME_BYTES = 66
"""UDP, IPv4 and Ethernet with all that a frame takes on the line (design: 38 octets)."""
HOURS_WITHOUT_TIMETABLE = (time(8), time(18))
UPLINK_LOADS = ("throughput uplink", "reference uplink")
"""Jobs of the daemon's load lane, as the snapshot names them."""
_PROBE = PROBES["lesson_stream"]


class StreamState(msgspec.Struct, frozen=True):
    """What the next run has to know: a server that has answered is expected to answer; the newest minute that was reported (Unix time)."""

    server: str = ""
    has_answered: bool = False
    address: str = ""
    newest_minute: float = 0.0
    unfinished: Unfinished | None = None


def in_school_hours(calendar: Calendar, day: Day, local: datetime) -> bool:
    """From the beginning of the first lesson to the end of the last; 08:00 to 18:00 on school days where nobody wrote lessons down."""
    if not calendar.has_lessons:
        first, last = HOURS_WITHOUT_TIMETABLE
        return day.kind in (DayKind.SCHOOL, DayKind.MOVED) and first <= local.time() < last
    return bool(day.lessons) and day.lessons[0].start <= local.time() < day.lessons[-1].end


def required_recorders(config: AgentConfig) -> list[Device]:
    """The equipment without which a recording room is down, the first few."""
    return [each for each in config.devices if each.required and each.room != NETWORK_ROOM][:MAX_RECORDERS]


class StreamLane:
    """`run` never ends by itself. `store` puts results into the spool, `on_disk` runs what touches it in its thread."""

    def __init__(
        self,
        config: AgentConfig,
        clock: Clock,
        gate: Gate,
        school_time: SchoolTime,
        calendar: Calendar,
        *,
        runner: Runner,
        spool: Spool,
        store: Callable[..., Awaitable[None]],
        on_disk: Callable[..., Awaitable[Any]],
        running: dict[str, str],
    ) -> None:
        self._config, self._clock, self._gate, self._time, self._calendar = config, clock, gate, school_time, calendar
        self._runner, self._spool, self._store, self._on_disk, self._running = runner, spool, store, on_disk, running
        assert config.uplink is not None
        self._uplink: Endpoint = config.uplink
        self._options = config.lesson_stream
        self._key = read_secret(config.test_key_file).reveal().encode() if config.test_key_file else None
        self._size = padded_bytes(self._options.packet_bytes, authenticated=self._key is not None)
        self._state = StreamState()
        self._budget_reported: date | None = None
        self._report_failure_at = 0.0

    async def run(self) -> None:
        """Stream whenever it may. Raises what nothing here expects; the daemon begins again."""
        state = await self._on_disk(self._spool.recall, STATE_KEY, StreamState)
        server = f"{self._uplink.host}:{self._config.stream_port}"
        self._state = state if state is not None and state.server == server else StreamState(server)
        while True:
            if await self._may_stream():
                await self._stream_once()
            else:
                await self._settle()
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    # when

    async def _may_stream(self) -> bool:
        if self._gate.time_is_unknown() or not self._is_due():
            return False
        try:
            if await self._on_disk(self._gate.bytes_left) > 0:
                return True
        except SpoolError:  # a spool that cannot be read costs the count, not the measurement
            return True
        today = self._time.now().date()
        if self._budget_reported != today:
            self._budget_reported = today
            await self._give([Finding(None, Validity.NOT_MEASURED, skipped=SkipReason.BYTE_BUDGET, seconds=0.0)])
        return False

    def _is_due(self) -> bool:
        """By the timetable, now."""
        local = self._time.now()
        day = self._calendar.day(local.date())
        if day.blackout and not self._options.in_blackout:
            return False
        return self._options.always or in_school_hours(self._calendar, day, local)

    # one run

    async def _stream_once(self) -> None:
        """Until it may not go on, or the time turns out to be another. A run that cannot begin is a result too."""
        began = self._clock.monotonic()
        try:
            address = await self._address()
            wall_at_zero = self._time.now().timestamp() - self._clock.monotonic()
            port = self._config.stream_port
            sock = StreamSocket(address, port, self._key, self._size, self._clock, wall_at_zero)
        except ProbeFailed as failed:
            await self._failed(failed.failure, began)
            return
        except OSError as error:
            await self._failed(Failure(Operation.CONNECT, FailureKind.NETWORK_UNREACHABLE, str(error)[:300]), began)
            return
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(sock.close)
            self._running["stream"] = "lesson_stream uplink"
            stack.callback(self._running.pop, "stream", None)
            recorders = await self._recorders(stack)
            observer = self._new_observer(list(recorders), wall_at_zero)
            host = await self._host_echo(stack, sock.address, observer)
            interval = 1.0 / self._options.packets_per_second
            run = StreamRun(sock, recorders, host, observer, self._clock, interval, self._is_loaded)
            await run.until_over(
                partial(self._report, observer, sock), partial(self._may_go_on, observer, sock, wall_at_zero)
            )

    def _is_loaded(self) -> bool:
        """Does a throughput test load the uplink now?"""
        return self._running.get("load", "") in UPLINK_LOADS

    async def _failed(self, failure: Failure, began: float) -> None:
        if began >= self._report_failure_at:
            self._report_failure_at = began + FAILURE_EVERY_SECONDS
            await self._give([Finding(failure=failure, seconds=self._clock.monotonic() - began)])
        await asyncio.sleep(RETRY_SECONDS)

    async def _address(self) -> Address:
        """Of the server; the last one that answered where its name cannot be looked up now: the line may be gone. Raises ProbeFailed."""
        try:
            return await reachable(self._uplink.host, self._uplink.port, RESOLVE_SECONDS, ECHO_SECONDS)
        except ProbeFailed:
            if self._state.has_answered and self._state.address:
                return await resolve(self._state.address, RESOLVE_SECONDS)
            raise

    async def _recorders(self, stack: contextlib.AsyncExitStack) -> dict[str, Echo]:
        """Echoes to the required recorders, as far as sockets can be had; their answers go to the run."""
        echoes: dict[str, Echo] = {}
        for device in required_recorders(self._config):
            with contextlib.suppress(ProbeFailed, OSError):
                address = await resolve(device.host, RESOLVE_SECONDS)
                echoes[device.id] = stack.enter_context(Echo(address, self._clock))
        return echoes

    async def _host_echo(
        self, stack: contextlib.AsyncExitStack, address: Address, observer: StreamObserver
    ) -> Echo | None:
        """Echoes to the server's machine, for the time when its stream is silent."""
        with contextlib.suppress(ProbeFailed, OSError):
            echo = stack.enter_context(Echo(address, self._clock))
            echo.answered = lambda _, at: observer.host_answered(at, self._clock.monotonic())
            return echo
        return None

    # results

    async def _give(self, findings: Sequence[AnyFinding]) -> None:
        results: list[AnyResult] = self._runner.results(_PROBE, "uplink", findings, 0.0)
        await self._store(*results)

    async def _report(self, observer: StreamObserver, sock: StreamSocket, observed: Observed | None) -> None:
        """Store what a record says, charge what it took, remember what the next run must know."""
        now, findings = self._clock.monotonic(), list[AnyFinding]()
        findings += self._settled(observer)
        if observed is not None:
            if observer.answers or self._state.has_answered:
                findings += self._record(observer, observed, now)
            else:
                detail = f"no answer from {self._state.server} (UDP)"
                failure = Failure(Operation.READ, FailureKind.TIMEOUT, detail)
                findings.append(Finding(failure=failure, seconds=now - observed.begin))
        await self._give(findings)
        await self._charge(sock)
        await self._remember(observer, sock)

    def _settled(self, observer: StreamObserver) -> list[AnyFinding]:
        """Interruptions of an earlier run that are complete now."""
        findings: list[AnyFinding] = [
            Finding(
                each, kind="interruption", seconds=max(0.0, self._time.now().timestamp() - each.began_at.timestamp())
            )
            for each in observer.settled_before
        ]
        observer.settled_before.clear()
        return findings

    def _record(self, observer: StreamObserver, observed: Observed, now: float) -> list[AnyFinding]:
        if self._state.newest_minute > self._time.now().timestamp() + MINUTE:
            log.warning("reported minutes lie in the future", extra={"newest": self._state.newest_minute})
            self._state = msgspec.structs.replace(self._state, newest_minute=0.0)
        minutes = [row for row in observed.minutes if row.minute.timestamp() > self._state.newest_minute]
        if not minutes and not observed.interruptions:
            return []
        if minutes:
            self._state = msgspec.structs.replace(self._state, newest_minute=minutes[-1].minute.timestamp())
        record = LessonStreamRecord(
            self._uplink.host,
            self._options.packets_per_second,
            self._size,
            self._key is not None,
            minutes,
            observed.interruptions,
        )
        return [Finding(record, seconds=now - observed.begin)]

    async def _charge(self, sock: StreamSocket) -> None:
        """The day's bytes of the uplink, both directions, with their headers."""
        payload, sock.sent_bytes, sock.received_bytes = sock.sent_bytes + sock.received_bytes, 0, 0
        if payload:
            wire_bytes = payload + payload // self._size * FRAME_BYTES
            with contextlib.suppress(SpoolError):
                await self._on_disk(self._spool.add_test_bytes, "uplink", self._time.now().date(), wire_bytes)

    async def _remember(self, observer: StreamObserver, sock: StreamSocket) -> None:
        """What the next run must know."""
        answered = bool(observer.answers)
        state = msgspec.structs.replace(
            self._state,
            has_answered=self._state.has_answered or answered,
            address=sock.address.text if answered else self._state.address,
            unfinished=observer.unfinished(self._clock.monotonic()),
        )
        if state != self._state:
            self._state = state
            with contextlib.suppress(SpoolError):
                await self._on_disk(self._spool.remember, STATE_KEY, state)

    async def _settle(self) -> None:
        """No stream now: an interruption that was going on is complete as far as it was observed."""
        unfinished = self._state.unfinished
        if unfinished is None:
            return
        interruption = unfinished.ended()
        self._state = msgspec.structs.replace(self._state, unfinished=None)
        seconds = max(0.0, self._time.now().timestamp() - unfinished.began)
        await self._give([Finding(interruption, kind="interruption", seconds=seconds)])
        with contextlib.suppress(SpoolError):
            await self._on_disk(self._spool.remember, STATE_KEY, self._state)

    def _new_observer(self, devices: Sequence[str], wall_at_zero: float) -> StreamObserver:
        """For a run that begins now."""
        now = self._clock.monotonic()
        return StreamObserver(
            1.0 / self._options.packets_per_second,
            devices,
            lambda begin: new_result_id(round((begin + wall_at_zero) * 1000)),
            now,
            wall_at_zero,
            unfinished=self._state.unfinished,
            expects_answers=self._state.has_answered,
        )

    async def _may_go_on(self, observer: StreamObserver, sock: StreamSocket, wall_at_zero: float) -> bool:
        """Not when the time is another than the run believed, nor when the server has moved while it is silent."""
        await self._remember(observer, sock)
        now = self._clock.monotonic()
        moved = abs(self._time.now().timestamp() - now - wall_at_zero) > CLOCK_STEP_SECONDS
        if moved or not await self._may_stream():
            return False
        silence = observer.open(now)
        if not observer.answers or (silence is not None and silence.where == "collector"):
            sock.begin_session()  # another gateway may have the same session id
        if silence is None:
            return True
        with contextlib.suppress(ProbeFailed):
            return sock.address.text in {each.text for each in await resolve_all(self._uplink.host, RESOLVE_SECONDS)}
        return True
