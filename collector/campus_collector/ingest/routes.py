"""POST /v1/results: the one door for results (design section 7).

200 only after the commit that holds them. 400 not readable, 401 no or refused token, 413 too large, 415 wrong type, 422 a schema
version we do not speak, 503 with Retry-After when the store or this process is busy.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_collector.agents import busy, json_body, principal_of
from campus_collector.http import HttpProblem
from campus_collector.ingest.examine import examine
from campus_collector.service import Service
from campus_collector.store.interface import Batch, StoreUnavailable
from campus_wire.codec import MAX_BODY_BYTES, TooLarge, WireError, decode_envelope, encode_receipt
from campus_wire.records import Receipt

log = logging.getLogger(__name__)

STORE_SECONDS = 60.0
"""So long a batch waits for its commit; then the agent comes again, and what was stored all the same is a duplicate."""


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
            raise busy("too many batches at once")
        self._inside += 1
        try:
            return await self._take(request)
        finally:
            self._inside -= 1
            self._service.ingest_duration_seconds.observe(time.perf_counter() - began)

    async def _take(self, request: Request) -> Response:
        principal = principal_of(self._service.store, request)
        body = await json_body(request, MAX_BODY_BYTES)
        now = datetime.now(UTC)
        try:
            envelope = decode_envelope(body)
        except TooLarge as error:
            raise HttpProblem(413, "Batch too large", str(error)) from None
        except WireError as error:
            status, title = (422, "Unknown schema version") if error.code == "schema_version" else (400, "Bad batch")
            raise HttpProblem(status, title, str(error)) from None
        valid, bad, quarantined = examine(envelope.results, principal.school, now)
        batch = Batch(
            principal,
            now,
            envelope.boot_id,
            tuple(valid),
            tuple(bad),
            envelope.agent,
            envelope.announcement,
            envelope.chain,
        )
        try:
            outcome = await asyncio.wait_for(asyncio.wrap_future(self._service.store.submit(batch)), STORE_SECONDS)
        except (StoreUnavailable, TimeoutError) as error:
            log.error("store unavailable", extra={"error": str(error)})
            raise busy("the store cannot be written now") from None
        if bad:
            extra = {"school": principal.school, "count": len(bad), "first_reason": bad[0].reason}
            log.warning("results quarantined", extra=extra)
        if outcome.chain_fits is False:
            log.error("a gateway's receipt does not fit the chain of its school", extra={"school": principal.school})
        receipt = Receipt(
            outcome.stored, outcome.duplicate, quarantined, datetime.now(UTC), outcome.chain, outcome.chain_fits
        )
        return Response(encode_receipt(receipt), media_type="application/json")
