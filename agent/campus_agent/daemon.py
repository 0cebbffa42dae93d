"""`campus-agent run`: measure by the timetable, spool, ship, until stopped. The resident part, kept small.

Lanes: `load` (throughput and latency, one at a time), `light` (host, services), `ship`. Every opportunity that is not used is a
counted result with its reason. SIGTERM ends what runs (its worker is killed, nothing half-measured is kept) and leaves.
"""

import asyncio
import contextlib
import logging
import platform
import signal
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from random import Random
from typing import Any

import psutil

from campus_agent.clock import Clock, offset_seconds, system_clock
from campus_agent.config import AgentConfig
from campus_agent.measure.link import link_to, passed
from campus_agent.measure.probes import PROBES
from campus_agent.measure.resolve import resolve
from campus_agent.measure.runner import run_probe
from campus_agent.schedule.cycle import Cycle, Job, Lane, jobs_of
from campus_agent.schedule.segment import alone
from campus_agent.schedule.timetable import forbidden, forbidden_until, free_seconds
from campus_agent.ship.shipper import ShipOutcome, Shipper
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import Spool, open_spool
from campus_agent.stamp import stamp
from campus_agent.status import Last, Snapshot, read_snapshot, write_snapshot
from campus_agent.subjects import agent_state, announcement, expected_bytes, probe_and_settings
from campus_wire import notify
from campus_wire.failures import SkipReason, Validity
from campus_wire.records import AgentState, AnyResult, Segment, ThroughputResult, kind_of, outcome_of
from campus_wire.version import VERSION

log = logging.getLogger(__name__)

LONGEST_SLEEP_SECONDS = 60.0
RETRY_SECONDS = 600.0
"""A busy segment or endpoint is asked again after this, at the latest after one cycle."""
GUARD_WINDOW_SECONDS = 1.0
WATCHDOG_SECONDS = 20.0
SEGMENT_PATIENCE_SECONDS = 30.0


async def run(config: AgentConfig) -> None:
    """Until SIGTERM or SIGINT. Raises AlreadyRunning, SpoolError."""
    spool = open_spool(config.state_dir, config.spool)
    use_few_threads()
    daemon = Daemon(config, spool, system_clock())
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log.info("agent starts", extra={"version": VERSION, "school": config.school, "subjects": len(daemon.cycle.jobs)})
    lanes = [asyncio.ensure_future(job) for job in daemon.lanes()]
    notify.send("READY=1")
    stopping = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([stopping, *lanes], return_when=asyncio.FIRST_COMPLETED)
        for lane in done:
            lane.result()
    finally:
        notify.send("STOPPING=1")
        for lane in (stopping, *lanes):
            lane.cancel()
        await asyncio.gather(stopping, *lanes, return_exceptions=True)
        spool.close()
        log.info("agent stopped")


