"""GET /v1/problems, PATCH /v1/problems/ID: the ledger for programs. Reading as everywhere; changing needs a person's token."""

from datetime import UTC, date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from campus_base.language import Language
from campus_base.messages import message
from campus_collector.domain.people import Person
from campus_collector.domain.problem import STATES, Event, Problem
from campus_collector.http.api.problem_answers import (
    ProblemAnswer,
    ProblemsAnswer,
    ProblemWithHistory,
    ledger_status,
    problem_answer,
    problem_with_history,
    problems_answer,
)
from campus_collector.http.auth.agents import json_body
from campus_collector.http.auth.scope import ReadScope, require_ledger_editor, scope_of
from campus_collector.http.query import (
    DocumentLanguage,
    NoQuery,
    choices,
    document_language,
    must_be_known,
    one_of,
    requested_target,
)
from campus_collector.http.responses import HttpProblem, bad_value, in_thread
from campus_collector.http.routes import Operation, Routes
from campus_collector.http.service import Service
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.ledger.actions import ACTIONS, MAX_TEXT, NotPossible, act
from campus_collector.ledger.listing import MAX_AGE_DAYS, ProblemFilter, names_in, select
from campus_collector.ledger.table import AS_OF, WORKING, Names, as_csv, as_xlsx
from campus_collector.store.errors import Conflict
from campus_wire.digits import ascii_integer

MAX_BODY_BYTES = 16 * 1024
AGE_RULE = message("is a number of days, 0 to {max_age_days}", max_age_days=MAX_AGE_DAYS)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
SELECTIONS = (*STATES, "overdue", "contradicted", "all")


class ProblemsQuery(msgspec.Struct):
    town: Annotated[str, Meta(description="one town only")] = ""
    school: Annotated[str, Meta(description="one school only")] = ""
    target: Annotated[str, one_of(TARGET_NAMES), Meta(description="one target only")] = ""
    state: Annotated[str, one_of(SELECTIONS), Meta(description="still open when absent")] = ""
    older_than: Annotated[int, Meta(ge=0, le=MAX_AGE_DAYS, description="open for so many days")] = 0


class ProblemsExportQuery(ProblemsQuery):
    lang: DocumentLanguage = "zh"


class ProblemPath(msgspec.Struct):
    number: Annotated[int, Meta(ge=1)]


class ExportPath(msgspec.Struct):
    ending: Annotated[str, one_of(("csv", "xlsx"))]


