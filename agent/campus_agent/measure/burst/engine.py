"""Throughput by our own engine: paced UDP bursts, sequential, verdict in a fraction of a second (docs/pages/en/protocol.md)."""

import msgspec

from campus_agent.measure.guards import soundness
from campus_agent.measure.link.path import Link, encapsulation_through, with_link
from campus_agent.measure.locate import LOCATE_SECONDS, locate
from campus_agent.measure.machine import cpu_ratio, cpu_time
from campus_agent.measure.probe import Finding, Progress, Run
from campus_agent.measure.request import ThroughputRequest
from campus_agent.measure.worker import run_worker
from campus_wire.failures import Validity
from campus_wire.records import ThroughputRecord

CLASSROOM_DEADLINE_SECONDS = 10.0
UPLINK_DEADLINE_SECONDS = 20.0
START_SECONDS = 3.0
"""Python's start in the worker on a slow gateway, and the engine's own end."""


def deadline_seconds(request: ThroughputRequest) -> float:
    return LOCATE_SECONDS + _engine_seconds(request) + START_SECONDS + 2.0


async def measure(request: ThroughputRequest, run: Run) -> Finding[ThroughputRecord]:
    """Resolve, then let the worker do both directions."""
    run.watch(Progress("resolve", 0.0, 1.0))
    address, link = await locate(request)
    task = msgspec.structs.replace(
        request,
        host=address.text,
        encapsulation=encapsulation_through(link),
        deadline_seconds=_engine_seconds(request),
    )

    def show(progress: Progress) -> None:
        run.spent_bytes[progress.phase] = progress.bytes_spent
        run.watch(progress)

    before = cpu_time()
    body = await run_worker("burst", task, task.deadline_seconds + START_SECONDS, show, Progress)
    measured = msgspec.json.decode(body, type=Finding[ThroughputRecord])
    return interpret(request, measured, link, cpu_ratio(before, cpu_time()))


def interpret(
    request: ThroughputRequest, measured: Finding[ThroughputRecord], link: Link | None, cpu: float | None
) -> Finding[ThroughputRecord]:
    """The worker's record with the gateway's own facts; the guards of every engine apply."""
    if measured.record is None:
        return measured
    record = with_link(measured.record, link)
    if record.cpu_ratio is None:
        record = msgspec.structs.replace(record, cpu_ratio=cpu)
    if measured.failure is not None or measured.validity is not Validity.OK:
        return msgspec.structs.replace(measured, record=record)
    reason = soundness(record, request)
    return Finding(record, reason.validity, detail=reason.detail or measured.detail)


def _engine_seconds(request: ThroughputRequest) -> float:
    return UPLINK_DEADLINE_SECONDS if request.segment == "uplink" else CLASSROOM_DEADLINE_SECONDS
