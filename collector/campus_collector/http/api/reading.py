"""What programs read. Reading is open on loopback as long as no person was added; else it needs a person, or the read token."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from campus_base.messages import message
from campus_collector.domain.days import parse_moment
from campus_collector.http.api.answers import (
    ComplianceAnswer,
    RawResultsAnswer,
    SchoolAnswer,
    SchoolsAnswer,
    StatusAnswer,
    compliance_answer,
    school_answer,
    schools_answer,
)
from campus_collector.http.api.results_csv import csv_lines
from campus_collector.http.auth.scope import scope_of
from campus_collector.http.query import (
    ID_RULE,
    DocumentLanguage,
    MonthQuery,
    choices,
    document_language,
    must_be_known,
    one_of,
    requested_month,
    requested_target,
)
from campus_collector.http.responses import HttpProblem, bad_value
from campus_collector.http.routes import Operation, Routes
from campus_collector.http.school_view import find_school, school_view, schools_in
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.store.errors import StoreUnavailable
from campus_wire.digits import ascii_integer
from campus_wire.ids import is_id
from campus_wire.records import KINDS

MAX_LISTED_RESULTS = 5000
DEFAULT_LISTED_RESULTS = 500
DEFAULT_WINDOW = timedelta(days=31)
MOMENT_RULE = message("must be a time like 2026-11-23T00:00:00Z")
CSV = "text/csv; charset=utf-8"
_MOMENT = {"format": "date-time"}


class ComplianceQuery(MonthQuery):
    target: Annotated[str, one_of(TARGET_NAMES), Meta(description="one target only")] = ""
    town: Annotated[str, Meta(description='one town only; "" for the county')] = ""


class ResultsQuery(msgspec.Struct):
    school: Annotated[str, Meta(description="id of the school")]
    subject: Annotated[str, Meta(description="one subject only")] = ""
    kind: Annotated[str, one_of(KINDS), Meta(description="one kind only")] = ""
    from_: Annotated[str, Meta(description="31 days back when absent", extra_json_schema=_MOMENT)] = msgspec.field(
        default="", name="from"
    )
    to: Annotated[str, Meta(description="now when absent", extra_json_schema=_MOMENT)] = ""
    limit: Annotated[int, Meta(ge=1, le=MAX_LISTED_RESULTS, description="500 when absent")] = DEFAULT_LISTED_RESULTS


class ResultsTableQuery(ResultsQuery):
    lang: DocumentLanguage = "zh"


class QueryRoutes(Routes):
    @Operation("GET", "/v1/schools", "All schools", query=MonthQuery)
    def schools(self, request: Request) -> SchoolsAnswer:
        month, status = requested_month(request, self.service), self.service.verdicts.catch_up_for_reader()
        return schools_answer(self.service, schools_in(self.service, scope_of(request).town), month, status)

    @Operation(
        "GET", "/v1/schools/{school}", "One school: subjects, latest results, verdicts of the month", query=MonthQuery
    )
    def school(self, request: Request) -> SchoolAnswer:
        """404 also for a school that the reader may not see."""
        month = requested_month(request, self.service)
        school = find_school(self.service, request.path_params["school"], scope_of(request).town)
        if school is None:
            raise HttpProblem(404, "No such school", request.path_params["school"])
        status = self.service.verdicts.catch_up_for_reader()
        return school_answer(school_view(self.service, school, month), month, status)

    @Operation(
        "GET",
        "/v1/compliance",
        "Verdicts of a month by area and by subject",
        query=ComplianceQuery,
        refusals=(404, 503),
    )
    def compliance(self, request: Request) -> ComplianceAnswer:
        month, scope = requested_month(request, self.service), scope_of(request)
        town = scope.restricted_to(request.query_params.get("town"))
        target = requested_target(request.query_params.get("target"))
        must_be_known(self.service, scope, None, town)
        return compliance_answer(self.service, month, target, town)

    @Operation(
        "GET",
        "/v1/results",
        "Results of a school as they came, newest first",
        query=ResultsQuery,
        answer=RawResultsAnswer,
        refusals=(404, 503),
    )
    def results(self, request: Request) -> Response:
        """The bytes as they came, with the fields of newer agents."""
        return Response(b'{"results":[' + b",".join(self._raws(request)) + b"]}", media_type="application/json")

    @Operation(
        "GET",
        "/v1/results.csv",
        "The same as a table: one row a result, units in the headings",
        query=ResultsTableQuery,
        answer=(CSV,),
        refusals=(404, 503),
    )
    def table(self, request: Request) -> Response:
        language = document_language(request) or "zh"
        raws, query = self._raws(request), request.query_params
        name = "-".join(query[key] for key in ("school", "subject", "kind") if query.get(key))
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Content-Language": language}
        return StreamingResponse(csv_lines(raws, language), media_type=CSV, headers=headers)

    def _raws(self, request: Request) -> list[bytes]:
        """The results that are asked for, at most `limit`. Raises HttpProblem 400, 404."""
        query = request.query_params
        school, subject, kind = query.get("school", ""), query.get("subject"), query.get("kind")
        if not school:
            raise HttpProblem(400, "Bad query", "school is needed: /v1/results?school=ID")
        for key, value in (("school", school), ("subject", subject)):
            if value is not None and not is_id(value):
                raise bad_value(key, value, ID_RULE)
        if kind is not None and kind not in KINDS:
            raise bad_value("kind", kind, choices(KINDS))
        start, end = _window(query.get("from"), query.get("to"))
        limit = _limit(query.get("limit"))
        must_be_known(self.service, scope_of(request), school, None)
        return self.service.store.results.raw(school, subject, kind, start, end, limit)


class HealthRoutes(Routes):
    @Operation("GET", "/healthz", "Alive", refusals=())
    async def healthz(self, request: Request) -> StatusAnswer:
        """On the event loop: it answers whatever the threads are busy with."""
        return StatusAnswer("ok")

    @Operation("GET", "/readyz", "Alive, and the store can be written")
    async def readyz(self, request: Request) -> StatusAnswer:
        try:
            await asyncio.to_thread(self.service.store.check)
        except StoreUnavailable as error:
            raise HttpProblem(503, "Not ready", str(error), {"Retry-After": "15"}) from None
        return StatusAnswer("ready")


def _window(since: str | None, until: str | None) -> tuple[datetime, datetime]:
    """From when until when; by default the last 31 days. Raises HttpProblem 400."""
    end = _moment(until, "to") or datetime.now(UTC) + timedelta(minutes=10)
    try:
        start = _moment(since, "from") or end - DEFAULT_WINDOW
    except OverflowError:
        raise HttpProblem(400, "Bad query", "to is too early") from None
    if start > end:
        raise HttpProblem(400, "Bad query", "from must be before to")
    return start, end


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
        rule = message("must be 1 to {max_listed_results}", max_listed_results=MAX_LISTED_RESULTS)
        raise bad_value("limit", text, rule)
    return number
