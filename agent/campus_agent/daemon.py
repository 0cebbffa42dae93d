"""`campus-agent run`: measure by the timetable, spool, ship, until stopped. The resident part, kept small.

Lanes: `load` (throughput and latency, one at a time), `light` (host, services), `ship`. Every opportunity that is not used is a
counted result with its reason. SIGTERM ends what runs (its worker is killed, nothing half-measured is kept) and leaves.
"""

import asyncio
import contextlib
import logging
import os
import platform
import signal
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any, TypeVar

import msgspec

from campus_agent.clock.clock import Clock, Estimate, offset_seconds, system_clock
from campus_agent.config import central
from campus_agent.config.model import AgentConfig, Collector, Endpoint
from campus_agent.gate.quiet import disturbance
from campus_agent.gate.segment import alone
from campus_agent.measure.discover.audit import audit
from campus_agent.measure.errors import failure_of
from campus_agent.measure.ports.watch import PortWatch
from campus_agent.measure.presence import Place, look
from campus_agent.measure.probes import PROBES
from campus_agent.measure.rooms import SCHOOL_SUBJECT, device_result, poll, room_results, rooms_of, school_result
from campus_agent.measure.runner import run_probe
from campus_agent.measure.stamp import stamp
from campus_agent.measure.subjects import (
    GUARD_SECONDS,
    agent_state,
    announcement,
    costs,
    endpoint_of,
    probe_and_settings,
    probe_kind,
)
from campus_agent.schedule.calendar import calendar_of
from campus_agent.schedule.history import RECALL_KEY, History
from campus_agent.schedule.jobs import Job, Lane, jobs_of
from campus_agent.schedule.planner import Look, Moment, Planner, Skip, Try, Wait
from campus_agent.ship import configuration
from campus_agent.ship.connection import ShipFailed
from campus_agent.ship.rotate import NotRotated, is_due, rotate
from campus_agent.ship.shipper import ESTIMATES_KEY, ShipOutcome, Shipper
from campus_agent.ship.slots import NoSlot, release, reserve
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.known_time import FLOOR_KEY, REMEMBER_SECONDS, TimeFloor, is_unknown, note_behind, recall_floor
from campus_agent.spool.spool import Spool, open_spool
from campus_agent.status import Last, Snapshot, read_snapshot, write_snapshot
from campus_base import sd_notify
from campus_base.language import Text
from campus_wire.failures import Failure, Operation, SkipReason, Validity
from campus_wire.records import (
    MAX_SLOT_SECONDS,
    AgentState,
    AnyResult,
    NetworkResult,
    RoomResult,
    Segment,
    SlotRequest,
    kind_of,
    outcome_of,
)
from campus_wire.version import VERSION

log = logging.getLogger(__name__)
T = TypeVar("T")

LANE_PAUSE_SECONDS = 5.0
LONGEST_SLEEP_SECONDS = 60.0
NO_PROBLEM = Text("", "")
WATCHDOG_SECONDS = 20.0
ROTATE_AGAIN_SECONDS = 86_400.0
PAGE_PAUSE_SECONDS, MOST_PAGE_PAUSE_SECONDS, PAGE_STOP_SECONDS = 5.0, 300.0, 5.0
SEGMENT_PATIENCE_SECONDS = 30.0
FIRST_CONTACT_SECONDS = 5.0
"""The first test waits so long for the collector to tell the time: an hour off, it could fall into a lesson."""
LONGEST_SLOT_WAIT_SECONDS = 60.0
MAX_HELD_RESULTS = 500
"""The segment is held while a slot is waited for: a person at the terminal must not wait longer than for a test."""


async def run(config: AgentConfig, file: Path | None = None) -> bool:
    """Until SIGTERM or SIGINT, or until the bureau's configuration is another: then True, and the program begins again with it.

    `file` is where the gateway's own configuration stands; without it the bureau is not asked. Raises AlreadyRunning, SpoolError.
    """
    stay_small()
    spool = open_spool(config.state_dir, config.spool)
    daemon = Daemon(config, spool, system_clock(), file=file)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log.info("agent starts", extra={"version": VERSION, "school": config.school, "subjects": len(daemon.planner.jobs)})
    lanes = [asyncio.ensure_future(lane) for lane in daemon.lanes()]
    sd_notify.send("READY=1")
    stopping = asyncio.ensure_future(stop.wait())
    renewed = asyncio.ensure_future(daemon.renewed.wait())
    try:
        await asyncio.wait([stopping, renewed, *lanes], return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not daemon.renewed.is_set():
            # Only at a real end: after STOPPING=1 systemd waits TimeoutStopSec and kills, whatever the program does meanwhile.
            sd_notify.send("STOPPING=1")
        for lane in (stopping, renewed, *lanes):
            lane.cancel()
        await asyncio.gather(stopping, renewed, *lanes, return_exceptions=True)
        daemon.close()
        spool.close()
        log.info("agent stopped")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)  # from here on SIGTERM ends the program at once
    if stop.is_set():
        return False
    sd_notify.send("WATCHDOG=1")  # the program that follows has as long to begin as any other
    return True


