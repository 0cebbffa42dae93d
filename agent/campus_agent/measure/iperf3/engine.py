"""Throughput by TCP with iperf3, as an auditor would do it: one direction after the other against any stock `iperf3 -s`.

Beside the load: echoes before and during (working latency), the interface's bytes (other people's traffic), the CPU.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
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
from campus_agent.measure.link.icmp import Pinger
from campus_agent.measure.link.interface_counters import WireCounters, wire_counters
from campus_agent.measure.link.path import Link
from campus_agent.measure.link.resolve import Address
from campus_agent.measure.link.rtt import Echoes
from campus_agent.measure.locate import LOCATE_SECONDS, locate
from campus_agent.measure.machine import cpu_ratio, cpu_time
from campus_agent.measure.probe import Finding, ProbeFailed, Progress, Run
from campus_agent.measure.request import DIRECTIONS, WIRE_RATIO, LineDirection, ThroughputRequest, gateway_sends
from campus_agent.measure.worker import run_worker
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import ThroughputRecord

IDLE_ECHOES = 20
IDLE_ECHO_INTERVAL_SECONDS = 0.02
WORKING_ECHO_INTERVAL_SECONDS = 0.05
SETTLE_SECONDS = 1.0
OVERHEAD_SECONDS = 9.0
"""Above duration and warm-up: start of the worker, connect timeout 4 s, exchange of results."""
BUSY_WAITS_SECONDS = (1.0, 2.0, 4.0)
ATTEMPTS = 2
"""Of one direction: a second one where the ends of the first waited for a processor."""
LIVE_RATE_SECONDS = 0.25


class _Ended(Exception):
    """The test ended early: the agent ended it, or, with a failure, something broke after bytes had passed."""

    def __init__(self, cut: Cut, failure: Failure | None = None) -> None:
        super().__init__(cut.detail)
        self.cut = cut
        self.failure = failure


def deadline_seconds(request: ThroughputRequest) -> float:
    """The longest a run may take, all waits included."""
    direction = request.line_seconds + OVERHEAD_SECONDS + 1.5 * sum(BUSY_WAITS_SECONDS)
    return LOCATE_SECONDS + 2 * SETTLE_SECONDS + 2 * ATTEMPTS * direction + 5.0


async def measure(request: ThroughputRequest, run: Run) -> Finding[ThroughputRecord]:
    """Resolve; idle echoes; a load in each direction. A failure keeps what was seen before it."""
    run.watch(Progress("resolve", 0.0, 2.0 * request.line_seconds))
    address, link = await locate(request)
    line = _LineTest(address, link, run)
    loads: dict[LineDirection, LoadReport] = {}
    failure: Failure | None = None
    cut: Cut | None = None
    idle = await _idle_echoes(address, run)
    cpu_before = cpu_time()
    async with _echoes_beside(address) as working:
        try:
            for direction in DIRECTIONS:
                loads[direction] = await line.load_twice_if_held_up(_remaining(request, loads.values()), direction)
        except _Ended as ended:
            cut, failure = ended.cut, ended.failure
        except ProbeFailed as failed:
            failure = failed.failure
            if not loads:
                raise
    down, up, cpu = loads.get("down"), loads.get("up"), cpu_ratio(cpu_before, cpu_time())
    return interpret(LineReading(request, address, link, idle, working, down, up, cpu, failure, cut))


def _remaining(request: ThroughputRequest, loads: Iterable[LoadReport]) -> ThroughputRequest:
    """A load may spend what those before it have left."""
    if request.max_bytes is None:
        return request
    spent = sum(round((payload_bytes(load) + load.earlier_payload_bytes) * WIRE_RATIO) for load in loads)
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


class _LineTest(msgspec.Struct, frozen=True):
    """The line under test, and the run that measures it."""

    address: Address
    link: Link | None
    run: Run

    async def load_twice_if_held_up(self, request: ThroughputRequest, direction: LineDirection) -> LoadReport:
        """One direction; once more where its ends waited for a processor, so that the rate may not be the line's."""
        first = await self._load(request, direction)
        rest = _remaining(request, [first])
        if not self._is_held_up(first, request) or (rest.max_bytes or inf) < payload_bytes(first) * WIRE_RATIO:
            return first
        try:
            second = await self._load(rest, direction)
        except (ProbeFailed, _Ended):
            return first
        loads = sorted((first, second), key=lambda load: (self._is_held_up(load, request), -payload_bytes(load)))
        return msgspec.structs.replace(loads[0], earlier_payload_bytes=payload_bytes(loads[1]))

    def _is_held_up(self, load: LoadReport, request: ThroughputRequest) -> bool:
        return is_held_up(load, self.link, self.address, request)

    async def _load(self, request: ThroughputRequest, direction: LineDirection) -> LoadReport:
        """One direction; a busy server is asked again after 1, 2 and 4 s."""
        for wait in (*BUSY_WAITS_SECONDS, None):
            try:
                return await self._attempt(request, direction)
            except ProbeFailed as failed:
                if failed.failure.kind is not FailureKind.BUSY or wait is None:
                    raise
                self.run.watch(Progress("busy", 0.0, wait))
                await asyncio.sleep(wait * self.run.random.uniform(0.5, 1.5))
        raise AssertionError("unreachable")

    async def _attempt(self, request: ThroughputRequest, direction: LineDirection) -> LoadReport:
        sends = gateway_sends(request.segment, direction)
        task = Iperf3Task(msgspec.structs.replace(request, host=self.address.text), reverse=not sends)
        seconds = request.line_seconds + OVERHEAD_SECONDS
        counter = _PayloadCounter()
        account = f"{len(self.run.spent_bytes)} {direction}"
        watching = asyncio.ensure_future(self._watch(request, direction, account, counter))
        before = self._wire_counters()
        working = asyncio.ensure_future(run_worker("iperf3", task, seconds, counter.read, PayloadCount))
        try:
            await asyncio.wait([watching, working], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise _Ended(watching.result())
            report = msgspec.json.decode(working.result(), type=dict[str, Any])
            refuse_incomplete(report)
        except TimeoutError:
            detail = f"the endpoint accepted, then stayed silent (no result after {seconds:.0f} s)"
            raise counter.failed(Failure(Operation.READ, FailureKind.TIMEOUT, detail), direction) from None
        except ProbeFailed as failed:
            raise counter.failed(failed.failure, direction) from None
        finally:
            self.run.spent_bytes[account] = round(counter.payload_bytes_by(monotonic()) * WIRE_RATIO)
            for task_ in (watching, working):
                task_.cancel()
            await asyncio.gather(watching, working, return_exceptions=True)
        return LoadReport(report, sends, before, self._wire_counters())

    def _wire_counters(self) -> WireCounters | None:
        return wire_counters(self.link.name) if self.link else None

    async def _watch(
        self, request: ThroughputRequest, direction: LineDirection, account: str, counter: "_PayloadCounter"
    ) -> Cut:
        """Reports the rate during the test; returns when the test must end: others use the line, or its bytes are spent."""
        began, sends = monotonic(), gateway_sends(request.segment, direction)
        guard = TrafficGuard(request)
        first = self._wire_counters()
        samples = [(first.at, 0)] if first else []
        rate = None
        while True:
            await asyncio.sleep(LIVE_RATE_SECONDS)
            now = self._wire_counters()
            if now and first:
                before_at, before = samples[-1]
                on_the_line = now.in_direction(sends=sends) - first.in_direction(sends=sends)
                rate = (on_the_line - before) * 8 / (now.at - before_at)
                samples.append((now.at, on_the_line))
            spent = round(counter.payload_bytes * WIRE_RATIO)
            if spent:
                self.run.spent_bytes[account] = spent
                counted = bytes_at(samples, counter.counted_at) if samples else spent
                reason = guard.verdict(counter.counted_at, counted, spent, spent)
                if reason is not None:
                    return Cut(direction, *reason, counter.payload_bytes, monotonic() - began)
            on_the_wire = max(spent, samples[-1][1] if samples else 0)
            self.run.watch(Progress(direction, monotonic() - began, request.line_seconds, rate, on_the_wire))


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

    def failed(self, failure: Failure, direction: LineDirection) -> Exception:
        """The failure; where payload had passed, with its bytes: they are charged and reported."""
        now = monotonic()
        payload = self.payload_bytes_by(now)
        if not payload:
            return ProbeFailed(failure.operation, failure.kind, failure.detail)
        return _Ended(Cut(direction, Validity.NOT_MEASURED, failure.detail, payload, now - self._began), failure)
