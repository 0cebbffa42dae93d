"""The pages people work on: the ledger, the inventory. Every form carries a token of its session."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from campus_base.dates import NotADay, parse_day
from campus_base.language import Language, Text
from campus_collector.domain.days import day_words, importable
from campus_collector.domain.inventory import Inventory, within
from campus_collector.domain.problem import STATE_WORDS
from campus_collector.http.api.problems import XLSX, in_thread, number_of, read_list, wanted_of, work_on
from campus_collector.http.auth.people import may_govern, reach_of
from campus_collector.http.pages.forms import FORM_ROOM, check_form, read_form
from campus_collector.http.pages.render import Pages, language_of
from campus_collector.http.pages.words import WORDS
from campus_collector.http.responses import HttpProblem
from campus_collector.http.service import Service
from campus_collector.inventory.changes import RowChange, as_lines, changes, removals
from campus_collector.inventory.errors import Unreadable
from campus_collector.inventory.headings import SHEETS
from campus_collector.inventory.intake import put_in_force, read_upload
from campus_collector.inventory.sources import MAX_FILE_BYTES
from campus_collector.inventory.write import as_xlsx
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.ledger.actions import NotPossible
from campus_collector.ledger.listing import event_words, names_in
from campus_collector.ledger.table import CONTRADICTED, OVERDUE, rows

MAX_PENDING = 4


@dataclass(frozen=True, slots=True)
class _Pending:
    """An upload that was looked at and waits to be put in force; only on top of the version it was compared with."""

    whole: Inventory
    made: list[RowChange]
    before: Inventory
    who: str
    aside: list[str]


class Work:
    """The pages, with the uploads that wait."""

    def __init__(self, service: Service) -> None:
        """Nothing waits."""
        self._service = service
        self._pages = Pages(service)
        self._pending: OrderedDict[str, _Pending] = OrderedDict()

    async def problems(self, request: Request) -> Response:
        """The ledger."""
        wanted, session, reach = wanted_of(request), self._pages.session(request), reach_of(request)

        def page(language: Language) -> tuple[int, str]:
            found, names, today = read_list(self._service, reach, wanted)
            given = {
                "town": wanted.town,
                "target": wanted.target,
                "state": wanted.state,
                "older_than": wanted.older_than_days,
                "lang": language,
            }
            values = {
                "rows": list(zip(found, rows(found, names, today, language), strict=True)),
                "towns": sorted((town, name) for town, name in names.towns.items() if reach.covers(town)),
                "targets": [(name, text.in_(language)) for name, text in TARGET_WORDS.items()],
                "states": _states(language),
                "wanted": wanted,
                "query": urlencode({key: value for key, value in given.items() if value is not None}),
                "today": today,
            }
            return 200, self._pages.render("problems.html", language, session, **values)

        return await self._pages.answer(request, page)

    async def problem(self, request: Request) -> Response:
        """One problem with its history, and what can be done."""
        return await self._problem(request, "")

    async def _problem(self, request: Request, refusal: str) -> Response:
        number, session, reach = number_of(request), self._pages.session(request), reach_of(request)

        def page(language: Language) -> tuple[int, str]:
            one = self._service.store.ledger.problem(number)
            if one is None or not reach.covers(one.town):
                message = WORDS["no_such_problem"].in_(language, number=number)
                return 404, self._pages.render("message.html", language, session, message=message)
            zone = self._service.config.timezone
            today = datetime.now(zone).date()
            values = {
                "one": one,
                "cells": rows([one], names_in(self._service.store), today, language)[0],
                "history": [
                    event_words(event, zone, language) for event in reversed(self._service.store.ledger.events(number))
                ],
                "today": today,
                "need": self._service.verdicts.policy.ledger.close_passing_days,
                "refusal": refusal,
            }
            return 409 if refusal else 200, self._pages.render("problem.html", language, session, **values)

        return await self._pages.answer(request, page)

    async def change(self, request: Request) -> Response:
        """A form of a problem's page."""
        number, language = number_of(request), language_of(request)
        form = await read_form(request)
        try:
            person = self._service.people.of_form(request, form.get("form_token", ""))
            await in_thread(work_on, self._service, number, form.get("action", ""), form, person)
        except NotPossible as refusal:
            return await self._problem(request, refusal.in_(language))
        except HttpProblem as problem:
            if problem.status not in (401, 403):
                raise
            return await self._problem(request, _refused(problem, language))
        return RedirectResponse(f"/problems/{number}", 303)

    async def inventory(self, request: Request) -> Response:
        """What is in force, and a place to bring another."""
        return await self._inventory(request)

    async def _inventory(
        self,
        request: Request,
        said: str = "",
        mistakes: list[str] | None = None,
        pending: str = "",
        status: int = 200,
    ) -> Response:
        session, reach = self._pages.session(request), reach_of(request)
        waiting = self._pending.get(pending)

        def page(language: Language) -> tuple[int, str]:
            store, zone = self._service.store, self._service.config.timezone
            current = within(store.inventory.current(), reach.town)
            values = {
                "said": said,
                "mistakes": mistakes or [],
                "pending": pending if waiting is not None and waiting.made else "",
                "preview": as_lines(waiting.made, language) if waiting is not None else [],
                "removed": [] if waiting is None else _removed(waiting, language),
                "aside": [] if waiting is None else waiting.aside,
                "today": datetime.now(zone).date(),
                "counts": [(sheet.words.in_(language), len(getattr(current, sheet.name) or ())) for sheet in SHEETS],
                "imports": [
                    (
                        one.version,
                        one.imported_at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if one.imported_at else "",
                        one.imported_by,
                        one.effective_from.astimezone(zone).date() if one.effective_from else "",
                        _counts(one.changes, language),
                    )
                    for one in (store.inventory.imports(20) if not reach.town else ())
                ],
            }
            return status, self._pages.render("inventory.html", language, session, **values)

        return await self._pages.answer(request, page)

    async def upload(self, request: Request) -> Response:
        """Look at a file: what would change, or every mistake."""
        language = language_of(request)
        check_form(request, MAX_FILE_BYTES + FORM_ROOM, f"a file is at most {MAX_FILE_BYTES} bytes")
        async with request.form(max_files=1, max_fields=4) as form:
            given, form_token = form.get("file"), str(form.get("form_token", ""))
            person = self._service.people.of_form(request, form_token)
            may_govern(person)
            if given is None or isinstance(given, str):
                raise HttpProblem(400, "No file", "choose a file")
            name, octets = given.filename or "", await given.read()
        before = await in_thread(self._service.store.inventory.current)
        try:
            whole, mistakes, aside = await asyncio.to_thread(read_upload, name, octets, before)
        except Unreadable as error:
            return await self._inventory(request, mistakes=[error.in_(language)], status=422)
        if mistakes:
            return await self._inventory(request, mistakes=[one.in_(language) for one in mistakes], status=422)
        key = secrets.token_urlsafe(16)
        self._pending[key] = _Pending(whole, changes(before, whole), before, person.name, aside)
        while len(self._pending) > MAX_PENDING:
            self._pending.popitem(last=False)
        return await self._inventory(request, pending=key)

    async def apply(self, request: Request) -> Response:
        """Put in force what was looked at."""
        form, language = await read_form(request), language_of(request)
        person = self._service.people.of_form(request, form.get("form_token", ""))
        may_govern(person)
        pending = form.get("pending", "")
        waiting = self._pending.get(pending)
        current = await in_thread(self._service.store.inventory.current)
        if waiting is None or waiting.before != current or waiting.who != person.name:
            return await self._inventory(request, WORDS["form_old"].in_(language), status=409)
        if removals(waiting.before, waiting.made) and form.get("remove") != "yes":
            said = WORDS["confirm_removal"].in_(language)
            return await self._inventory(request, said, pending=pending, status=409)
        zone = self._service.config.timezone
        today = datetime.now(zone).date()
        first, last = importable(today)
        try:
            since = parse_day(typed) if (typed := form.get("since", "").strip()) else today
        except NotADay as error:
            said = f"{WORDS['valid_from'].in_(language)}: {error.text.in_(language)}"
            return await self._inventory(request, said, pending=pending, status=422)
        if not first <= since <= last:
            said = f"{WORDS['valid_from'].in_(language)}: {day_words(first, last).in_(language)}"
            return await self._inventory(request, said, pending=pending, status=422)
        self._pending.pop(pending, None)
        moment = datetime.combine(since, time(), zone)
        store, now = self._service.store, datetime.now(UTC)
        version = await in_thread(put_in_force, store, waiting.whole, waiting.made, person.name, now, moment)
        return await self._inventory(request, WORDS["imported"].in_(language, version=version))

    async def workbook(self, request: Request) -> Response:
        """The inventory as one XLSX."""
        language, reach = language_of(request), reach_of(request)

        def work() -> bytes:
            return as_xlsx(within(self._service.store.inventory.current(), reach.town), language)

        headers = {"Content-Disposition": 'attachment; filename="inventory.xlsx"'}
        return Response(await in_thread(work), media_type=XLSX, headers=headers)