async def supervised(name: str, lane: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A lane for as long as the program runs: an error that nothing in it expected is logged and the lane begins again."""
    pause = LANE_PAUSE_SECONDS
    while True:
        try:
            await lane()
        except Exception:
            log.exception("lane failed", extra={"lane": name, "retry_seconds": pause})
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_SLEEP_SECONDS)


def stay_small() -> None:
    """Four threads for name look-ups; the heap is kept small by the environment (resident.py)."""
    asyncio.get_running_loop().set_default_executor(executor("names", 4))


def executor(name: str, threads: int) -> ThreadPoolExecutor:
    """Threads that exist from now on: where the system has none left to give later, the work goes on all the same."""
    made = ThreadPoolExecutor(threads, name)
    began = Barrier(threads + 1)
    for _ in range(threads):
        made.submit(began.wait)
    began.wait()
    return made


class Daemon:
    """The lanes and what they share."""

    def __init__(
        self, config: AgentConfig, spool: Spool, clock: Clock, rng: Random | None = None, file: Path | None = None
    ) -> None:
        """Nothing is measured yet."""
        self.config = config
        self.renewed = asyncio.Event()
        self._disk = executor("disk", 1)
        self._exchanges = executor("exchange", 2)
        self._file = file
        self._rotate_after = 0.0
        self._config_problem = NO_PROBLEM
        self.spool = spool
        self.clock = clock
        self.rng = rng or Random()
        self.snapshot = Snapshot(version=VERSION, boot_id=clock.boot_id, started_at=datetime.now(UTC))
        self._floor = recall_floor(spool, clock, spool.recall(ESTIMATES_KEY, tuple[Estimate, ...]) or ())
        if self._floor.is_above(clock.wall(), clock.boot_id, clock.monotonic()):
            note_behind(spool, self._floor)
        self._floor_kept_at = -REMEMBER_SECONDS
        self._costs = costs(config)
        calendar = calendar_of(config)
        self.planner = Planner(
            jobs_of(config),
            calendar,
            self._costs,
            config.school,
            spool.recall(RECALL_KEY, History),
            self._last_ended(),
            clock.monotonic(),
        )
        self._ports = PortWatch(config)
        self._time_matters = bool(config.timetable.blackout) or calendar.has_lessons
        self._asked_for_time = asyncio.Event()
        self._ship_now = asyncio.Event()
        self._held: deque[AnyResult] = deque()
        self._keeping = asyncio.Lock()
        self._shipper = (
            Shipper(config.collector, config.agent_id, spool, clock, announcement(config), self._state, self.rng)
            if config.collector
            else None
        )

    def lanes(self) -> list[Coroutine[Any, Any, None]]:
        """Everything that runs at once; none of it ends by itself."""
        lanes: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "load": lambda: self._measure_lane("load"),
            "light": lambda: self._measure_lane("light"),
            "ship": self._ship_lane,
            "configuration": self._config_lane,
            "page": self._page_lane,
            "watchdog": self._watchdog,
        }
        return [supervised(name, lane) for name, lane in lanes.items()]

    def close(self) -> None:
        """Let the threads go when they have done their work. What a full disk still refuses is counted as lost."""
        if self._held:
            with contextlib.suppress(SpoolError):
                self.spool.put(*self._held)
        self._disk.shutdown(wait=True)
        self._exchanges.shutdown(wait=False)

    async def _on_disk(self, work: Callable[..., T], *arguments: Any) -> T:
        """In the thread that writes the spool: name look-ups and requests, which may hang, have other threads."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work, *arguments)

    async def _exchange(self, work: Callable[..., T], *arguments: Any) -> T:
        """In a thread for requests to the collector."""
        return await asyncio.get_running_loop().run_in_executor(self._exchanges, work, *arguments)

    async def _measure_lane(self, lane: Lane) -> None:
        if lane == "load" and self._time_matters and self._shipper is not None:
            with contextlib.suppress(TimeoutError):  # the collector may be away for weeks
                await asyncio.wait_for(self._asked_for_time.wait(), FIRST_CONTACT_SECONDS)
        while True:
            if lane == "load" and self.time_is_unknown():
                await asyncio.sleep(LONGEST_SLEEP_SECONDS / 4)
                continue
            step = self.planner.next(lane, self._moment(), self._bytes_left() if lane == "load" else 0)
            if isinstance(step, Wait):
                await asyncio.sleep(min(step.seconds, LONGEST_SLEEP_SECONDS))  # the wall clock may jump
            elif isinstance(step, Look):
                await self._look(step.jobs)
            elif isinstance(step, Skip):
                for skipped in self._skipped(step):
                    await self._keep(skipped)
            else:
                await self._use(step)

    async def _look(self, jobs: tuple[Job, ...]) -> None:
        """Which of these endpoints are switched on?"""
        endpoints = {job.subject: endpoint_of(self.config, job.subject) for job in jobs}
        places = [Place(name, one.host, one.port, one.engine == "iperf3") for name, one in endpoints.items()]
        try:
            seen = await look(places)
        except (
            Exception
        ) as error:  # no socket, no thread: nothing is known of them, so they are not looked at again at once
            log.exception("endpoints not looked at")
            seen = dict.fromkeys(endpoints, failure_of(Operation.PREPARE, error))
        for subject, failure in seen.items():
            self.planner.seen(subject, failure, self.clock.monotonic())

    async def _use(self, step: Try) -> None:
        """Use this opportunity, or say why not; whatever happens a result is kept and the job is due again later."""
        began = self.clock.monotonic()
        try:
            await self._attempt(step)
        except Exception as error:
            log.exception("measurement failed", extra={"job": step.job.name})
            failure = failure_of(Operation.PREPARE, error)
            for result in self._not_measured(step.job, self.clock.monotonic() - began, failure=failure):
                await self._keep(result)
            self._done(step.job, succeeded=False)

    async def _attempt(self, step: Try) -> None:
        job = step.job
        if job.kind == "devices":
            await self._poll_devices(job)
            return
        if job.kind == "network":
            result: AnyResult = await audit(self.config.school, self._stamp(0.0))
            self._done(job, succeeded=outcome_of(result) == "ok")
            await self._keep(result)
            return
        ends = self.clock.monotonic() + step.left_seconds
        async with contextlib.AsyncExitStack() as stack:
            hindrance = await self._prepare(job, ends, stack) if job.lane == "load" else None
            if hindrance is not None:
                skip = self.planner.hindered(job, hindrance[0], self._moment(), hindrance[1])
                for skipped in self._skipped(skip) if skip else ():
                    await self._keep(skipped)
                return
            for part in self._parts(job):
                result = await self._measure(part)
                succeeded = outcome_of(result) == "ok"
                self._done(part, succeeded=succeeded)
                await self._keep(result)
                if not succeeded and part != job:
                    self._done(job, succeeded=False)
                    break
        if job.heavy:
            with contextlib.suppress(
                SpoolError
            ):  # `_keep` has told of it; what is remembered only orders the next round
                await self._on_disk(self.spool.remember, RECALL_KEY, self.planner.history)

    def _done(self, job: Job, *, succeeded: bool) -> None:
        """The job had its turn: by its own name, so that a restart knows of it whatever its results are called."""
        self.planner.done(job, self._moment(), succeeded=succeeded)
        self.snapshot.ended[job.name] = self.clock.monotonic()

    async def _poll_devices(self, job: Job) -> None:
        """A round of all equipment; its rooms after it."""
        devices = self.config.devices
        self.snapshot.running[job.lane] = f"{len(devices)} devices"
        try:
            seen = await poll(devices, self.config.profile_dir, self.config.timezone.key)
        finally:
            self.snapshot.running.pop(job.lane, None)
        school = self.config.school
        pairs = zip(devices, seen, strict=True)
        results = [device_result(one, said, school, self._stamp(said.seconds)) for one, said in pairs]
        rooms = room_results(devices, results, school, [self._stamp(0.0) for _ in rooms_of(devices)])
        self._done(job, succeeded=True)
        told: list[AnyResult] = [*results, *rooms]
        if rooms:
            told.append(school_result(rooms, school, self._stamp(0.0)))
        for result in told:
            await self._keep(result)
        for port in await self._ports.round(self._stamp, self.clock.monotonic()):
            await self._keep(port)

    def _parts(self, job: Job) -> list[Job]:
        """A reference says something only beside a quick test of the same minute."""
        quick = [one for one in self.planner.jobs if (one.kind, one.subject) == ("throughput", job.subject)]
        return [*quick, job] if job.kind == "reference" else [job]

    async def _prepare(self, job: Job, ends: float, stack: contextlib.AsyncExitStack) -> tuple[SkipReason, str] | None:
        """Take the segment, the slot, and a look at the line. Why that did not work; None when all is ready."""
        if not await stack.enter_async_context(alone(self.config.state_dir, SEGMENT_PATIENCE_SECONDS)):
            return SkipReason.SEGMENT_BUSY, f"another test kept it for {SEGMENT_PATIENCE_SECONDS:.0f} s"
        if not job.heavy:
            return None
        endpoint = endpoint_of(self.config, job.subject)
        needed = self._costs.seconds(job)
        if job.subject == "uplink" and self.config.collector is not None:
            latest = min(LONGEST_SLOT_WAIT_SECONDS, ends - self.clock.monotonic() - needed)
            refused = await self._reserve(self.config.collector, needed, latest, endpoint, stack)
            if refused is not None:
                return refused
        disturbed = await disturbance(endpoint.host, endpoint.required_bits_per_second, self.config.limits)
        if disturbed is not None:
            return disturbed
        if ends - self.clock.monotonic() < needed - GUARD_SECONDS:
            return SkipReason.LESSON, "the free time was over before the segment was ours"
        return None

    async def _reserve(
        self,
        collector: Collector,
        needed: float,
        latest: float,
        endpoint: Endpoint,
        stack: contextlib.AsyncExitStack,
    ) -> tuple[SkipReason, str] | None:
        """A slot on the uplink's test server, waited for, and given back when the test is over."""
        if latest < 0:
            return SkipReason.LESSON, "the free time was over before the segment was ours"
        request = SlotRequest(min(needed, MAX_SLOT_SECONDS), endpoint.required_bits_per_second, latest)
        slot = await self._exchange(reserve, collector, request)
        if isinstance(slot, NoSlot):
            return SkipReason.NO_SLOT, slot.detail
        stack.push_async_callback(self._exchange, release, collector, slot)
        await asyncio.sleep(slot.start_in_seconds)
        return None

    async def _measure(self, job: Job) -> AnyResult:
        probe, settings = probe_and_settings(
            self.config, job.kind, job.subject, self._bytes_left() if job.heavy else None
        )
        self.snapshot.running[job.lane] = f"{job.kind} {job.subject}"
        try:
            return await run_probe(
                probe, settings, self._stamp, job.subject, self.config.school, rng=self.rng, charge=self._charge(job)
            )
        finally:
            self.snapshot.running.pop(job.lane, None)

    def _skipped(self, skip: Skip) -> list[AnyResult]:
        """What is kept of an opportunity that was not used."""
        off = skip.reason is SkipReason.ENDPOINT_OFF
        validity = Validity.ENDPOINT_OFF if off else Validity.NOT_MEASURED
        return self._not_measured(skip.job, 0.0, validity, skip.reason, skip.failure, skip.detail)

    def _not_measured(
        self,
        job: Job,
        seconds: float,
        validity: Validity = Validity.NOT_MEASURED,
        skipped: SkipReason | None = None,
        failure: Failure | None = None,
        detail: str = "",
    ) -> list[AnyResult]:
        """Results without a record; for a poll round one a room."""
        rooms = job.kind == "devices"
        make: Callable[..., AnyResult] = RoomResult if rooms else NetworkResult
        if job.kind not in ("devices", "network"):
            make = PROBES[probe_kind(job.kind)].result
        return [
            make(
                **self._stamp(seconds),
                subject=subject,
                school=self.config.school,
                duration_seconds=seconds,
                validity=validity,
                skipped=skipped,
                failure=failure,
                detail=detail[:300],
            )
            for subject in (self._rooms_judged() if rooms else [job.subject])
        ]

    def _rooms_judged(self) -> list[str]:
        """The rooms, and the school where it has any."""
        rooms = rooms_of(self.config.devices)
        return [*rooms, SCHOOL_SUBJECT] if rooms else []

    async def _keep(self, result: AnyResult) -> None:
        """Spool it, count it, remember it for `status`. What a full disk refuses waits in memory, the newest MAX_HELD_RESULTS."""
        async with self._keeping:
            self._held.append(result)
            try:
                while self._held:
                    await self._on_disk(partial(self.spool.put, self._held[0], lost_if_refused=False))
                    self._held.popleft()
                await self._on_disk(self._remember_time)
                self.snapshot.spool_error = None
            except SpoolError as error:
                self._hold_back(error)
        self._note(result)
        self._ship_now.set()

    def _hold_back(self, error: SpoolError) -> None:
        self.snapshot.spool_error = str(error)
        lost = max(0, len(self._held) - MAX_HELD_RESULTS)
        for _ in range(lost):
            self._held.popleft()
        if lost:
            self.spool.count_lost(lost)
            self.snapshot.lost_results += lost
        extra = {"error": str(error), "waiting": len(self._held), "lost": self.snapshot.lost_results}
        log.error("the spool cannot be written: results wait in memory", extra=extra)

    def _note(self, result: AnyResult) -> None:
        kind, outcome = kind_of(result), outcome_of(result)
        why = str(result.skipped or (result.failure.kind if result.failure else result.validity))
        log.info(
            "measured",
            extra={"id": result.id, "kind": kind, "subject": result.subject, "outcome": outcome, "why": why},
        )
        now = self.clock.monotonic()
        self.snapshot.last[f"{kind}/{result.subject}"] = Last.of(result)
        self.snapshot.next_seconds = {job.name: self.planner.due(job) - now for job in self.planner.jobs}
        write_snapshot(self.config.state_dir, self.snapshot)

    async def _ship_lane(self) -> None:
        if self._shipper is None:
            log.warning("no [collector]: results stay in the spool")
            await asyncio.Event().wait()
            return
        while True:
            outcome = await self._drain(self._shipper)
            self._asked_for_time.set()
            if outcome.failures_in_a_row:
                log.warning(
                    "not shipped",
                    extra={"reason": outcome.reason or str(outcome.failure), "retry_seconds": outcome.retry_seconds},
                )
                await asyncio.sleep(max(outcome.retry_seconds, 0.1))
                continue
            if outcome.stored or outcome.duplicate or outcome.quarantined:
                log.info("shipped", extra={"stored": outcome.stored, "quarantined": outcome.quarantined})
            await self._rest()

    async def _config_lane(self) -> None:
        """Ask the bureau now and then; away or wrong, the last good configuration stays in force."""
        if self.config.collector is None or self._file is None:
            await asyncio.Event().wait()
            return
        while True:
            try:
                body = await self._exchange(configuration.fetch, self.config, self._file)
                self._config_problem = NO_PROBLEM
                if body is not None:
                    await self._on_disk(central.keep, body, self.config.state_dir)
                    log.info("configuration of the bureau", extra={"tag": central.tag_of(body)})
                    self.renewed.set()
            except ShipFailed as failed:
                log.info("configuration not fetched", extra={"reason": configuration.reason_of(failed)})
            except central.CentralConfigRefused as refused:
                self._config_problem = refused.words
                log.warning("configuration refused", extra={"reason": refused.words.en})
            except OSError as error:
                log.error("configuration not kept", extra={"reason": str(error)})
            if self._rotation_is_due(self.config.collector):
                await self._rotate(self.config.collector)
            await asyncio.sleep(configuration.FETCH_SECONDS * self.rng.uniform(0.8, 1.2))

    def _rotation_is_due(self, collector: Collector) -> bool:
        """Not while the program is about to begin again: the next one does it."""
        ready = not self.renewed.is_set() and self.clock.monotonic() >= self._rotate_after
        return ready and is_due(collector.token_file)

    async def _rotate(self, collector: Collector) -> None:
        """A new token now and then; when that does not work, the one that is there goes on for another day."""
        self._rotate_after = self.clock.monotonic() + ROTATE_AGAIN_SECONDS
        try:
            await self._exchange(rotate, collector)
            log.info("token replaced")
        except (NotRotated, ShipFailed) as why:
            log.info("token not replaced", extra={"reason": str(why)})

    async def _page_lane(self) -> None:
        """The classroom's page in a process of its own, begun again when it ends: this one stays small, and out of the network's reach."""
        if self._file is None or not self.config.page.port:
            await asyncio.Event().wait()
            return
        command = [sys.executable, "-m", "campus_agent", "page", "--config", str(self._file.resolve())]
        pause = PAGE_PAUSE_SECONDS
        while True:
            began = self.clock.monotonic()
            try:
                status: int | str = await self._page_process(command)
            except (OSError, RuntimeError) as error:  # no process or thread to be had now
                status = str(error)
            lived = self.clock.monotonic() - began
            pause = PAGE_PAUSE_SECONDS if lived > MOST_PAGE_PAUSE_SECONDS else min(2 * pause, MOST_PAGE_PAUSE_SECONDS)
            log.warning("classroom page ended", extra={"status": status, "retry_seconds": pause})
            await asyncio.sleep(pause)

    async def _page_process(self, command: list[str]) -> int:
        """Its exit status; the process is gone on return. Raises OSError, RuntimeError where none can be started."""
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | {"_CAMPUS_PAGE_CHILD": str(os.getpid())}
        )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), PAGE_STOP_SECONDS)
                except TimeoutError:
                    process.kill()

    async def _drain(self, shipper: Shipper) -> ShipOutcome:
        """In a thread; when the daemon stops, its exchange is ended and the thread waited for: it works on the spool."""
        thread = asyncio.ensure_future(self._exchange(shipper.drain))
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            shipper.stop()
            await thread
            raise

    async def _rest(self) -> None:
        """Between drains: at least the cycle; a sign of life every minute even when there is nothing to send."""
        await asyncio.sleep(self.config.cycle.ship_seconds)
        try:
            async with asyncio.timeout(max(0.0, LONGEST_SLEEP_SECONDS - self.config.cycle.ship_seconds)):
                await self._ship_now.wait()
        except TimeoutError:
            pass
        self._ship_now.clear()

    async def _watchdog(self) -> None:
        while True:
            sd_notify.send("WATCHDOG=1")
            await asyncio.sleep(WATCHDOG_SECONDS)

    def _stamp(self, seconds_ago: float) -> dict[str, Any]:
        return stamp(self.clock, self._estimate(), seconds_ago)

    def time_is_unknown(self) -> bool:
        """Could this be a lesson or an examination, for all we know? A clock that was never set must not disturb one."""
        return self._time_matters and is_unknown(self.clock, self._estimate(), self._floor)

    def _estimate(self) -> Estimate | None:
        return self._shipper.estimate if self._shipper else None

    def _remember_time(self) -> None:
        """What is known of the time now is the floor of the next start. Raises SpoolError."""
        now = self.clock.monotonic()
        if now - self._floor_kept_at < REMEMBER_SECONDS or is_unknown(self.clock, self._estimate(), self._floor):
            return
        self._floor = TimeFloor(self.clock.boot_id, now, self._local_now().timestamp())
        self.spool.remember(FLOOR_KEY, self._floor)
        self._floor_kept_at = now

    def _moment(self) -> Moment:
        return Moment(self.clock.monotonic(), self._local_now())

    def _local_now(self) -> datetime:
        offset = offset_seconds(self.clock, self._estimate()) or 0.0
        return datetime.fromtimestamp(self.clock.wall() + offset, self.config.timezone)

    def _state(self) -> AgentState:
        waits = self.spool.status()
        offset = offset_seconds(self.clock, self._estimate())
        made = agent_state(_os_name(), waits.pending_results, waits.lost_total, offset, self.spool.test_bytes_total())
        return msgspec.structs.replace(
            made, config_problem_en=self._config_problem.en, config_problem_zh=self._config_problem.zh
        )

    def _charge(self, job: Job) -> Callable[[int], None]:
        """What a test has put on the wire is of the day's octets, whatever ended it."""
        segment: Segment = "uplink" if job.subject == "uplink" else "classroom"

        def charge(octets: int) -> None:
            if octets:
                try:
                    self.spool.add_test_bytes(segment, self._local_now().date(), octets)
                except SpoolError as error:
                    log.error("test octets not charged", extra={"error": str(error), "octets": octets})

        return charge

    def _bytes_left(self) -> int:
        spent = self.spool.test_bytes_of_day(self._local_now().date())
        return self.config.limits.daily_test_bytes - sum(spent.values())

    def _last_ended(self) -> dict[str, float]:
        """When each job ended last in this boot: a restart must not repeat a whole round."""
        before = read_snapshot(self.config.state_dir)
        if before is None or before.boot_id != self.clock.boot_id:
            return {}
        self.snapshot.last = before.last
        self.snapshot.ended = before.ended
        return dict(before.ended)


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()
