"""Ask a device by SNMP (v2c, v3), through pysnmp behind a narrow interface: get some objects, walk a column.

Everything is bounded: time by timeouts and the caller's deadline, memory by the number of rows. An agent that repeats itself (identifiers
that do not increase, RFC 3416 section 4.2.2) is told apart from one that is silent. Secrets live in memory only.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
from pysnmp.proto.rfc1905 import EndOfMibView, NoSuchInstance, NoSuchObject

from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import FailureKind, Operation

PORT = 161
TIMEOUT_SECONDS = 1.5
RETRIES = 1
OBJECTS_A_REQUEST = 8
ROWS_A_REQUEST = 20
MAX_ROWS = 512
"""More rows than a small device's tables have; an endless walk ends here."""
AUTH_PROTOCOLS = {"sha": usmHMACSHAAuthProtocol, "sha256": usmHMAC192SHA256AuthProtocol}
PRIV_PROTOCOLS = {"aes": usmAesCfb128Protocol, "aes256": usmAesCfb256Protocol}
Value = int | bytes | str
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
    community: str = ""
    user: str = ""
    auth_key: str | None = None
    priv_key: str | None = None
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
                *(ObjectType(ObjectIdentity(oid)) for oid in part),
                lookupMib=False,
            )
            found |= dict(_values(answer))
        return {oid: found.get(oid) for oid in oids}

    async def walk(self, address: str, access: Access, column: str, port: int = PORT) -> dict[str, Value]:
        """A column of a table by row index ("" for none). Raises ProbeFailed; PROTOCOL_ERROR when it never ends."""
        rows: dict[str, Value] = {}
        last = _numbers(column)
        prefix = column + "."
        while True:
            answer = await bulk_cmd(
                self._engine(access),
                _who(access),
                await _where(address, port),
                ContextData(),
                0,
                ROWS_A_REQUEST,
                ObjectType(ObjectIdentity(".".join(map(str, last)))),
                lookupMib=False,
            )
            got = list(_values(answer))
            if not got:
                return rows
            for oid, value in got:
                if not oid.startswith(prefix) or value is None:
                    return rows
                if _numbers(oid) <= last:
                    detail = f"a walk of {column} that does not go on: {oid}"
                    raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, detail)
                last = _numbers(oid)
                rows[oid.removeprefix(prefix)] = value
                if len(rows) > MAX_ROWS:
                    detail = f"more than {MAX_ROWS} rows of {column}"
                    raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, detail)


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
