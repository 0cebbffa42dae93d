"""POST /v1/results: the one door for results (design section 7).

200 only after the commit that holds them. 400 not readable, 401 no or refused token, 413 too large, 415 wrong type, 422 a schema
version we do not speak, 503 with Retry-After when the store or this process is busy.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from campus_collector.http import HttpProblem
from campus_collector.ingest.examine import examine
from campus_collector.ingest.tokens import bearer, token_hash
from campus_collector.service import Service
from campus_collector.store.interface import Batch, Principal, StoreUnavailable
from campus_wire.codec import MAX_BODY_BYTES, TooLarge, WireError, decode_envelope, decompress, encode_receipt
from campus_wire.records import Receipt

log = logging.getLogger(__name__)

RETRY_SECONDS = 20
BODY_TIMEOUT_SECONDS = 60.0


def routes(service: Service) -> list[Route]:
    """The door, with its bound of how many pass at once."""
    door = _Door(service)
    return [Route("/v1/results", door.post_results, methods=["POST"])]


class _Door:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._inside = 0

    async def post_results(self, request: Request) -> Response:
        """Authenticate, read, examine, store, acknowledge."""
        began = time.perf_counter()
        if self._inside >= self._service.config.max_batches_at_once:
            raise _busy("too many batches at once")
        self._inside += 1
        try:
            return await self._take(request)
        finally:
            self._inside -= 1
            self._service.ingest_duration_seconds.observe(time.perf_counter() - began)

    async def _take(self, request: Request) -> Response:
        principal = self._authenticate(request)
        body = await _body(request)
        now = datetime.now(UTC)
        try:
            envelope = decode_envelope(body)
        except TooLarge as error:
            raise HttpProblem(413, "Batch too large", str(error)) from None
        except WireError as error:
            status, title = (422, "Unknown schema version") if error.code == "schema_version" else (400, "Bad batch")
            raise HttpProblem(status, title, str(error)) from None
        valid, bad, quarantined = examine(envelope.results, principal.school, now)
        batch = Batch(principal, now, envelope.boot_id, tuple(valid), tuple(bad), envelope.agent, envelope.announcement)
        try:
            outcome = await asyncio.wrap_future(self._service.store.submit(batch))
        except StoreUnavailable as error:
            log.error("store unavailable", extra={"error": str(error)})
            raise _busy("the store cannot be written now") from None
        if bad:
            extra = {"school": principal.school, "count": len(bad), "first_reason": bad[0].reason}
            log.warning("results quarantined", extra=extra)
        receipt = Receipt(outcome.stored, outcome.duplicate, quarantined, datetime.now(UTC))
        return Response(encode_receipt(receipt), media_type="application/json")

    def _authenticate(self, request: Request) -> Principal:
        token = bearer(request.headers.get("authorization"))
        challenge = {"WWW-Authenticate": "Bearer"}
        if token is None:
            raise HttpProblem(401, "No token", "send Authorization: Bearer TOKEN", challenge)
        try:
            principal = self._service.store.authenticate(token_hash(token))
        except StoreUnavailable as error:
            log.error("store unavailable", extra={"error": str(error)})
            raise _busy("the store cannot be read now") from None
        if principal is None:
            raise HttpProblem(401, "Token refused", "the token is unknown or revoked", challenge)
        return principal


async def _body(request: Request) -> bytes:
    """The body, decompressed, never more than the bound in memory."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HttpProblem(415, "Wrong content type", "send Content-Type: application/json")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise HttpProblem(415, "Wrong content encoding", "send gzip, or nothing", {"Accept-Encoding": "gzip"})
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY_BYTES:
                    raise HttpProblem(413, "Batch too large", f"body is larger than {MAX_BODY_BYTES} bytes")
                parts.append(part)
    except TimeoutError:
        raise HttpProblem(408, "Body too slow", f"not complete within {BODY_TIMEOUT_SECONDS:.0f} s") from None
    except ClientDisconnect:
        raise HttpProblem(400, "Body cut off") from None
    body = b"".join(parts)
    if encoding == "identity":
        return body
    try:
        return decompress(body)
    except TooLarge as error:
        raise HttpProblem(413, "Batch too large", str(error)) from None
    except WireError as error:
        raise HttpProblem(400, "Bad compression", str(error)) from None


def _busy(detail: str) -> HttpProblem:
    return HttpProblem(503, "Not now", detail, {"Retry-After": str(RETRY_SECONDS)})
