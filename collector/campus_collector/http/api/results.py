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

from campus_collector.domain.records import Batch, Principal
from campus_collector.http.api.admission import Admission, TooMany
from campus_collector.http.auth.agents import Body, busy, principal_of, read_body, unpack_body
from campus_collector.http.responses import HttpProblem
from campus_collector.http.service import Service
from campus_collector.ingest.examine import cleaned, examine
from campus_collector.ingest.reasons import without_patterns
from campus_collector.store.errors import StoreUnavailable
from campus_wire.codec import MAX_BODY_BYTES, TooLarge, WireError, decode_envelope, encode_receipt
from campus_wire.records import Quarantined, Receipt

log = logging.getLogger(__name__)

STORE_SECONDS = 60.0
"""So long a batch waits for its commit; then the agent comes again, and what was stored all the same is a duplicate."""


def routes(service: Service) -> list[Route]:
    """The one route."""
    intake = _Intake(service)
    return [Route("/v1/results", intake.post_results, methods=["POST"])]


class _Intake:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._admission = Admission(service.config.max_batches_at_once)

    async def post_results(self, request: Request) -> Response:
        """Authenticate, read, examine, store, acknowledge."""
        began = time.perf_counter()
        address = request.client.host if request.client else ""
        try:
            principal = await asyncio.to_thread(principal_of, self._service.store, request)
            with self._admission.reading(principal.school, address):
                body = await read_body(request, MAX_BODY_BYTES)
                with self._admission.working():
                    return await self._take(principal, body)
        except TooMany as reason:
            raise busy(str(reason)) from None
        finally:
            self._service.ingest_duration_seconds.observe(time.perf_counter() - began)

    async def _take(self, principal: Principal, body: Body) -> Response:
        now = datetime.now(UTC)
        batch, quarantined = await asyncio.to_thread(_read, principal, body, now)
        try:
            outcome = await asyncio.wait_for(asyncio.wrap_future(self._service.store.submit(batch)), STORE_SECONDS)
        except (StoreUnavailable, TimeoutError) as error:
            log.error("store unavailable", extra={"error": str(error)})
            raise busy("the store cannot be written now") from None
        quarantined += outcome.beyond_quota
        if quarantined:
            reason = quarantined[0].reason
            extra = {"school": principal.school, "count": len(quarantined), "first_reason": reason}
            log.warning("results quarantined", extra=extra)
        if outcome.chain_fits is False:
            log.error("a gateway's receipt does not fit the chain of its school", extra={"school": principal.school})
        receipt = Receipt(
            outcome.stored, outcome.duplicate, quarantined, datetime.now(UTC), outcome.chain, outcome.chain_fits
        )
        return Response(encode_receipt(receipt), media_type="application/json")


def _read(principal: Principal, body: Body, now: datetime) -> tuple[Batch, list[Quarantined]]:
    """Beside the event loop: from octets to a batch. Raises HttpProblem 400, 413, 422."""
    try:
        envelope = decode_envelope(unpack_body(body, MAX_BODY_BYTES))
    except TooLarge as error:
        raise HttpProblem(413, "Batch too large", str(error)) from None
    except WireError as error:
        status, title = (422, "Unknown schema version") if error.code == "schema_version" else (400, "Bad batch")
        raise HttpProblem(status, title, without_patterns(str(error))) from None
    valid, bad, quarantined = examine(envelope.results, principal.school, now)
    batch = Batch(
        principal,
        now,
        envelope.boot_id,
        tuple(valid),
        tuple(bad),
        envelope.agent and cleaned(envelope.agent),
        envelope.announcement and cleaned(envelope.announcement),
        envelope.chain,
        envelope.sent_at,
    )
    return batch, quarantined
