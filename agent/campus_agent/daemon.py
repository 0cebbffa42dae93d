"""`campus-agent run`: measure by the timetable, spool, ship, until stopped. The resident part, kept small.

Lanes: `load` (throughput and latency, one at a time), `light` (host, services), `stream` (the lesson stream), `commands` (what the bureau asks
for), `ship`. Every opportunity that is not used is a counted result with its reason. SIGTERM ends what runs (its worker is killed, nothing half-measured is kept) and leaves.
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

from campus_agent.clock.clock import Clock, ClockEstimate, offset_seconds, system_clock
from campus_agent.commands.kinds import handlers
from campus_agent.commands.lane import CommandLane
from campus_agent.commands.reports import LogSummary, doctor_of
from campus_agent.commands.retest import Retest
from campus_agent.commands.upgrade import upgrade_of
from campus_agent.config import fetched
from campus_agent.config.model import AgentConfig, Collector
from campus_agent.gate.gate import Gate, Permit
from campus_agent.gate.rules import LATENCY, SCHEDULE
from campus_agent.gate.school_time import SchoolTime
from campus_agent.measure.browser.messages import socket_path
from campus_agent.measure.errors import failure_of
from campus_agent.measure.machine import QUIET_CHECK_SECONDS
from campus_agent.measure.plan import agent_state, announcement, costs, endpoints_of, free_bytes, jobs_of
from campus_agent.measure.presence import PresenceTarget, check_presence
from campus_agent.measure.probe import AnyFinding, Finding, ignore
from campus_agent.measure.probes import PROBES
from campus_agent.measure.runner import Runner
from campus_agent.measure.stamp import Stamp, stamp
from campus_agent.measure.subjects import endpoint_of
from campus_agent.schedule.calendar import calendar_of
from campus_agent.schedule.history import RECALL_KEY, History
from campus_agent.schedule.jobs import Job, Lane
from campus_agent.schedule.planner import CheckPresence, Moment, Planner, Skip, Try, Wait
from campus_agent.ship import configuration
from campus_agent.ship.connection import ShipFailed
from campus_agent.ship.rotate import NotRotated, is_due, rotate
from campus_agent.ship.shipper import ESTIMATES_KEY, ShipOutcome, Shipper
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import Spool, open_spool
from campus_agent.spool.time_floor import FLOOR_KEY, REMEMBER_SECONDS, TimeFloor, note_behind, recall_floor
from campus_agent.status import LastResult, Snapshot, read_snapshot, write_snapshot
from campus_base import sd_notify
from campus_base.files import write_whole
from campus_base.messages import verbatim
from campus_wire.failures import Operation, SkipReason, Validity
from campus_wire.records import (
    AgentState,
    AnyResult,
    kind_of,
    outcome_of,
)
from campus_wire.version import VERSION

log = logging.getLogger(__name__)
T = TypeVar("T")

LANE_PAUSE_SECONDS = 5.0
LONGEST_SLEEP_SECONDS = 60.0
NO_PROBLEM = verbatim("")
ACKNOWLEDGED_FILE = "acknowledged"
"""In the state folder: the version whose batch the collector acknowledged last. The installer of upgrades reads it (upgrade/install.py)."""
WATCHDOG_SECONDS = 20.0
ROTATE_AGAIN_SECONDS = 86_400.0
PAGE_PAUSE_SECONDS, MOST_PAGE_PAUSE_SECONDS, PAGE_STOP_SECONDS = 5.0, 300.0, 5.0
FIRST_CONTACT_SECONDS = 5.0
"""The first test waits so long for the collector's time: with a clock an hour off it could fall into a lesson."""
MAX_HELD_RESULTS = 500


