"""What every route for agents needs: whose token came with the request, and its body within a bound."""

import asyncio
import logging
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import zstandard
from starlette.requests import ClientDisconnect, Request

from campus_collector.domain.agents import Principal
from campus_collector.domain.tokens import bearer, token_hash
from campus_collector.http.responses import HttpProblem
from campus_collector.ingest.reasons import without_patterns
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.store import Store
from campus_wire.codec import TooLarge, WireError, decompress

log = logging.getLogger(__name__)
Record = TypeVar("Record")

RETRY_SECONDS = 20
BODY_TIMEOUT_SECONDS = 60.0
MAX_DISCARDED_BYTES = 64 * 1024 * 1024
"""A longer body is not read to its end."""
MAX_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
ZSTD_STEP_BYTES = 256
"""Decompressed at once: a block of four bytes may stand for 128 KiB, so a step gives 8 MiB at most."""


def principal_of(store: Store, request: Request) -> Principal:
    """The school whose token came with a request. Raises HttpProblem 401, 503."""
    token = bearer(request.headers.get("authorization"))
    challenge = {"WWW-Authenticate": "Bearer"}
    if token is None:
        raise HttpProblem(401, "No token", "send Authorization: Bearer TOKEN", challenge)
    try:
        principal = store.tokens.authenticate(token_hash(token))
    except StoreUnavailable as error:
        log.error("store unavailable", extra={"error": str(error)})
        raise busy("the store cannot be read now") from None
    if principal is None:
        raise HttpProblem(401, "Token refused", "the token is unknown or revoked", challenge)
    return principal


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body as it came."""

    content: bytes
    encoding: str


async def json_body(request: Request, max_bytes: int) -> bytes:
    """The body, decompressed, never more than the bound in memory. Raises HttpProblem 400, 408, 413, 415."""
    return await asyncio.to_thread(unpack_body, await read_body(request, max_bytes), max_bytes)


async def read_body(request: Request, max_bytes: int) -> Body:
    """The body, still compressed. Raises HttpProblem 400, 408, 413, 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HttpProblem(415, "Wrong content type", "send Content-Type: application/json")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "zstd"):
        raise HttpProblem(
            415, "Wrong content encoding", "send gzip, zstd, or nothing", {"Accept-Encoding": "gzip, zstd"}
        )
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size <= max_bytes:
                    parts.append(part)
                elif size > MAX_DISCARDED_BYTES:
                    break
    except TimeoutError:
        raise HttpProblem(408, "Body too slow", f"not complete within {BODY_TIMEOUT_SECONDS:.0f} s") from None
    except ClientDisconnect:
        raise HttpProblem(400, "Body cut off") from None
    if size > max_bytes:  # read to its end first, or the sender would see a broken connection and not our answer
        raise HttpProblem(413, "Batch too large", f"body is larger than {max_bytes} bytes")
    return Body(b"".join(parts), encoding)


def decode_body(body: bytes, kind: type[Record], title: str) -> Record:
    """A small JSON body as a record. Raises HttpProblem 400 with this title."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise HttpProblem(400, title, without_patterns(str(error))[:300]) from None


def unpack_body(body: Body, max_bytes: int) -> bytes:
    """The body, decompressed, never more than the bound in memory. Raises HttpProblem 400, 413."""
    if body.encoding == "identity":
        return body.content
    unpack = decompress if body.encoding == "gzip" else _unpack_zstd
    try:
        return unpack(body.content, max_bytes)
    except TooLarge as error:
        raise HttpProblem(413, "Batch too large", str(error)) from None
    except WireError as error:
        raise HttpProblem(400, "Bad compression", str(error)) from None


def _unpack_zstd(body: bytes, max_bytes: int) -> bytes:
    """Decompress exactly one zstd frame, holding little more than the bound in memory. Raises WireError; TooLarge for a compressed bomb."""
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW_BYTES).decompressobj()
    parts, size, offset = [], 0, 0
    try:
        while offset < len(body) and not unpacker.eof:
            part = unpacker.decompress(body[offset : offset + ZSTD_STEP_BYTES])
            offset += ZSTD_STEP_BYTES
            size += len(part)
            if size > max_bytes:
                raise TooLarge("body_too_large", f"body grows beyond {max_bytes} bytes when decompressed")
            parts.append(part)
    except zstandard.ZstdError as error:
        raise WireError("invalid_zstd", f"body is not valid zstd: {error}") from None
    if not unpacker.eof:
        raise WireError("invalid_zstd", "body is not valid zstd: it ends too early")
    if unpacker.unused_data or offset < len(body):
        raise WireError("invalid_zstd", "body is not valid zstd: something follows its end")
    return b"".join(parts)


def busy(detail: str) -> HttpProblem:
    """503, with the time after which to try again."""
    return HttpProblem(503, "Not now", detail, {"Retry-After": str(RETRY_SECONDS)})
