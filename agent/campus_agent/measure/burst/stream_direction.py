"""One direction of a test by TCP: one stream, ended as soon as its windows make the verdict certain."""

from dataclasses import replace
from time import monotonic

from campus_agent.measure.burst.direction import OPEN, DirectionTest
from campus_agent.measure.burst.estimate.burst_rate import reject_if_cpu_waited
from campus_agent.measure.burst.estimate.rate_estimate import RateEstimate
from campus_agent.measure.burst.estimate.stream_rate import estimate_stream
from campus_agent.measure.burst.observation import StreamArrivals, StreamObservation
from campus_agent.measure.burst.spec import (
    MAX_BURST_SECONDS,
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
        self.note = "measured by TCP, because UDP does not pass" + (
            _NO_BUCKET if self._request.segment == "uplink" else ""
        )
        offered = self._target * OFFERED_RATIO
        longest = min(STREAM_SECONDS + STREAM_ROUND_TRIPS * self._session.round_trip_seconds, MAX_BURST_SECONDS)
        seconds = min(longest, self._budget.deadline - monotonic() - 1.0)
        payload_bytes = int(min(self._budget.bytes_left, seconds * offered / 8, self._session.max_stream_bytes()))
        if seconds <= 0 or payload_bytes < 2 * STREAM_SECONDS / 10 * offered / 8:
            detail = "no bytes or time left for a stream"
            self.verdict = replace(OPEN, done=True, validity=Validity.INCONCLUSIVE, detail=detail)
            return

        def enough(arrivals: StreamArrivals) -> bool:
            self._judge(arrivals, offered, last=False)
            return self.verdict.done

        arrivals, spent = self._session.stream(self.towards, offered, payload_bytes, seconds, enough)
        self.bytes_spent = spent
        self._judge(arrivals, offered, last=True)
        if not self.verdict.done:
            detail = "the stream did not get beyond its slow start"
            self.verdict = replace(OPEN, done=True, validity=Validity.INCONCLUSIVE, detail=detail)

    def _judge(self, arrivals: StreamArrivals, offered: float, *, last: bool) -> None:
        before = len(self.estimates)
        self.seconds = monotonic() - self._began
        self.bytes_spent = max(self.bytes_spent, self._session.stream_bytes(arrivals))
        stream = StreamObservation(
            arrivals,
            self._session.encapsulation,
            self._session.receiver_frame_overhead_bytes(self.towards),
            self._session.round_trip_seconds,
            self._subscriber_receives,
        )
        self.estimates = [
            reject_if_cpu_waited(estimate, _waited_seconds(arrivals, estimate), self._threshold, self._target)
            for estimate in estimate_stream(stream, self._target, offered)
        ]
        enough = len(self.estimates) >= MIN_STREAM_WINDOWS
        if enough and not self.verdict.done and (last or len(self.estimates) > before):
            self._judge_bursts(self.estimates, last=last)
        if self.disturbs and not self.verdict.done:
            self.break_off()


def _waited_seconds(arrivals: StreamArrivals, estimate: RateEstimate) -> float | None:
    """This window's part of the time for which an end of the stream has lacked a processor so far; None: unknown."""
    passed_ns = arrivals.at_ns[-1] - arrivals.at_ns[0]
    if arrivals.waited_ns is None or passed_ns <= 0:
        return None
    return estimate.span_seconds * min(1.0, arrivals.waited_ns / passed_ns)
