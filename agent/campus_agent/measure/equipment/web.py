"""Ask a device's own web page: the status it should give, and readings from its JSON. Bounded in time and octets; nothing is kept."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable
from typing import Any

from campus_agent.measure.equipment.http1 import Answer, HttpError, Reader, authority, request
from campus_agent.measure.equipment.profile import Http
from campus_agent.measure.errors import failure_of
from campus_agent.measure.link.connect import connect
from campus_agent.measure.link.resolve import resolve_all
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import FailureKind, Operation

TIMEOUT_SECONDS = 4.0
CLOSE_SECONDS = 0.5
OVERDUE_SECONDS = 0.5
"""How long more is waited for than a device has announced."""


async def ask(host: str, what: Http, answered: Callable[[], None] = lambda: None) -> Any:
    """The JSON of the answer, None where it is none. Raises ProbeFailed: no answer, another status, a body without end."""
    tls = unchecked() if what.tls else None
    port = what.port or (443 if what.tls else 80)
    question = request("GET", authority(host, port), what.path, {})
    answer = await exchange(host, port, question, tls, answered=answered)
    if answer.status != what.status:
        detail = f"status {answer.status} instead of {what.status}"
        raise ProbeFailed(Operation.READ, FailureKind.HTTP_STATUS, detail)
    return _json(answer.body) if what.readings else None


async def exchange(
    host: str,
    port: int,
    octets: bytes,
    tls: ssl.SSLContext | None = None,
    seconds: float = TIMEOUT_SECONDS,
    take: Callable[[bytes], bool] | None = None,
    answered: Callable[[], None] = lambda: None,
) -> Answer:
    """One request, one answer, one connection; all of it within `seconds`. `take` as in Reader; `answered` is called when the device speaks.

    Raises ProbeFailed. A body that `take` reads may be cut short: by time, by the end of the connection, by its own length.
    """
    reader, step = Reader(take), Operation.CONNECT
    writer: asyncio.StreamWriter | None = None
    answer: Answer | None
    try:
        async with asyncio.timeout(seconds):
            sock, _ = await connect(await resolve_all(host, seconds), port, seconds)
            source, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=host if tls else None)
            step = Operation.READ
            writer.write(octets)
            with contextlib.suppress(ConnectionError):  # one that hangs up early may have answered before
                await writer.drain()
            answer = await _answer(source, reader, answered)
    except HttpError as error:
        answered()
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, str(error)) from None
    except TimeoutError:
        if take is None or reader.status is None:
            detail = (
                "connecting" if step is Operation.CONNECT else "an answer without end" if reader.status else "no answer"
            )
            raise ProbeFailed(step, FailureKind.TIMEOUT, detail) from None
        answer = reader.end(whole=False)
    except OSError as error:
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            answered()  # it speaks, if not as was hoped
        failure = failure_of(step, error)
        raise ProbeFailed(failure.operation, failure.kind, failure.detail) from None
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await writer.wait_closed()
    if answer is None:
        raise ProbeFailed(Operation.READ, FailureKind.CONNECTION_RESET, "closed without an answer")
    return answer


async def _answer(source: asyncio.StreamReader, reader: Reader, answered: Callable[[], None]) -> Answer | None:
    """The answer, None without a single octet. Raises HttpError, OSError."""
    while True:
        try:
            async with asyncio.timeout(OVERDUE_SECONDS if reader.overdue else None):
                data = await source.read(16_384)
        except TimeoutError:
            if not reader.overdue:
                raise
            data = b""
        except ConnectionResetError:
            if reader.take is None or reader.status is None:
                raise
            data = b""
        if not data:
            return reader.end()
        answer = reader.feed(data)
        if reader.status is not None:
            answered()
        if answer is not None:
            return answer


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def unchecked() -> ssl.SSLContext:
    """For devices: they bring certificates of their own making, and TLS as old as they are. Nothing secret is sent, so nothing is protected."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    return context
