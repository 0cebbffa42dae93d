"""POST /v1/enroll: a one-time code for a token. Unknown, used and expired codes get one and the same answer.

POST /v1/token: a token for its successor; the old one is good until the new one is first used, so that a lost answer locks nobody out.
"""

import logging
from datetime import UTC, datetime
from functools import partial

from starlette.requests import Request

from campus_collector.domain.enrolment_codes import code_hash, plain
from campus_collector.domain.tokens import bearer, new_token, token_hash
from campus_collector.http.auth.agents import decode_body, json_body, principal_of
from campus_collector.http.auth.rate_limit import RateLimiter
from campus_collector.http.forwarding import address_of
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.routes import Operation, Routes
from campus_collector.http.service import Service
from campus_wire.records import Enrolled, EnrollRequest, Rotated

log = logging.getLogger(__name__)
MAX_BODY_BYTES = 4096
MAX_TRIES = 10
WINDOW_SECONDS = 600.0
"""At 60 bits a code is not found by guessing; the bound is for the log and the database."""


class EnrolmentRoutes(Routes):
    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._limiter = RateLimiter(service.store.attempts, "enrolment", MAX_TRIES, WINDOW_SECONDS)

    @Operation(
        "POST",
        "/v1/enroll",
        "A one-time code for a gateway's token",
        body=EnrollRequest,
        status=201,
        refusals=(429, 503),
    )
    async def enroll(self, request: Request) -> Enrolled:
        address = address_of(request)
        asked = decode_body(await json_body(request, MAX_BODY_BYTES), EnrollRequest, "Bad enrolment")
        letters, token, now = plain(asked.code), new_token(), datetime.now(UTC)
        async with self._limiter.attempt(address) as attempt:
            redeem = partial(self.service.store.tokens.redeem_code, token_hash=token_hash(token), now=now)
            enrolment = await in_thread(redeem, code_hash(letters)) if letters else None
            attempt.counts = enrolment is None
        if enrolment is None:
            log.warning("enrolment refused", extra={"address": address})
            raise HttpProblem(403, "Code refused", "the code is unknown, used or expired: ask the bureau for a new one")
        school, agent_id = enrolment.principal.school, enrolment.principal.agent_id
        log.info("agent enrolled", extra={"school": school, "address": address})
        release_key = await in_thread(self.service.releases.public_key)
        return Enrolled(school, enrolment.town, agent_id, token, now, release_key)

    @Operation(
        "POST",
        "/v1/token",
        "A new token for an agent's present one, which is refused once the new one was used",
        status=201,
        token=True,
    )
    async def rotate(self, request: Request) -> Rotated:
        """The present token comes in the header; there is no body."""
        principal = await in_thread(principal_of, self.service.store, request)
        old, new, now = bearer(request.headers.get("authorization")) or "", new_token(), datetime.now(UTC)
        if not await in_thread(self.service.store.tokens.rotate, token_hash(old), token_hash(new), now):
            raise HttpProblem(401, "Token refused", "the token is unknown or revoked", {"WWW-Authenticate": "Bearer"})
        log.info("agent token rotated", extra={"school": principal.school})
        return Rotated(new, now)
