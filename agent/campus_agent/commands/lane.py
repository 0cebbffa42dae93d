"""The lane of the daemon that takes commands and runs each once, also when it is sent again, or the gateway begins anew in between.

Before a command is run, that it is taken stands on disk and at the collector. What was running when the program ended is reported as interrupted.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from random import Random
from secrets import token_hex
from time import monotonic
from typing import Any

import msgspec

from campus_agent.commands.client import CommandClient
from campus_agent.commands.kinds import (
    INTERNAL,
    INTERRUPTED,
    UNKNOWN_KIND,
    CommandOutcome,
    CommandProgress,
    Handler,
    progress_report,
)
from campus_agent.config.model import Collector
from campus_agent.ship.backoff import delay_seconds
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import Spool
from campus_wire.commands import Command, CommandReport

log = logging.getLogger(__name__)

STATE_KEY = "commands"
MAX_REMEMBERED = 200
MAX_AT_ONCE = 20
FINAL_REPORT_TRIES = 8
TAKE_TRIES = 3


class TakenCommand(msgspec.Struct, omit_defaults=True):
    """What is remembered of a command on disk; `begun` is set before it is run."""

    claim: str
    begun: bool = False
    ended: bool = False


class CommandLane:
    """Waits for commands in a thread of its own, and runs them as tasks."""

    def __init__(
        self,
        collector: Collector,
        handlers: Mapping[str, Handler],
        spool: Spool,
        on_disk: Callable[..., Awaitable[Any]],
        exchange: Callable[..., Awaitable[Any]],
        rng: Random,
    ) -> None:
        """`on_disk` and `exchange` run a function in the threads for the spool and for requests."""
        self._client = CommandClient(collector, rng)
        self._handlers = handlers
        self._spool, self._on_disk, self._exchange, self._rng = spool, on_disk, exchange, rng
        self._known = spool.recall(STATE_KEY, dict[str, TakenCommand]) or {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until it is cancelled: then what is running ends too, and the request that is held."""
        thread = ThreadPoolExecutor(1, "commands")
        loop = asyncio.get_running_loop()
        try:
            self._start(self._report_interrupted())
            while True:
                polled = await loop.run_in_executor(thread, self._client.poll)
                for command in polled.commands:
                    await self._take(command, polled.received_at)
                await asyncio.sleep(polled.pause_seconds)
        finally:
            self._client.hang_up()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            thread.shutdown(wait=False)

    async def _take(self, command: Command, received_at: float) -> None:
        """Run it as a task, unless it was begun before, is too old, or the collector gives it to nobody any more."""
        known = self._known.get(command.id)
        if known is not None and known.begun:
            log.info("command is known already", extra={"id": command.id, "kind": command.kind})
            return
        if len(self._tasks) >= MAX_AT_ONCE:
            self._client.forget_list()
            return
        taken = known or TakenCommand(token_hex(16))
        self._known[command.id] = taken
        accepted = await self._reported(command.id, CommandReport("taken", taken.claim), TAKE_TRIES)
        if accepted is None:
            self._client.forget_list()
            return
        expired = monotonic() - received_at > command.expires_in_seconds
        if not accepted or expired:
            taken.begun = taken.ended = True
            return
        taken.begun = True
        try:
            await self._remember()
        except SpoolError as error:  # what cannot be remembered could be run twice
            detail = f"the gateway's disk cannot be written: {error}"[:300]
            self._start(self._finish(command.id, taken, CommandOutcome("failed", INTERNAL, detail)))
            return
        log.info("command taken", extra={"id": command.id, "kind": command.kind, "subject": command.subject})
        self._start(self._run(command, taken))

    async def _run(self, command: Command, taken: TakenCommand) -> None:
        async def report(progress: CommandProgress) -> None:
            await self._reported(command.id, progress_report(taken.claim, progress), 1)

        handler = self._handlers.get(command.kind)
        try:
            if handler is None:
                outcome = CommandOutcome("refused", UNKNOWN_KIND, command.kind)
            else:
                outcome = await handler(command, report)
        except Exception as error:
            log.exception("command failed", extra={"id": command.id, "kind": command.kind})
            outcome = CommandOutcome("failed", INTERNAL, f"{type(error).__name__}: {error}"[:300])
        await self._finish(command.id, taken, outcome)

    async def _finish(self, command_id: str, taken: TakenCommand, outcome: CommandOutcome) -> None:
        """Report it for some minutes if need be; the results themselves go their usual way."""
        report = CommandReport(
            outcome.state,  # type: ignore[arg-type]
            taken.claim,
            outcome.reason,
            outcome.detail,
            results=outcome.results,
            text=outcome.text,
        )
        log.info("command ended", extra={"id": command_id, "state": outcome.state, "reason": outcome.reason})
        await self._reported(command_id, report, FINAL_REPORT_TRIES)
        taken.ended = True
        with contextlib.suppress(SpoolError):
            await self._remember()

    async def _report_interrupted(self) -> None:
        """Of the program before; what it had not begun yet may be taken again."""
        self._known = {key: taken for key, taken in self._known.items() if taken.begun}
        for command_id, taken in list(self._known.items()):
            if not taken.ended:
                await self._finish(command_id, taken, CommandOutcome("failed", INTERRUPTED))

    async def _reported(self, command_id: str, report: CommandReport, tries: int) -> bool | None:
        """As `CommandClient.report`, tried again where there is no answer."""
        for number in range(1, tries + 1):
            accepted: bool | None = await self._exchange(self._client.report, command_id, report)
            if accepted is not None or number == tries:
                return accepted
            await asyncio.sleep(2 * delay_seconds(number, self._rng))
        return None

    async def _remember(self) -> None:
        """The newest of them, those not ended first. Raises SpoolError."""
        while len(self._known) > MAX_REMEMBERED:
            oldest = next((key for key, taken in self._known.items() if taken.ended), next(iter(self._known)))
            del self._known[oldest]
        await self._on_disk(self._spool.remember, STATE_KEY, dict(self._known))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
