"""One measurement now, asked for by a person: the same probes as the daemon, kept in the same spool when there is one."""

import logging
from functools import partial
from typing import Any

from campus_agent.clock import system_clock
from campus_agent.config import AgentConfig, Endpoint, Service
from campus_agent.measure.probe import Progress
from campus_agent.measure.runner import run_probe
from campus_agent.schedule.cycle import Kind
from campus_agent.schedule.segment import alone
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import open_spool
from campus_agent.stamp import stamp
from campus_agent.subjects import probe_and_settings
from campus_agent.terminal import Picture
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import AnyResult, ServiceResult, ThroughputResult

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 90.0
"""Longer than any one test takes."""


async def measure_now(
    config: AgentConfig, subject: Endpoint | Service, picture: Picture
) -> ThroughputResult | ServiceResult:
    """Measure and keep the result for the collector. A spool that cannot be written costs the record, not the answer."""
    kind: Kind = "throughput" if isinstance(subject, Endpoint) else "service"
    probe, settings = probe_and_settings(config, kind, subject.id)
    clock = system_clock()
    result: AnyResult

    def watch(step: Progress) -> None:
        picture(step)

    label = partial(stamp, clock, None)
    if kind == "throughput":
        picture(Progress("busy", 0.0, PATIENCE_SECONDS))
        async with alone(config.state_dir, PATIENCE_SECONDS) as free:
            if free:
                result = await run_probe(probe, settings, label, subject.id, config.school, watch)
            else:
                result = _segment_busy(config, subject.id, label(0.0))
    else:
        result = await run_probe(probe, settings, label, subject.id, config.school, watch)
    if config.collector is not None:
        _keep(config, result)
    if not isinstance(result, ThroughputResult | ServiceResult):
        raise TypeError(f"{kind} gave {type(result).__name__}")
    return result


def _segment_busy(config: AgentConfig, subject: str, label: dict[str, Any]) -> ThroughputResult:
    """The answer when another test would not end."""
    detail = f"another test on this gateway kept the segment for {PATIENCE_SECONDS:.0f} s"
    return ThroughputResult(
        **label,
        subject=subject,
        school=config.school,
        duration_seconds=0.0,
        validity=Validity.NOT_MEASURED,
        failure=Failure(Operation.PREPARE, FailureKind.BUSY, detail),
    )


def _keep(config: AgentConfig, result: AnyResult) -> None:
    try:
        with open_spool(config.state_dir, config.spool, role="writer") as spool:
            spool.put(result)
    except SpoolError as error:
        log.warning("not kept for the collector: %s", error)
