"""Does this line reach its target, both ways? One blocking call, to be made in a worker process: the load takes most of a core."""

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from statistics import fmean
from time import monotonic

from campus_agent.measure.burst.caller import Caller, Refusal, UdpBlocked
from campus_agent.measure.burst.direction import Budget, DirectionTest, Way
from campus_agent.measure.burst.io.interfaces import link_speed_bits_per_second
from campus_agent.measure.burst.protocol.messages import ProtocolError
from campus_agent.measure.burst.pulse import Flaw
from campus_agent.measure.burst.spec import CONTROL_BYTES, CONTROL_RATIO, PROTOCOL_VERSION, STREAM_CONGESTION_CONTROL
from campus_agent.measure.burst.stream_direction import StreamTest
from campus_agent.measure.errors import kind_of_error
from campus_agent.measure.link.congestion import allowed_congestion_control
from campus_wire.bandwidth import DEFAULT_TOLERANCE_RATIO
from campus_wire.encapsulation import Encapsulation, goodput_from_line_rate
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DirectionRecord, Segment, ThroughputRecord

_KIND_OF_REASON = {"not_authorised": FailureKind.NOT_AUTHORISED, "busy": FailureKind.BUSY, "limit": FailureKind.BUSY}
_AWAY = (
    FailureKind.CONNECTION_REFUSED,
    FailureKind.TIMEOUT,
    FailureKind.HOST_UNREACHABLE,
    FailureKind.NETWORK_UNREACHABLE,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What to measure. `encapsulation` is what is known of the path; MTU and address family are corrected from the path itself.

    `max_bytes` bounds both directions together. `deadline_seconds` bounds the whole call, resolving a name left out.
    `max_cross_traffic_ratio`: other traffic above this share of the target ends the test at once, unless the verdict is certain.
    """

    host: str
    port: int
    key: bytes | None
    segment: Segment
    required_bits_per_second: float
    tolerance_ratio: float = DEFAULT_TOLERANCE_RATIO
    encapsulation: Encapsulation = field(default_factory=Encapsulation)
    deadline_seconds: float = 10.0
    max_bytes: int | None = None
    max_cross_traffic_ratio: float | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not 1e5 <= self.required_bits_per_second <= 1e11:
            raise ValueError(f"required_bits_per_second must be 1e5 to 1e11, not {self.required_bits_per_second}")
        if not 0.5 <= self.tolerance_ratio <= 1.0:
            raise ValueError(f"tolerance_ratio must be 0.5 to 1, not {self.tolerance_ratio}")
        if self.max_cross_traffic_ratio is not None and not 0.0 < self.max_cross_traffic_ratio <= 10.0:
            raise ValueError(f"max_cross_traffic_ratio must be above 0, at most 10, not {self.max_cross_traffic_ratio}")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running test stands, after each pulse."""

    direction: Way
    elapsed_seconds: float
    line_rate_bits_per_second: float
    bytes: int
    confidence_ratio: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: a record, or a failure and whatever was measured before it."""

    record: ThroughputRecord | None
    validity: Validity
    failure: Failure | None = None
    detail: str = ""


def measure(request: Request, on_progress: Callable[[Progress], None] | None = None) -> Outcome:
    """Run the test. Never raises for what the network or the other end does."""
    was_collecting = gc.isenabled()
    gc.disable()  # a collection takes longer than a packet
    try:
        return _measure(request, on_progress)
    finally:
        if was_collecting:
            gc.enable()


def _measure(request: Request, on_progress: Callable[[Progress], None] | None) -> Outcome:
    deadline = monotonic() + request.deadline_seconds
    octets = inf if request.max_bytes is None else (1 - CONTROL_RATIO) * request.max_bytes - CONTROL_BYTES
    budget = Budget(deadline, octets)
    operation = Operation.CONNECT
    caller: Caller | None = None
    tests: list[DirectionTest] = []
    try:
        caller = Caller.connect(request.host, request.port, deadline)
        operation = Operation.AUTHENTICATE
        caller.authenticate(request.key or b"", deadline)
        operation = Operation.TRANSFER
        try:
            caller.listen_idle(request.encapsulation, deadline)
            _run(request, caller, DirectionTest, budget, tests, on_progress)
        except UdpBlocked as blocked:
            if any(test.decision.done for test in tests):
                raise
            if not caller.knows_streams:
                raise UdpBlocked(f"{blocked}; the responder is too old for a test by TCP") from None
            wasted = {test.way: test.octets for test in tests}
            tests.clear()
            _run(request, caller, StreamTest, budget, tests, on_progress)
            for test in tests:
                test.octets += wasted.get(test.way, 0)
    except (Refusal, ProtocolError, OSError) as error:
        failure = _failure(operation, error)
        record = _record(request, caller, tests) if caller is not None and tests else None
        return Outcome(record, _validity_of(failure), failure, failure.detail)
    finally:
        if caller is not None:
            caller.close()
    validity, detail = _soundness(request, caller, tests)
    return Outcome(_record(request, caller, tests), validity, None, detail)


def _run(
    request: Request,
    caller: Caller,
    kind: type[DirectionTest],
    budget: Budget,
    tests: list[DirectionTest],
    on_progress: Callable[[Progress], None] | None,
) -> None:
    """Both directions, one after the other; what was begun is in `tests` even when it fails."""
    target, ratio = request.required_bits_per_second, request.max_cross_traffic_ratio
    max_others = inf if ratio is None else ratio * target
    ways: tuple[Way, Way] = ("down", "up")
    for way in ways:
        share = budget.share(0.5 if way == "down" else 1.0)
        test = kind(caller, way, request.segment, target, target * request.tolerance_ratio, share, max_others)
        test.tell = _teller(on_progress)
        tests.append(test)
        test.run()
        budget.octets -= test.octets
        if test.disturbs:
            if test.decision.reached:  # one direction is no verdict yet
                test.break_off()
            return


def _teller(on_progress: Callable[[Progress], None] | None) -> Callable[[DirectionTest], None] | None:
    if on_progress is None:
        return None
    return lambda test: on_progress(
        Progress(test.way, test.seconds, test.decision.rate, test.octets, test.decision.confidence)
    )


def _record(request: Request, caller: Caller, tests: list[DirectionTest]) -> ThroughputRecord:
    measured = {test.way: _direction(caller, test) for test in tests if test.views}
    told = [[view.others for view in test.views if view.flaw is not Flaw.WAITED] for test in tests]
    others = [fmean(rates) for rates in told if rates]
    by_tcp = any(isinstance(test, StreamTest) for test in tests)
    return ThroughputRecord(
        segment=request.segment,
        engine="campus",
        engine_version=str(PROTOCOL_VERSION),
        required_bits_per_second=request.required_bits_per_second,
        encapsulation=caller.encapsulation,
        down=measured.get("down"),
        up=measured.get("up"),
        idle=None if by_tcp else caller.idle.record(),
        working=None if by_tcp else caller.working.record(),
        congestion_control=allowed_congestion_control(STREAM_CONGESTION_CONTROL) if by_tcp else None,
        transport="tcp" if by_tcp else "udp",
        cross_traffic_bits_per_second=max(others, default=None),
    )


def _direction(caller: Caller, test: DirectionTest) -> DirectionRecord:
    """A direction without a sound verdict proves at most what it carried: a lower bound."""
    decision = test.decision
    rate = max(0.0, decision.rate)
    return DirectionRecord(
        goodput_bits_per_second=goodput_from_line_rate(rate, caller.encapsulation),
        bytes=test.octets + caller.control_octets(test.direction),
        duration_seconds=test.seconds,
        line_rate_bits_per_second=rate,
        lower_bound=decision.lower_bound or decision.validity is not Validity.OK or not decision.done,
        limited_by=decision.limit,
        confidence_ratio=min(1.0, decision.confidence),
        burst_line_rate_bits_per_second=test.burst_rate,
        cpu_waited_ratio=_waited_ratio(test),
    )


def _waited_ratio(test: DirectionTest) -> float | None:
    """For how much of this direction's pulses an end lacked a processor; None: unknown."""
    known = [view for view in test.views if view.waited_seconds is not None and view.span_seconds > 0]
    span = sum(view.span_seconds for view in known)
    return min(1.0, sum(view.waited_seconds or 0.0 for view in known) / span) if span else None


def _soundness(request: Request, caller: Caller, tests: list[DirectionTest]) -> tuple[Validity, str]:
    """Is the whole sound? One direction that surely fails is enough; else every direction must be sound."""
    notes = [f"{test.way}: {note}" for test in tests for note in (test.decision.detail, test.note) if note]
    threshold = request.required_bits_per_second * request.tolerance_ratio
    failed = [test for test in tests if test.decision.reached is False]
    speed = link_speed_bits_per_second(caller.interface)
    if failed and speed is not None and speed < threshold:
        notes.append(f"the gateway's own interface {caller.interface} runs at {speed / 1e6:.0f} Mbit/s")
        return Validity.GATEWAY_LIMIT, "; ".join(notes)
    unsound = [test.decision.validity for test in tests if test.decision.validity is not Validity.OK]
    return (Validity.OK if failed or not unsound else unsound[0]), "; ".join(notes)


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


def _validity_of(failure: Failure) -> Validity:
    if failure.kind is FailureKind.BUSY:
        return Validity.ENDPOINT_BUSY
    if failure.operation is Operation.CONNECT and failure.kind in _AWAY:
        return Validity.ENDPOINT_OFF
    return Validity.NOT_MEASURED
