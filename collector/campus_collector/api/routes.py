"""GET: what programs read (design section 7). Reading is open on loopback; elsewhere it needs the read token (`access`)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_collector.api.openapi import document
from campus_collector.api.views import compliance_json, school_json, schools_json, status_json
from campus_collector.days import parse_moment
from campus_collector.http import HttpProblem, in_thread, json_response
from campus_collector.judge.month import Month, parse_month
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.people.people import reach_of
from campus_collector.service import Service
from campus_collector.store.interface import StoreUnavailable
from campus_wire.ids import is_id
from campus_wire.records import KINDS

MAX_LISTED_RESULTS = 5000
DEFAULT_LISTED_RESULTS = 500
DEFAULT_WINDOW = timedelta(days=31)

Handler = Callable[[Request], Awaitable[Response]]


def routes(service: Service) -> list[Route]:
    """All reading routes but pages and metrics."""

    async def schools(request: Request) -> Response:
        month, reach = _month(request, service), reach_of(request)
        status = await in_thread(service.verdicts.look)
        found = await in_thread(schools_json, service, month)
        own = [one for one in found if reach.covers(one["town"])]
        return json_response({"month": str(month), **status_json(status), "schools": own})

    async def school(request: Request) -> Response:
        month = _month(request, service)
        found = await in_thread(school_json, service, request.path_params["school"], month)
        if found is None or not reach_of(request).covers(found["town"]):
            raise HttpProblem(404, "No such school", request.path_params["school"])
        return json_response(found)

    async def compliance(request: Request) -> Response:
        month = _month(request, service)
        target, town = request.query_params.get("target"), reach_of(request).narrowed(request.query_params.get("town"))
        if target is not None and target not in TARGET_NAMES:
            raise HttpProblem(400, "Bad query", f"target must be one of {', '.join(TARGET_NAMES)}")
        return json_response(await in_thread(compliance_json, service, month, target, town))

    async def results(request: Request) -> Response:
        query = request.query_params
        school_id = query.get("school", "")
        if not is_id(school_id):
            raise HttpProblem(400, "Bad query", "school is needed: /v1/results?school=ID")
        reach = reach_of(request)
        if reach.town and not reach.covers(await in_thread(_town_of, service, school_id)):
            raise HttpProblem(404, "No such school", school_id)
        kind = query.get("kind")
        if kind is not None and kind not in KINDS:
            raise HttpProblem(400, "Bad query", f"kind must be one of {', '.join(KINDS)}")
        end = _moment(query.get("to"), "to") or datetime.now(UTC) + timedelta(minutes=10)
        try:
            start = _moment(query.get("from"), "from") or end - DEFAULT_WINDOW
        except OverflowError:
            raise HttpProblem(400, "Bad query", "to is too early") from None
        limit = _limit(query.get("limit"))
        raws = await in_thread(service.store.raw_results, school_id, query.get("subject"), kind, start, end, limit)
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


def _month(request: Request, service: Service) -> Month:
    text = request.query_params.get("month")
    if text is None:
        return service.verdicts.this_month()
    try:
        return parse_month(text, service.verdicts.zone)
    except ValueError as error:
        raise HttpProblem(400, "Bad query", str(error)) from None


def _moment(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parse_moment(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise HttpProblem(400, "Bad query", f"{name} must be a time like 2026-11-23T00:00:00Z") from None


def _town_of(service: Service, school: str) -> str:
    return next((one.town for one in service.store.schools(datetime.fromtimestamp(0, UTC)) if one.id == school), "")


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LISTED_RESULTS
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_LISTED_RESULTS:
        raise HttpProblem(400, "Bad query", f"limit must be 1 to {MAX_LISTED_RESULTS}")
    return int(text)
