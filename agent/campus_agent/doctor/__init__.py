"""`campus-agent doctor`: is everything in place? Each line says ok, or what is wrong and what to do about it, in the reader's language."""

import asyncio

from campus_agent.config.model import AgentConfig
from campus_agent.doctor.collector import check_collector
from campus_agent.doctor.findings import CheckResult, in_words
from campus_agent.doctor.gateway import check_gateway
from campus_agent.doctor.lesson_stream import lesson_stream
from campus_agent.doctor.school import devices, endpoint, endpoints, service

__all__ = ["CheckResult", "examine", "in_words"]


async def examine(config: AgentConfig) -> list[CheckResult]:
    """All checks; the slow ones at the same time."""
    local = await asyncio.to_thread(lambda: list(check_gateway(config)))
    remote = await asyncio.gather(
        asyncio.to_thread(check_collector, config),
        *(endpoint(each, config) for each in endpoints(config)),
        lesson_stream(config),
        devices(config),
        *(service(each) for each in config.services),
    )
    return local + [finding for group in remote for finding in group]
