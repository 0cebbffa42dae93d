"""GET: what programs read (design section 7). Reading is open on loopback; elsewhere it needs the read token (`access`)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_base.language import Text
from campus_collector.domain.days import parse_moment
from campus_collector.http.api.views import compliance_json, school_json, schools_json, status_json
from campus_collector.http.auth.people import reach_of
from campus_collector.http.openapi import document
from campus_collector.http.query import ID_RULE, choices, month_asked, must_be_known
from campus_collector.http.responses import HttpProblem, bad_value, check_query, in_thread, json_response
from campus_collector.http.service import Service
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.store.errors import StoreUnavailable
from campus_wire.digits import ascii_integer
from campus_wire.ids import is_id
from campus_wire.records import KINDS

MAX_LISTED_RESULTS = 5000
DEFAULT_LISTED_RESULTS = 500
DEFAULT_WINDOW = timedelta(days=31)
MOMENT_RULE = Text("must be a time like 2026-11-23T00:00:00Z", "应为时间，如 2026-11-23T00:00:00Z")

Handler = Callable[[Request], Awaitable[Response]]


def routes(service: Service) -> list[Route]:
    """All reading routes but pages and metrics."""

    async def schools(request: Request) -> Response:
        check_query(request, "month")
        month, reach = month_asked(request, service), reach_of(request)
        status = await in_thread(service.verdicts.look)
        found = await in_thread(schools_json, service, month)
        own = [one for one in found if reach.covers(one["town"])]
        return json_response({"month": str(month), **status_json(status), "schools": own})

    async def school(request: Request) -> Response:
        check_query(request, "month")
        month = month_asked(request, service)
        found = await in_thread(school_json, service, request.path_params["school"], month)
        if found is None or not reach_of(request).covers(found["town"]):
            raise HttpProblem(404, "No such school", request.path_params["school"])
        return json_response(found)

    async def compliance(request: Request) -> Response:
        check_query(request, "month", "target", "town")
        month = month_asked(request, service)
        target, town = request.query_params.get("target"), reach_of(request).narrowed(request.query_params.get("town"))
        if target is not None and target not in TARGET_NAMES:
            raise bad_value("target", target, choices(TARGET_NAMES))
        await in_thread(must_be_known, service, reach_of(request), None, town)
        return json_response(await in_thread(compliance_json, service, month, target, town))

    async def results(request: Request) -> Response:
        check_query(request, "school", "subject", "kind", "from", "to", "limit")
        query = request.query_params
        school_id, subject, kind = query.get("school", ""), query.get("subject"), query.get("kind")
        if not school_id:
            raise HttpProblem(400, "Bad query", "school is needed: /v1/results?school=ID")
        for key, value in (("school", school_id), ("subject", subject)):
            if value is not None and not is_id(value):
                raise bad_value(key, value, ID_RULE)
        if kind is not None and kind not in KINDS:
            raise bad_value("kind", kind, choices(KINDS))
        end = _moment(query.get("to"), "to") or datetime.now(UTC) + timedelta(minutes=10)
        try:
            start = _moment(query.get("from"), "from") or end - DEFAULT_WINDOW
        except OverflowError:
            raise HttpProblem(400, "Bad query", "to is too early") from None
        if start > end:
            raise HttpProblem(400, "Bad query", "from must be before to")
        limit = _limit(query.get("limit"))
        await in_thread(must_be_known, service, reach_of(request), school_id, None)
        raws = await in_thread(service.store.raw_results, school_id, subject, kind, start, end, limit)
        # The octets as they came: fields of newer agents are in them too.
        return Response(b'{"results":[' + b",".join(raws) + b"]}", media_type="application/json")

    async def healthz(request: Request) -> Response:
        return json_response({"status": "ok"})

    async def readyz(request: Request) -> Response:
        try:
            await asyncio.to_thread(service.store.check)
        except StoreUnavailable as error:
            raise HttpProblem(503, "Not ready", str(error), {"Retry-After": "15"}) from None
        return json_response({"status": "ready"})

    async def openapi(request: Request) -> Response:
        return json_response(document())

    return [
        Route("/v1/schools", schools),
        Route("/v1/schools/{school}", school),
        Route("/v1/compliance", compliance),
        Route("/v1/results", results, methods=["GET"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/openapi.json", openapi),
    ]


def _moment(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parse_moment(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_value(name, text, MOMENT_RULE) from None


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LISTED_RESULTS
    number = ascii_integer(text, MAX_LISTED_RESULTS)
    if not number:
        rule = Text(f"must be 1 to {MAX_LISTED_RESULTS}", f"应为 1 至 {MAX_LISTED_RESULTS}")
        raise bad_value("limit", text, rule)
    return number
