"""Throughput by our own engine: paced UDP bursts, sequential, verdict in a fraction of a second (docs/protocol.md)."""

import msgspec

from campus_agent.measure.guards import soundness
from campus_agent.measure.link.connect import reachable
from campus_agent.measure.link.path import Link, link_to
from campus_agent.measure.machine import cpu_ratio, cpu_time
from campus_agent.measure.probe import Finding, Progress, Run
from campus_agent.measure.request import ThroughputRequest
from campus_agent.measure.worker import run_worker
from campus_wire.encapsulation import Encapsulation
from campus_wire.failures import Validity
from campus_wire.records import ThroughputRecord

RESOLVE_TIMEOUT_SECONDS = 5.0
CONNECT_SECONDS = 1.5
"""To find out which address of a name answers, where it has several."""
CLASSROOM_DEADLINE_SECONDS = 10.0
UPLINK_DEADLINE_SECONDS = 20.0
START_SECONDS = 3.0
"""Python's start in the worker on a slow gateway, and the engine's own end."""


def deadline_seconds(request: ThroughputRequest) -> float:
    return RESOLVE_TIMEOUT_SECONDS + 2 * CONNECT_SECONDS + _engine_seconds(request) + START_SECONDS + 2.0


async def measure(request: ThroughputRequest, run: Run) -> Finding[ThroughputRecord]:
    """Resolve, then let the worker do both directions."""
    run.watch(Progress("resolve", 0.0, 1.0))
    address = await reachable(request.host, request.port, RESOLVE_TIMEOUT_SECONDS, CONNECT_SECONDS)
    link = link_to(address.text)
    task = msgspec.structs.replace(
        request,
        host=address.text,
        encapsulation=Encapsulation(vlan_tags=link.vlan_tags, pppoe=link.pppoe) if link else Encapsulation(),
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
    record = msgspec.structs.replace(
        measured.record,
        cpu_ratio=cpu if measured.record.cpu_ratio is None else measured.record.cpu_ratio,
        link_speed_bits_per_second=link.speed_bits_per_second if link else None,
        link_duplex=link.duplex if link else None,
    )
    if measured.failure is not None or measured.validity is not Validity.OK:
        return msgspec.structs.replace(measured, record=record)
    validity, detail = soundness(record, request)
    return Finding(record, validity, detail=detail or measured.detail)


def _engine_seconds(request: ThroughputRequest) -> float:
    return UPLINK_DEADLINE_SECONDS if request.segment == "uplink" else CLASSROOM_DEADLINE_SECONDS
