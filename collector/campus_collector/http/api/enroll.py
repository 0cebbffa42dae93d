"""POST /v1/enroll: a one-time code for a token. Unknown, used and expired codes get one and the same answer.

POST /v1/token: a token for its successor; the old one is good until the new one is first used, so that a lost answer locks nobody out.
"""

import logging
from datetime import UTC, datetime
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_collector.domain.enrolment_codes import code_hash, plain
from campus_collector.domain.tokens import bearer, new_token, token_hash
from campus_collector.http.auth.agents import json_body, principal_of
from campus_collector.http.auth.rate_limit import RateLimiter
from campus_collector.http.responses import HttpProblem, in_thread, json_response
from campus_collector.http.service import Service
from campus_collector.ingest.reasons import without_patterns
from campus_wire.records import Enrolled, EnrollRequest, Rotated

log = logging.getLogger(__name__)
MAX_BODY_BYTES = 4096
MAX_TRIES = 10
WINDOW_SECONDS = 600.0
"""At 60 bits a code is not found by guessing; the bound is for the log and the database."""


def routes(service: Service) -> list[Route]:
    """The one door without a token."""
    limiter = RateLimiter(MAX_TRIES, WINDOW_SECONDS)

    async def enroll(request: Request) -> Response:
        address = request.client.host if request.client else ""
        body = await json_body(request, MAX_BODY_BYTES)
        try:
            asked = msgspec.json.decode(body, type=EnrollRequest)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise HttpProblem(400, "Bad enrolment", without_patterns(str(error))[:300]) from None
        letters, token, now = plain(asked.code), new_token(), datetime.now(UTC)
        async with limiter.attempt(address) as attempt:
            redeem = partial(service.store.redeem_code, token_hash=token_hash(token), now=now)
            enrolment = await in_thread(redeem, code_hash(letters)) if letters else None
            attempt.counts = enrolment is None
        if enrolment is None:
            log.warning("enrolment refused", extra={"address": address})
            raise HttpProblem(403, "Code refused", "the code is unknown, used or expired: ask the bureau for a new one")
        school, agent_id = enrolment.principal.school, enrolment.principal.agent_id
        log.info("agent enrolled", extra={"school": school, "address": address})
        return json_response(Enrolled(school, enrolment.town, agent_id, token, now), 201)

    async def rotate(request: Request) -> Response:
        principal = await in_thread(principal_of, service.store, request)
        old, new, now = bearer(request.headers.get("authorization")) or "", new_token(), datetime.now(UTC)
        if not await in_thread(service.store.rotate_token, token_hash(old), token_hash(new), now):
            raise HttpProblem(401, "Token refused", "the token is unknown or revoked", {"WWW-Authenticate": "Bearer"})
        log.info("agent token rotated", extra={"school": principal.school})
        return json_response(Rotated(new, now), 201)

    return [Route("/v1/enroll", enroll, methods=["POST"]), Route("/v1/token", rotate, methods=["POST"])]
