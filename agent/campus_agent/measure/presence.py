"""Which endpoints are switched on now? One connection or echo each, all at once: a second for a whole school.

Our responder is asked by a TCP connection to its port; a refusal counts as "on", so that the measurement finds what is wrong. A stock
iperf3 server serves one client at a time, so its machine is asked by an ICMP echo first, and by TCP only when that is not answered. Of a browser the
classroom's page is asked whether it waits.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec

from campus_agent.measure.browser.engine import absent_pages
from campus_agent.measure.errors import failure_of
from campus_agent.measure.link.connect import connect
from campus_agent.measure.link.icmp import Pinger
from campus_agent.measure.link.resolve import Address, resolve_all
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import Failure, FailureKind, Operation

ANSWER_SECONDS = 1.5
"""A machine on a school's own network answers within milliseconds; one that resumes from standby within a second."""
RESOLVE_SECONDS = 3.0
AT_ONCE = 64
AWAY = frozenset({FailureKind.TIMEOUT, FailureKind.HOST_UNREACHABLE, FailureKind.NETWORK_UNREACHABLE})


class PresenceTarget(msgspec.Struct, frozen=True):
    """`echo_first`: ask by an ICMP echo before TCP. `page_socket`: of a browser, where the process of the classroom's page answers."""

    subject: str
    host: str
    port: int
    echo_first: bool
    page_socket: str = ""


async def check_presence(targets: Sequence[PresenceTarget]) -> dict[str, Failure | None]:
    """For each subject: None when it is on (or cannot be shown to be off), else how it did not answer."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def check(target: PresenceTarget) -> Failure | None:
        async with turn:
            return await _check(target)

    asked = [target for target in targets if not target.page_socket]
    failures = await asyncio.gather(*(check(target) for target in asked))
    presence = {target.subject: failure for target, failure in zip(asked, failures, strict=True)}
    waiting = [target for target in targets if target.page_socket]
    if waiting:
        away = await absent_pages(waiting[0].page_socket, [target.subject for target in waiting])
        presence |= {target.subject: away.get(target.subject) for target in waiting}
    return presence


async def _check(target: PresenceTarget) -> Failure | None:
    try:
        addresses = await resolve_all(target.host, RESOLVE_SECONDS)
    except ProbeFailed:
        return None  # the measurement will say what is wrong with the name
    if target.echo_first and any(await asyncio.gather(*(_echo_answered(address) for address in addresses))):
        return None
    return await _connect(addresses, target.port)


async def _echo_answered(address: Address) -> bool:
    with contextlib.suppress(ProbeFailed, OSError), Pinger(address.text, address.family) as pinger:
        pinger.send()
        await pinger.settle(ANSWER_SECONDS)
        return bool(pinger.echoes.rtt_seconds)
    return False


async def _connect(addresses: Sequence[Address], port: int) -> Failure | None:
    try:
        sock, _ = await connect(addresses, port, ANSWER_SECONDS)
    except TimeoutError:
        return Failure(Operation.CONNECT, FailureKind.TIMEOUT, f"no answer within {ANSWER_SECONDS} s")
    except OSError as error:
        failure = failure_of(Operation.CONNECT, error)
        return failure if failure.kind in AWAY else None
    sock.close()
    return None
