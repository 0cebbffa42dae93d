"""GET /v1/problems, PATCH /v1/problems/ID: the ledger for programs. Reading as everywhere; changing needs a person's token."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from campus_collector.http.api.problem_answers import (
    ProblemAnswer,
    ProblemsAnswer,
    ProblemWithHistory,
    problem_answer,
    problem_with_history,
    problems_answer,
    status_words,
)
from campus_collector.http.auth.agents import json_body
from campus_collector.http.auth.scope import scope_of
from campus_collector.http.problem_requests import (
    CAUSES,
    SELECTIONS,
    UNITS,
    find_problem,
    requested_filter,
    requested_number,
    select_problems,
    work_on,
)
from campus_collector.http.query import DocumentLanguage, NoQuery, document_language, one_of
from campus_collector.http.responses import HttpProblem, download, in_thread
from campus_collector.http.routes import Operation, Routes
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.ledger.actions import ACTIONS, MAX_TEXT, NotPossible
from campus_collector.ledger.listing import MAX_AGE_DAYS, ORDERS, names_in
from campus_collector.ledger.table import as_csv, as_xlsx
from campus_collector.report.forms.render import MEDIA_TYPES

MAX_BODY_BYTES = 16 * 1024
CSV = "text/csv; charset=utf-8"


class ProblemsQuery(msgspec.Struct):
    town: Annotated[str, Meta(description="one town only")] = ""
    school: Annotated[str, Meta(description="one school only")] = ""
    target: Annotated[str, one_of(TARGET_NAMES), Meta(description="one target only")] = ""
    state: Annotated[str, one_of(SELECTIONS), Meta(description="still open when absent")] = ""
    older_than: Annotated[int, Meta(ge=0, le=MAX_AGE_DAYS, description="open for so many days")] = 0
    unit: Annotated[str, one_of(UNITS), Meta(description="one kind of responsible unit only")] = ""
    cause: Annotated[str, one_of(CAUSES), Meta(description="one cause only")] = ""
    q: Annotated[str, Meta(description="words that must all stand in names, cause, unit or measure")] = ""
    number: Annotated[list[int], Meta(description="these problems, whatever the rest says")] = []
    sort: Annotated[str, one_of(ORDERS), Meta(description="due when absent")] = "due"


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
        problems, today = select_problems(self.service, scope_of(request), requested_filter(request))
        names = names_in(self.service.store, problems, self.service.inventory.rows_of(problems))
        return problems_answer(self.service, problems, names, today)

    @Operation(
        "GET",
        "/v1/problems.{ending}",
        "The same as a supervision list: csv or xlsx",
        query=ProblemsExportQuery,
        parameters=ExportPath,
        answer=(CSV, MEDIA_TYPES["xlsx"]),
    )
    def exported(self, request: Request) -> Response:
        selected, scope, ending = requested_filter(request), scope_of(request), request.path_params["ending"]
        language = document_language(request) or "zh"
        make = {"csv": as_csv, "xlsx": as_xlsx}.get(ending)
        if make is None:
            raise HttpProblem(404, "Not Found", "the ledger is there as .csv and .xlsx")
        problems, today = select_problems(self.service, scope, selected)
        names = names_in(self.service.store, problems, self.service.inventory.rows_of(problems))
        body = make(problems, names, today, language, status_words(self.service, language))
        return download(body, MEDIA_TYPES["xlsx"] if ending == "xlsx" else CSV, f"problems.{ending}")

    @Operation("GET", "/v1/problems/{number}", "One problem with its history", parameters=ProblemPath, query=NoQuery)
    def problem(self, request: Request) -> ProblemWithHistory:
        """404 also for one that the reader may not see."""
        number, store = requested_number(request), self.service.store
        problem = find_problem(self.service, scope_of(request), number)
        if problem is None:
            raise HttpProblem(404, "No such problem", str(number))
        return problem_with_history(
            problem, store.ledger.events(number), names_in(store, [problem]), self.service.today()
        )

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
        person = await in_thread(self.service.authenticator.person_with_token, request)
        body = await json_body(request, MAX_BODY_BYTES)
        try:
            asked = msgspec.json.decode(body, type=ProblemChange)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            listed_actions = ", ".join(ACTIONS)
            raise HttpProblem(400, "Bad request", f"{error}; action is one of {listed_actions}") from None
        values = {"text": asked.text, "responsible": asked.responsible, "due_on": asked.due_on}
        try:
            changed = await in_thread(work_on, self.service, requested_number(request), asked.action, values, person)
        except NotPossible as refusal:
            raise HttpProblem(409, "Not possible", refusal.in_("en")) from None
        names = await in_thread(names_in, self.service.store, [changed])
        return problem_answer(changed, names, self.service.today())