def routes(service: Service) -> list[Route]:
    """The pages people work on."""
    work = Work(service)
    return [
        Route("/problems", work.problems, methods=["GET"]),
        Route("/problems/{number}", work.problem, methods=["GET"]),
        Route("/problems/{number}", work.change, methods=["POST"]),
        Route("/inventory", work.inventory, methods=["GET"]),
        Route("/inventory", work.upload, methods=["POST"]),
        Route("/inventory/apply", work.apply, methods=["POST"]),
        Route("/inventory.xlsx", work.workbook, methods=["GET"]),
    ]


def _states(language: Language) -> list[tuple[str, str]]:
    words: Mapping[str, Text] = {
        **STATE_WORDS,
        "overdue": OVERDUE,
        "contradicted": CONTRADICTED,
        "all": Text("all, struck off too", "全部（含已销号）"),
    }
    return [(name, text.in_(language)) for name, text in words.items()]


def _refused(problem: HttpProblem, language: Language) -> str:
    if problem.status == 401:
        return WORDS["log_in_to_work"].in_(language)
    return WORDS["form_old" if "form" in problem.detail else "not_allowed"].in_(language)


def _removed(waiting: _Pending, language: Language) -> list[str]:
    words = {sheet.name: sheet.words.in_(language) for sheet in SHEETS}
    return [
        WORDS["would_remove"].in_(language, sheet=words[sheet], gone=gone, had=had)
        for sheet, gone, had in removals(waiting.before, waiting.made)
    ]


def _counts(made: Mapping[str, Mapping[str, int]], language: Language) -> str:
    marks = {"added": "+", "changed": "~", "removed": "−"}
    words = {sheet.name: sheet.words.in_(language) for sheet in SHEETS}
    said = [
        f"{words.get(sheet, sheet)} {' '.join(f'{marks.get(what, what)}{number}' for what, number in each.items() if number)}"
        for sheet, each in made.items()
        if any(each.values())
    ]
    return " · ".join(said)