def use_few_threads() -> None:
    """Four threads for name look-ups, requests and the disk: each one more costs memory for as long as the agent lives."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4))


class Daemon:
    """The lanes and what they share."""

    def __init__(self, config: AgentConfig, spool: Spool, clock: Clock, rng: Random | None = None) -> None:
        """Nothing is measured yet."""
        self.config = config
        self.spool = spool
        self.clock = clock
        self.rng = rng or Random()
        self.snapshot = Snapshot(version=VERSION, boot_id=clock.boot_id, started_at=datetime.now(UTC))
        self.cycle = Cycle(jobs_of(config), clock.monotonic(), self._last_ended())
        self._ship_now = asyncio.Event()
        self._shipper = (
            Shipper(config.collector, config.agent_id, spool, clock, announcement(config), self._state, self.rng)
            if config.collector
            else None
        )

    def lanes(self) -> list[Coroutine[Any, Any, None]]:
        """Everything that runs at once."""
        return [self._measure_lane("load"), self._measure_lane("light"), self._ship_lane(), self._watchdog()]

    async def _measure_lane(self, lane: Lane) -> None:
        while True:
            job, wait = self.cycle.next(lane, self.clock.monotonic())
            if job is None:
                await asyncio.sleep(min(wait, LONGEST_SLEEP_SECONDS))
                continue
            await self._keep(await self._use(job))

    async def _use(self, job: Job) -> AnyResult:
        """Use this opportunity, or say why not; either way the job is due again later."""
        async with contextlib.AsyncExitStack() as stack:
            reason, ask_again = await self._obstacle(job)
            if reason is None and job.lane == "load":
                free = await stack.enter_async_context(alone(self.config.state_dir, SEGMENT_PATIENCE_SECONDS))
                reason, ask_again = (
                    (None, 0.0) if free else (SkipReason.SEGMENT_BUSY, min(RETRY_SECONDS, job.every_seconds))
                )
            if reason is not None:
                self.cycle.postpone(job, self.clock.monotonic() + ask_again)
                return self._skipped(job, reason)
            result = await self._measure(job)
            self.cycle.done(job, self.clock.monotonic())
            self._retry_soon(job, result)
            return result

    async def _obstacle(self, job: Job) -> tuple[SkipReason | None, float]:
        """Why this job must not run now, and after how many seconds to ask again."""
        if job.kind == "host":
            return None, 0.0
        local = self._local_now()
        heavy = job.kind == "throughput"
        reason = forbidden(self.config.timetable, local, heavy)
        if reason is not None:
            until = forbidden_until(self.config.timetable, local, reason)
            return reason, max(1.0, (until - local).total_seconds())
        if not heavy:
            return None, 0.0
        probe, settings = probe_and_settings(self.config, job.kind, job.subject)
        if free_seconds(self.config.timetable, local) < probe.deadline_seconds(settings) / 2:
            return SkipReason.LESSON, free_seconds(self.config.timetable, local) + 1.0
        if self._bytes_left() < self._expected_bytes(job):
            midnight_in = 86_400 - (local.hour * 3600 + local.minute * 60 + local.second)
            return SkipReason.BYTE_BUDGET, float(midnight_in)
        return await self._busy(settings.host, settings.required_bits_per_second), min(RETRY_SECONDS, job.every_seconds)

    async def _busy(self, host: str, required_bits_per_second: float) -> SkipReason | None:
        """Look at the gateway for a moment before loading it."""
        limits = self.config.limits
        try:
            address = await resolve(host, 5.0)
            link = link_to(address.text, address.family)
        except Exception:  # the probe itself will say what is wrong with this host
            link = None
        before = passed(link.name) if link else None
        psutil.cpu_percent(None)
        await asyncio.sleep(GUARD_WINDOW_SECONDS)
        if psutil.cpu_percent(None) / 100 > limits.max_cpu_ratio:
            return SkipReason.GATEWAY_CPU
        after = passed(link.name) if link else None
        if before and after:
            seconds = after.at - before.at
            octets = max(
                after.sent_wire_bytes - before.sent_wire_bytes, after.received_wire_bytes - before.received_wire_bytes
            )
            if octets * 8 / seconds > limits.max_cross_traffic_ratio * required_bits_per_second:
                return SkipReason.CROSS_TRAFFIC
        return None

    async def _measure(self, job: Job) -> AnyResult:
        probe, settings = probe_and_settings(self.config, job.kind, job.subject)
        self.snapshot.running[job.lane] = f"{job.kind} {job.subject}"
        try:
            return await run_probe(probe, settings, self._stamp, job.subject, self.config.school, rng=self.rng)
        finally:
            self.snapshot.running.pop(job.lane, None)

    def _skipped(self, job: Job, reason: SkipReason) -> AnyResult:
        make = PROBES[job.kind].result
        result: AnyResult = make(
            **self._stamp(0.0),
            subject=job.subject,
            school=self.config.school,
            duration_seconds=0.0,
            validity=Validity.NOT_MEASURED,
            skipped=reason,
        )
        return result

    def _retry_soon(self, job: Job, result: AnyResult) -> None:
        """A test that said nothing (endpoint off, busy line) is tried again well before its next turn."""
        if job.kind == "throughput" and outcome_of(result) != "ok":
            self.cycle.postpone(job, self.clock.monotonic() + min(RETRY_SECONDS, job.every_seconds))

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
        spent = _bytes_of(result)
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
        due = {f"{job.kind}/{job.subject}": self.cycle.due(job) for job in self.cycle.jobs}
        self.snapshot.last[f"{kind}/{result.subject}"] = Last.of(result, self.clock.monotonic())
        self.snapshot.next_seconds = {name: at - self.clock.monotonic() for name, at in due.items()}
        write_snapshot(self.config.state_dir, self.snapshot)

    async def _ship_lane(self) -> None:
        if self._shipper is None:
            log.warning("no [collector]: results stay in the spool")
            await asyncio.Event().wait()
            return
        while True:
            outcome = await self._drain(self._shipper)
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

    def _local_now(self) -> datetime:
        offset = offset_seconds(self.clock, self._shipper.estimate if self._shipper else None) or 0.0
        return datetime.fromtimestamp(self.clock.wall() + offset, self.config.timezone)

    def _state(self) -> AgentState:
        waits = self.spool.status()
        offset = offset_seconds(self.clock, self._shipper.estimate if self._shipper else None)
        return agent_state(_os_name(), waits.pending_results, waits.lost_total, offset, self.spool.test_bytes_total())

    def _spend(self, segment: Segment, octets: int) -> None:
        self.spool.add_test_bytes(segment, self._local_now().date(), octets)

    def _bytes_left(self) -> int:
        spent = self.spool.test_bytes_of_day(self._local_now().date())
        return self.config.limits.daily_test_bytes - sum(spent.values())

    def _expected_bytes(self, job: Job) -> int:
        endpoints = {one.id: one for one in self.config.classrooms}
        endpoint = self.config.uplink if job.subject == "uplink" else endpoints[job.subject]
        return expected_bytes(self.config, endpoint) if endpoint else 0

    def _last_ended(self) -> dict[tuple[str, str], float]:
        """When each job ended last in this boot: a restart must not repeat a whole round."""
        before = read_snapshot(self.config.state_dir)
        if before is None or before.boot_id != self.clock.boot_id:
            return {}
        self.snapshot.last = before.last
        ended = {}
        for name, last in before.last.items():
            kind, _, subject = name.partition("/")
            ended[(kind, subject)] = last.ended_monotonic_seconds
        return ended


def _bytes_of(result: AnyResult) -> int:
    record = result.record
    if not isinstance(result, ThroughputResult) or record is None:
        return 0
    return sum(one.bytes for one in (result.record.down, result.record.up) if one) if result.record else 0


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()
