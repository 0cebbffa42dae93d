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
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from campus_agent import central
from campus_agent.clock import EARLIEST_PLAUSIBLE, Clock, offset_seconds, system_clock
from campus_agent.config import AgentConfig, Collector, Endpoint
from campus_agent.discover.audit import audit
from campus_agent.measure.presence import Place, look
from campus_agent.measure.probes import PROBES
from campus_agent.measure.quiet import disturbance
from campus_agent.measure.rooms import SCHOOL_SUBJECT, device_result, poll, room_results, rooms_of, school_result
from campus_agent.measure.runner import run_probe
from campus_agent.ports.watch import PortWatch
from campus_agent.schedule.calendar import calendar_of
from campus_agent.schedule.history import RECALL_KEY, History
from campus_agent.schedule.jobs import Job, Lane, jobs_of
from campus_agent.schedule.planner import Look, Moment, Planner, Skip, Try, Wait
from campus_agent.schedule.segment import alone
from campus_agent.ship.connection import ShipFailed
from campus_agent.ship.rotate import NotRotated, is_due, rotate
from campus_agent.ship.shipper import ShipOutcome, Shipper
from campus_agent.ship.slots import NoSlot, release, reserve
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import Spool, open_spool
from campus_agent.stamp import stamp
from campus_agent.status import Last, Snapshot, read_snapshot, write_snapshot
from campus_agent.subjects import (
    GUARD_SECONDS,
    agent_state,
    announcement,
    costs,
    endpoint_of,
    probe_and_settings,
    probe_kind,
)
from campus_wire import notify
from campus_wire.failures import SkipReason, Validity
from campus_wire.language import Text
from campus_wire.records import (
    MAX_SLOT_SECONDS,
    AgentState,
    AnyResult,
    NetworkResult,
    RoomResult,
    Segment,
    SlotRequest,
    ThroughputResult,
    kind_of,
    outcome_of,
    test_bytes_of,
)
from campus_wire.version import VERSION

log = logging.getLogger(__name__)

LONGEST_SLEEP_SECONDS = 60.0
NO_PROBLEM = Text("", "")
WATCHDOG_SECONDS = 20.0
ROTATE_AGAIN_SECONDS = 86_400.0
PAGE_PAUSE_SECONDS, MOST_PAGE_PAUSE_SECONDS, PAGE_STOP_SECONDS = 5.0, 300.0, 5.0
_M_TRIM_THRESHOLD, _M_ARENA_MAX = -1, -8  # malloc.h
SEGMENT_PATIENCE_SECONDS = 30.0
FIRST_CONTACT_SECONDS = 5.0
"""The first test waits so long for the collector to tell the time: an hour off, it could fall into a lesson."""
LONGEST_SLOT_WAIT_SECONDS = 60.0
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
    lanes = [asyncio.ensure_future(job) for job in daemon.lanes()]
    notify.send("READY=1")
    stopping = asyncio.ensure_future(stop.wait())
    renewed = asyncio.ensure_future(daemon.renewed.wait())
    try:
        done, _ = await asyncio.wait([stopping, renewed, *lanes], return_when=asyncio.FIRST_COMPLETED)
        for lane in done:
            lane.result()
        return stopping not in done
    finally:
        notify.send("STOPPING=1")
        for lane in (stopping, renewed, *lanes):
            lane.cancel()
        await asyncio.gather(stopping, renewed, *lanes, return_exceptions=True)
        spool.close()
        log.info("agent stopped")


