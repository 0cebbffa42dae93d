"""Ask a device's own web page: the status it should give, and readings from its JSON. Bounded in time and octets; nothing is kept."""

import asyncio
import contextlib
import json
import ssl
from typing import Any

from campus_agent.devices.http1 import Answer, HttpError, Reader, authority, request
from campus_agent.devices.profile import Http
from campus_agent.measure.connecting import connect
from campus_agent.measure.errors import failure_of
from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.resolve import resolve_all
from campus_wire.failures import FailureKind, Operation

TIMEOUT_SECONDS = 4.0
CLOSE_SECONDS = 0.5


async def ask(host: str, what: Http) -> Any:
    """The JSON of the answer, None where it is none. Raises ProbeFailed: no answer, another status, a body without end."""
    # Devices bring certificates of their own making; nothing secret is sent, so there is nothing to protect.
    tls = _unchecked() if what.tls else None
    port = what.port or (443 if what.tls else 80)
    answer = await exchange(host, port, request("GET", authority(host, port), what.path, {}), tls)
    if answer.status != what.status:
        detail = f"status {answer.status} instead of {what.status}"
        raise ProbeFailed(Operation.READ, FailureKind.HTTP_STATUS, detail)
    return _json(answer.body) if what.readings else None


async def exchange(
    host: str, port: int, octets: bytes, tls: ssl.SSLContext | None = None, seconds: float = TIMEOUT_SECONDS
) -> Answer:
    """One request, one answer, one connection; all of it within `seconds`. Raises ProbeFailed."""
    reader, step = Reader(), Operation.CONNECT
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(seconds):
            sock, _ = await connect(await resolve_all(host, seconds), port, seconds)
            source, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=host if tls else None)
            step = Operation.READ
            writer.write(octets)
            with contextlib.suppress(ConnectionError):  # one that hangs up early may have answered before
                await writer.drain()
            while data := await source.read(16_384):
                answer = reader.feed(data)
                if answer is not None:
                    return answer
        answer = reader.end()
    except HttpError as error:
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, str(error)) from None
    except TimeoutError:
        detail = (
            "connecting" if step is Operation.CONNECT else "an answer without end" if reader.status else "no answer"
        )
        raise ProbeFailed(step, FailureKind.TIMEOUT, detail) from None
    except OSError as error:
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


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
