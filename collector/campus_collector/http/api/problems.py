"""GET /v1/problems, PATCH /v1/problems/ID (design section 7): the ledger for programs. Reading as everywhere; changing needs a person's token."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_base.language import Language, Text
from campus_collector.domain.problem import STATES, Event, Problem
from campus_collector.domain.records import Person
from campus_collector.http.api.views import event_json, problem_json
from campus_collector.http.auth.agents import json_body
from campus_collector.http.auth.people import Reach, may_work, reach_of
from campus_collector.http.query import choices, document_language, must_be_known
from campus_collector.http.responses import Answer, Given, HttpProblem, bad_value, check_query, json_response
from campus_collector.http.responses import in_thread as _in_thread
from campus_collector.http.service import Service
from campus_collector.judge.day import day_of
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.ledger.actions import ACTIONS, NotPossible, act
from campus_collector.ledger.listing import MAX_AGE_DAYS, Wanted, listed, names_in
from campus_collector.ledger.table import AS_OF, WORKING, Names, as_csv, as_xlsx
from campus_collector.store.database import Refused
from campus_wire.digits import ascii_integer

MAX_BODY_BYTES = 16 * 1024
FILTERS = ("town", "school", "target", "state", "older_than")
AGE_RULE = Text(f"is a number of days, 0 to {MAX_AGE_DAYS}", f"应为天数（0 至 {MAX_AGE_DAYS}）")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class _Change(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a PATCH."""

    action: str
    text: str = ""
    responsible: str = ""
    due_on: str = ""


def routes(service: Service) -> list[Route]:
    """The ledger's routes."""

    async def problems(request: Request) -> Response:
        check_query(request, *FILTERS)
        wanted = wanted_of(request)
        found, names, today = await in_thread(read_list, service, reach_of(request), wanted)
        looked = await in_thread(looked_json, service)
        return json_response({"problems": [problem_json(one, names, today) for one in found], **looked})

    async def exported(request: Request) -> Response:
        check_query(request, *FILTERS, "lang")
        wanted, ending = wanted_of(request), request.path_params["ending"]
        language = document_language(request) or "zh"
        make = {"csv": as_csv, "xlsx": as_xlsx}.get(ending)
        if make is None:
            raise HttpProblem(404, "Not Found", "the ledger is there as .csv and .xlsx")

        def work() -> bytes:
            found, names, today = read_list(service, reach_of(request), wanted)
            return make(found, names, today, language, looked_words(service, language))

        body = await in_thread(work)
        kind = XLSX if ending == "xlsx" else "text/csv; charset=utf-8"
        headers = {"Content-Disposition": f'attachment; filename="problems.{ending}"'}
        return Response(body, media_type=kind, headers=headers)

    async def problem(request: Request) -> Response:
        check_query(request)
        number, reach = number_of(request), reach_of(request)

        def work() -> dict[str, object] | None:
            found = service.store.ledger.problem(number)
            if found is None or not reach.covers(found.town):
                return None
            today = datetime.now(service.config.timezone).date()
            events = [event_json(one) for one in service.store.ledger.events(number)]
            return problem_json(found, names_in(service.store), today) | {"history": events}

        found = await in_thread(work)
        if found is None:
            raise HttpProblem(404, "No such problem", str(number))
        return json_response(found)

    async def change(request: Request) -> Response:
        person = service.people.of_token(request)
        body = await json_body(request, MAX_BODY_BYTES)
        try:
            asked = msgspec.json.decode(body, type=_Change)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            listed_actions = ", ".join(ACTIONS)
            raise HttpProblem(400, "Bad request", f"{error}; action is one of {listed_actions}") from None
        values = {"text": asked.text, "responsible": asked.responsible, "due_on": asked.due_on}
        try:
            changed = await in_thread(work_on, service, number_of(request), asked.action, values, person)
        except NotPossible as refusal:
            raise HttpProblem(409, "Not possible", refusal.in_("en")) from None
        today = datetime.now(service.config.timezone).date()
        return json_response(problem_json(changed, await in_thread(names_in, service.store), today))

    return [
        Route("/v1/problems", problems, methods=["GET"]),
        Route("/v1/problems.{ending}", exported, methods=["GET"]),
        Route("/v1/problems/{number}", problem, methods=["GET"]),
        Route("/v1/problems/{number}", change, methods=["PATCH"]),
    ]


def looked_json(service: Service) -> dict[str, object]:
    """The last day that is in the ledger, and whether that is every complete day."""
    looked = service.store.ledger.looked_until()
    return {
        "as_of": day_of(looked).isoformat() if looked is not None else None,
        "complete": not service.ledger.is_behind(service.ledger.yesterday()),
    }


def looked_words(service: Service, language: Language) -> str:
    """The same in words, for an export."""
    said = looked_json(service)
    words = AS_OF.in_(language, day=said["as_of"] or "—")
    return words if said["complete"] else words + WORKING.in_(language)


def work_on(service: Service, number: int, action: str, values: dict[str, str], person: Person) -> Problem:
    """One action of one person. Raises NotPossible, HttpProblem 403, 404."""
    now = datetime.now(UTC)
    today = now.astimezone(service.config.timezone).date()
    found = service.store.ledger.problem(number)
    if found is None:
        raise HttpProblem(404, "No such problem", str(number))
    may_work(person, found.town)

    def by(problem: Problem) -> tuple[Problem, Event]:
        return act(problem, action, values, person.name, now, today)

    return service.store.ledger.change(number, by)


def read_list(service: Service, reach: Reach, wanted: Wanted) -> tuple[list[Problem], Names, date]:
    """The problems a reader wants, what everything is called, and today. Raises HttpProblem 404 for an unknown school or town."""
    must_be_known(service, reach, wanted.school, wanted.town)
    today = datetime.now(service.config.timezone).date()
    return listed(service.store.ledger.problems(), wanted, today), names_in(service.store), today


def wanted_of(request: Request) -> Wanted:
    """The selection in a query, within what the reader may see. Raises HttpProblem 400, 403."""
    query = request.query_params
    target, state, age = query.get("target") or None, query.get("state") or None, query.get("older_than") or None
    if target is not None and target not in TARGET_NAMES:
        raise bad_value("target", target, choices(TARGET_NAMES))
    states = (*STATES, "overdue", "contradicted", "all")
    if state is not None and state not in states:
        raise bad_value("state", state, choices(states))
    days = ascii_integer(age, MAX_AGE_DAYS) if age is not None else None
    if age is not None and days is None:
        raise bad_value("older_than", age, AGE_RULE)
    town = reach_of(request).narrowed(query.get("town") or None)
    return Wanted(town, target, state, query.get("school") or None, days)


def number_of(request: Request) -> int:
    """The number of a problem in the path. Raises HttpProblem 404."""
    text = request.path_params["number"]
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise HttpProblem(404, "No such problem", text[:40])
    return int(text)


async def in_thread(work: Callable[Given, Answer], *values: Given.args, **named: Given.kwargs) -> Answer:
    """Beside the event loop. Raises HttpProblem 404 for an unknown problem, 503 when the store is away, NotPossible."""
    try:
        return await _in_thread(work, *values, **named)
    except Refused as refusal:
        if isinstance(refusal, NotPossible):
            raise
        raise HttpProblem(404, "No such problem", str(refusal)) from None
