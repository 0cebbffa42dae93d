"""Does a cloud platform answer, and which step takes how long? DNS, TCP, TLS, first byte; certificate expiry.

Steps are spelt out one after the other, each saved before the next; a step that was not reached is absent. Here a failure is
the finding: the record goes with it and is judged. At most 64 KiB of the answer are read and nothing of it is kept.
"""

import asyncio
import contextlib
import dataclasses
import socket
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException, HTTPResponse
from time import monotonic
from typing import cast
from urllib.parse import quote, urlsplit

from campus_agent.measure.errors import failure_of
from campus_agent.measure.probe import Finding, Probe, ProbeFailed, Run
from campus_agent.measure.resolve import Address, resolve
from campus_wire.failures import Failure, FailureKind, Operation
from campus_wire.records import ServiceRecord, ServiceResult

TIMEOUT_SECONDS = 10.0
MARGIN_SECONDS = 1.0
MAX_BODY_BYTES = 64 * 1024
USER_AGENT = "CampusMeter (reachability check of a school network)"


@dataclass(frozen=True, slots=True)
class Settings:
    """What to request; `ca_file` only for platforms with a private authority."""

    url: str
    ca_file: str | None = None


@dataclass(slots=True)
class Raw:
    """Each step's time as far as it got, and the failure that ended it."""

    url: str
    address: Address | None = None
    connect_seconds: float | None = None
    tls_seconds: float | None = None
    first_byte_seconds: float | None = None
    total_seconds: float | None = None
    http_status: int | None = None
    certificate_not_after: str | None = None
    failure: Failure | None = field(default=None)


def deadline_seconds(settings: Settings) -> float:
    """The longest a run may take: each step has its own bound too."""
    return TIMEOUT_SECONDS * 3 + 2 * MARGIN_SECONDS


async def measure(settings: Settings, run: Run) -> Raw:
    """Resolve, then connect, shake hands and request in a thread."""
    raw = Raw(settings.url)
    host = urlsplit(settings.url).hostname or ""
    try:
        raw.address = await resolve(host, TIMEOUT_SECONDS)
    except ProbeFailed as failed:
        raw.failure = failed.failure
        return raw
    opened: list[socket.socket] = []
    try:
        async with asyncio.timeout(run.left_seconds() - MARGIN_SECONDS):
            await asyncio.to_thread(_request, settings, raw, opened)
    except TimeoutError:  # an answer that drips: end it here, or its thread would go on for hours
        for one in opened:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        raw.failure = Failure(Operation.READ, FailureKind.TIMEOUT, "the answer did not end in time")
        return dataclasses.replace(raw)
    return raw


def interpret(raw: Raw) -> Finding:
    """Success needs every step and a status below 400."""
    failure = raw.failure
    if failure is None and raw.http_status is not None and raw.http_status >= 400:
        failure = Failure(Operation.READ, FailureKind.HTTP_STATUS, f"status {raw.http_status}")
    record = ServiceRecord(
        url=raw.url[:500],
        success=failure is None,
        resolve_seconds=raw.address.resolve_seconds if raw.address else None,
        connect_seconds=raw.connect_seconds,
        tls_seconds=raw.tls_seconds,
        first_byte_seconds=raw.first_byte_seconds,
        total_seconds=raw.total_seconds,
        http_status=raw.http_status,
        address=raw.address.text if raw.address else None,
        address_family=raw.address.family_word if raw.address else None,
        certificate_expires_at=_moment(raw.certificate_not_after),
    )
    return Finding(record=record, failure=failure)


def _request(settings: Settings, raw: Raw, opened: list[socket.socket]) -> None:
    assert raw.address is not None
    parts = urlsplit(settings.url)
    secure = parts.scheme == "https"
    operation = Operation.CONNECT
    began = mark = monotonic()
    plain: socket.socket | None = None
    try:
        target = (raw.address.text, parts.port or (443 if secure else 80))
        plain = socket.create_connection(target, TIMEOUT_SECONDS)
        opened.append(plain)
        raw.connect_seconds = monotonic() - mark
        if secure:
            operation, mark = Operation.TLS, monotonic()
            context = ssl.create_default_context(cafile=settings.ca_file)
            wrapped = context.wrap_socket(plain, server_hostname=parts.hostname)
            plain = wrapped
            opened[:] = [wrapped]
            raw.tls_seconds = monotonic() - mark
            certificate = wrapped.getpeercert() or {}
            raw.certificate_not_after = cast("str | None", certificate.get("notAfter"))
        operation, mark = Operation.REQUEST, monotonic()
        plain.sendall(_head(parts.netloc, parts.path or "/", parts.query))
        operation, mark = Operation.READ, monotonic()
        plain.settimeout(TIMEOUT_SECONDS)
        response = HTTPResponse(plain, method="GET")
        response.begin()
        raw.first_byte_seconds = monotonic() - mark
        raw.http_status = response.status
        _drain(response)
        raw.total_seconds = raw.address.resolve_seconds + monotonic() - began
    except OSError as error:  # first: a refused certificate is a ValueError too
        raw.failure = failure_of(operation, error)
    except (HTTPException, ValueError) as error:
        raw.failure = Failure(operation, FailureKind.PROTOCOL_ERROR, f"{type(error).__name__}: {error}"[:300])
    finally:
        if plain is not None:
            plain.close()


def _drain(response: HTTPResponse) -> None:
    """Read a bounded part of the body: enough to know that it really comes."""
    left = MAX_BODY_BYTES
    while left > 0:
        part = response.read1(min(left, 8192))
        if not part:
            return
        left -= len(part)


def _head(netloc: str, path: str, query: str) -> bytes:
    target = quote(f"{path}?{query}" if query else path, safe="/?&=%+:@!$'()*,;~-._")
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {netloc}",
        f"User-Agent: {USER_AGENT}",
        "Accept: */*",
        "Connection: close",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii", errors="strict")


def _moment(not_after: str | None) -> datetime | None:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), UTC) if not_after else None


PROBE = Probe(
    name="service",
    version=1,
    settings=Settings,
    measure=measure,
    interpret=interpret,
    deadline_seconds=deadline_seconds,
    result=ServiceResult,
)
