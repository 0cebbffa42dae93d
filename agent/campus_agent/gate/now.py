"""One measurement now, asked for by a person: the same probes as the daemon, kept in the same spool when there is one."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from campus_agent.clock.clock import Estimate, corrected_start, of_boot, system_clock
from campus_agent.config.model import AgentConfig, Device, Endpoint, Service
from campus_agent.gate.segment import alone
from campus_agent.measure.ports.reading import PortsTask, Wanted
from campus_agent.measure.ports.watch import ask_ports, result_of, switches_of
from campus_agent.measure.probe import Progress
from campus_agent.measure.rooms import device_result, poll
from campus_agent.measure.runner import run_probe
from campus_agent.measure.stamp import stamp
from campus_agent.measure.subjects import probe_and_settings
from campus_agent.schedule.jobs import Kind
from campus_agent.ship.shipper import ESTIMATES_KEY
from campus_agent.ship.slots import NoSlot, release, reserve
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import Spool, open_spool
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import (
    MAX_SLOT_SECONDS,
    AnyResult,
    DeviceResult,
    PortResult,
    Segment,
    ServiceResult,
    SlotRequest,
    ThroughputResult,
    test_bytes_of,
)

log = logging.getLogger(__name__)

PORT_PAUSE_SECONDS = 3.0
"""Between two looks at a port: what it counted meanwhile is part of the answer."""
PATIENCE_SECONDS = 90.0
"""Longer than any one test takes."""


async def measure_now(
    config: AgentConfig, subject: Endpoint | Service, watch: Callable[[Progress], None], *, reference: bool = False
) -> ThroughputResult | ServiceResult:
    """Measure and keep the result for the collector. A spool that cannot be written costs the record, not the answer."""
    kind: Kind = "service" if isinstance(subject, Service) else "reference" if reference else "throughput"
    probe, settings = probe_and_settings(config, kind, subject.id)
    label = partial(stamp, system_clock(), None)

    spent: list[int] = []

    async def measure() -> AnyResult:
        return await run_probe(probe, settings, label, subject.id, config.school, watch, charge=spent.append)

    if isinstance(subject, Service):
        result = await measure()
    else:
        watch(Progress("busy", 0.0, PATIENCE_SECONDS))
        async with contextlib.AsyncExitStack() as stack:
            failure = await _prepare(config, subject, probe.deadline_seconds(settings), stack)
            result = await measure() if failure is None else _not_begun(config, subject.id, label(0.0), failure)
    if config.collector is not None:
        keep(config, result, sum(spent))
    if not isinstance(result, ThroughputResult | ServiceResult):
        raise TypeError(f"{kind} gave {type(result).__name__}")
    return result


async def poll_now(config: AgentConfig, device: Device) -> DeviceResult:
    """Ask one device now, and keep the result for the collector."""
    (seen,) = await poll([device], config.profile_dir, config.timezone.key)
    result = device_result(device, seen, config.school, stamp(system_clock(), None, seen.seconds))
    if config.collector is not None:
        keep(config, result)
    return result


async def port_now(config: AgentConfig, endpoint: Endpoint) -> PortResult | None:
    """Look at a classroom's switch port twice, and keep the result for the collector. None when nobody knows its port."""
    task = PortsTask(switches_of(config), [Wanted(endpoint.id, endpoint.host, endpoint.switch, endpoint.switch_port)])
    (first,) = await ask_ports(task)
    if first.place is None and first.failure is None:
        return None
    seen = first
    if first.place is not None and first.reading is not None:
        await asyncio.sleep(PORT_PAUSE_SECONDS)
        (seen,) = await ask_ports(PortsTask(task.switches, task.wanted, {endpoint.id: first.place}))
    result = result_of(seen, first.reading, config.school, stamp(system_clock(), None, seen.seconds))
    if config.collector is not None:
        keep(config, result)
    return result


async def _prepare(
    config: AgentConfig, endpoint: Endpoint, seconds: float, stack: contextlib.AsyncExitStack
) -> Failure | None:
    """Take the segment, and for the uplink a slot on the test server. Why that did not work; None when all is ready.

    A collector that cannot be asked does not keep a person from measuring: the test server serves one at a time by itself.
    """
    if not await stack.enter_async_context(alone(config.state_dir, PATIENCE_SECONDS)):
        detail = f"another test on this gateway kept the segment for {PATIENCE_SECONDS:.0f} s"
        return Failure(Operation.PREPARE, FailureKind.BUSY, detail)
    if endpoint.id != "uplink" or config.collector is None:
        return None
    request = SlotRequest(min(seconds, MAX_SLOT_SECONDS), endpoint.required_bits_per_second, PATIENCE_SECONDS)
    slot = await asyncio.to_thread(reserve, config.collector, request)
    if isinstance(slot, NoSlot):
        if slot.asked:
            return Failure(Operation.PREPARE, FailureKind.BUSY, f"no slot on the test server: {slot.detail}")
        log.warning("measured without a slot on the test server: %s", slot.detail)
        return None
    stack.push_async_callback(asyncio.to_thread, release, config.collector, slot)
    await asyncio.sleep(slot.start_in_seconds)
    return None


def _not_begun(config: AgentConfig, subject: str, label: dict[str, Any], failure: Failure) -> ThroughputResult:
    """The answer when the test could not begin."""
    return ThroughputResult(
        **label,
        subject=subject,
        school=config.school,
        duration_seconds=0.0,
        validity=Validity.NOT_MEASURED,
        failure=failure,
    )


def _day_of(result: AnyResult, spool: Spool, config: AgentConfig) -> date:
    """The day it is booked to, by the collector's time where that was learnt in this boot."""
    known = spool.recall(ESTIMATES_KEY, tuple[Estimate, ...]) or ()
    truth = corrected_start(
        result.started_at, result.clock_offset_seconds, result.monotonic_seconds, of_boot(known, result.boot_id)
    )
    return truth.started_at.astimezone(config.timezone).date()


def keep(config: AgentConfig, result: AnyResult, spent_bytes: int | None = None) -> None:
    """Spool a result that a person asked for, and count its octets among the day's: `spent_bytes` where its record does not say all of them."""
    try:
        with open_spool(config.state_dir, config.spool, role="writer") as spool:
            spool.put(result)
            octets = test_bytes_of(result) if spent_bytes is None else spent_bytes
            if octets:  # a person's test is of the day's too
                segment: Segment = "uplink" if result.subject == "uplink" else "classroom"
                spool.add_test_bytes(segment, _day_of(result, spool, config), octets)
    except SpoolError as error:
        log.warning("not kept for the collector: %s", error)
