"""Ask a device by SNMP (v2c, v3; IPv4, IPv6), through pysnmp behind a narrow interface: get some objects, walk columns.

Everything is bounded: time by time-outs and budgets, memory by the number of rows. What an agent cannot do at once it is asked in smaller pieces:
fewer objects when an answer is too big, without the object it errs at, GETNEXT where GETBULK is not answered, each column alone. What came is
kept, and why the rest did not come is told beside it: rows in no order are rows; rows that come again are the end. Secrets live in memory only.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from pysnmp.carrier.asyncio.dgram.udp import UdpAsyncioTransport
from pysnmp.carrier.asyncio.dgram.udp6 import Udp6AsyncioTransport
from pysnmp.hlapi.v3arch.asyncio import (
    CommunityData,
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    Udp6TransportTarget,
    UdpTransportTarget,
    UsmUserData,
    bulk_cmd,
    get_cmd,
    next_cmd,
    usmAesBlumenthalCfb256Protocol,
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
TIMEOUT_SECONDS = 2.0
RETRIES = 1
GET_SECONDS, WALK_SECONDS = 11.0, 8.0
"""Budgets of all requests together: what has not come by then is reported as late."""
OBJECTS_A_REQUEST = 8
VALUES_A_REQUEST = 30
"""Of all columns together. More saves round trips to long tables, but what comes of the next table is decoded in vain: of 30, 40, 60, the least CPU
for hosts with a dozen rows. What an agent cannot fit it leaves out, and is asked for again."""
MAX_ROWS = 512
"""More rows than a small device's tables have; an endless walk ends here."""
SHORTEST_KEY = 8
"""Characters of an SNMPv3 passphrase (RFC 3414 section 11.2)."""
SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
_TOO_BIG, _NO_SUCH_NAME, _AUTHORIZATION_ERROR = 1, 2, 16
AUTH_PROTOCOLS = {"sha": usmHMACSHAAuthProtocol, "sha256": usmHMAC192SHA256AuthProtocol}
PRIV_PROTOCOLS = {
    "aes": usmAesCfb128Protocol,
    "aes256": usmAesCfb256Protocol,
    "aes256-reeder": usmAesCfb256Protocol,
    "aes256-blumenthal": usmAesBlumenthalCfb256Protocol,
}
"""Two drafts make a key of 256 bits from SHA-1's 160 (draft-reeder-snmpv3-usm-3desede, draft-blumenthal-aes-usm); `aes256` tries both."""
_OTHER_EXTENSION = "aes256-blumenthal"
Value = int | bytes | str
Rows = dict[str, Value]
"""Numbers as int, octet strings as bytes, object identifiers as dotted text."""
_MAX_NUMBER = 2**64
_REFUSED = {
    "wrongDigest": "a wrong authentication password or protocol",
    "authenticationFailure": "a wrong authentication password or protocol",
    "unknownUserName": "the device does not know this SNMPv3 user",
    "authorizationError": "the user may not read this",
    "unsupportedSecurityLevel": "the device wants another security level of this user: with or without authentication and privacy",
    "decryptionError": "a wrong privacy password or protocol, or the other key extension of AES-256",
    "notInTimeWindow": "the device's SNMPv3 clock does not fit",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Credentials for one device. `version` 2c needs `community`; 3 needs `user`, and keys for what it protects."""

    version: str
    community: str = field(default="", repr=False)
    user: str = ""
    auth_key: str | None = field(default=None, repr=False)
    priv_key: str | None = field(default=None, repr=False)
    auth_protocol: str = "sha"
    priv_protocol: str = "aes"


@dataclass(frozen=True, slots=True)
class _Reply:
    """One response: its error, and what it binds."""

    status: int
    index: int
    bindings: list[tuple[str, Value | None]]
    words: str = ""

    @property
    def failure(self) -> Failure:
        kind = FailureKind.NOT_AUTHORISED if self.status == _AUTHORIZATION_ERROR else FailureKind.PROTOCOL_ERROR
        return Failure(Operation.READ, kind, self.words)

    def culprit(self, asked: Sequence[str]) -> str | None:
        """Which of the objects asked for is the error about? None when it does not say."""
        return asked[self.index - 1] if 1 <= self.index <= len(asked) else None


@dataclass(slots=True)
class _Part:
    """Columns that are walked together: how many rows at once, and whether by GETBULK."""

    columns: list[str]
    rows: int
    bulk: bool = True
    retries: int = RETRIES


class Snmp:
    """A whole poll round: an engine for each set of credentials, because an engine identifies a user by name only."""

    def __init__(self) -> None:
        self._engines: dict[Access, SnmpEngine] = {}
        self._arrived: dict[Access, set[tuple[str, int]]] = {}
        self._extension: dict[tuple[str, int], str] = {}
        self._without_bulk: set[tuple[str, int]] = set()

    def close(self) -> None:
        for engine in self._engines.values():
            with contextlib.suppress(Exception):  # whatever the library's dispatcher thinks of it
                engine.close_dispatcher()

    def heard(self, address: str, access: Access, port: int = PORT) -> bool:
        """Have octets come from there, to questions of this access?"""
        asked = (access, replace(access, priv_protocol=_OTHER_EXTENSION))
        return any((address.partition("%")[0], port) in self._arrived.get(tried, ()) for tried in asked)

    async def get(
        self, address: str, access: Access, oids: Sequence[str], port: int = PORT
    ) -> tuple[dict[str, Value | None], dict[str, Failure]]:
        """The values of some objects, None where the device has none; and why some could not be had. Raises ProbeFailed when none could."""
        values: dict[str, Value | None] = dict.fromkeys(oids)
        lost: dict[str, Failure] = {}
        asked = list(dict.fromkeys(oids))
        parts = deque(asked[n : n + OBJECTS_A_REQUEST] for n in range(0, len(asked), OBJECTS_A_REQUEST))
        end, retries = monotonic() + GET_SECONDS, RETRIES
        while parts:
            part = parts.popleft()
            if monotonic() > end:
                lost |= dict.fromkeys(part, _late(GET_SECONDS))
                continue
            try:
                reply = await self._ask((address, port), access, part, retries=retries)
            except ProbeFailed as failed:
                if failed.failure.kind is not FailureKind.TIMEOUT:
                    raise
                if retries:  # silent to all of it: to everything, or to what one object asks?
                    try:
                        await self._ask((address, port), access, [SYS_UP_TIME], retries=0)
                    except ProbeFailed:
                        raise failed from None
                retries = 0
                if len(part) > 1:
                    parts.extend([oid] for oid in part)
                else:
                    lost[part[0]] = failed.failure
                continue
            if not reply.status:
                values |= {oid: value for oid, value in reply.bindings if oid in values}
            else:
                parts.extendleft(reversed(_without_error(part, reply, lost)))
        return values, lost

    async def walk(
        self,
        address: str,
        access: Access,
        columns: Sequence[str],
        port: int = PORT,
        max_rows: int = MAX_ROWS,
        seconds: float = WALK_SECONDS,
    ) -> tuple[dict[str, Rows], dict[str, Failure]]:
        """Columns of tables, all at once: rows by index ("" for none) of each, and why a column is not to be had, or not whole."""
        walk = _Walk(columns, max_rows, (address, port) not in self._without_bulk)
        end = monotonic() + seconds
        while walk.parts:
            part = walk.parts[0]
            left = end - monotonic()
            if left <= 0:
                walk.lose(part.columns, _late(seconds))
                walk.parts.popleft()
                continue
            asked = [walk.last[column] for column in part.columns]
            try:
                async with asyncio.timeout(left):
                    reply = await self._ask((address, port), access, asked, part.rows, part.bulk, part.retries)
            except TimeoutError:
                continue
            except ProbeFailed as failed:
                if part.bulk and not self.heard(address, access, port) and failed.failure.kind is FailureKind.TIMEOUT:
                    self._without_bulk.add((address, port))  # not there, or deaf to GETBULK
                    walk.parts[0] = _Part(part.columns, 1, bulk=False, retries=0)
                    continue
                walk.parts.popleft()
                if not self.heard(address, access, port):  # it is not there at all
                    walk.lose(columns, failed.failure)
                    break
                walk.take_silence(part, failed.failure)
                continue
            walk.parts.popleft()
            walk.take(part, reply)
        return walk.rows, walk.broken

    async def _ask(
        self,
        where: tuple[str, int],
        access: Access,
        oids: Sequence[str],
        rows: int = 0,
        bulk: bool = False,
        retries: int = RETRIES,
    ) -> _Reply:
        """One exchange: GET without `rows`, else GETBULK or GETNEXT. Raises ProbeFailed for silence and refusals."""
        extended = replace(access, priv_protocol=self._extension.get(where, access.priv_protocol))
        try:
            return await self._exchange(where, extended, oids, rows, bulk, retries)
        except ProbeFailed:
            if access.priv_protocol == "aes256" and extended == access and self.heard(where[0], access, where[1]):
                other = replace(access, priv_protocol=_OTHER_EXTENSION)
                with contextlib.suppress(ProbeFailed):
                    reply = await self._exchange(where, other, oids, rows, bulk, retries)
                    self._extension[where] = other.priv_protocol
                    return reply
            raise

    async def _exchange(
        self, where: tuple[str, int], access: Access, oids: Sequence[str], rows: int, bulk: bool, retries: int
    ) -> _Reply:
        target = await (_Target6 if ":" in where[0] else _Target).create(
            where, timeout=TIMEOUT_SECONDS, retries=retries
        )
        target.arrived = self._arrived.setdefault(access, set())
        command, more = (bulk_cmd, (0, rows)) if rows and bulk else (next_cmd if rows else get_cmd, ())
        if access not in self._engines:
            self._engines[access] = SnmpEngine()
        engine = self._engines[access]
        objects = (_Numeric(oid) for oid in oids)
        answer = await command(engine, _who(access), target, ContextData(), *more, *objects, lookupMib=False)
        return self._reply(answer, access, where)

    def _reply(self, answer: Any, access: Access, where: tuple[str, int]) -> _Reply:
        """Raises ProbeFailed for silence and refusals."""
        indication, status, index, bindings = answer
        if not indication:
            values = [(str(binding[0]), _plain(binding[1])) for binding in bindings or ()]
            return _Reply(int(status), int(index), values, f"{status.prettyPrint()} at {int(index)}" if status else "")
        name = type(indication).__name__
        name = name[:1].lower() + name[1:]
        if name == "requestTimedOut":
            if access.version == "3":
                words = "no answer to SNMPv3 (it may be switched off, or not know this user)"
            else:
                words = "no answer (or a wrong community)"
            raise ProbeFailed(Operation.READ, FailureKind.TIMEOUT, words)
        if name in _REFUSED:
            raise ProbeFailed(Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED, f"{name}: {_REFUSED[name]}")
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, name)


def _without_error(part: list[str], reply: _Reply, lost: dict[str, Failure]) -> list[list[str]]:
    """What to ask instead of objects that were answered by an error: fewer at once, or the others; what cannot be had is lost."""
    if len(part) == 1:
        if reply.status != _NO_SUCH_NAME:
            lost[part[0]] = reply.failure
        return []
    culprit = reply.culprit(part) if reply.status != _TOO_BIG else None
    if culprit is None:
        return [part[: len(part) // 2], part[len(part) // 2 :]]
    return [[oid for oid in part if oid != culprit], [culprit]]  # alone, since some agents name the wrong object


class _Walk:
    """Where each column stands. `parts` are what is to be asked next, `rows` what came, `broken` why a column is not whole. No I/O."""

    def __init__(self, columns: Sequence[str], max_rows: int, bulk: bool) -> None:
        self.rows: dict[str, Rows] = {column: {} for column in columns}
        self.last = {column: column for column in columns}
        self.broken: dict[str, Failure] = {}
        self.parts: deque[_Part] = deque()
        if columns:
            self.parts.append(_part(list(self.rows)) if bulk else _Part(list(self.rows), 1, bulk=False))
        self._max_rows = max_rows
        self._silent: set[str] = set()

    def lose(self, columns: Sequence[str], failure: Failure) -> None:
        self.broken |= dict.fromkeys(columns, failure)

    def take(self, part: _Part, reply: _Reply) -> None:
        """A response: rows, or an error of the agent."""
        if reply.status:
            self._take_error(part, reply)
            return
        asked, going = part.columns, dict.fromkeys(part.columns)
        for position, (oid, value) in enumerate(reply.bindings):
            column = asked[position % len(asked)]  # row by row, in each the columns as asked (RFC 3416 section 4.2.3)
            if column in going and not self._row(column, oid, value):
                del going[column]
        if going and len(reply.bindings) >= len(asked):  # less than a row: there is no more
            rows = _part(list(going)).rows if part.rows == _part(asked).rows else part.rows
            self.parts.appendleft(_Part(list(going), rows, part.bulk, part.retries))

    def take_silence(self, part: _Part, failure: Failure) -> None:
        """No answer, or a refusal: what is silent together is asked apart, and at last by GETNEXT."""
        if failure.kind is not FailureKind.TIMEOUT:
            self.lose(part.columns, failure)
        elif len(part.columns) > 1:
            self.parts.extend(_Part([column], VALUES_A_REQUEST, part.bulk, 0) for column in part.columns)
        elif part.bulk and _table(part.columns[0]) not in self._silent:
            self.parts.appendleft(_Part(part.columns, 1, bulk=False, retries=0))
            for other in self.parts:  # the rest of its table is not tried by GETBULK again
                if len(other.columns) == 1 and _table(other.columns[0]) == _table(part.columns[0]):
                    other.bulk, other.rows = False, 1
        else:
            self.lose(part.columns, failure)
            table = _table(part.columns[0])
            self._silent.add(table)
            waiting = [other for other in self.parts if len(other.columns) == 1 and _table(other.columns[0]) == table]
            for other in waiting:  # columns of a table that is silent: not waited for one by one
                self.lose(other.columns, failure)
                self.parts.remove(other)

    def _row(self, column: str, oid: str, value: Value | None) -> bool:
        """Take one; False when it is not the column's, or was there before, or is one too many."""
        if value is None or not oid.startswith(column + "."):
            return False
        index = oid.removeprefix(column + ".")
        if index in self.rows[column]:
            detail = f"a walk of {column} that does not go on: {oid}"
            self.broken[column] = Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, detail[:300])
            return False
        if len(self.rows[column]) >= self._max_rows:
            detail = f"more than {self._max_rows} rows of {column}"
            self.broken[column] = Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, detail)
            return False
        self.rows[column][index] = value
        self.last[column] = oid
        return True

    def _take_error(self, part: _Part, reply: _Reply) -> None:
        if reply.status == _TOO_BIG and part.rows > 1:
            self.parts.appendleft(_Part(part.columns, part.rows // 2, part.bulk, part.retries))
            return
        culprit = reply.culprit(part.columns) if reply.status != _TOO_BIG else None
        rest = [column for column in part.columns if column != culprit]
        if culprit is None and len(part.columns) > 1:
            self.parts.extendleft(_Part([column], part.rows, part.bulk, part.retries) for column in part.columns)
            return
        if culprit is not None and rest:
            self.parts.appendleft(_Part(rest, part.rows, part.bulk, part.retries))
        column = culprit or part.columns[0]
        if part.bulk:
            self.parts.append(_Part([column], 1, bulk=False, retries=part.retries))
        elif reply.status != _NO_SUCH_NAME:  # SNMPv1 answers GETNEXT so at the end of everything
            self.broken[column] = reply.failure


def _part(columns: list[str]) -> _Part:
    return _Part(columns, max(1, VALUES_A_REQUEST // len(columns)))


def _table(column: str) -> str:
    return column.rpartition(".")[0]


def _late(seconds: float) -> Failure:
    return Failure(Operation.READ, FailureKind.TIMEOUT, f"not read within {seconds:g} s")


class _Counting(UdpAsyncioTransport):  # type: ignore[misc]
    """Remembers whose octets arrived, whether the library understands them or not."""

    arrived: set[tuple[str, int]]

    def datagram_received(self, datagram: bytes, transportAddress: Any) -> None:
        self.arrived.add((str(transportAddress[0]).partition("%")[0], int(transportAddress[1])))
        super().datagram_received(datagram, transportAddress)


class _Counting6(_Counting, Udp6AsyncioTransport):  # type: ignore[misc]
    """The same by IPv6. Link-local addresses keep their scope."""

    SOCK_FAMILY = Udp6AsyncioTransport.SOCK_FAMILY
    ADDRESS_TYPE = Udp6AsyncioTransport.ADDRESS_TYPE

    def normalize_address(self, transportAddress: Any) -> Any:
        scope = transportAddress[3] if len(transportAddress) > 3 else 0
        return self.ADDRESS_TYPE((transportAddress[0].partition("%")[0], transportAddress[1], 0, scope))


class _Opening:
    arrived: set[tuple[str, int]]
    PROTO_TRANSPORT: Any
    iface: Any

    def open_client_mode(self) -> Any:
        self.transport = self.PROTO_TRANSPORT()
        self.transport.arrived = self.arrived
        return self.transport.open_client_mode(self.iface)


class _Target(_Opening, UdpTransportTarget):  # type: ignore[misc]
    """An agent by IPv4."""

    PROTO_TRANSPORT = _Counting


class _Target6(_Opening, Udp6TransportTarget):  # type: ignore[misc]
    """An agent by IPv6."""

    PROTO_TRANSPORT = _Counting6


class _Numeric(ObjectType):  # type: ignore[misc]
    """An object asked for by its numbers alone: looking each up in MIBs that say nothing of it cost a quarter of a round's CPU."""

    def __init__(self, oid: str) -> None:
        super().__init__(ObjectIdentity(oid))
        self._asked = (ObjectName(oid), Null(""))

    def resolve_with_mib(self, *_: object, **__: object) -> tuple[Any, Any]:
        return self._asked


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


def _plain(value: Any) -> Value | None:
    if isinstance(value, NoSuchObject | NoSuchInstance | EndOfMibView) or value is None:
        return None
    name = type(value).__name__
    if name in ("ObjectIdentifier", "ObjectIdentity"):
        return str(value)
    if hasattr(value, "asOctets"):
        return bytes(value.asOctets())
    try:
        number = int(value)
    except (TypeError, ValueError):
        return None
    return number if -_MAX_NUMBER < number < _MAX_NUMBER else None
