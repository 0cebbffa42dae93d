"""Throughput by TCP with iperf3, as an auditor would do it: one direction after the other against any stock `iperf3 -s`.

Beside the load: echoes before and during (working latency), the interface's octets (other people's traffic), the CPU.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from math import inf
from time import monotonic
from typing import Any

import msgspec

from campus_agent.measure.guards import TrafficGuard, bytes_at
from campus_agent.measure.iperf3.reading import (
    Cut,
    LineReading,
    LoadReport,
    interpret,
    is_held_up,
    payload_bytes,
    refuse_incomplete,
)
from campus_agent.measure.iperf3.task import COUNT_SECONDS, Iperf3Task, PayloadCount
from campus_agent.measure.link.connect import reachable
from campus_agent.measure.link.icmp import Pinger
from campus_agent.measure.link.interface_counters import WireCounters, wire_counters
from campus_agent.measure.link.path import Link, link_to
from campus_agent.measure.link.resolve import Address
from campus_agent.measure.link.rtt import Echoes
from campus_agent.measure.machine import cpu_ratio, cpu_time
from campus_agent.measure.probe import Finding, ProbeFailed, Progress, Run
from campus_agent.measure.request import WIRE_RATIO, ThroughputRequest
from campus_agent.measure.worker import run_worker
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import ThroughputRecord

RESOLVE_TIMEOUT_SECONDS = 5.0
CONNECT_SECONDS = 1.5
"""To find out which address of a name answers, where it has several: libiperf tries only the first."""
IDLE_ECHOES = 20
IDLE_ECHO_INTERVAL_SECONDS = 0.02
WORKING_ECHO_INTERVAL_SECONDS = 0.05
SETTLE_SECONDS = 1.0
OVERHEAD_SECONDS = 9.0
"""Above duration and warm-up: start of the worker, connect timeout 4 s, exchange of results."""
BUSY_WAITS_SECONDS = (1.0, 2.0, 4.0)
ATTEMPTS = 2
"""Of one direction: a second one where the ends of the first waited for a processor."""
SAMPLE_SECONDS = 0.25


class _Ended(Exception):
    """The test ended early: the agent ended it, or, with a failure, something broke after bytes had passed."""

    def __init__(self, cut: Cut, failure: Failure | None = None) -> None:
        super().__init__(cut.detail)
        self.cut = cut
        self.failure = failure


def deadline_seconds(request: ThroughputRequest) -> float:
    """The longest a run may take, all waits included."""
    direction = request.line_seconds + OVERHEAD_SECONDS + 1.5 * sum(BUSY_WAITS_SECONDS)
    return RESOLVE_TIMEOUT_SECONDS + 2 * CONNECT_SECONDS + 2 * SETTLE_SECONDS + 2 * ATTEMPTS * direction + 5.0


async def measure(request: ThroughputRequest, run: Run) -> Finding[ThroughputRecord]:
    """Resolve; idle echoes; load towards the endpoint; load from it. A failure keeps what was seen before it."""
    run.watch(Progress("resolve", 0.0, 2.0 * request.line_seconds))
    address = await reachable(request.host, request.port, RESOLVE_TIMEOUT_SECONDS, CONNECT_SECONDS)
    link = link_to(address.text)
    loads: dict[bool, LoadReport] = {}
    failure: Failure | None = None
    cut: Cut | None = None
    idle = await _idle_echoes(address, run)
    cpu_before = cpu_time()
    async with _echoes_beside(address) as working:
        try:
            for reverse in (False, True) if request.segment == "classroom" else (True, False):
                loads[reverse] = await _load_twice_if_held_up(_remaining(request, loads), address, link, reverse, run)
        except _Ended as ended:
            cut, failure = ended.cut, ended.failure
        except ProbeFailed as failed:
            failure = failed.failure
            if not loads:
                raise
    forward, back = loads.get(False), loads.get(True)
    down, up = (forward, back) if request.segment == "classroom" else (back, forward)
    cpu = cpu_ratio(cpu_before, cpu_time())
    return interpret(LineReading(request, address, link, idle, working, down, up, cpu, failure, cut))


def _remaining(request: ThroughputRequest, loads: Mapping[bool, LoadReport]) -> ThroughputRequest:
    """The second direction may spend what the first has left."""
    if request.max_bytes is None:
        return request
    spent = sum(round((payload_bytes(load) + load.earlier_payload_bytes) * WIRE_RATIO) for load in loads.values())
    return msgspec.structs.replace(request, max_bytes=max(0, request.max_bytes - spent))


async def _idle_echoes(address: Address, run: Run) -> Echoes:
    run.watch(Progress("latency", 0.0, 0.0))
    try:
        with Pinger(address.text, address.family) as pinger:
            await pinger.send_every(IDLE_ECHO_INTERVAL_SECONDS, IDLE_ECHOES)
            await pinger.settle(SETTLE_SECONDS if pinger.echoes.rtt_seconds else 0.2)
            return pinger.echoes
    except ProbeFailed:  # no permission for ICMP: the throughput is still worth measuring
        return Echoes()


@contextlib.asynccontextmanager
async def _echoes_beside(address: Address) -> AsyncIterator[Echoes]:
    """Echoes all the while a load runs."""
    try:
        pinger = Pinger(address.text, address.family)
    except ProbeFailed:
        yield Echoes()
        return
    with pinger:
        sending = asyncio.ensure_future(pinger.send_every(WORKING_ECHO_INTERVAL_SECONDS, 10_000))
        try:
            yield pinger.echoes
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            await pinger.settle(0.3)


async def _load_twice_if_held_up(
    request: ThroughputRequest, address: Address, link: Link | None, reverse: bool, run: Run
) -> LoadReport:
    """One direction; once more where its ends waited for a processor, so that the rate may not be the line's."""
    first = await _load(request, address, link, reverse, run)
    rest = _remaining(request, {reverse: first})
    spent = payload_bytes(first)
    if not is_held_up(first, link, address, request) or (rest.max_bytes or inf) < spent * WIRE_RATIO:
        return first
    try:
        second = await _load(rest, address, link, reverse, run)
    except (ProbeFailed, _Ended):
        return first
    loads = sorted((first, second), key=lambda load: (is_held_up(load, link, address, request), -payload_bytes(load)))
    return msgspec.structs.replace(loads[0], earlier_payload_bytes=payload_bytes(loads[1]))


