"""Who has guessed wrong how often? A bounded memory of the last minutes. Pure but for the clock that is handed in."""

from collections import OrderedDict, deque

WINDOW_SECONDS = 600.0
MOST_OF_ONE = 10
MOST_OF_ALL = 300
MOST_ADDRESSES = 10_000


class Guesses:
    """Wrong codes by address, and of everybody together: at 60 bits, 300 in ten minutes find one in 100 million million years."""

    def __init__(self) -> None:
        """Nobody has guessed."""
        self._of: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque()

    def wait_seconds(self, address: str, now: float) -> float:
        """How long this address has to wait before the next try; 0 for not at all."""
        own = self._of.get(address, deque())
        waits = [0.0]
        for times, most in ((own, MOST_OF_ONE), (self._all, MOST_OF_ALL)):
            while times and times[0] <= now - WINDOW_SECONDS:
                times.popleft()
            if len(times) >= most:
                waits.append(times[0] + WINDOW_SECONDS - now)
        return max(waits)

    def wrong(self, address: str, now: float) -> None:
        """One more."""
        self._of.setdefault(address, deque(maxlen=MOST_OF_ONE)).append(now)
        self._of.move_to_end(address)
        self._all.append(now)
        while len(self._of) > MOST_ADDRESSES:
            self._of.popitem(last=False)