def stay_small() -> None:
    """Four threads for name look-ups, requests and the disk, and one heap for all of them: measured, 1 MB less after a day.

    glibc gives each thread a heap of its own, for speed that nobody needs here (mallopt(3), M_ARENA_MAX and M_TRIM_THRESHOLD).
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_TRIM_THRESHOLD, 65_536)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4))


class Daemon:
    """The lanes and what they share."""

    def __init__(
        self, config: AgentConfig, spool: Spool, clock: Clock, rng: Random | None = None, file: Path | None = None
    ) -> None:
        """Nothing is measured yet."""
        self.config = config
        self.renewed = asyncio.Event()
        self._file = file
        self._rotate_after = 0.0
        self._config_problem = NO_PROBLEM
        self.spool = spool
        self.clock = clock
        self.rng = rng or Random()
        self.snapshot = Snapshot(version=VERSION, boot_id=clock.boot_id, started_at=datetime.now(UTC))
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
        self._shipper = (
            Shipper(config.collector, config.agent_id, spool, clock, announcement(config), self._state, self.rng)
            if config.collector
            else None
        )

    def lanes(self) -> list[Coroutine[Any, Any, None]]:
        """Everything that runs at once."""
        measuring = [self._measure_lane("load"), self._measure_lane("light")]
        return [*measuring, self._ship_lane(), self._config_lane(), self._page_lane(), self._watchdog()]

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
        for subject, failure in (await look(places)).items():
            self.planner.seen(subject, failure, self.clock.monotonic())

    async def _use(self, step: Try) -> None:
        """Use this opportunity, or say why not; either way the job is due again later."""
        job = step.job
        if job.kind == "devices":
            await self._poll_devices(job)
            return
        if job.kind == "network":
            result: AnyResult = await audit(self.config.school, self._stamp(0.0))
            self.planner.done(job, self._moment(), succeeded=outcome_of(result) == "ok")
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
                self.planner.done(part, self._moment(), succeeded=succeeded)
                await self._keep(result)
                if not succeeded and part != job:
                    self.planner.done(job, self._moment(), succeeded=False)
                    break
        if job.heavy:
            with contextlib.suppress(
                SpoolError
            ):  # `_keep` has told of it; what is remembered only orders the next round
                await asyncio.to_thread(self.spool.remember, RECALL_KEY, self.planner.history)

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
        self.planner.done(job, self._moment(), succeeded=True)
        told: list[AnyResult] = [*results, *rooms]
        if rooms:
            told.append(school_result(rooms, school, self._stamp(0.0)))
        told += await self._ports.round(self._stamp, self.clock.monotonic())
        for result in told:
            await self._keep(result)

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
        slot = await asyncio.to_thread(reserve, collector, request)
        if isinstance(slot, NoSlot):
            return SkipReason.NO_SLOT, slot.detail
        stack.push_async_callback(asyncio.to_thread, release, collector, slot)
        await asyncio.sleep(slot.start_in_seconds)
        return None

    async def _measure(self, job: Job) -> AnyResult:
        probe, settings = probe_and_settings(
            self.config, job.kind, job.subject, self._bytes_left() if job.heavy else None
        )
        self.snapshot.running[job.lane] = f"{job.kind} {job.subject}"
        try:
            return await run_probe(probe, settings, self._stamp, job.subject, self.config.school, rng=self.rng)
        finally:
            self.snapshot.running.pop(job.lane, None)

    def _skipped(self, skip: Skip) -> list[AnyResult]:
        """What is kept of an opportunity that was not used; for a poll round one result a room."""
        rooms = skip.job.kind == "devices"
        make: Callable[..., AnyResult] = RoomResult if rooms else NetworkResult
        if skip.job.kind not in ("devices", "network"):
            make = PROBES[probe_kind(skip.job.kind)].result
        off = skip.reason is SkipReason.ENDPOINT_OFF
        return [
            make(
                **self._stamp(0.0),
                subject=subject,
                school=self.config.school,
                duration_seconds=0.0,
                validity=Validity.ENDPOINT_OFF if off else Validity.NOT_MEASURED,
                skipped=skip.reason,
                failure=skip.failure,
                detail=skip.detail[:300],
            )
            for subject in (self._rooms_judged() if rooms else [skip.job.subject])
        ]

    def _rooms_judged(self) -> list[str]:
        """The rooms, and the school where it has any."""
        rooms = rooms_of(self.config.devices)
        return [*rooms, SCHOOL_SUBJECT] if rooms else []

    async def _keep(self, result: AnyResult) -> None:
        """Spool it, count it, remember it for `status`."""
        try:
            await asyncio.to_thread(self.spool.put, result)
            self.snapshot.spool_error = None
        except SpoolError as error:
            self.snapshot.spool_error = str(error)
            self.snapshot.lost_results += 1
            log.error(
                "result lost: the spool cannot be written", extra={"error": str(error), "subject": result.subject}
            )
        spent = test_bytes_of(result)
        if spent and isinstance(result, ThroughputResult) and result.record:
            self._spend(result.record.segment, spent)
        self._note(result)
        self._ship_now.set()

    def _note(self, result: AnyResult) -> None:
        kind, outcome = kind_of(result), outcome_of(result)
        why = str(result.skipped or (result.failure.kind if result.failure else result.validity))
        log.info(
            "measured",
            extra={"id": result.id, "kind": kind, "subject": result.subject, "outcome": outcome, "why": why},
        )
        now = self.clock.monotonic()
        if result.skipped is None:
            self.snapshot.ended[f"{kind}/{result.subject}"] = now
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
                body = await asyncio.to_thread(central.fetch, self.config, self._file)
                self._config_problem = NO_PROBLEM
                if body is not None:
                    await asyncio.to_thread(central.keep, body, self.config.state_dir)
                    log.info("configuration of the bureau", extra={"tag": central.tag_of(body)})
                    self.renewed.set()
            except ShipFailed as failed:
                log.info("configuration not fetched", extra={"reason": central.reason_of(failed)})
            except central.Refused as refused:
                self._config_problem = refused.words
                log.warning("configuration refused", extra={"reason": refused.words.en})
            except OSError as error:
                log.error("configuration not kept", extra={"reason": str(error)})
            if self._rotation_is_due(self.config.collector):
                await self._rotate(self.config.collector)
            await asyncio.sleep(central.FETCH_SECONDS * self.rng.uniform(0.8, 1.2))

    def _rotation_is_due(self, collector: Collector) -> bool:
        """Not while the program is about to begin again: the next one does it."""
        ready = not self.renewed.is_set() and self.clock.monotonic() >= self._rotate_after
        return ready and is_due(collector.token_file)

    async def _rotate(self, collector: Collector) -> None:
        """A new token now and then; when that does not work, the one that is there goes on for another day."""
        self._rotate_after = self.clock.monotonic() + ROTATE_AGAIN_SECONDS
        try:
            await asyncio.to_thread(rotate, collector)
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
            process = await asyncio.create_subprocess_exec(
                *command, env=os.environ | {"_CAMPUS_PAGE_CHILD": str(os.getpid())}
            )
            try:
                status = await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
                    try:
                        await asyncio.wait_for(process.wait(), PAGE_STOP_SECONDS)
                    except TimeoutError:
                        process.kill()
            lived = self.clock.monotonic() - began
            pause = PAGE_PAUSE_SECONDS if lived > MOST_PAGE_PAUSE_SECONDS else min(2 * pause, MOST_PAGE_PAUSE_SECONDS)
            log.warning("classroom page ended", extra={"status": status, "retry_seconds": pause})
            await asyncio.sleep(pause)

    async def _drain(self, shipper: Shipper) -> ShipOutcome:
        """In a thread; when the daemon stops, its exchange is ended and the thread waited for: it works on the spool."""
        thread = asyncio.ensure_future(asyncio.to_thread(shipper.drain))
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
            notify.send("WATCHDOG=1")
            await asyncio.sleep(WATCHDOG_SECONDS)

    def _stamp(self, seconds_ago: float) -> dict[str, Any]:
        return stamp(self.clock, self._shipper.estimate if self._shipper else None, seconds_ago)

    def time_is_unknown(self) -> bool:
        """Could this be a lesson or an examination, for all we know? A clock that was never set must not disturb one."""
        estimate = self._shipper.estimate if self._shipper else None
        told = offset_seconds(self.clock, estimate) is not None
        return self._time_matters and not told and self.clock.wall() < EARLIEST_PLAUSIBLE.timestamp()

    def _moment(self) -> Moment:
        return Moment(self.clock.monotonic(), self._local_now())

    def _local_now(self) -> datetime:
        offset = offset_seconds(self.clock, self._shipper.estimate if self._shipper else None) or 0.0
        return datetime.fromtimestamp(self.clock.wall() + offset, self.config.timezone)

    def _state(self) -> AgentState:
        waits = self.spool.status()
        offset = offset_seconds(self.clock, self._shipper.estimate if self._shipper else None)
        made = agent_state(_os_name(), waits.pending_results, waits.lost_total, offset, self.spool.test_bytes_total())
        return msgspec.structs.replace(
            made, config_problem_en=self._config_problem.en, config_problem_zh=self._config_problem.zh
        )

    def _spend(self, segment: Segment, octets: int) -> None:
        self.spool.add_test_bytes(segment, self._local_now().date(), octets)

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
