"""`campus-agent doctor`: is everything in place? Each line says ok, or what is wrong and what to do about it, in the reader's language."""

import asyncio

from campus_agent.config.model import AgentConfig
from campus_agent.doctor.collector import look_at_bureau
from campus_agent.doctor.findings import Finding, in_words
from campus_agent.doctor.gateway import look_at_gateway
from campus_agent.doctor.school import devices, endpoint, endpoints, service

__all__ = ["Finding", "examine", "in_words"]


async def examine(config: AgentConfig) -> list[Finding]:
    """All checks; the slow ones at the same time."""
    local = await asyncio.to_thread(lambda: list(look_at_gateway(config)))
    remote = await asyncio.gather(
        asyncio.to_thread(look_at_bureau, config),
        *(endpoint(one) for one in endpoints(config)),
        devices(config),
        *(service(one) for one in config.services),
    )
    return local + [finding for group in remote for finding in group]
