"""GET /v1/commands holds a gateway's request until there is something to do; POST /v1/commands/ID says how far it is. For people's programs: ask, and look.

A gateway connects outwards only. The ETag stands for what waits to be taken: a list that is another than the gateway's is answered at once.
"""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from campus_collector.domain.commands import SHOWN, StoredCommand
from campus_collector.domain.people import Person
from campus_collector.http.auth.agents import decode_body, json_body, principal_of
from campus_collector.http.auth.scope import scope_of
from campus_collector.http.command_requests import ask_gateway
from campus_collector.http.query import NoQuery, one_of
from campus_collector.http.responses import HttpProblem, in_thread, json_response
from campus_collector.http.routes import Operation, Routes
from campus_collector.http.school_view import find_school
from campus_collector.store.tables.commands import CommandRefused
from campus_wire.commands import (
    COMMAND_KINDS,
    MAX_HOLD_SECONDS,
    MEASURABLE_KINDS,
    CausedResult,
    CommandReceipt,
    CommandReport,
    Commands,
)
from campus_wire.digits import ascii_integer
from campus_wire.version import VERSION

MAX_REPORT_BYTES = 128 * 1024
MAX_BODY_BYTES = 4096
MOST_LISTED = 100
MAX_NUMBER = 10**12


class WaitQuery(msgspec.Struct):
    wait: Annotated[int, Meta(ge=0, le=int(MAX_HOLD_SECONDS), description="hold the request for so many seconds")] = 0


class MeasureRequest(msgspec.Struct, forbid_unknown_fields=True):
    """POST /v1/schools/ID/measure."""

    subject: Annotated[str, Meta(min_length=1, max_length=64)]
    subject_kind: Annotated[str, one_of(("", *MEASURABLE_KINDS))] = ""


class CommandRequest(msgspec.Struct, forbid_unknown_fields=True):
    """POST /v1/schools/ID/commands."""

    kind: Annotated[str, one_of(tuple(kind for kind in COMMAND_KINDS if kind != "measure"))]


class CommandAnswer(msgspec.Struct, frozen=True):
    """A command and how far it is. `reason` and `detail` are the gateway's, `text` is what its doctor or log says."""

    school: str
    number: int
    id: str
    kind: str
    subject: str
    subject_kind: str
    person: str
    problem: int | None
    asked_at: datetime
    state: Annotated[str, one_of(SHOWN)]
    reported_at: datetime | None
    reason: str
    detail: str
    starts_in_seconds: float | None
    progress_ratio: float | None
    results: list[CausedResult]
    text: str


class CommandsAnswer(msgspec.Struct, frozen=True):
    commands: list[CommandAnswer]


class CommandPath(msgspec.Struct):
    school: str
    number: Annotated[int, Meta(ge=1)]


