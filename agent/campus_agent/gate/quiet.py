"""Is the gateway quiet enough to be loaded? A look of one second at its CPU and at the interface that leads to the endpoint."""

import asyncio

from campus_agent.config.model import LoadLimits
from campus_agent.gate.rules import NoPermit
from campus_agent.measure.link.connect import reachable
from campus_agent.measure.link.interface_counters import wire_counters
from campus_agent.measure.link.path import link_to
from campus_agent.measure.machine import QUIET_CHECK_SECONDS, cpu_over_limit, cpu_ratio, cpu_time
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import SkipReason

RESOLVE_SECONDS = 5.0


async def disturbance(host: str, required_bits_per_second: float, limits: LoadLimits) -> NoPermit | None:
    """Why a load must not begin now, with the figure; None when it may."""
    try:
        address = await reachable(host, None, RESOLVE_SECONDS, QUIET_CHECK_SECONDS)
        link = link_to(address.text)
    except ProbeFailed:  # the measurement itself will say what is wrong with this host
        link = None
    before, cpu_before = wire_counters(link.name) if link else None, cpu_time()
    await asyncio.sleep(QUIET_CHECK_SECONDS)
    cpu = cpu_ratio(cpu_before, cpu_time())
    if cpu is not None and cpu > limits.max_cpu_ratio:
        return NoPermit(SkipReason.GATEWAY_CPU, cpu_over_limit(cpu, limits.max_cpu_ratio))
    after = wire_counters(link.name) if link else None
    if not before or not after:
        return None
    sent = after.sent_wire_bytes - before.sent_wire_bytes
    received = after.received_wire_bytes - before.received_wire_bytes
    rate = max(sent, received) * 8 / (after.at - before.at)
    if rate > limits.max_cross_traffic_ratio * required_bits_per_second:
        return NoPermit(SkipReason.CROSS_TRAFFIC, f"{rate / 1e6:.1f} Mbit/s of other traffic")
    return None
