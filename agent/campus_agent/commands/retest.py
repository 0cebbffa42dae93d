"""The kind `measure`: a test that the bureau asks for, through the gate that every load passes.

In a lesson it waits for the next break that is long enough, up to an hour; everything else that the gate refuses is answered with the reason.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

import msgspec

from campus_agent.commands.kinds import UNKNOWN_SUBJECT, CommandOutcome, CommandProgress, Report
from campus_agent.config.model import AgentConfig, Endpoint
from campus_agent.gate.gate import Gate, Permit
from campus_agent.gate.rules import OFFICE, NoPermit
from campus_agent.gate.school_time import SchoolTime
from campus_agent.measure.plan import costs
from campus_agent.measure.probe import Progress, ignore
from campus_agent.measure.probes import PROBES
from campus_agent.measure.probes.devices import EVERYTHING
from campus_agent.measure.runner import Runner
from campus_agent.measure.subjects import endpoint_of
from campus_agent.schedule.calendar import Calendar, is_blackout
from campus_agent.schedule.jobs import Job
from campus_agent.schedule.timetable import seconds_until_free
from campus_wire.commands import LONGEST_QUEUE_SECONDS, CausedResult, Command
from campus_wire.failures import SkipReason
from campus_wire.records import AnyResult, kind_of

log = logging.getLogger(__name__)

PROBE_OF_KIND = {
    "classroom": "throughput",
    "uplink": "throughput",
    "service": "service",
    "device": "devices",
    "recording_room": "devices",
}
LOOK_AGAIN_SECONDS = 15.0
REPORT_EVERY_SECONDS = 3.0


class Retest:
    """Runs tests on request, those that load the line one after another."""

    def __init__(
        self,
        config: AgentConfig,
        gate: Gate,
        time: SchoolTime,
        calendar: Calendar,
        runner: Runner,
        store: Callable[..., Awaitable[None]],
        running: dict[str, str],
    ) -> None:
        """`store` spools results; `running` is where the daemon says what it does."""
        self._config, self._gate, self._time, self._calendar = config, gate, time, calendar
        self._runner, self._store, self._running = runner, store, running
        self._costs = costs(config)
        self._turn = asyncio.Lock()

    async def run(self, command: Command, report: Report) -> CommandOutcome:
        job = self._job(command)
        if job is None:
            detail = f"this gateway measures no {command.subject_kind} {command.subject}"
            return CommandOutcome("refused", UNKNOWN_SUBJECT, detail[:300])
        if job.heavy:
            return await self._when_free(command, job, report)
        if is_blackout(self._config.timetable, self._time.now().date()):
            return _refused(NoPermit(SkipReason.BLACKOUT, "nothing active is sent on a blackout day"))
        return await self._measured(command, job, None, report)

    def _job(self, command: Command) -> Job | None:
        """None for what this gateway does not measure."""
        kind = PROBE_OF_KIND.get(command.subject_kind)
        if kind is None:
            return None
        subject = EVERYTHING if command.subject_kind == "recording_room" else command.subject
        if subject == EVERYTHING and not self._config.devices:
            return None
        try:
            PROBES[kind].settings(self._config, subject, None)
        except KeyError:
            return None
        return Job(kind, subject, 0.0, lane="load" if kind == "throughput" else "light", heavy=kind == "throughput")

    async def _when_free(self, command: Command, job: Job, report: Report) -> CommandOutcome:
        """Try at once, and again when the lesson is over; the place in the queue is kept for an hour."""
        endpoint, until = endpoint_of(self._config, job.subject), monotonic() + LONGEST_QUEUE_SECONDS
        needed_seconds = self._costs.seconds(job)
        while True:
            async with self._turn:
                outcome = await self._through_the_gate(command, job, endpoint, report)
            if not isinstance(outcome, NoPermit):
                return outcome
            starts_in = seconds_until_free(self._calendar, self._time.now(), needed_seconds)
            if outcome.reason is not SkipReason.LESSON or starts_in is None or monotonic() + starts_in > until:
                return _refused(outcome)
            await report(CommandProgress(starts_in_seconds=starts_in))
            await self._sleep_until_free(needed_seconds)

    async def _sleep_until_free(self, needed_seconds: float) -> None:
        """In short steps: the wall clock may be set meanwhile."""
        while True:
            starts_in = seconds_until_free(self._calendar, self._time.now(), needed_seconds)
            if not starts_in:
                await asyncio.sleep(LOOK_AGAIN_SECONDS / 5)
                return
            await asyncio.sleep(min(LOOK_AGAIN_SECONDS, starts_in))

    async def _through_the_gate(
        self, command: Command, job: Job, endpoint: Endpoint, report: Report
    ) -> CommandOutcome | NoPermit:
        seconds, needed_bytes = self._costs.seconds(job), self._costs.needed_bytes(job)
        async with self._gate.open(endpoint, seconds=seconds, needed_bytes=needed_bytes, rules=OFFICE) as answer:
            if isinstance(answer, Permit):
                return await self._measured(command, job, answer, report)
            return answer

    async def _measured(self, command: Command, job: Job, permit: Permit | None, report: Report) -> CommandOutcome:
        """Run the probe; its results are the same as those of the schedule, with the command's id."""
        latest: list[Progress] = []
        follower = asyncio.ensure_future(_follow(latest, report))
        self._running["command"] = f"{job.kind} {job.subject}"
        try:
            results = await self._runner.run(
                PROBES[job.kind],
                job.subject,
                max_bytes=permit.bytes_left if permit is not None else None,
                watch=lambda progress: latest.__setitem__(slice(None), [progress]),
                charge=permit.charge if permit is not None else ignore,
            )
        finally:
            self._running.pop("command", None)
            follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await follower
        caused = [msgspec.structs.replace(result, command=command.id) for result in results]
        await self._store(*caused)
        return CommandOutcome("done", results=[_named(result) for result in caused][:100])


async def _follow(latest: list[Progress], report: Report) -> None:
    """Say that it runs, and now and then how far it is."""
    while True:
        ratio = None
        if latest and latest[0].expected_seconds > 0:
            ratio = min(1.0, max(0.0, latest[0].elapsed_seconds / latest[0].expected_seconds))
        await report(CommandProgress(ratio=ratio))
        await asyncio.sleep(REPORT_EVERY_SECONDS)


def _refused(refused: NoPermit) -> CommandOutcome:
    return CommandOutcome("refused", str(refused.reason), refused.detail[:300])


def _named(result: AnyResult) -> CausedResult:
    return CausedResult(result.id, kind_of(result), result.subject, result.started_at)
