"""How often may one address try a secret? Each try is counted before it is looked at, so that a hundred at once are a hundred.

Nobody is shut out by what others do: when all addresses together fail often, every try waits a little longer.
"""

import asyncio
import threading
from collections import OrderedDict, deque
from time import monotonic

from campus_collector.forwarding import address_group
from campus_collector.http import HttpProblem

MAX_ADDRESSES = 10_000
SLOW_FROM = 60
"""Failures of everybody within the window from which on each try is slowed down."""
SLOWEST_SECONDS = 3.0
MAX_WAITING = 200
"""Tries that may be slowed down at once; more are told to come later."""


class RateLimiter:
    """Failed tries of the last `window_seconds`, by address and together."""

    def __init__(self, tries: int, window_seconds: float) -> None:
        """Nobody has tried."""
        self._tries, self._window = tries, window_seconds
        self._lock = threading.Lock()
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=MAX_ADDRESSES)
        self._waiting = 0

    def begin(self, address: str, now: float | None = None) -> float:
        """Count a try. Seconds until the next is allowed when this one is not; 0.0 when it is."""
        now = monotonic() if now is None else now
        with self._lock:
            mine = self._by_address.setdefault(address_group(address), deque())
            self._by_address.move_to_end(address_group(address))
            self._drop_old(mine, now)
            if len(mine) >= self._tries:
                return max(0.001, mine[0] + self._window - now)
            mine.append(now)
            self._all.append(now)
            while len(self._by_address) > MAX_ADDRESSES:
                self._by_address.popitem(last=False)
        return 0.0

    def succeeded(self, address: str) -> None:
        """The try that was counted last was right: it is taken back, and only it."""
        with self._lock:
            for times in (self._by_address.get(address_group(address)), self._all):
                if times:
                    times.pop()

    def delay_seconds(self, now: float | None = None) -> float:
        """How long a try waits: nothing as long as few fail, then more with each."""
        now = monotonic() if now is None else now
        with self._lock:
            self._drop_old(self._all, now)
            beyond = len(self._all) - SLOW_FROM
        return min(SLOWEST_SECONDS, max(0, beyond) * 0.02)

    async def admit(self, address: str) -> None:
        """Count a try and slow it down. Raises HttpProblem 429."""
        wait = self.begin(address)
        if wait > 0:
            raise self._refusal(wait)
        delay = self.delay_seconds()
        if delay <= 0:
            return
        if self._waiting >= MAX_WAITING:
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
