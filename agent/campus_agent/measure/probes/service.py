"""One request of a service: the duration of DNS, TCP, TLS and first byte, the certificate's expiry, and whether it was the service that answered.

Each step is saved before the next begins; a step that was not reached is absent. Here a failure is the finding: it has a record,
which is judged. At most 64 KiB of the answer are read and nothing of it is kept.
The request is that of an ordinary browser: application firewalls refuse others. Redirects are followed only where the
inventory names a text that the page must hold.
"""

import asyncio
import contextlib
import re
import socket
import ssl
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from datetime import UTC, datetime
from http.client import HTTPException, HTTPResponse
from time import monotonic
from typing import cast
from urllib.parse import SplitResult, quote, urlsplit

import msgspec

from campus_agent.config.model import NOTHING_EXPECTED, AgentConfig, Expectation
from campus_agent.measure import http_body
from campus_agent.measure.clock_check import clock_fault, refused_for_its_dates, their_time
from campus_agent.measure.errors import failure_of
from campus_agent.measure.expectation import REDIRECTS, ServiceAnswer, failure_of_answer, holds_text, leads_to
from campus_agent.measure.http_body import BrokenAnswer
from campus_agent.measure.link.connect import connect, connect_here
from campus_agent.measure.link.resolve import Address, resolve_all
from campus_agent.measure.probe import AnyFinding, Finding, Probe, ProbeFailed, Run
from campus_agent.schedule.jobs import Job
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import ServiceRecord

TIMEOUT_SECONDS = 10.0
MARGIN_SECONDS = 1.0
CLOCK_SECONDS = 5.0
MAX_BODY_BYTES = 64 * 1024
MAX_REDIRECTS = 5
HEADERS = (
    ("Connection", "keep-alive"),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8"),
)
"""What Chrome sends for an address typed by a user, in its order."""


class ServiceSettings(msgspec.Struct, frozen=True):
    """`expected`: what the service's answer is like; `ca_file` only for services with a private authority."""

    url: str
    ca_file: str | None = None
    expected: Expectation = NOTHING_EXPECTED


class Steps(msgspec.Struct):
    """The duration of each step that was reached, and the failure that ended the request; `clock`: why the gateway's clock may be the cause."""

    url: str
    address: Address | None = None
    connect_seconds: float | None = None
    tls_seconds: float | None = None
    first_byte_seconds: float | None = None
    total_seconds: float | None = None
    http_status: int | None = None
    certificate_not_after: str | None = None
    leads_to: str | None = None
    failure: Failure | None = None
    clock: str | None = None


def jobs(config: AgentConfig) -> list[Job]:
    return [Job("service", service.id, config.cycle.service_seconds) for service in config.services]


def settings(config: AgentConfig, subject: str, max_bytes: int | None) -> ServiceSettings:
    service = {service.id: service for service in config.services}[subject]
    return ServiceSettings(service.url, expected=service.expected)


def deadline_seconds(settings: ServiceSettings) -> float:
    """Each step has its own bound too."""
    return 3 * TIMEOUT_SECONDS + 2 * MARGIN_SECONDS


async def measure(settings: ServiceSettings, run: Run) -> list[AnyFinding]:
    return [interpret(await request(settings, run))]


async def request(settings: ServiceSettings, run: Run) -> Steps:
    """Resolve and connect, then do the TLS handshake and the request in a thread."""
    steps = Steps(settings.url)
    parts = urlsplit(settings.url)
    try:
        addresses = await resolve_all(parts.hostname or "", TIMEOUT_SECONDS)
    except ProbeFailed as failed:
        steps.failure = failed.failure
        return steps
    steps.address, began = addresses[0], monotonic()
    try:
        plain, steps.address = await connect(addresses, _port(parts), TIMEOUT_SECONDS)
    except OSError as error:
        steps.failure = failure_of(Operation.CONNECT, error)
        return steps
    steps.connect_seconds = monotonic() - began
    plain.settimeout(TIMEOUT_SECONDS)
    opened = [plain]
    try:
        async with asyncio.timeout(run.left_seconds() - MARGIN_SECONDS):
            await asyncio.to_thread(_request, settings, steps, opened, began)
    except TimeoutError:  # an answer that drips: end it here, or its thread would go on for hours
        for sock in opened:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        steps.failure = Failure(Operation.READ, FailureKind.TIMEOUT, "the answer did not end in time")
        return msgspec.structs.replace(steps)
    return steps


def interpret(steps: Steps) -> AnyFinding:
    """Success needs every step, and an answer of the service itself. A certificate refused because of a wrong clock is no failure of it."""
    failure = steps.failure
    record = ServiceRecord(
        url=steps.url[:500],
        success=failure is None,
        resolve_seconds=steps.address.resolve_seconds if steps.address else None,
        connect_seconds=steps.connect_seconds,
        tls_seconds=steps.tls_seconds,
        first_byte_seconds=steps.first_byte_seconds,
        total_seconds=steps.total_seconds,
        http_status=steps.http_status,
        address=steps.address.text[:64] if steps.address else None,
        address_family=steps.address.family_word if steps.address else None,
        certificate_expires_at=_moment(steps.certificate_not_after),
        leads_to=steps.leads_to[:500] if steps.leads_to else None,
    )
    if steps.clock is not None:
        return Finding(record, Validity.CLOCK_UNTRUSTED, failure, steps.clock)
    return Finding(record, Validity.OK, failure)