async def _load(request: ThroughputRequest, address: Address, link: Link | None, reverse: bool, run: Run) -> LoadReport:
    """One direction; a busy server is asked again after 1, 2 and 4 s."""
    for wait in (*BUSY_WAITS_SECONDS, None):
        try:
            return await _attempt(request, address, link, reverse, run)
        except ProbeFailed as failed:
            if failed.failure.kind is not FailureKind.BUSY or wait is None:
                raise
            run.watch(Progress("busy", 0.0, wait))
            await asyncio.sleep(wait * run.random.uniform(0.5, 1.5))
    raise AssertionError("unreachable")


async def _attempt(
    request: ThroughputRequest, address: Address, link: Link | None, reverse: bool, run: Run
) -> LoadReport:
    task = Iperf3Task(msgspec.structs.replace(request, host=address.text), reverse)
    expected = request.line_seconds
    # a classroom's line ends at the server, the uplink at this gateway
    phase = "down" if reverse == (request.segment == "uplink") else "up"
    counter = _PayloadCounter()
    account = f"{len(run.spent_bytes)} {phase}"
    watching = asyncio.ensure_future(_watch(request, link, reverse, phase, account, counter, run))
    before = wire_counters(link.name) if link else None
    working = asyncio.ensure_future(run_worker("iperf3", task, expected + OVERHEAD_SECONDS, counter.read, PayloadCount))
    try:
        await asyncio.wait([watching, working], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _Ended(watching.result())
        body = working.result()
        report = msgspec.json.decode(body, type=dict[str, Any])
        refuse_incomplete(report)
    except TimeoutError:
        detail = f"the endpoint accepted, then stayed silent (no result after {expected + OVERHEAD_SECONDS:.0f} s)"
        raise counter.failed(Failure(Operation.READ, FailureKind.TIMEOUT, detail), reverse) from None
    except ProbeFailed as failed:
        raise counter.failed(failed.failure, reverse) from None
    finally:
        run.spent_bytes[account] = round(counter.payload_bytes_by(monotonic()) * WIRE_RATIO)
        for task_ in (watching, working):
            task_.cancel()
        await asyncio.gather(watching, working, return_exceptions=True)
    after = wire_counters(link.name) if link else None
    return LoadReport(report, reverse, before, after)


class _PayloadCounter:
    """The worker's counts of payload while it runs."""

    def __init__(self) -> None:
        self.payload_bytes = 0
        self._began = self._read_at = self.counted_at = monotonic()

    def read(self, count: PayloadCount) -> None:
        self.payload_bytes = max(self.payload_bytes, count.payload_bytes)
        self._read_at = monotonic()
        self.counted_at = min(self._read_at, count.at)

    def payload_bytes_by(self, moment: float) -> int:
        """What had passed by then: since the last line as fast as before it, for as long as it takes to the next line."""
        lasted = self._read_at - self._began
        unread = min(max(0.0, moment - self._read_at), COUNT_SECONDS)
        return round(self.payload_bytes * (1 + unread / lasted)) if lasted > 0 else self.payload_bytes

    def failed(self, failure: Failure, reverse: bool) -> Exception:
        """The failure; where payload had passed, with its bytes: they are charged and reported."""
        now = monotonic()
        payload = self.payload_bytes_by(now)
        if not payload:
            return ProbeFailed(failure.operation, failure.kind, failure.detail)
        return _Ended(Cut(reverse, Validity.NOT_MEASURED, failure.detail, payload, now - self._began), failure)


async def _watch(
    request: ThroughputRequest,
    link: Link | None,
    reverse: bool,
    phase: str,
    account: str,
    counter: _PayloadCounter,
    run: Run,
) -> Cut:
    """Reports the live rate; returns when the test must end: others use the line, or its bytes are spent."""
    expected, began = request.line_seconds, monotonic()
    guard = TrafficGuard(request)
    first = wire_counters(link.name) if link else None
    samples = [(first.at, 0)] if first else []
    rate = None
    while True:
        await asyncio.sleep(SAMPLE_SECONDS)
        now = wire_counters(link.name) if link else None
        if now and first:
            (before_at, before), on_the_line = samples[-1], _in_direction(now, reverse) - _in_direction(first, reverse)
            rate = (on_the_line - before) * 8 / (now.at - before_at)
            samples.append((now.at, on_the_line))
        spent = round(counter.payload_bytes * WIRE_RATIO)
        if spent:
            run.spent_bytes[account] = spent
            counted = bytes_at(samples, counter.counted_at) if samples else spent
            reason = guard.verdict(counter.counted_at, counted, spent, spent)
            if reason is not None:
                return Cut(reverse, *reason, counter.payload_bytes, monotonic() - began)
        run.watch(Progress(phase, monotonic() - began, expected, rate, max(spent, samples[-1][1] if samples else 0)))


def _in_direction(counts: WireCounters, reverse: bool) -> int:
    return counts.received_wire_bytes if reverse else counts.sent_wire_bytes
