"""Throughput by our own engine: a paced UDP train, sequential, verdict in a fraction of a second (docs/protocol.md)."""

from typing import Any

import msgspec

from campus_agent.measure.burst.task import CampusAnswer, CampusTask
from campus_agent.measure.engine import Engine
from campus_agent.measure.guards import soundness
from campus_agent.measure.link.connect import reachable
from campus_agent.measure.link.interface_counters import Link, link_to
from campus_agent.measure.machine import cpu_ratio, cpu_time
from campus_agent.measure.probe import Finding, Progress, Run
from campus_agent.measure.throughput_settings import Settings
from campus_agent.measure.worker import run_worker
from campus_wire.failures import Validity

RESOLVE_TIMEOUT_SECONDS = 5.0
CONNECT_SECONDS = 1.5
"""To find out which address of a name answers, where it has several."""
CLASSROOM_DEADLINE_SECONDS = 10.0
UPLINK_DEADLINE_SECONDS = 20.0
START_SECONDS = 3.0
"""Python's start in the worker on a slow gateway, and the engine's own end."""


class Raw(msgspec.Struct, frozen=True):
    """The engine's answer and what the gateway knows beside it."""

    settings: Settings
    link: Link | None
    cpu_ratio: float | None
    answer: CampusAnswer


def deadline_seconds(settings: Settings) -> float:
    """The longest a run may take."""
    return RESOLVE_TIMEOUT_SECONDS + 2 * CONNECT_SECONDS + _engine_seconds(settings) + START_SECONDS + 2.0


async def measure(settings: Settings, run: Run) -> Raw:
    """Resolve, then let the worker do both directions."""
    run.watch(Progress("resolve", 0.0, 1.0))
    address = await reachable(settings.host, settings.port, RESOLVE_TIMEOUT_SECONDS, CONNECT_SECONDS)
    link = link_to(address.text)
    task = CampusTask(
        host=address.text,
        port=settings.port,
        segment=settings.segment,
        required_bits_per_second=settings.required_bits_per_second,
        tolerance_ratio=settings.tolerance_ratio,
        deadline_seconds=_engine_seconds(settings),
        key_file=str(settings.test_key_file) if settings.test_key_file else None,
        max_bytes=settings.max_bytes,
        max_cross_traffic_ratio=settings.max_cross_traffic_ratio,
        vlan_tags=link.vlan_tags if link else 0,
        pppoe=link.pppoe if link else False,
    )
    before = cpu_time()
    body = await run_worker("burst", task, task.deadline_seconds + START_SECONDS, lambda said: _show(said, run))
    answer = msgspec.json.decode(body, type=CampusAnswer)
    cpu = cpu_ratio(before, cpu_time())
    return Raw(settings, link, cpu, answer)


def interpret(raw: Raw) -> Finding:
    """The engine's record with the gateway's own facts; the guards of every engine apply."""
    answer = raw.answer
    if answer.record is None:
        return Finding(None, answer.validity, answer.failure, answer.detail)
    record = msgspec.structs.replace(
        answer.record,
        cpu_ratio=raw.cpu_ratio if answer.record.cpu_ratio is None else answer.record.cpu_ratio,
        link_speed_bits_per_second=raw.link.speed_bits_per_second if raw.link else None,
        link_duplex=raw.link.duplex if raw.link else None,
    )
    if answer.failure is not None or answer.validity is not Validity.OK:
        return Finding(record, answer.validity, answer.failure, answer.detail)
    validity, detail = soundness(record, raw.settings)
    return Finding(record, validity, None, detail or answer.detail)


def _engine_seconds(settings: Settings) -> float:
    return UPLINK_DEADLINE_SECONDS if settings.segment == "uplink" else CLASSROOM_DEADLINE_SECONDS


def _show(said: dict[str, Any], run: Run) -> None:
    run.spent_bytes[str(said["direction"])] = int(said["bytes"])
    run.watch(
        Progress(
            phase=str(said["direction"]),
            elapsed_seconds=float(said["elapsed_seconds"]),
            expected_seconds=0.0,
            line_rate_bits_per_second=said["line_rate_bits_per_second"],
            bytes_spent=int(said["bytes"]),
            confidence_ratio=said["confidence_ratio"],
        )
    )


ENGINE = Engine(measure, interpret, deadline_seconds)
