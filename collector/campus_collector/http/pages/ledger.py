"""The pages of the problem ledger, where people work on problems. Every form carries the token of its session."""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_collector.domain.problem import STATE_WORDS
from campus_collector.http.pages.forms import read_form
from campus_collector.http.pages.paging import page_of, requested_page
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.words import WORDS
from campus_collector.http.problem_requests import (
    find_problem,
    requested_filter,
    requested_number,
    select_problems,
    work_on,
)
from campus_collector.http.query import language_of
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.routes import form_at, page_at
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.ledger.actions import NotPossible
from campus_collector.ledger.listing import event_words, names_in
from campus_collector.ledger.table import CONTRADICTED, OVERDUE, rows

ALL_WORDS = message("all, struck off too")


class LedgerPages(PageRoutes):
    @page_at("/problems", "The ledger")
    async def problems(self, request: Request) -> Response:
        """Those that were asked for, with links to the same list as a file."""
        wanted = requested_filter(request)
        requested_page(request)

        def make(page: Page) -> Answer:
            problems, today = select_problems(self.service, page.scope, wanted)
            shown = page_of(problems, request)
            names = names_in(self.service.store, shown.rows)
            query = {
                "town": wanted.town,
                "target": wanted.target,
                "state": wanted.state,
                "older_than": wanted.older_than_days,
                "lang": page.language,
            }
            return page.render(
                "problems.html",
                shown=shown,
                rows=list(zip(shown.rows, rows(shown.rows, names, today, page.language), strict=True)),
                towns=sorted((town, name) for town, name in names.towns.items() if page.scope.covers(town)),
                targets=[(name, text.in_(page.language)) for name, text in TARGET_WORDS.items()],
                states=_states(page.language),
                wanted=wanted,
                query=urlencode({key: value for key, value in query.items() if value is not None}),
                today=today,
            )

        return await self.answer(request, make)

    @page_at("/problems/{number}", "One problem")
    async def problem(self, request: Request) -> Response:
        return await self._problem(request, "")

    @form_at("/problems/{number}", "Work on it")
    async def change(self, request: Request) -> Response:
        number, language = requested_number(request), language_of(request)
        form = await read_form(request)
        try:
            person = self.service.authenticator.person_with_form(request, form.get("form_token", ""))
            await in_thread(work_on, self.service, number, form.get("action", ""), form, person)
        except NotPossible as refusal:
            return await self._problem(request, refusal.in_(language))
        except HttpProblem as problem:
            if problem.status not in (401, 403):
                raise
            return await self._problem(request, _refusal_words(problem, language))
        return RedirectResponse(f"/problems/{number}", 303)

    async def _problem(self, request: Request, refusal: str) -> Response:
        number = requested_number(request)

        def make(page: Page) -> Answer:
            store, zone = self.service.store, self.service.config.timezone
            problem = find_problem(self.service, page.scope, number)
            if problem is None:
                return page.message(404, page.words("no_such_problem", number=number))
            today = self.service.today()
            events = reversed(store.ledger.events(number))
            return page.render(
                "problem.html",
                409 if refusal else 200,
                problem=problem,
                cells=rows([problem], names_in(store, [problem]), today, page.language)[0],
                history=[event_words(event, zone, page.language) for event in events],
                today=today,
                need=self.service.verdicts.policy.ledger.close_passing_days,
                refusal=refusal,
            )

        return await self.answer(request, make)


def _states(language: Language) -> list[tuple[str, str]]:
    words: Mapping[str, Message] = {**STATE_WORDS, "overdue": OVERDUE, "contradicted": CONTRADICTED, "all": ALL_WORDS}
    return [(name, text.in_(language)) for name, text in words.items()]


def _refusal_words(problem: HttpProblem, language: Language) -> str:
    if problem.status == 401:
        return WORDS["log_in_to_work"].in_(language)
    return WORDS["form_old" if "form" in problem.detail else "not_allowed"].in_(language)
