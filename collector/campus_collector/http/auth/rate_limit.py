"""A rate limiter for secrets, by address. Each attempt is counted before it is checked, so that a hundred at once are a hundred.

Attempts are in the store, where all collectors count them together. No address is refused for what others do: when all of them together
fail often, every attempt is delayed a little.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from campus_collector.http.forwarding import address_group
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.store.tables.attempts import AttemptTable

SLOW_FROM = 60
"""Failures of all addresses within the window from which on each attempt is delayed."""
SLOWER_EACH_SECONDS = 0.02
SLOWEST_SECONDS = 3.0
MAX_WAITING = 200
"""Attempts that may be delayed at the same time; more are refused."""


@dataclass(slots=True)
class Attempt:
    """An attempt. One that was right, or that could not be checked, does not count."""

    id: str
    counts: bool = True


class TooSoon(Exception):
    """So many `seconds` until this address may try again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.3f} s")
        self.seconds = seconds


class RateLimiter:
    """Attempts of one kind of the last `window_seconds` that failed or are being checked, by address and together."""

    def __init__(self, attempts: AttemptTable, kind: str, tries: int, window_seconds: float) -> None:
        self._attempts, self._kind = attempts, kind
        self._tries, self._window = tries, window_seconds
        self._waiting = 0

    @asynccontextmanager
    async def attempt(self, address: str) -> AsyncIterator[Attempt]:
        """Count an attempt and delay it; who finds it right sets `counts` to False, and a 503 does so too. Raises HttpProblem 429, 503."""
        try:
            attempt = await in_thread(self.begin, address)
        except TooSoon as wait:
            raise self._refusal(wait.seconds) from None
        try:
            await self._slow_down(attempt)
            yield attempt
        except HttpProblem as problem:
            attempt.counts = attempt.counts and problem.status != 503
            raise
        finally:
            if not attempt.counts:
                await in_thread(self._attempts.give_back, attempt.id)

    def begin(self, address: str, now: float | None = None) -> Attempt:
        """Count an attempt; `now` is for tests. Raises TooSoon, StoreUnavailable."""
        admission = self._attempts.begin(self._kind, address_group(address), self._tries, self._window, now)
        if admission.wait_seconds > 0:
            raise TooSoon(admission.wait_seconds)
        return Attempt(admission.id)

    def delay_seconds(self, now: float | None = None) -> float:
        """How long an attempt is delayed: 0 as long as few fail, then more with each failure. Raises StoreUnavailable."""
        most = SLOW_FROM + round(SLOWEST_SECONDS / SLOWER_EACH_SECONDS)
        beyond = self._attempts.count(self._kind, self._window, most, now) - SLOW_FROM
        return min(SLOWEST_SECONDS, max(0, beyond) * SLOWER_EACH_SECONDS)

    async def _slow_down(self, attempt: Attempt) -> None:
        delay = await in_thread(self.delay_seconds)
        if delay <= 0:
            return
        if self._waiting >= MAX_WAITING:
            attempt.counts = False  # it is not checked
            raise self._refusal(SLOWEST_SECONDS)
        self._waiting += 1
        try:
            await asyncio.sleep(delay)
        finally:
            self._waiting -= 1

    def _refusal(self, seconds: float) -> HttpProblem:
        headers = {"Retry-After": str(int(seconds) + 1)}
        return HttpProblem(429, "Too many attempts", "too many wrong codes or passwords: wait, then try again", headers)
