"""Holds the requests of gateways that wait for commands: one look at the database a second, however many wait and at whichever collector.

A gateway waits once: its next request ends the one before, which a proxy may have cut without a word.
"""

import asyncio
import logging
from random import uniform

from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.store import Store

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
SPREAD = 0.9
"""A request is held for this share of its time at least: gateways that came at once do not all come back at once."""


class CommandWatch:
    """The waiting gateways of this process. All methods run in the event loop."""

    def __init__(self, store: Store) -> None:
        self._commands = store.commands
        self._waiting: dict[str, tuple[int, asyncio.Future[None]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._stopped = False

    async def wait(self, school: str, seen: int, seconds: float) -> None:
        """Until the newest command that waits to be taken is another than `seen` (0: none), or about so many seconds are over."""
        if self._stopped or seconds <= 0:
            return
        self._end(school)
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting[school] = (seen, waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        timer = loop.call_later(seconds * uniform(SPREAD, 1.0), _set, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            if self._waiting.get(school, (0, None))[1] is waiter:
                del self._waiting[school]

    def stop(self) -> None:
        """Answer all that wait, and hold none any more: the collector ends."""
        self._stopped = True
        for school in list(self._waiting):
            self._end(school)

    def count(self) -> int:
        """How many wait now?"""
        return len(self._waiting)

    def _end(self, school: str) -> None:
        _, waiter = self._waiting.pop(school, (0, None))
        if waiter is not None:
            _set(waiter)

    async def _look(self) -> None:
        while self._waiting:
            try:
                newest = await asyncio.to_thread(self._commands.not_taken)
            except StoreUnavailable as error:
                log.info("commands cannot be read now", extra={"error": str(error)})
            except Exception:
                log.exception("commands were not looked for; it is tried again")
            else:
                for school, (seen, waiter) in self._waiting.items():
                    if newest.get(school, 0) != seen:
                        _set(waiter)
            await asyncio.sleep(LOOK_SECONDS)


def _set(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
