"""Ask a device by SNMP (v2c, v3), through pysnmp behind a narrow interface: get some objects, walk columns.

Everything is bounded: time by timeouts and the caller's deadline, memory by the number of rows. An agent that repeats itself (identifiers
that do not increase, RFC 3416 section 4.2.2) is told apart from one that is silent. Secrets live in memory only.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pysnmp.hlapi.v3arch.asyncio import (
    CommunityData,
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    UsmUserData,
    bulk_cmd,
    get_cmd,
    usmAesCfb128Protocol,
    usmAesCfb256Protocol,
    usmHMAC192SHA256AuthProtocol,
    usmHMACSHAAuthProtocol,
    usmNoAuthProtocol,
    usmNoPrivProtocol,
)
from pysnmp.proto.rfc1902 import Null, ObjectName
from pysnmp.proto.rfc1905 import EndOfMibView, NoSuchInstance, NoSuchObject

from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import Failure, FailureKind, Operation

PORT = 161
TIMEOUT_SECONDS = 1.5
RETRIES = 1
OBJECTS_A_REQUEST = 8
VALUES_A_REQUEST = 30
"""Of all columns together. More saves round trips to long tables, but what comes of the next table is decoded in vain: of 30, 40, 60, the least CPU
for hosts with a dozen rows. What an agent cannot fit it leaves out, and is asked for again."""
MAX_ROWS = 512
"""More rows than a small device's tables have; an endless walk ends here."""
AUTH_PROTOCOLS = {"sha": usmHMACSHAAuthProtocol, "sha256": usmHMAC192SHA256AuthProtocol}
PRIV_PROTOCOLS = {"aes": usmAesCfb128Protocol, "aes256": usmAesCfb256Protocol}
Value = int | bytes | str
Rows = dict[str, Value]
"""Numbers as int, octet strings as bytes, object identifiers as dotted text."""
_REFUSED = (
    "wrongDigest",
    "unknownUserName",
    "authorizationError",
    "unsupportedSecurityLevel",
    "decryptionError",
    "notInTimeWindow",
)


@dataclass(frozen=True, slots=True)
class Access:
    """How to speak to one device. `version` 2c needs `community`; 3 needs `user`, and keys for what it protects."""

    version: str
    community: str = field(default="", repr=False)
    user: str = ""
    auth_key: str | None = field(default=None, repr=False)
    priv_key: str | None = field(default=None, repr=False)
    auth_protocol: str = "sha"
    priv_protocol: str = "aes"


