"""Reach a host by whichever of its addresses answers, as browsers do: Happy Eyeballs (RFC 8305). The one place where this is done.

The addresses are tried in the system's order, the two families in turn, each a quarter of a second after the one before, or at once
when that has failed; the first that answers is used. A school whose IPv6 leads nowhere is not held up by it.
"""

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import chain, zip_longest
from typing import TypeVar

from campus_agent.measure.link.icmp import Pinger
from campus_agent.measure.link.resolve import Address, resolve_all, resolve_here
from campus_agent.measure.probe import ProbeFailed

ATTEMPT_SECONDS = 0.25
"""RFC 8305 section 5, Connection Attempt Delay."""
ECHO_SECONDS = 1.5

_AnswerT = TypeVar("_AnswerT")


async def connect(addresses: Sequence[Address], port: int, seconds: float) -> tuple[socket.socket, Address]:
    """A connection, non-blocking, and the address it goes to; all attempts together take at most so long. Raises OSError."""

    async def attempt(address: Address) -> socket.socket:
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, (address.text, port))
        except BaseException:
            sock.close()
            raise
        return sock

    return await _race(addresses, attempt, seconds, lambda sock: sock.close())


def connect_here(host: str, port: int, seconds: float) -> tuple[socket.socket, Address]:
    """The same for a thread without an event loop: a blocking socket. `seconds` bounds connecting, not the look-up. Raises OSError, UnicodeError."""
    sock, address = asyncio.run(connect(resolve_here(host), port, seconds))
    sock.settimeout(seconds)
    return sock, address


async def reachable(host: str, port: int | None, resolve_seconds: float, seconds: float) -> Address:
    """Which address of a host to use where only one can be given: that which takes a connection (or refuses it: the machine is there),
    else that which answers an echo, else the first. A name with a single address is not asked. Raises ProbeFailed at RESOLVE.
    """
    addresses = await resolve_all(host, resolve_seconds)
    if len(addresses) == 1:
        return addresses[0]
    if port is not None:
        with suppress(OSError):
            return (await _race(addresses, lambda address: _knock(address, port), seconds))[1]
    with suppress(OSError):
        return (await _race(addresses, _echo, min(seconds, ECHO_SECONDS)))[1]
    return addresses[0]


async def _knock(address: Address, port: int) -> None:
    with suppress(ConnectionRefusedError):
        sock, _ = await connect([address], port, 60.0)
        sock.close()


async def _echo(address: Address) -> None:
    try:
        with Pinger(address.text, address.family) as pinger:
            await pinger.send_every(0.1, 2)
            await pinger.settle(ECHO_SECONDS)
            if pinger.echoes.rtt_seconds:
                return
    except ProbeFailed as failed:
        raise OSError(failed.failure.detail) from None
    raise TimeoutError("no echo")


async def _race(
    addresses: Sequence[Address],
    attempt: Callable[[Address], Awaitable[_AnswerT]],
    seconds: float,
    discard: Callable[[_AnswerT], None] = lambda _: None,
) -> tuple[_AnswerT, Address]:
    """The first answer and whose it was; later ones are discarded. Raises OSError, TimeoutError when none came in time."""
    waiting, running = deque(in_turn(addresses)), dict[asyncio.Future[_AnswerT], Address]()
    errors: list[tuple[Address, OSError]] = []
    try:
        async with asyncio.timeout(seconds):
            while waiting or running:
                if waiting:
                    address = waiting.popleft()
                    running[asyncio.ensure_future(attempt(address))] = address
                pause = ATTEMPT_SECONDS if waiting else None
                done, _ = await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in running if task in done]:
                    error = task.exception()
                    if error is None:
                        return task.result(), running.pop(task)
                    address = running.pop(task)
                    if not isinstance(error, OSError):
                        raise error
                    errors.append((address, error))
    except TimeoutError:
        text = ", ".join(address.text for address in addresses)
        raise TimeoutError(f"no answer from {text} within {seconds:.3g} s") from None
    finally:
        for task in running:
            task.cancel()
        for answer in await asyncio.gather(*running, return_exceptions=True):
            if not isinstance(answer, BaseException):
                discard(answer)
    raise _most_telling(errors)


def in_turn(addresses: Sequence[Address]) -> list[Address]:
    """The order of RFC 8305 section 4: as the system sorted them, the families in turn."""
    first = [address for address in addresses if address.family == addresses[0].family]
    other = [address for address in addresses if address.family != addresses[0].family]
    return [address for address in chain.from_iterable(zip_longest(first, other)) if address is not None]


def _most_telling(errors: Sequence[tuple[Address, OSError]]) -> OSError:
    """One error for all: a refusal shows that the machine is there; the text names each address."""
    if not errors:
        return OSError(errno.EADDRNOTAVAIL, "the name has no address")
    chosen = next((error for _, error in errors if isinstance(error, ConnectionRefusedError)), errors[0][1])
    if len(errors) == 1 or chosen.errno is None:
        return chosen
    text = "; ".join(f"{address.text}: {error.strerror or error}" for address, error in errors)
    return OSError(chosen.errno, text)