class CommandRoutes(Routes):
    @Operation(
        "GET",
        "/v1/commands",
        "What this school's gateway is asked to do; held until that changes; ETag, 304",
        answer=Commands,
        refusals=(304, 503),
        query=WaitQuery,
        token=True,
    )
    async def wait(self, request: Request) -> Response:
        principal = await in_thread(principal_of, self.service.store, request)
        seconds = ascii_integer(request.query_params.get("wait", "0"), int(MAX_HOLD_SECONDS))
        if seconds is None:
            raise HttpProblem(400, "Bad query", f"wait is a number of seconds, at most {MAX_HOLD_SECONDS:.0f}")
        seen = _seen(request.headers.get("if-none-match"))
        if seen is not None:
            await self.service.command_watch.wait(principal.school, seen, seconds)
        # once more: the token may have been revoked meanwhile
        return await in_thread(self._answer, request, seen)

    def _answer(self, request: Request, seen: int | None) -> Response:
        school, table = principal_of(self.service.store, request).school, self.service.store.commands
        waiting, now = table.to_take(school), table.now()
        newest = max((command.number for command in waiting), default=0)
        headers = {"ETag": f'"{newest}"', "CampusMeter-Version": VERSION}
        if newest == seen:
            return Response(status_code=304, headers=headers)
        commands = [command.on_the_wire(now) for command in waiting]
        return json_response(Commands(commands, datetime.now(UTC)), headers=headers)

    @Operation(
        "POST",
        "/v1/commands/{command}",
        "A gateway takes a command, says how far it is, and what came of it",
        body=CommandReport,
        refusals=(404, 409, 503),
        token=True,
    )
    async def report(self, request: Request) -> CommandReceipt:
        """409 when another has taken it, or it has expired: then it must not be run."""
        principal = await in_thread(principal_of, self.service.store, request)
        report = decode_body(await json_body(request, MAX_REPORT_BYTES), CommandReport, "Bad report")
        work, command_id = self.service.store.commands.report, request.path_params["command"]
        try:
            command = await in_thread(work, principal.school, command_id, report)
        except CommandRefused as refused:
            raise HttpProblem(409, "Not possible", refused.text.en) from None
        if command is None:
            raise HttpProblem(404, "No such command", "this school was not asked for it")
        return CommandReceipt(command.state)

    @Operation(
        "POST",
        "/v1/schools/{school}/measure",
        "Ask a school's gateway for a test now; it needs a person's token",
        body=MeasureRequest,
        status=202,
        refusals=(404, 409, 503),
        token=True,
    )
    async def measure(self, request: Request) -> CommandAnswer:
        person = await in_thread(self.service.authenticator.person_with_token, request)
        asked = decode_body(await json_body(request, MAX_BODY_BYTES), MeasureRequest, "Bad request")
        return await self._ask(request, person, "measure", asked.subject, asked.subject_kind)

    @Operation(
        "POST",
        "/v1/schools/{school}/commands",
        "Ask a school's gateway for its doctor's findings, a summary of its log, or to look for an upgrade",
        body=CommandRequest,
        status=202,
        refusals=(404, 409, 503),
        token=True,
    )
    async def command(self, request: Request) -> CommandAnswer:
        person = await in_thread(self.service.authenticator.person_with_token, request)
        asked = decode_body(await json_body(request, MAX_BODY_BYTES), CommandRequest, "Bad request")
        if asked.kind == "measure":
            raise HttpProblem(400, "Bad request", "POST /v1/schools/ID/measure asks for a test")
        return await self._ask(request, person, asked.kind, "", "")

    @Operation(
        "GET", "/v1/schools/{school}/commands", "What was asked of a school's gateway, the newest first", query=NoQuery
    )
    def listed(self, request: Request) -> CommandsAnswer:
        school, table = self._readable(request), self.service.store.commands
        now = table.now()
        return CommandsAnswer([command_answer(each, now) for each in table.newest(school, MOST_LISTED)])

    @Operation(
        "GET",
        "/v1/schools/{school}/commands/{number}",
        "One command and how far it is",
        parameters=CommandPath,
        query=NoQuery,
    )
    def one(self, request: Request) -> CommandAnswer:
        school, table = self._readable(request), self.service.store.commands
        number = ascii_integer(request.path_params["number"], MAX_NUMBER)
        command = table.one(school, number) if number else None
        if command is None:
            raise HttpProblem(404, "No such command", request.path_params["number"][:40])
        return command_answer(command, table.now())

    async def _ask(self, request: Request, person: Person, kind: str, subject: str, subject_kind: str) -> CommandAnswer:
        school = request.path_params["school"]
        try:
            command = await in_thread(ask_gateway, self.service, person, school, kind, subject, subject_kind)
        except CommandRefused as refused:
            raise HttpProblem(409, "Not possible", refused.text.en) from None
        return command_answer(command, command.asked_at)

    def _readable(self, request: Request) -> str:
        """The school in the path. Raises HttpProblem 404 for one that the reader may not see."""
        school: str = request.path_params["school"]
        if find_school(self.service, school, scope_of(request).town) is None:
            raise HttpProblem(404, "No such school", school[:64])
        return school


def command_answer(command: StoredCommand, now: datetime) -> CommandAnswer:
    report = command.body.report
    return CommandAnswer(
        command.school,
        command.number,
        command.id,
        command.kind,
        command.subject,
        command.body.subject_kind,
        command.person,
        command.body.problem,
        command.asked_at,
        command.shown_at(now),
        command.body.reported_at,
        report.reason if report else "",
        report.detail if report else "",
        report.starts_in_seconds if report else None,
        report.progress_ratio if report else None,
        report.results if report else [],
        report.text if report else "",
    )


def _seen(tag: str | None) -> int | None:
    """The number in the tag of the list that a gateway has; None when it has none, or one that is not understood."""
    return ascii_integer(tag.strip().removeprefix("W/").strip('"'), MAX_NUMBER) if tag else None
