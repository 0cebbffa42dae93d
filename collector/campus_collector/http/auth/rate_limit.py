"""A rate limiter for secrets, by address. Each attempt is counted before it is checked, so that a hundred at once are a hundred.

No address is refused for what others do: when all of them together fail often, every attempt is delayed a little.
"""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic

from campus_collector.http.forwarding import address_group
from campus_collector.http.responses import HttpProblem

MAX_ADDRESSES = 10_000
SLOW_FROM = 60
"""Failures of all addresses within the window from which on each attempt is delayed."""
SLOWEST_SECONDS = 3.0
MAX_WAITING = 200
"""Attempts that may be delayed at the same time; more are refused."""


@dataclass(slots=True)
class Attempt:
    """An attempt. One that was right, or that could not be checked, does not count."""

    group: str
    counted_at: float
    counts: bool = True


class TooSoon(Exception):
    """So many `seconds` until this address may try again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.3f} s")
        self.seconds = seconds


class RateLimiter:
    """Attempts of the last `window_seconds` that failed or are being checked, by address and together."""

    def __init__(self, tries: int, window_seconds: float) -> None:
        self._tries, self._window = tries, window_seconds
        self._lock = threading.Lock()
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=MAX_ADDRESSES)
        self._waiting = 0

    @asynccontextmanager
    async def attempt(self, address: str) -> AsyncIterator[Attempt]:
        """Count an attempt and delay it; who finds it right sets `counts` to False, and a 503 does so too. Raises HttpProblem 429."""
        try:
            attempt = self.begin(address)
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
                self.give_back(attempt)

    def begin(self, address: str, now: float | None = None) -> Attempt:
        """Count an attempt. Raises TooSoon."""
        now = monotonic() if now is None else now
        group = address_group(address)
        with self._lock:
            times = self._by_address.setdefault(group, deque())
            self._by_address.move_to_end(group)
            self._drop_old(times, now)
            if len(times) >= self._tries:
                raise TooSoon(max(0.001, times[0] + self._window - now))
            times.append(now)
            self._all.append(now)
            while len(self._by_address) > MAX_ADDRESSES:
                self._by_address.popitem(last=False)
        return Attempt(group, now)

    def give_back(self, attempt: Attempt) -> None:
        """This attempt does not count, and only this one."""
        with self._lock:
            for times in (self._by_address.get(attempt.group), self._all):
                if times is not None:
                    with suppress(ValueError):  # it was too old to be kept
                        times.remove(attempt.counted_at)

    def delay_seconds(self, now: float | None = None) -> float:
        """How long an attempt is delayed: 0 as long as few fail, then more with each failure."""
        now = monotonic() if now is None else now
        with self._lock:
            self._drop_old(self._all, now)
            beyond = len(self._all) - SLOW_FROM
        return min(SLOWEST_SECONDS, max(0, beyond) * 0.02)

    async def _slow_down(self, attempt: Attempt) -> None:
        delay = self.delay_seconds()
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

    def _drop_old(self, times: deque[float], now: float) -> None:
        while times and times[0] <= now - self._window:
            times.popleft()
