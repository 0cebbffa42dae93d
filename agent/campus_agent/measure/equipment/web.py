"""Ask a device's own web page: the status it should give, and readings from its JSON. Bounded in time and bytes; nothing is kept."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable
from typing import Any

from campus_agent.measure.equipment.http1 import HttpError, HttpResponse, ResponseReader, authority, request
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
    request: bytes,
    tls: ssl.SSLContext | None = None,
    seconds: float = TIMEOUT_SECONDS,
    take: Callable[[bytes], bool] | None = None,
    answered: Callable[[], None] = lambda: None,
) -> HttpResponse:
    """One request, one answer, one connection; all of it within `seconds`. `take` as in ResponseReader; `answered` is called when the device answers.

    Raises ProbeFailed. A body that `take` reads may be cut short: by time, by the end of the connection, by its own length.
    """
    connection = _Exchange(take, answered)
    try:
        answer = await connection.run(host, port, request, tls, seconds)
    except HttpError as error:
        answered()
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, str(error)) from None
    except TimeoutError:
        answer = connection.cut_short()
    except OSError as error:
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            answered()  # it answers, though not in HTTP
        failure = failure_of(connection.step, error)
        raise ProbeFailed(failure.operation, failure.kind, failure.detail) from None
    if answer is None:
        raise ProbeFailed(Operation.READ, FailureKind.CONNECTION_RESET, "closed without an answer")
    return answer


class _Exchange:
    def __init__(self, take: Callable[[bytes], bool] | None, answered: Callable[[], None]) -> None:
        self._reader, self._answered = ResponseReader(take), answered
        self.step = Operation.CONNECT

    async def run(
        self, host: str, port: int, request: bytes, tls: ssl.SSLContext | None, seconds: float
    ) -> HttpResponse | None:
        """The answer, None without a single byte. Raises HttpError, TimeoutError, OSError."""
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(seconds):
                sock, _ = await connect(await resolve_all(host, seconds), port, seconds)
                name = host if tls else None
                source, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name)
                self.step = Operation.READ
                writer.write(request)
                with contextlib.suppress(ConnectionError):  # one that hangs up early may have answered before
                    await writer.drain()
                return await self._answer(source)
        finally:
            if writer is not None:
                writer.close()
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(CLOSE_SECONDS):
                        await writer.wait_closed()

    def cut_short(self) -> HttpResponse | None:
        """What has come when the time is over, where somebody takes the body as it comes. Raises ProbeFailed where there is nothing of use."""
        reader = self._reader
        if reader.take is not None and reader.status is not None:
            return reader.end(whole=False)
        detail = "an answer without end" if reader.status else "no answer"
        raise ProbeFailed(
            self.step, FailureKind.TIMEOUT, "connecting" if self.step is Operation.CONNECT else detail
        ) from None

    async def _answer(self, source: asyncio.StreamReader) -> HttpResponse | None:
        reader = self._reader
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
                self._answered()
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
