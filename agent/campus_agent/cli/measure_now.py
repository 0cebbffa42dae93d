"""One measurement now, asked for by a person: the same probes as the daemon, kept in the same spool when there is one."""

import asyncio
from collections.abc import Callable
from functools import partial

from campus_agent.clock.clock import system_clock
from campus_agent.config.model import AgentConfig, Device, Endpoint, Service
from campus_agent.gate.gate import Permit, gate_beside_daemon
from campus_agent.gate.rules import TERMINAL, NoPermit
from campus_agent.measure.probe import AnyFinding, AnyProbe, Finding, Progress
from campus_agent.measure.probes import PROBES
from campus_agent.measure.runner import ResultT, Runner, single
from campus_agent.measure.stamp import stamp
from campus_agent.spool.store import store_result
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity
from campus_wire.records import AnyResult, DeviceResult, PortResult, ServiceResult, ThroughputResult

PORT_PAUSE_SECONDS = 3.0
"""Between two looks at a port: what it counted meanwhile is part of the answer."""


async def measure_now(
    config: AgentConfig, subject: Endpoint | Service, watch: Callable[[Progress], None], *, reference: bool = False
) -> ThroughputResult | ServiceResult:
    """Measure, an endpoint as soon as the gate lets it, and keep the result for the collector."""
    if isinstance(subject, Service):
        results = await runner_of(config).run(PROBES["service"], subject.id, watch=watch)
        return _stored(config, single(results, ServiceResult))
    probe = PROBES["reference" if reference else "throughput"]
    return _stored(config, single(await _test(config, probe, subject, watch), ThroughputResult))


async def poll_now(config: AgentConfig, device: Device) -> DeviceResult:
    """Ask one device now, and keep the result for the collector."""
    return _stored(config, single(await runner_of(config).run(PROBES["devices"], device.id), DeviceResult))


async def port_now(config: AgentConfig, endpoint: Endpoint) -> PortResult | None:
    """Reads a classroom's switch port twice and stores the result for the collector. None when its port is not known."""
    runner = runner_of(config)
    results = await runner.run(PROBES["ports"], endpoint.id)
    if not results:
        return None
    result = single(results, PortResult)
    if result.record is not None:
        await asyncio.sleep(PORT_PAUSE_SECONDS)
        result = single(await runner.run(PROBES["ports"], endpoint.id), PortResult)
    return _stored(config, result)


def runner_of(config: AgentConfig) -> Runner:
    """Of results by the gateway's own clock."""
    return Runner(config, partial(stamp, system_clock(), None))


async def _test(
    config: AgentConfig, probe: AnyProbe, endpoint: Endpoint, watch: Callable[[Progress], None]
) -> list[AnyResult]:
    runner = runner_of(config)
    watch(Progress("busy", 0.0, TERMINAL.segment_wait_seconds))
    seconds = probe.deadline_seconds(probe.settings(config, endpoint.id, None))
    gate = gate_beside_daemon(config)
    async with gate.open(endpoint, seconds=seconds, needed_bytes=0, rules=TERMINAL) as answer:
        if isinstance(answer, Permit):
            return await runner.run(probe, endpoint.id, watch=watch, charge=answer.charge)
        return runner.not_measured(probe, endpoint.id, _not_begun(answer))


def _not_begun(refused: NoPermit) -> AnyFinding:
    """A failure where the test met another one, else a skip."""
    if refused.reason in (SkipReason.SEGMENT_BUSY, SkipReason.NO_SLOT):
        failure = Failure(Operation.PREPARE, FailureKind.BUSY, refused.detail[:300])
        return Finding(None, Validity.NOT_MEASURED, failure)
    skipped = refused.reason if isinstance(refused.reason, SkipReason) else None
    return Finding(None, Validity.NOT_MEASURED, detail=refused.detail, skipped=skipped)


def _stored(config: AgentConfig, result: ResultT) -> ResultT:
    if config.collector is not None:
        store_result(config, result)
    return result
