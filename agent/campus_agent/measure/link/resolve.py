"""Resolve a name the system's way, off the event loop, and say how long it took."""

import asyncio
import socket
from time import monotonic

import msgspec

from campus_agent.measure.errors import failure_of
from campus_agent.measure.probe import ProbeFailed
from campus_wire.encapsulation import AddressFamily
from campus_wire.failures import FailureKind, Operation

_MAPPED = "::ffff:"
MAX_ADDRESSES = 16
"""A name server may answer with any number; nobody tries more."""


class Address(msgspec.Struct, frozen=True):
    text: str
    family: socket.AddressFamily
    resolve_seconds: float

    @property
    def family_word(self) -> AddressFamily:
        return "ipv6" if self.family == socket.AF_INET6 else "ipv4"


def is_mapped(address: str) -> bool:
    """Is this an IPv4 address as an IPv6 socket writes it (::ffff:192.0.2.1)?"""
    return address.startswith(_MAPPED)


def without_mapping(address: str) -> str:
    """An IPv4 address as such, though an IPv6 socket wrote it; any other unchanged."""
    return address.removeprefix(_MAPPED)


def as_asked(host: str) -> str | bytes:
    """As bytes where it is ASCII: for a text `getaddrinfo` loads a megabyte of Unicode tables, which stays in the resident agent."""
    return host.encode() if host.isascii() else host


async def resolve(host: str, timeout_seconds: float) -> Address:
    """The address that the system prefers. Raises ProbeFailed at RESOLVE."""
    return (await resolve_all(host, timeout_seconds))[0]


async def resolve_all(host: str, timeout_seconds: float) -> tuple[Address, ...]:
    """Every address of a host, in the system's order (RFC 6724). Raises ProbeFailed at RESOLVE."""
    began = monotonic()
    try:
        async with asyncio.timeout(timeout_seconds):
            entries = await asyncio.get_running_loop().getaddrinfo(as_asked(host), None, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise ProbeFailed(Operation.RESOLVE, FailureKind.TIMEOUT, f"no answer for {host}") from None
    except (OSError, UnicodeError) as error:
        if isinstance(error, UnicodeError):
            raise ProbeFailed(Operation.RESOLVE, FailureKind.NAME_NOT_FOUND, f"{host} is no valid name") from None
        failure = failure_of(Operation.RESOLVE, error)
        raise ProbeFailed(failure.operation, failure.kind, f"{host}: {failure.detail}") from None
    return _distinct(entries, monotonic() - began)


def resolve_here(host: str) -> tuple[Address, ...]:
    """The same for a thread of its own. Raises OSError, UnicodeError."""
    began = monotonic()
    entries = socket.getaddrinfo(as_asked(host), None, type=socket.SOCK_STREAM)
    return _distinct(entries, monotonic() - began)


def _distinct(entries: list[tuple], seconds: float) -> tuple[Address, ...]:  # type: ignore[type-arg]
    distinct = dict.fromkeys((socket.AddressFamily(family), str(address[0])) for family, _, _, _, address in entries)
    return tuple(Address(text, family, seconds) for family, text in list(distinct)[:MAX_ADDRESSES])
