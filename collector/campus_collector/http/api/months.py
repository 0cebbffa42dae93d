"""POST /v1/months: a signed month from the level below. POST /v1/months/enroll: a one-time code and a public key for a token.

Only on a collector of a prefecture or province. A token is checked before a body is read; a refusal says why in the reader's language, and with the
reason in its `type` for programs.
"""

import logging
from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from campus_collector.area.bundle import (
    MAX_ENVELOPE_BYTES,
    Envelope,
    MemberCode,
    MemberEnrolled,
    MonthProblem,
    MonthReceipt,
)
from campus_collector.area.enrol import redeem
from campus_collector.area.receive import REASON_PREFIX, MonthReceiver, MonthRefused
from campus_collector.domain.area import AreaMember
from campus_collector.domain.tokens import bearer, new_token, token_hash
from campus_collector.http.auth.agents import decode_body, json_body
from campus_collector.http.auth.rate_limit import RateLimiter
from campus_collector.http.forwarding import address_of
from campus_collector.http.query import language_of
from campus_collector.http.responses import HttpProblem, in_thread, json_response
from campus_collector.http.routes import Operation, Routes
from campus_collector.http.service import Service

log = logging.getLogger(__name__)
MAX_CODE_BYTES = 4096
MAX_TRIES, WINDOW_SECONDS = 10, 600.0
"""At 60 bits a code is not found by guessing; the bound is for the log and the database."""


class MonthRoutes(Routes):
    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._limiter = RateLimiter(service.store.attempts, "county enrolment", MAX_TRIES, WINDOW_SECONDS)
        self._receiver = MonthReceiver(service.store, service.config.timezone)

    @Operation(
        "POST",
        "/v1/months",
        "A county's closed month, signed, for the level above",
        body=Envelope,
        answer=MonthReceipt,
        refusals=(404, 409, 422, 503),
        token=True,
    )
    async def receive(self, request: Request) -> Response:
        self._must_take_months()
        member = await in_thread(self._member, request)
        body = await json_body(request, MAX_ENVELOPE_BYTES)
        try:
            receipt = await in_thread(self._receiver.receive, member, body, datetime.now(UTC))
        except MonthRefused as refused:
            log.warning("month refused", extra={"member": member.id, "why": refused.reason})
            return _refusal(refused, request)
        log.info(
            "month received",
            extra={"county": receipt.county, "month": receipt.month, "number": receipt.number, "new": receipt.stored},
        )
        return json_response(receipt)

    @Operation(
        "POST",
        "/v1/months/enroll",
        "A one-time code and a public key for the token of a county",
        body=MemberCode,
        status=201,
        refusals=(404, 429, 503),
    )
    async def enroll(self, request: Request) -> MemberEnrolled:
        self._must_take_months()
        address, token = address_of(request), new_token()
        asked = decode_body(await json_body(request, MAX_CODE_BYTES), MemberCode, "Bad enrolment")
        async with self._limiter.attempt(address) as attempt:
            member = await in_thread(redeem, self.service.store, asked, token, datetime.now(UTC))
            attempt.counts = member is None
        if member is None:
            log.warning("county enrolment refused", extra={"address": address})
            detail = "the code is unknown, used or expired, or the signature is not the key's: ask for a new code"
            raise HttpProblem(403, "Code refused", detail)
        log.info("county enrolled", extra={"member": member.id, "address": address})
        return MemberEnrolled(member.id, member.name, token, self.service.config.name)

    def _must_take_months(self) -> None:
        if not self.service.config.takes_months:
            raise HttpProblem(404, "Not here", 'this collector takes no months: it has no [area] level = "prefecture"')

    def _member(self, request: Request) -> AreaMember:
        """Whose token came with a request. Raises HttpProblem 401, StoreUnavailable."""
        challenge = {"WWW-Authenticate": "Bearer"}
        token = bearer(request.headers.get("authorization"))
        if token is None:
            raise HttpProblem(401, "No token", "send Authorization: Bearer TOKEN", challenge)
        member = self.service.store.area.member_of(token_hash(token))
        if member is None:
            raise HttpProblem(401, "Token refused", "the token is unknown or revoked", challenge)
        return member


def _refusal(refused: MonthRefused, request: Request) -> Response:
    problem = MonthProblem(
        "Month refused",
        refused.status,
        refused.words.in_(language_of(request))[:1000],
        REASON_PREFIX + refused.reason,
        refused.about[:300],
    )
    return Response(msgspec.json.encode(problem), refused.status, media_type="application/problem+json")