class ProblemChange(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a PATCH."""

    action: Annotated[str, one_of(ACTIONS)]
    text: Annotated[str, Meta(extra_json_schema={"maxLength": MAX_TEXT})] = ""
    responsible: Annotated[str, Meta(extra_json_schema={"maxLength": 100})] = ""
    due_on: Annotated[str, Meta(extra_json_schema={"format": "date"})] = ""


class ProblemRoutes(Routes):
    @Operation(
        "GET",
        "/v1/problems",
        "The problem ledger: what is still open, the most urgent first",
        query=ProblemsQuery,
        refusals=(404, 503),
    )
    def problems(self, request: Request) -> ProblemsAnswer:
        problems, names, today = read_list(self.service, scope_of(request), requested_problems(request))
        return problems_answer(self.service, problems, names, today)

    @Operation(
        "GET",
        "/v1/problems.{ending}",
        "The same as a supervision list: csv or xlsx",
        query=ProblemsExportQuery,
        parameters=ExportPath,
        answer=(CSV, XLSX),
    )
    def exported(self, request: Request) -> Response:
        wanted, scope, ending = requested_problems(request), scope_of(request), request.path_params["ending"]
        language = document_language(request) or "zh"
        make = {"csv": as_csv, "xlsx": as_xlsx}.get(ending)
        if make is None:
            raise HttpProblem(404, "Not Found", "the ledger is there as .csv and .xlsx")
        problems, names, today = read_list(self.service, scope, wanted)
        body = make(problems, names, today, language, status_words(self.service, language))
        headers = {"Content-Disposition": f'attachment; filename="problems.{ending}"'}
        return Response(body, media_type=XLSX if ending == "xlsx" else CSV, headers=headers)

    @Operation("GET", "/v1/problems/{number}", "One problem with its history", parameters=ProblemPath, query=NoQuery)
    def problem(self, request: Request) -> ProblemWithHistory:
        """404 also for one that the reader may not see."""
        number, store = number_of(request), self.service.store
        problem = store.ledger.problem(number)
        if problem is None or not scope_of(request).covers(problem.town):
            raise HttpProblem(404, "No such problem", str(number))
        today = datetime.now(self.service.config.timezone).date()
        return problem_with_history(problem, store.ledger.events(number), names_in(store), today)

    @Operation(
        "PATCH",
        "/v1/problems/{number}",
        "Work on a problem: acknowledge, assign, set a date, note a measure, comment, claim it fixed. Measurements alone strike it off.",
        parameters=ProblemPath,
        body=ProblemChange,
        refusals=(409, 503),
        token=True,
    )
    async def change(self, request: Request) -> ProblemAnswer:
        """The problem as it is afterwards."""
        person = self.service.authenticator.person_with_token(request)
        body = await json_body(request, MAX_BODY_BYTES)
        try:
            asked = msgspec.json.decode(body, type=ProblemChange)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            listed_actions = ", ".join(ACTIONS)
            raise HttpProblem(400, "Bad request", f"{error}; action is one of {listed_actions}") from None
        values = {"text": asked.text, "responsible": asked.responsible, "due_on": asked.due_on}
        try:
            changed = await in_thread(work_on, self.service, number_of(request), asked.action, values, person)
        except NotPossible as refusal:
            raise HttpProblem(409, "Not possible", refusal.in_("en")) from None
        today = datetime.now(self.service.config.timezone).date()
        return problem_answer(changed, await in_thread(names_in, self.service.store), today)


def status_words(service: Service, language: Language) -> str:
    """The last day that is in the ledger, and whether days are still missing, for an export."""
    as_of, complete = ledger_status(service)
    words = AS_OF.in_(language, day=as_of or "—")
    return words if complete else words + WORKING.in_(language)


def work_on(service: Service, number: int, action: str, values: dict[str, str], person: Person) -> Problem:
    """One action of one person. Raises NotPossible, HttpProblem 403, 404."""
    now = datetime.now(UTC)
    today = now.astimezone(service.config.timezone).date()
    problem = service.store.ledger.problem(number)
    if problem is None:
        raise HttpProblem(404, "No such problem", str(number))
    require_ledger_editor(person, problem.town)

    def by(newest: Problem) -> tuple[Problem, Event]:
        return act(newest, action, values, person.name, now, today)

    try:
        return service.store.ledger.change(number, by)
    except NotPossible:
        raise
    except Conflict as refusal:
        raise HttpProblem(404, "No such problem", str(refusal)) from None


def read_list(service: Service, scope: ReadScope, wanted: ProblemFilter) -> tuple[list[Problem], Names, date]:
    """The problems a reader wants, what everything is called, and today. Raises HttpProblem 404 for an unknown school or town."""
    must_be_known(service, scope, wanted.school, wanted.town)
    today = datetime.now(service.config.timezone).date()
    return select(service.store.ledger.problems(), wanted, today), names_in(service.store), today


def requested_problems(request: Request) -> ProblemFilter:
    """The selection in a query, within what the reader may see. Raises HttpProblem 400, 403."""
    query = request.query_params
    target, state, age = query.get("target") or None, query.get("state") or None, query.get("older_than") or None
    requested_target(target)
    if state is not None and state not in SELECTIONS:
        raise bad_value("state", state, choices(SELECTIONS))
    days = ascii_integer(age, MAX_AGE_DAYS) if age is not None else None
    if age is not None and days is None:
        raise bad_value("older_than", age, AGE_RULE)
    town = scope_of(request).restricted_to(query.get("town") or None)
    return ProblemFilter(town, target, state, query.get("school") or None, days)


def number_of(request: Request) -> int:
    """The number of a problem in the path. Raises HttpProblem 404."""
    text = request.path_params["number"]
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise HttpProblem(404, "No such problem", text[:40])
    return int(text)
