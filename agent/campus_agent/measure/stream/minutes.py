"""From packets to minutes: loss by direction, reordering, RTT, jitter, gaps. Pure; times are seconds of one monotonic clock.

Loss is told apart by two numbers (RFC 8762 section 4.2): between two answers the sender counted on by more than the reflector did, by what was lost on
the way up; what is missing else was lost on the way down. Of packets lost in one gap those lost on the way down come first: they were on their way
when the line broke. A packet that comes back after a second is lost; which way was slow is known from both clocks' differences.
"""

from array import array
from collections import deque
from datetime import UTC, datetime

from campus_agent.measure.link.rtt import jitter_seconds, median, percentile
from campus_wire.records import LessonMinute

LATE_SECONDS = 1.0
"""An answer that comes later is of no use to a class; also less than any interruption."""
HOLE_SECONDS = 0.5
"""So long without sending is no matter of the line: the gateway was busy, off, or suspended."""
MINUTE = 60.0


class Packet:
    """One packet that was sent: `rtt` once it was answered in time; `down`: was it lost on the way down?"""

    __slots__ = ("answered", "at", "down", "number", "rtt")

    def __init__(self, number: int, at: float) -> None:
        self.number, self.at = number, at
        self.rtt: float | None = None
        self.answered = self.down = False


class Holes:
    """When the gateway did not send: what is not known of the line."""

    def __init__(self) -> None:
        self._holes: deque[tuple[float, float]] = deque(maxlen=1000)

    def add(self, start: float, end: float) -> None:
        if end > start:
            self._holes.append((start, end))

    def seconds(self, start: float, end: float) -> float:
        """How much of this time they take."""
        return sum(max(0.0, min(end, last) - max(start, first)) for first, last in self._holes if last > start)

    def trimmed(self, start: float, end: float) -> tuple[float, float]:
        """The time without the holes at its edges."""
        for first, last in self._holes:
            if first <= start < last:
                start = last
        for first, last in reversed(self._holes):
            if first < end <= last:
                end = first
        return start, end

    def forget_before(self, at: float) -> None:
        while self._holes and self._holes[0][1] < at:
            self._holes.popleft()


class MinuteCounts:
    """One minute while it goes on, and until all its answers are there."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.packets: list[Packet] = []
        self.sent = self.lost_up = self.lost_down = self.reordered = self.lan_sent = self.lan_lost = 0
        self.longest_gap = 0.0
        self.rtts = array("d")
        self.is_settled = False

    @property
    def end(self) -> float:
        return self.start + MINUTE

    def settle(self) -> None:
        """All its answers are there: count, and let the packets go, but for the numbers of those that are lost up, as far as is known."""
        self.sent = len(self.packets)
        self.rtts = array("d", (packet.rtt for packet in self.packets if packet.rtt is not None))
        lost = [packet for packet in self.packets if packet.rtt is None]
        self.lost_down = sum(packet.down for packet in lost)
        self.lost_up = len(lost) - self.lost_down
        self.packets = [packet for packet in lost if not packet.down and not packet.answered]
        self.is_settled = True

    def leave_out_after(self, at: float) -> None:
        """Packets that were sent after this and are not answered: nobody waits for them any more."""
        self.packets = [packet for packet in self.packets if packet.answered or packet.at <= at]

    def found_down(self, first: int, last: int) -> None:
        """Of the packets that nothing was known of, these numbers were lost on the way down."""
        known = [packet for packet in self.packets if first <= packet.number <= last]
        for packet in known:
            packet.down = True
        if self.is_settled:
            self.lost_up -= len(known)
            self.lost_down += len(known)
            self.packets = [packet for packet in self.packets if not packet.down]

    def row(self, wall_at_zero: float, unknown_seconds: float) -> LessonMinute:
        """As it travels: round trips to three digits, so that a day takes few bytes. `wall_at_zero`: Unix time at 0 of the clock."""
        rtts = self.rtts
        began = round((self.start + wall_at_zero) / MINUTE) * MINUTE
        is_observed = unknown_seconds < MINUTE - 0.05
        return LessonMinute(
            datetime.fromtimestamp(began, UTC),
            self.sent,
            self.lost_up,
            self.lost_down,
            self.reordered,
            round(min(unknown_seconds, MINUTE), 1) or 0,
            digits(min(rtts, default=None), 3),
            digits(median(rtts), 3),
            digits(percentile(rtts, 0.95), 3),
            digits(percentile(rtts, 0.99), 3),
            digits(max(rtts, default=None), 3),
            digits(jitter_seconds(rtts), 2),
            round(self.longest_gap, 3) if is_observed else None,
            self.lan_sent,
            self.lan_lost,
        )


def digits(value: float | None, count: int) -> float | None:
    """Rounded to so many digits."""
    return None if value is None else float(f"{value:.{count}g}")
