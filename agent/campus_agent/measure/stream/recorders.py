"""Echoes to one required recorder: one a second, and while none comes back ten a second, so that the end is known. Pure; times as in `minutes`."""

from collections.abc import Callable

from campus_agent.measure.stream.interruptions import SHORTEST_SECONDS, Silence

EVERY_SECONDS, FAST_SECONDS = 1.0, 0.1
SILENT_SECONDS = 0.3
"""No answer for so long: ask faster. Recorders in a school answer in milliseconds."""
FAST_FOR_SECONDS = 60.0
LATE_SECONDS = 1.0


class Recorder:
    """`due` says when to send; a recorder that never answered since the start is off, not interrupted."""

    def __init__(self, device: str, new_id: Callable[[float], str]) -> None:
        self.device = device
        self._new_id = new_id
        self._waiting: dict[int, tuple[float, bool]] = {}
        self._next_regular = self._next_fast = 0.0
        self._answered_at: float | None = None
        """The time of sending of the newest echo that was answered."""
        self._first_lost: float | None = None
        self._lost = 0
        self._id = ""
        self.lost_at: list[float] = []
        """Regular echoes that were not answered, by their times of sending; the minutes take them."""

    def due(self, now: float) -> float:
        """When the next echo is to be sent."""
        return min(self._next_regular, self._next_fast) if self._is_silent(now) else self._next_regular

    def sent(self, number: int, at: float) -> bool:
        """Is it one of the regular echoes, which count?"""
        regular = at >= self._next_regular
        if regular:
            self._next_regular = max(self._next_regular + EVERY_SECONDS, at + EVERY_SECONDS / 2)
        self._next_fast = at + FAST_SECONDS
        self._waiting[number] = (at, regular)
        return regular

    def answered(self, number: int) -> Silence | None:
        """An answer: the interruption that it ends, if any."""
        sent = self._waiting.pop(number, None)
        if sent is None:
            return None
        at = sent[0]
        older = [other for other in self._waiting.values() if other[0] < at]
        first = self._first_lost
        if first is None and older:
            first = min(other[0] for other in older)
        ended = None
        if first is not None and self._answered_at is not None and first < at:
            ended = self._silence(first, at, len(older))
        if self._answered_at is None or at > self._answered_at:
            self._answered_at, self._first_lost, self._lost, self._id = at, None, 0, ""
        return ended

    def _silence(self, first_lost: float, end: float | None, waiting: int) -> Silence | None:
        """What began somewhere between the last echo with an answer and the first without: in the middle."""
        assert self._answered_at is not None
        begin = (max(self._answered_at, first_lost - EVERY_SECONDS) + first_lost) / 2
        self._id = self._id or self._new_id(begin)
        silence = Silence(self._id, begin, end, "both", "recorder", self._lost + waiting, self.device)
        return silence if end is None or end - begin >= SHORTEST_SECONDS - FAST_SECONDS / 2 else None

    def tick(self, now: float) -> None:
        """Echoes that will not be answered any more are lost."""
        for number in [number for number, (at, _) in self._waiting.items() if now - at > LATE_SECONDS]:
            at, regular = self._waiting.pop(number)
            self._lost += 1
            if regular:
                self.lost_at.append(at)
            if self._first_lost is None and (self._answered_at is None or at > self._answered_at):
                self._first_lost = at

    def open(self, now: float) -> Silence | None:
        """The interruption that goes on, if there is one."""
        first = self._first_lost
        if first is None or self._answered_at is None or now - first < SHORTEST_SECONDS:
            return None
        return self._silence(first, None, len(self._waiting))

    def skip(self, now: float) -> None:
        """The gateway did not run: what waits is unknown, not lost."""
        self._waiting.clear()
        self._next_regular = self._next_fast = now
        if self._first_lost is None:
            self._answered_at = None

    def _is_silent(self, now: float) -> bool:
        if self._answered_at is None:
            return False
        since = self._first_lost
        if since is None:
            since = min((at for at, _ in self._waiting.values()), default=now)
        return SILENT_SECONDS <= now - since < FAST_FOR_SECONDS