class Snmp:
    """A whole poll round: an engine for each set of credentials, because an engine knows a user by name only."""

    def __init__(self) -> None:
        """Nothing is sent."""
        self._engines: dict[Access, SnmpEngine] = {}

    def close(self) -> None:
        """Let go of the sockets."""
        for engine in self._engines.values():
            with contextlib.suppress(Exception):  # whatever the library's dispatcher thinks of it
                engine.close_dispatcher()

    def _engine(self, access: Access) -> SnmpEngine:
        if access not in self._engines:
            self._engines[access] = SnmpEngine()
        return self._engines[access]

    async def get(self, address: str, access: Access, oids: Sequence[str], port: int = PORT) -> dict[str, Value | None]:
        """The values of some objects; None where the device has none. Raises ProbeFailed."""
        found: dict[str, Value | None] = {}
        for first in range(0, len(oids), OBJECTS_A_REQUEST):
            part = oids[first : first + OBJECTS_A_REQUEST]
            answer = await get_cmd(
                self._engine(access),
                _who(access),
                await _where(address, port),
                ContextData(),
                *(_Numeric(oid) for oid in part),
                lookupMib=False,
            )
            found |= dict(_values(answer))
        return {oid: found.get(oid) for oid in oids}

    async def walk(
        self, address: str, access: Access, columns: Sequence[str], port: int = PORT, max_rows: int = MAX_ROWS
    ) -> tuple[dict[str, Rows], dict[str, Failure]]:
        """Columns of tables, all at once: rows by index ("" for none) of each, and why a column is not to be had.

        Raises ProbeFailed when the device does not answer, or refuses. A column that never ends is that column's own failure.
        """
        rows: dict[str, Rows] = {column: {} for column in columns}
        broken: dict[str, Failure] = {}
        last = {column: _numbers(column) for column in columns}
        while last:
            asked = list(last)
            answer = await bulk_cmd(
                self._engine(access),
                _who(access),
                await _where(address, port),
                ContextData(),
                0,
                max(1, VALUES_A_REQUEST // len(asked)),
                *(_Numeric(last[column]) for column in asked),
                lookupMib=False,
            )
            got = list(_values(answer))
            for place, (oid, value) in enumerate(
                got
            ):  # row by row, in each the columns as asked (RFC 3416 section 4.2.3)
                column = asked[place % len(asked)]
                if column not in last:
                    continue
                if value is None or not oid.startswith(column + "."):
                    del last[column]
                    continue
                failure = _endless(column, oid, last[column], len(rows[column]), max_rows)
                if failure is not None:
                    broken[column] = failure
                    del last[column], rows[column]
                    continue
                last[column] = _numbers(oid)
                rows[column][oid.removeprefix(column + ".")] = value
            if len(got) < len(asked):  # less than a row: there is no more
                break
        return rows, broken


class _Numeric(ObjectType):  # type: ignore[misc]
    """An object asked for by its numbers alone: looking each up in MIBs that say nothing of it cost a quarter of a round's CPU."""

    def __init__(self, oid: str | tuple[int, ...]) -> None:
        super().__init__(ObjectIdentity(oid))
        self._asked = (ObjectName(oid), Null(""))

    def resolve_with_mib(self, *_: object, **__: object) -> tuple[Any, Any]:
        """As it is."""
        return self._asked


def _endless(column: str, oid: str, last: tuple[int, ...], rows: int, max_rows: int) -> Failure | None:
    """Does this walk never end?"""
    if _numbers(oid) <= last:
        detail = f"a walk of {column} that does not go on: {oid}"
        return Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, detail[:300])
    if rows >= max_rows:
        return Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, f"more than {max_rows} rows of {column}")
    return None


def _who(access: Access) -> CommunityData | UsmUserData:
    if access.version == "2c":
        return CommunityData(access.community, mpModel=1)  # noqa: S508 - what most recorders can
    return UsmUserData(
        access.user,
        authKey=access.auth_key,
        privKey=access.priv_key,
        authProtocol=AUTH_PROTOCOLS[access.auth_protocol] if access.auth_key else usmNoAuthProtocol,
        privProtocol=PRIV_PROTOCOLS[access.priv_protocol] if access.priv_key else usmNoPrivProtocol,
    )


async def _where(address: str, port: int) -> Any:
    return await UdpTransportTarget.create((address, port), timeout=TIMEOUT_SECONDS, retries=RETRIES)


def _values(answer: Any) -> Iterable[tuple[str, Value | None]]:
    """The bindings of an answer. Raises ProbeFailed for silence, a refusal, or an error of the agent."""
    indication, status, index, bindings = answer
    if indication:
        name = type(indication).__name__
        name = name[:1].lower() + name[1:]
        if name == "requestTimedOut":
            raise ProbeFailed(Operation.READ, FailureKind.TIMEOUT, "no answer (or, with v2c, a wrong community)")
        kind = FailureKind.NOT_AUTHORISED if name in _REFUSED else FailureKind.PROTOCOL_ERROR
        raise ProbeFailed(Operation.AUTHENTICATE if kind is FailureKind.NOT_AUTHORISED else Operation.READ, kind, name)
    if status:
        kind = FailureKind.NOT_AUTHORISED if int(status) == 16 else FailureKind.PROTOCOL_ERROR
        raise ProbeFailed(Operation.READ, kind, f"{status} at {index}")
    for binding in bindings:
        yield str(binding[0]), _plain(binding[1])


def _plain(value: Any) -> Value | None:
    if isinstance(value, NoSuchObject | NoSuchInstance | EndOfMibView) or value is None:
        return None
    name = type(value).__name__
    if name in ("ObjectIdentifier", "ObjectIdentity"):
        return str(value)
    if hasattr(value, "asOctets"):
        return bytes(value.asOctets())
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _numbers(oid: str) -> tuple[int, ...]:
    return tuple(int(part) for part in oid.split("."))