async def run(config: AgentConfig, file: Path | None = None) -> bool:
    """Until SIGTERM or SIGINT, or until the collector's configuration is another: then True, and the program begins again with it.

    `file` is where the gateway's own configuration stands; without it the collector is not asked. Raises AlreadyRunning, SpoolError.
    """
    limit_lookup_threads()
    spool = open_spool(config.state_dir, config.spool)
    daemon = Daemon(config, spool, system_clock(), file=file)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # not add_signal_handler, which loads `inspect` (1 MB) to look at its argument
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    log.info("agent starts", extra={"version": VERSION, "school": config.school, "subjects": len(daemon.planner.jobs)})
    lanes = [asyncio.ensure_future(lane) for lane in daemon.lanes()]
    sd_notify.send("READY=1")
    stopping = asyncio.ensure_future(stop.wait())
    configuration_changed = asyncio.ensure_future(daemon.configuration_changed.wait())
    try:
        await asyncio.wait([stopping, configuration_changed, *lanes], return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not daemon.configuration_changed.is_set():
            # Only at a real end: after STOPPING=1 systemd waits TimeoutStopSec and kills, whatever the program does meanwhile.
            sd_notify.send("STOPPING=1")
        for lane in (stopping, configuration_changed, *lanes):
            lane.cancel()
        await asyncio.gather(stopping, configuration_changed, *lanes, return_exceptions=True)
        daemon.close()
        spool.close()
        log.info("agent stopped")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # from here on SIGTERM ends the program at once
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


def limit_lookup_threads() -> None:
    """Four threads for name look-ups; the heap is kept small by the environment (resident.py)."""
    asyncio.get_running_loop().set_default_executor(executor("names", 4))


def executor(name: str, threads: int) -> ThreadPoolExecutor:
    """Threads that exist from now on: where the system has none left to give later, the work goes on all the same."""
    pool = ThreadPoolExecutor(threads, name)
    began = Barrier(threads + 1)
    for _ in range(threads):
        pool.submit(began.wait)
    began.wait()
    return pool


class Daemon:
    """The lanes and what they share."""

    def __init__(
        self, config: AgentConfig, spool: Spool, clock: Clock, rng: Random | None = None, file: Path | None = None
    ) -> None:
        self.config = config
        self.configuration_changed = asyncio.Event()
        self._disk = executor("disk", 1)
        self._exchanges = executor("exchange", 2)
        self._file = file
        self._rotate_after = 0.0
        self._log_summary = LogSummary()
        self._config_problem = NO_PROBLEM
        self._acknowledged = False
        self.spool = spool
        self.clock = clock
        self.rng = rng or Random()
        self.snapshot = Snapshot(version=VERSION, boot_id=clock.boot_id, started_at=datetime.now(UTC))
        self._floor = recall_floor(spool, clock, spool.recall(ESTIMATES_KEY, tuple[ClockEstimate, ...]) or ())
        if self._floor.is_above(clock.wall(), clock.boot_id, clock.monotonic()):
            note_behind(spool, self._floor)
        self._floor_kept_at = -REMEMBER_SECONDS
        self._costs = costs(config)
        calendar = self._calendar = calendar_of(config)
        history, last_ended, now = spool.recall(RECALL_KEY, History), self._last_ended(), clock.monotonic()
        self.planner = Planner(jobs_of(config), calendar, self._costs, config.school, history, last_ended, now)
        self.runner = Runner(config, self._stamp, self.rng)
        self._time = SchoolTime(clock, config.timezone, lambda: (self._estimate(), self._floor))
        self.gate = Gate(config, lambda: calendar, self._time, lambda: contextlib.nullcontext(spool), self._exchanges)
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
            "commands": self._command_lane,
            "watchdog": self._watchdog,
        }
        if self.config.lesson_stream.enabled:
            lanes["stream"] = self._stream_lane
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
        if lane == "load" and self.gate.needs_time and self._shipper is not None:
            with contextlib.suppress(TimeoutError):  # the collector may be away for weeks
                await asyncio.wait_for(self._asked_for_time.wait(), FIRST_CONTACT_SECONDS)
        while True:
            if lane == "load" and self.gate.time_is_unknown():
                await asyncio.sleep(LONGEST_SLEEP_SECONDS / 4)
                continue
            step = self.planner.next(lane, self._moment(), self.gate.bytes_left() if lane == "load" else 0)
            if isinstance(step, Wait):
                await asyncio.sleep(min(step.seconds, LONGEST_SLEEP_SECONDS))  # the wall clock may jump
            elif isinstance(step, CheckPresence):
                await self._check_presence(step.jobs)
            elif isinstance(step, Skip):
                await self._skip(step)
            else:
                await self._run_job(step)

    async def _check_presence(self, jobs: tuple[Job, ...]) -> None:
        """Which of these endpoints are switched on?"""
        endpoints = {job.subject: endpoint_of(self.config, job.subject) for job in jobs}
        targets = [
            PresenceTarget(
                endpoint.id,
                endpoint.host,
                endpoint.port,
                endpoint.engine == "iperf3",
                str(socket_path(self.config.state_dir)) if endpoint.engine == "browser" else "",
            )
            for endpoint in endpoints.values()
        ]
        try:
            failures = await check_presence(targets)
        except Exception as error:
            # no socket, no thread: nothing is known of them, so they are not looked at again at once
            log.exception("endpoints not looked at")
            failures = dict.fromkeys(endpoints, failure_of(Operation.PREPARE, error))
        for subject, failure in failures.items():
            is_cheap = endpoints[subject].engine == "browser"
            self.planner.record_presence(subject, failure, self.clock.monotonic(), is_cheap=is_cheap)

    async def _run_job(self, step: Try) -> None:
        """Use this opportunity, or say why not; whatever happens a result is kept and the job is due again later."""
        job, began = step.job, self.clock.monotonic()
        try:
            await self._run_if_permitted(step)
        except Exception as error:
            log.exception("measurement failed", extra={"job": job.name})
            failure = failure_of(Operation.PREPARE, error)
            await self._keep_not_measured(
                job, Finding(None, Validity.NOT_MEASURED, failure, seconds=self.clock.monotonic() - began)
            )
            self._done(job, succeeded=False)

    async def _run_if_permitted(self, step: Try) -> None:
        """Ask the gate before a load; what it refuses is postponed, and a skip where that is to be reported."""
        job = step.job
        if job.lane == "light":
            await self._run_with_predecessor(job, None)
            return
        endpoint = endpoint_of(self.config, job.subject)
        seconds, needed_bytes = self._costs.seconds(job) - QUIET_CHECK_SECONDS, self._costs.needed_bytes(job)
        rules = SCHEDULE if job.heavy else LATENCY
        async with self.gate.open(endpoint, seconds=seconds, needed_bytes=needed_bytes, rules=rules) as answer:
            if isinstance(answer, Permit):
                await self._run_with_predecessor(job, answer)
            elif isinstance(answer.reason, SkipReason):  # else the time became unknown: the lane waits for it
                skip = self.planner.postpone(job, answer.reason, self._moment(), answer.detail)
                if skip is not None:
                    await self._skip(skip)

    async def _run_with_predecessor(self, job: Job, permit: Permit | None) -> None:
        """Run the job, after the one that has to precede it: when that does not succeed, the job itself is left out."""
        for part in self._parts(job):
            results = await self._run_probe(part, permit)
            succeeded = any(outcome_of(result) == "ok" for result in results)
            self._done(part, succeeded=succeeded)
            await self._store(*results)
            if not succeeded and part != job:
                self._done(job, succeeded=False)
                break
        if job.heavy:
            # `_keep` has reported it; what is remembered only orders the next round
            with contextlib.suppress(SpoolError):
                await self._on_disk(self.spool.remember, RECALL_KEY, self.planner.history)

    def _done(self, job: Job, *, succeeded: bool) -> None:
        """Records that the job was done, by its own name, so that it is found after a restart whatever its results are called."""
        self.planner.record_measured(job, self._moment(), succeeded=succeeded)
        self.snapshot.ended[job.name] = self.clock.monotonic()

    def _parts(self, job: Job) -> list[Job]:
        """The job, after the one that has to precede it."""
        before = PROBES[job.kind].preceded_by
        return [*(part for part in self.planner.jobs if (part.kind, part.subject) == (before, job.subject)), job]

    async def _run_probe(self, job: Job, permit: Permit | None = None) -> list[AnyResult]:
        """`permit` is charged with what goes over the wire; a load goes no further than what it still allows."""
        self.snapshot.running[job.lane] = f"{job.kind} {job.subject}"
        try:
            return await self.runner.run(
                PROBES[job.kind],
                job.subject,
                max_bytes=permit.bytes_left if permit is not None and job.heavy else None,
                charge=permit.charge if permit is not None else ignore,
            )
        finally:
            self.snapshot.running.pop(job.lane, None)

    async def _skip(self, skip: Skip) -> None:
        """Keep that an opportunity was not used."""
        off = skip.reason is SkipReason.ENDPOINT_OFF
        validity = Validity.ENDPOINT_OFF if off else Validity.NOT_MEASURED
        await self._keep_not_measured(skip.job, Finding(None, validity, skip.failure, skip.detail, skip.reason))

    async def _keep_not_measured(self, job: Job, reason: AnyFinding) -> None:
        await self._store(*self.runner.not_measured(PROBES[job.kind], job.subject, reason))

    async def _store(self, *results: AnyResult) -> None:
        """Spool, count and remember them for `status`. What a full disk refuses waits in memory, the newest MAX_HELD_RESULTS."""
        for result in results:
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
        self.snapshot.last[f"{kind}/{result.subject}"] = LastResult.of(result)
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
            await self._note_acknowledged()
            if outcome.stored or outcome.duplicate or outcome.quarantined:
                log.info("shipped", extra={"stored": outcome.stored, "quarantined": outcome.quarantined})
            await self._wait_for_next_drain()

    async def _note_acknowledged(self) -> None:
        """Keep, once a process, that the collector has acknowledged a batch of this version: an upgrade waits for it."""
        if not self._acknowledged:
            self._acknowledged = True
            try:
                await self._on_disk(write_whole, self.config.state_dir / ACKNOWLEDGED_FILE, VERSION.encode(), 0o600)
            except OSError as error:
                self._acknowledged = False
                log.warning("it is not noted that the collector answers", extra={"reason": str(error)})

    async def _config_lane(self) -> None:
        """Ask the collector now and then; away or wrong, the last good configuration stays in force."""
        if self.config.collector is None or self._file is None:
            await asyncio.Event().wait()
            return
        while True:
            try:
                body = await self._exchange(configuration.fetch, self.config, self._file)
                self._config_problem = NO_PROBLEM
                if body is not None:
                    await self._on_disk(fetched.store, body, self.config.state_dir)
                    log.info("configuration fetched", extra={"tag": fetched.tag_of(body)})
                    self.configuration_changed.set()
            except ShipFailed as failed:
                log.info("configuration not fetched", extra={"reason": configuration.reason_of(failed)})
            except fetched.FetchedConfigRefused as refused:
                self._config_problem = refused.words
                log.warning("configuration refused", extra={"reason": refused.words.en})
            except OSError as error:
                log.error("configuration not kept", extra={"reason": str(error)})
            if self._rotation_is_due(self.config.collector):
                await self._rotate(self.config.collector)
            await asyncio.sleep(configuration.FETCH_SECONDS * self.rng.uniform(0.8, 1.2))

    def _rotation_is_due(self, collector: Collector) -> bool:
        """Not while the program is about to begin again: the next one does it."""
        ready = not self.configuration_changed.is_set() and self.clock.monotonic() >= self._rotate_after
        return ready and is_due(collector.token_file)

    async def _rotate(self, collector: Collector) -> None:
        """A new token now and then; when that does not work, the one that is there goes on for another day."""
        self._rotate_after = self.clock.monotonic() + ROTATE_AGAIN_SECONDS
        try:
            await self._exchange(rotate, collector)
            log.info("token replaced")
        except (NotRotated, ShipFailed) as why:
            log.info("token not replaced", extra={"reason": str(why)})

    async def _stream_lane(self) -> None:
        """Loaded here: a gateway without the stream does without its memory."""
        from campus_agent.stream_lane import StreamLane

        if self.gate.needs_time and self._shipper is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked_for_time.wait(), FIRST_CONTACT_SECONDS)
        lane = StreamLane(
            self.config,
            self.clock,
            self.gate,
            self._time,
            self._calendar,
            runner=self.runner,
            spool=self.spool,
            store=self._store,
            on_disk=self._on_disk,
            running=self.snapshot.running,
        )
        await lane.run()

    async def _command_lane(self) -> None:
        """What the bureau asks for now, beside the schedule."""
        if self.config.collector is None:
            await asyncio.Event().wait()
            return
        retest = Retest(
            self.config, self.gate, self._time, self._calendar, self.runner, self._store, self.snapshot.running
        )
        table = handlers(retest.run, doctor_of(self._file), self._log_summary.send, upgrade_of(self.config.state_dir))
        lane = CommandLane(self.config.collector, table, self.spool, self._on_disk, self._exchange, self.rng)
        logging.getLogger().addHandler(self._log_summary)
        try:
            await lane.run()
        finally:
            logging.getLogger().removeHandler(self._log_summary)

    async def _page_lane(self) -> None:
        """The classroom's page in a separate process, begun again when it ends: this one stays small, and out of the network's reach."""
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

    async def _wait_for_next_drain(self) -> None:
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

    def _stamp(self, seconds_ago: float) -> Stamp:
        return stamp(self.clock, self._estimate(), seconds_ago)

    def _estimate(self) -> ClockEstimate | None:
        return self._shipper.estimate if self._shipper else None

    def _remember_time(self) -> None:
        """What is known of the time now is the floor of the next start. Raises SpoolError."""
        now = self.clock.monotonic()
        if now - self._floor_kept_at < REMEMBER_SECONDS or self._time.is_unknown():
            return
        self._floor = TimeFloor(self.clock.boot_id, now, self._time.now().timestamp())
        self.spool.remember(FLOOR_KEY, self._floor)
        self._floor_kept_at = now

    def _moment(self) -> Moment:
        return Moment(self.clock.monotonic(), self._time.now())

    def _state(self) -> AgentState:
        waits = self.spool.status()
        offset = offset_seconds(self.clock, self._estimate())
        state = agent_state(_os_name(), waits.pending_results, waits.lost_total, offset, self.spool.test_bytes_total())
        return msgspec.structs.replace(
            state,
            config_problem_en=self._config_problem.en,
            config_problem_zh=self._config_problem.zh,
            disk_free_bytes=free_bytes(self.config.state_dir),
            endpoints=endpoints_of(self.config),
        )

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
