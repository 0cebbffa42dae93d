"""What is asked of a gateway, on the pages of a school, its subjects, devices and problems: a button, and how far each request is.

A script renews the list every few seconds while anything is under way; without script the page is loaded again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from campus_base.messages import Message, message
from campus_base.wire_words import SKIP_WORDS
from campus_collector.domain.commands import KIND_WORDS, STATE_WORDS, StoredCommand
from campus_collector.domain.people import Person
from campus_collector.domain.schools import School
from campus_collector.http.auth.scope import require_ledger_editor
from campus_collector.http.command_requests import ask_gateway
from campus_collector.http.pages.forms import read_form
from campus_collector.http.pages.paths import asked_result_path
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.query import language_of
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.routes import form_at, page_at
from campus_collector.http.school_view import find_school
from campus_collector.store.tables.commands import CommandRefused

SHOWN_ON_A_PAGE, LISTED = 5, 50
OWN_KINDS = ("doctor", "log_summary", "upgrade")
REASON_WORDS: dict[str, Message] = {
    **{str(reason): words for reason, words in SKIP_WORDS.items()},
    "time_unknown": message("the gateway does not know the time, and this could be a lesson"),
    "not_available": message("not available in this version of the gateway"),
    "unknown_kind": message("not available in this version of the gateway"),
    "unknown_subject": message("this gateway does not measure it"),
    "interrupted": message("the gateway began anew in between: ask again"),
    "internal": message("an error of the gateway's program"),
}


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One request: its state in words, and links to the results that have arrived."""

    number: int
    asked: str
    what: str
    person: str
    state: str
    words: str
    results: list[tuple[str, str]]
    lines: list[str]


@dataclass(frozen=True, slots=True)
class CommandPanel:
    """The part of a page: what its button asks for, and what was asked. `live`: something is under way."""

    school: str
    kind: str
    subject: str
    subject_kind: str
    may_ask: bool
    live: bool
    rows: list[CommandRow]


def command_panel(page: Page, school: School, subject: str = "", subject_kind: str = "") -> CommandPanel:
    """Of one subject, or of the school's gateway ("")."""
    table = page.service.store.commands
    now = table.now()
    listed = [
        command
        for command in table.newest(school.id, LISTED)
        if not subject or (command.kind == "measure" and command.subject == subject)
    ][:SHOWN_ON_A_PAGE]
    return CommandPanel(
        school.id,
        "measure" if subject else "",
        subject,
        subject_kind,
        page.session is not None and _may_ask(page.session.person, school),
        any(command.is_live(now) for command in listed),
        [command_row(page, command) for command in listed],
    )


def command_row(page: Page, command: StoredCommand) -> CommandRow:
    """With the gateway's words."""
    store, zone, language = page.service.store, page.service.config.timezone, page.language
    shown, report = command.shown_at(store.commands.now()), command.body.report
    words = []
    if report is not None and shown == "queued" and report.starts_in_seconds is not None:
        words.append(page.words("command_starts_in", minutes=max(1, round(report.starts_in_seconds / 60))))
    if report is not None and shown == "running" and report.progress_ratio:
        words.append(f"{report.progress_ratio:.0%}")
    if report is not None and report.reason:
        words.append(REASON_WORDS[report.reason].in_(language) if report.reason in REASON_WORDS else report.reason)
    results = []
    for result in report.results if report is not None else ():
        stored = store.results.stored(command.school, result.subject, result.kind, result.started_at, result.id)
        if stored is not None:
            results.append((asked_result_path(command.school, result), result.subject))
    if shown == "done" and report is not None and report.results and not results:
        words.append(page.words("command_result_comes"))
    what = KIND_WORDS[command.kind].in_(language) if command.kind in KIND_WORDS else command.kind
    return CommandRow(
        command.number,
        command.asked_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        f"{what} {command.subject}".strip(),
        command.person,
        STATE_WORDS[shown].in_(language),
        " · ".join(words),
        results,
        _lines(command.kind, report.text, language) if report is not None and report.text else [],
    )


class CommandPages(PageRoutes):
    @page_at("/schools/{school}/commands", "What was asked of a school's gateway")
    async def commands(self, request: Request) -> Response:
        return await self._commands(request, "")

    @form_at("/schools/{school}/commands", "Ask a school's gateway for a test, its doctor, its log, an upgrade")
    async def ask(self, request: Request) -> Response:
        school_id, form, language = request.path_params["school"], await read_form(request), language_of(request)
        kind, subject, subject_kind = (form.get(key, "")[:64] for key in ("kind", "subject", "subject_kind"))
        try:
            person = await in_thread(self.service.authenticator.person_with_form, request, form.get("form_token", ""))
            await in_thread(ask_gateway, self.service, person, school_id, kind, subject, subject_kind)
        except CommandRefused as refused:
            return await self._commands(request, refused.text.in_(language))
        return RedirectResponse(f"/schools/{school_id}/commands", 303)

    async def _commands(self, request: Request, refusal: str) -> Response:
        school_id = request.path_params["school"]

        def make(page: Page) -> Answer:
            school = find_school(self.service, school_id, page.scope.town)
            if school is None:
                return page.message(404, page.words("no_such_school", id=school_id))
            listed = self.service.store.commands.newest(school.id, LISTED)
            panel = command_panel(page, school)
            own = [(kind, KIND_WORDS[kind].in_(page.language)) for kind in OWN_KINDS] if panel.may_ask else []
            rows = [command_row(page, command) for command in listed]
            return page.render(
                "commands.html",
                409 if refusal else 200,
                school=school,
                panel=panel,
                own=own,
                rows=rows,
                refusal=refusal,
            )

        return await self.answer(request, make)


def _may_ask(person: Person, school: School) -> bool:
    try:
        require_ledger_editor(person, school.town)
    except HttpProblem:
        return False
    return True


class _Check(msgspec.Struct):
    check: str = ""
    ok: bool | None = None
    what: str = ""
    remedy: str | None = None
    zh: dict[str, str | None] = {}


def _lines(kind: str, text: str, language: str) -> list[str]:
    """What a gateway wrote, line by line; its doctor's findings in the reader's language."""
    if kind != "doctor":
        return text.splitlines()
    try:
        checks: Sequence[_Check] = msgspec.json.decode(text, type=list[_Check])
    except (msgspec.MsgspecError, RecursionError):
        return text.splitlines()
    return [_check_line(check, language) for check in checks]


def _check_line(check: _Check, language: str) -> str:
    def words(name: str, english: str | None) -> str:
        return (check.zh.get(name) if language == "zh" else None) or english or ""

    mark = {True: "✓", False: "✗", None: "·"}[check.ok]
    line = f"{mark} {words('check', check.check)}: {words('what', check.what)}"
    remedy = words("remedy", check.remedy) if check.ok is False else ""
    return f"{line} → {remedy}" if remedy else line
