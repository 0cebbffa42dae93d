"""Throughput by a browser that waits on the classroom's page: its own process measures (TCP_INFO of its sockets), this one asks and adds the guards."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from campus_agent.measure.browser.messages import MAX_LINE_BYTES, PageAnswer, PageQuestion
from campus_agent.measure.burst.engine import interpret
from campus_agent.measure.link.path import link_to
from campus_agent.measure.link.resolve import resolve_all
from campus_agent.measure.machine import cpu_ratio, cpu_time
from campus_agent.measure.probe import Finding, ProbeFailed, Run
from campus_agent.measure.request import ThroughputRequest
from campus_wire.failures import Failure, FailureKind, Operation
from campus_wire.records import ThroughputRecord

TEST_SECONDS = 20.0
"""Of the page's process: the browser's start of each direction, and the loads."""
RESOLVE_SECONDS = 5.0
PRESENT_SECONDS = 5.0
_NO_PAGE = "the process of the classroom's page does not answer: {reason}"


def deadline_seconds(request: ThroughputRequest) -> float:
    return TEST_SECONDS + RESOLVE_SECONDS + 3.0


async def measure(request: ThroughputRequest, run: Run) -> Finding[ThroughputRecord]:
    """Ask the page's process for a test of both directions."""
    (address, *_) = await resolve_all(request.host, RESOLVE_SECONDS)
    link = link_to(address.text)
    before = cpu_time()
    async with aclosing(_ask(request.page_socket, PageQuestion(test=request))) as answers:
        async for answer in answers:
            if answer.progress is not None:
                run.spent_bytes[answer.progress.phase] = answer.progress.bytes_spent
                run.watch(answer.progress)
            if answer.finding is not None:
                return interpret(request, answer.finding, link, cpu_ratio(before, cpu_time()))
    raise ProbeFailed(Operation.TRANSFER, FailureKind.WORKER_DIED, _NO_PAGE.format(reason="it ended the connection"))


async def absent_pages(page_socket: str, rooms: list[str]) -> dict[str, Failure]:
    """Why no page of a classroom waits; classrooms whose page does are left out."""
    try:
        async with asyncio.timeout(PRESENT_SECONDS), aclosing(_ask(page_socket, PageQuestion(rooms))) as answers:
            async for answer in answers:
                return answer.away
        reason = "it ended the connection"
    except ProbeFailed as failed:
        return dict.fromkeys(rooms, failed.failure)
    except TimeoutError:
        reason = f"nothing within {PRESENT_SECONDS:.0f} s"
    failure = Failure(Operation.CONNECT, FailureKind.TIMEOUT, _NO_PAGE.format(reason=reason))
    return dict.fromkeys(rooms, failure)


async def _ask(page_socket: str, question: PageQuestion) -> AsyncGenerator[PageAnswer, None]:
    """The answers to a question, as they come. Raises ProbeFailed."""
    try:
        reader, writer = await asyncio.open_unix_connection(page_socket, limit=MAX_LINE_BYTES)
    except OSError as error:
        reason = _NO_PAGE.format(reason=error.strerror or str(error))
        raise ProbeFailed(Operation.CONNECT, FailureKind.CONNECTION_REFUSED, reason) from None
    try:
        writer.write(msgspec.json.encode(question) + b"\n")
        await writer.drain()
        async for line in reader:
            yield msgspec.json.decode(line, type=PageAnswer)
    except (OSError, ValueError) as error:  # ValueError: a line without end, or no JSON of ours
        raise ProbeFailed(Operation.TRANSFER, FailureKind.WORKER_DIED, _NO_PAGE.format(reason=error)[:300]) from None
    finally:
        writer.close()
