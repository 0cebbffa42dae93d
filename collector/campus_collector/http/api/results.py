"""POST /v1/results: how results come in.

200 only after the commit that holds them. 400 not readable, 401 no or refused token, 413 too large, 415 wrong type, 422 a schema
version we do not speak, 503 with Retry-After when the store or this process is busy.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta
from starlette.requests import Request

from campus_collector.domain.agents import Principal
from campus_collector.domain.results import Batch
from campus_collector.http.api.batch_limits import BatchLimiter, TooMany
from campus_collector.http.auth.agents import Body, busy, principal_of, read_body, unpack_body
from campus_collector.http.forwarding import address_of
from campus_collector.http.responses import HttpProblem
from campus_collector.http.routes import Operation, Routes
from campus_collector.http.service import Service
from campus_collector.ingest.examine import cleaned, examine
from campus_collector.ingest.reasons import without_patterns
from campus_collector.store.errors import StoreUnavailable
from campus_wire.codec import MAX_BODY_BYTES, TooLarge, WireError, decode_envelope
from campus_wire.records import AnyResult, Envelope, Quarantined, Receipt

log = logging.getLogger(__name__)

STORE_SECONDS = 60.0
"""So long a batch waits for its commit; then the agent comes again, and what was stored all the same is a duplicate."""


class SentEnvelope(Envelope, frozen=True, kw_only=True, omit_defaults=True):
    """An envelope as its sender writes it, for the OpenAPI document: here its results are still raw."""

    schema_version: Literal[1]
    results: Annotated[list[AnyResult], Meta(max_length=1000)]  # type: ignore[assignment]


class ResultRoutes(Routes):
    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._limiter = BatchLimiter(service.config.max_batches_at_once)

    @Operation(
        "POST",
        "/v1/results",
        "Take a batch of results; each is stored once, or quarantined with the reason",
        body=SentEnvelope,
        refusals=(422, 503),
        token=True,
    )
    async def post_results(self, request: Request) -> Receipt:
        """Authenticate, read, examine, store, acknowledge."""
        began = time.perf_counter()
        address = address_of(request)
        try:
            principal = await asyncio.to_thread(principal_of, self.service.store, request)
            with self._limiter.reading(principal.school, address):
                body = await read_body(request, MAX_BODY_BYTES)
                with self._limiter.working():
                    return await self._store(principal, body)
        except TooMany as reason:
            raise busy(str(reason)) from None
        finally:
            self.service.ingest_duration_seconds.observe(time.perf_counter() - began)

    async def _store(self, principal: Principal, body: Body) -> Receipt:
        now = datetime.now(UTC)
        batch, quarantined = await asyncio.to_thread(_read, principal, body, now)
        try:
            outcome = await asyncio.wait_for(asyncio.wrap_future(self.service.store.submit(batch)), STORE_SECONDS)
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
        return Receipt(
            outcome.stored, outcome.duplicate, quarantined, datetime.now(UTC), outcome.chain, outcome.chain_fits
        )


def _read(principal: Principal, body: Body, now: datetime) -> tuple[Batch, list[Quarantined]]:
    """A batch from a body; beside the event loop. Raises HttpProblem 400, 413, 422."""
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