def _request(settings: ServiceSettings, steps: Steps, opened: list[socket.socket], began: float) -> None:
    """The request on the connection in `opened`; where a text must be found, the redirects after it."""
    expected = settings.expected
    try:
        answer = _exchange(settings, settings.url, steps, opened)
        steps.total_seconds = (steps.address.resolve_seconds if steps.address else 0.0) + monotonic() - began
        for _ in range(MAX_REDIRECTS):
            target = leads_to(answer)
            steps.leads_to = target or steps.leads_to
            follow = bool(target and expected.text) and not holds_text(answer, expected)
            steps.failure = failure_of_answer(
                answer, msgspec.structs.replace(expected, text="", status=()) if follow else expected
            )
            if target is None or not follow or steps.failure is not None:
                return
            parts = urlsplit(target)
            opened[0].close()
            opened[:] = [connect_here(parts.hostname or "", _port(parts), TIMEOUT_SECONDS)[0]]
            answer = _exchange(settings, target, Steps(target), opened)
            steps.http_status = answer.status
        steps.failure = Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, f"more than {MAX_REDIRECTS} redirects")
    except _StepFailed as failed:
        steps.failure = failed.failure
        steps.clock = failed.clock
    except (OSError, ValueError) as error:
        steps.failure = failure_of(Operation.CONNECT, error)
    finally:
        for sock in opened:
            sock.close()


class _StepFailed(Exception):
    """A step of an exchange failed."""

    def __init__(self, failure: Failure, clock: str | None = None) -> None:
        super().__init__(str(failure.kind))
        self.failure = failure
        self.clock = clock


def _exchange(settings: ServiceSettings, url: str, steps: Steps, opened: list[socket.socket]) -> ServiceAnswer:
    """One request on a connection; its steps and times go to `steps`. Raises _StepFailed."""
    parts = urlsplit(url)
    operation = Operation.TLS
    try:
        if parts.scheme == "https":
            mark = monotonic()
            opened[:] = [_shake_hands(settings, parts, opened[0])]
            steps.tls_seconds = monotonic() - mark
            certificate = cast(ssl.SSLSocket, opened[0]).getpeercert() or {}
            steps.certificate_not_after = cast("str | None", certificate.get("notAfter"))
        operation, mark = Operation.REQUEST, monotonic()
        opened[0].sendall(_head(parts))
        operation, mark = Operation.READ, monotonic()
        opened[0].settimeout(TIMEOUT_SECONDS)
        response = HTTPResponse(opened[0], method="GET")
        http_body.begin(response)
        steps.first_byte_seconds = monotonic() - mark
        steps.http_status = response.status
        location, refresh = response.headers.get("Location"), response.headers.get("Refresh")
        text = _text(response)
    except OSError as error:  # first: a refused certificate is a ValueError too
        raise _StepFailed(failure_of(operation, error), _clock(settings, parts, error)) from None
    except BrokenAnswer as error:
        raise _StepFailed(Failure(operation, FailureKind.PROTOCOL_ERROR, str(error)[:300])) from None
    except (HTTPException, ValueError) as error:
        detail = f"{type(error).__name__}: {error}"[:300]
        raise _StepFailed(Failure(operation, FailureKind.PROTOCOL_ERROR, detail)) from None
    return ServiceAnswer(url, response.status, parts.scheme == "https", location, text, refresh)


def _shake_hands(settings: ServiceSettings, parts: SplitResult, plain: socket.socket) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=settings.ca_file)
    return context.wrap_socket(plain, server_hostname=parts.hostname)


def _clock(settings: ServiceSettings, parts: SplitResult, error: OSError) -> str | None:
    """Why the clock is the cause of a certificate that was refused for its dates; None for any other error."""
    if not isinstance(error, ssl.SSLCertVerificationError) or not refused_for_its_dates(error):
        return None
    theirs = None
    with contextlib.suppress(OSError, UnicodeError):
        plain, _ = connect_here(parts.hostname or "", _port(parts), CLOCK_SECONDS)
        theirs = their_time(plain, parts.hostname or "", settings.ca_file)
    return clock_fault(error, theirs, datetime.now(UTC))


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _text(response: HTTPResponse) -> str:
    """A bounded part of the body: enough to see that it arrives, and what it is. Raises BrokenAnswer, OSError."""
    try:
        body = http_body.read_body(response, MAX_BODY_BYTES)
    except BrokenAnswer:
        if response.status not in REDIRECTS or not response.headers.get("Location"):
            raise
        body = b""  # a browser goes on without it
    charset = response.headers.get_content_charset() or _charset_in(body)
    try:
        return body.decode(charset, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _charset_in(body: bytes) -> str:
    """The encoding that the page declares; without one UTF-8, or GB 18030 where it is not UTF-8."""
    if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    named = re.search(rb"""charset\s*=\s*["']?([A-Za-z0-9_-]{2,20})""", body[:2048])
    if named:
        return named[1].decode("ascii")
    try:
        body[: MAX_BODY_BYTES - 4].decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf-8" if error.start > len(body) - 8 else "gb18030"
    return "utf-8"


def _head(parts: SplitResult) -> bytes:
    path = parts.path or "/"
    target = quote(f"{path}?{parts.query}" if parts.query else path, safe="/?&=%+:@!$'()*,;~-._")
    host = parts.netloc.rpartition("@")[2]
    host = host if host.isascii() else host.encode("idna").decode("ascii")
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in HEADERS)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii", errors="strict")


def _moment(not_after: str | None) -> datetime | None:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), UTC) if not_after else None


PROBE = Probe(
    name="service",
    kind="service",
    jobs=jobs,
    settings=settings,
    measure=measure,
    deadline_seconds=deadline_seconds,
)
