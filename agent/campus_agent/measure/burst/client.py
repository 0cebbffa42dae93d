"""Does this line reach its target, both directions? One blocking call, to be made in a worker process: the load takes most of a core."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from statistics import fmean
from time import monotonic

from campus_agent.measure.burst.client_session import ClientSession, Refusal, UdpBlocked
from campus_agent.measure.burst.direction import Budget, DirectionTest
from campus_agent.measure.burst.estimate.rate_estimate import RejectReason
from campus_agent.measure.burst.protocol.messages import ProtocolError
from campus_agent.measure.burst.spec import CONTROL_BYTES, CONTROL_RATIO, PROTOCOL_VERSION, STREAM_CONGESTION_CONTROL
from campus_agent.measure.burst.stream_direction import StreamTest
from campus_agent.measure.errors import kind_of_error, validity_of
from campus_agent.measure.link.congestion import allowed_congestion_control
from campus_agent.measure.probe import Finding, Progress, ignore
from campus_agent.measure.reason import ValidityReason
from campus_agent.measure.request import DIRECTIONS, LineDirection, ThroughputRequest
from campus_wire.encapsulation import goodput_from_line_rate
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DirectionRecord, ThroughputRecord

_KIND_OF_REASON = {"not_authorised": FailureKind.NOT_AUTHORISED, "busy": FailureKind.BUSY, "limit": FailureKind.BUSY}


def measure(
    request: ThroughputRequest, key: bytes | None, on_progress: Callable[[Progress], None] = ignore
) -> Finding[ThroughputRecord]:
    """Run the test: a record, or a failure and what was measured before it.

    `request.encapsulation` is what is known of the path; MTU and address family are corrected from the path itself. Raises
    ValueError for a request that makes no sense, nothing for what the network or the other end does.
    """
    _check(request)
    was_collecting = gc.isenabled()
    gc.disable()  # a collection takes longer than a packet
    try:
        return _measure(request, key, on_progress)
    finally:
        if was_collecting:
            gc.enable()


def _check(request: ThroughputRequest) -> None:
    if not 1e5 <= request.required_bits_per_second <= 1e11:
        raise ValueError(f"required_bits_per_second must be 1e5 to 1e11, not {request.required_bits_per_second}")
    if not 0.5 <= request.tolerance_ratio <= 1.0:
        raise ValueError(f"tolerance_ratio must be 0.5 to 1, not {request.tolerance_ratio}")
    if not request.max_cross_traffic_ratio > 0.0:
        raise ValueError(f"max_cross_traffic_ratio must be above 0, not {request.max_cross_traffic_ratio}")


def _measure(
    request: ThroughputRequest, key: bytes | None, on_progress: Callable[[Progress], None]
) -> Finding[ThroughputRecord]:
    deadline = monotonic() + request.deadline_seconds
    test_bytes = inf if request.max_bytes is None else (1 - CONTROL_RATIO) * request.max_bytes - CONTROL_BYTES
    operation = Operation.CONNECT
    session: ClientSession | None = None
    test: _Test | None = None
    try:
        session = ClientSession.connect(request.host, request.port, deadline)
        operation = Operation.AUTHENTICATE
        session.authenticate(key or b"", deadline)
        operation = Operation.TRANSFER
        test = _Test(request, session, Budget(deadline, test_bytes), on_progress)
        test.run_by_udp_or_tcp()
    except (Refusal, ProtocolError, OSError) as error:
        failure = _failure(operation, error)
        record = test.record() if test is not None and test.directions else None
        return Finding(record, validity_of(failure), failure, failure.detail)
    finally:
        if session is not None:
            session.close()
    reason = test.reason()
    return Finding(test.record(), reason.validity, detail=reason.detail)


@dataclass(slots=True)
class _Test:
    """Both directions of one line. What was begun is in `directions`, even when it fails."""

    request: ThroughputRequest
    session: ClientSession
    budget: Budget
    on_progress: Callable[[Progress], None]
    directions: list[DirectionTest] = field(default_factory=list)

    def run_by_udp_or_tcp(self) -> None:
        """By TCP where UDP does not pass and no direction has its verdict yet."""
        try:
            self.session.listen_idle(self.request.encapsulation, self.budget.deadline)
            self._run(DirectionTest, {})
        except UdpBlocked as blocked:
            if any(test.verdict.done for test in self.directions):
                raise
            if not self.session.knows_streams:
                raise UdpBlocked(f"{blocked}; the responder is too old for a test by TCP") from None
            lost = {test.direction: test.bytes_spent for test in self.directions}
            self.budget.bytes_left -= sum(lost.values())
            self.directions.clear()
            self._run(StreamTest, lost)

    def _run(self, kind: type[DirectionTest], lost_bytes: Mapping[LineDirection, int]) -> None:
        """One direction after the other. `lost_bytes` went into an attempt by UDP before."""
        for direction in DIRECTIONS:
            share = self.budget.share(0.5 if direction == "down" else 1.0)
            test = kind(self.session, self.request, direction, share)
            test.on_progress = lambda test: self.on_progress(_progress(test))
            self.directions.append(test)
            if lost := lost_bytes.get(direction):
                test.lost_bytes = lost
                self.on_progress(_progress(test))  # so that they are charged whatever ends the test
            test.run()
            self.budget.bytes_left -= test.bytes_spent
            if test.disturbs:
                if test.verdict.reached:  # one direction is no verdict yet
                    test.break_off()
                return

    def record(self) -> ThroughputRecord:
        """What was measured of the directions that were begun."""
        session = self.session
        measured = {test.direction: _direction(session, test) for test in self.directions if test.estimates}
        cross_traffic = [
            [estimate.cross_traffic for estimate in test.estimates if estimate.reject_reason is not RejectReason.WAITED]
            for test in self.directions
        ]
        by_tcp = any(isinstance(test, StreamTest) for test in self.directions)
        return ThroughputRecord(
            segment=self.request.segment,
            engine="campus",
            engine_version=str(PROTOCOL_VERSION),
            required_bits_per_second=self.request.required_bits_per_second,
            encapsulation=session.encapsulation,
            down=measured.get("down"),
            up=measured.get("up"),
            idle=None if by_tcp else session.idle.record(),
            working=None if by_tcp else session.working.record(),
            congestion_control=allowed_congestion_control(STREAM_CONGESTION_CONTROL) if by_tcp else None,
            transport="tcp" if by_tcp else "udp",
            cross_traffic_bits_per_second=max((fmean(rates) for rates in cross_traffic if rates), default=None),
        )

    def reason(self) -> ValidityReason:
        """Are the verdicts sound? One direction that surely fails is enough; else every direction must be sound."""
        verdicts = [test.verdict for test in self.directions]
        notes = [
            f"{test.direction}: {note}" for test in self.directions for note in (test.verdict.detail, test.note) if note
        ]
        unsound = [verdict.validity for verdict in verdicts if verdict.validity is not Validity.OK]
        fails = any(verdict.reached is False for verdict in verdicts)
        return ValidityReason(Validity.OK if fails or not unsound else unsound[0], "; ".join(notes))


def _progress(test: DirectionTest) -> Progress:
    return Progress(
        phase=test.direction,
        elapsed_seconds=test.seconds,
        line_rate_bits_per_second=test.verdict.rate,
        bytes_spent=test.bytes_spent + test.lost_bytes,
        confidence_ratio=test.verdict.confidence,
    )


def _direction(session: ClientSession, test: DirectionTest) -> DirectionRecord:
    """A direction without a sound verdict proves at most what it carried: a lower bound."""
    verdict = test.verdict
    rate = max(0.0, verdict.rate)
    return DirectionRecord(
        goodput_bits_per_second=goodput_from_line_rate(rate, session.encapsulation),
        bytes=test.bytes_spent + test.lost_bytes + session.control_bytes(test.towards),
        duration_seconds=test.seconds,
        line_rate_bits_per_second=rate,
        lower_bound=verdict.lower_bound or verdict.validity is not Validity.OK or not verdict.done,
        limited_by=verdict.limit,
        confidence_ratio=min(1.0, verdict.confidence),
        burst_line_rate_bits_per_second=test.burst_rate,
        cpu_waited_ratio=_waited_ratio(test),
    )


def _waited_ratio(test: DirectionTest) -> float | None:
    """For how much of this direction's bursts an end lacked a processor; None: unknown."""
    measured = [
        estimate for estimate in test.estimates if estimate.waited_seconds is not None and estimate.span_seconds > 0
    ]
    span = sum(estimate.span_seconds for estimate in measured)
    return min(1.0, sum(estimate.waited_seconds or 0.0 for estimate in measured) / span) if span else None


def _failure(operation: Operation, error: Exception) -> Failure:
    detail = str(error)[:300]
    if isinstance(error, Refusal):
        kind = _KIND_OF_REASON.get(error.reason, FailureKind.PROTOCOL_ERROR)
        return Failure(Operation.REQUEST if kind is FailureKind.BUSY else operation, kind, detail)
    if isinstance(error, ProtocolError):
        return Failure(operation, FailureKind.PROTOCOL_ERROR, detail)
    kind = kind_of_error(error)
    if kind is FailureKind.UNKNOWN and isinstance(error, ConnectionError):
        kind = FailureKind.CONNECTION_RESET
    resolving = kind in (FailureKind.NAME_NOT_FOUND, FailureKind.NAME_SERVER_FAILED)
    return Failure(Operation.RESOLVE if resolving else operation, kind, detail)
