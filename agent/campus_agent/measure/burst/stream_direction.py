"""One direction of a test by TCP: one stream, ended as soon as its windows make the verdict certain."""

from dataclasses import replace
from time import monotonic

from campus_agent.measure.burst.direction import OPEN, DirectionTest
from campus_agent.measure.burst.estimate.reading import with_waits
from campus_agent.measure.burst.estimate.stream_reading import read_stream
from campus_agent.measure.burst.io.stream import Inflow
from campus_agent.measure.burst.pulse import View
from campus_agent.measure.burst.spec import (
    MAX_PULSE_SECONDS,
    MIN_STREAM_WINDOWS,
    OFFERED_RATIO,
    STREAM_ROUND_TRIPS,
    STREAM_SECONDS,
)
from campus_wire.failures import Validity

_NO_BUCKET = "; by TCP no token bucket is looked for"


class StreamTest(DirectionTest):
    """As `DirectionTest`, where UDP does not pass."""

    def run(self) -> None:
        """Make the test. Raises what the caller raises; what was found until then stays."""
        self.note = "measured by TCP, because UDP does not pass" + (_NO_BUCKET if self._is_uplink else "")
        offered = self._target * OFFERED_RATIO
        longest = min(STREAM_SECONDS + STREAM_ROUND_TRIPS * self._caller.round_trip_seconds, MAX_PULSE_SECONDS)
        seconds = min(longest, self._budget.deadline - monotonic() - 1.0)
        octets = int(min(self._budget.octets, seconds * offered / 8, self._caller.most_stream_octets()))
        if seconds <= 0 or octets < 2 * STREAM_SECONDS / 10 * offered / 8:
            detail = "no octets or time left for a stream"
            self.decision = replace(OPEN, done=True, validity=Validity.INCONCLUSIVE, detail=detail)
            return

        def enough(seen: Inflow) -> bool:
            self._judge(seen, offered, last=False)
            return self.decision.done

        seen, spent = self._caller.stream(self.direction, offered, octets, seconds, enough)
        self.octets = spent
        self._judge(seen, offered, last=True)
        if not self.decision.done:
            detail = "the stream did not get beyond its slow start"
            self.decision = replace(OPEN, done=True, validity=Validity.INCONCLUSIVE, detail=detail)

    def _judge(self, seen: Inflow, offered: float, *, last: bool) -> None:
        before = len(self.views)
        self.seconds = monotonic() - self._began
        self.octets = max(self.octets, self._caller.stream_octets(seen))
        views = read_stream(
            seen,
            self._caller.encapsulation,
            self._target,
            offered,
            self._caller.receiver_gap_bytes(self.direction),
            self._caller.round_trip_seconds,
            subscriber_receives=self._subscriber_receives,
        )
        self.views = [with_waits(view, _waited_seconds(seen, view), self._threshold, self._target) for view in views]
        enough = len(self.views) >= MIN_STREAM_WINDOWS
        if enough and not self.decision.done and (last or len(self.views) > before):
            self._decide(self.views, last=last)
        if self.disturbs and not self.decision.done:
            self.break_off()


def _waited_seconds(seen: Inflow, view: View) -> float | None:
    """This window's part of the time for which an end of the stream has lacked a processor so far; None: unknown."""
    passed_ns = seen.at_ns[-1] - seen.at_ns[0]
    if seen.waited_ns is None or passed_ns <= 0:
        return None
    return view.span_seconds * min(1.0, seen.waited_ns / passed_ns)
