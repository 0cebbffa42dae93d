"""The pages of the problem ledger, where people work on problems. Every form carries the token of its session."""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_collector.domain.problem import STATE_WORDS, Problem
from campus_collector.http.forwarding import origin_of
from campus_collector.http.pages.commands import CommandPanel, command_panel
from campus_collector.http.pages.forms import read_fields, read_form
from campus_collector.http.pages.paging import ROWS_ON_A_PAGE, kept_query, page_of, query_with, requested_page
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.saved_filters import (
    COOKIE,
    COOKIE_SECONDS,
    KEYS,
    cookie_value,
    saved_filters,
    with_filter,
)
from campus_collector.http.pages.words import WORDS
from campus_collector.http.problem_requests import (
    CAUSES,
    UNITS,
    find_problem,
    read_for,
    requested_filter,
    requested_number,
    work_on,
)
from campus_collector.http.query import language_of
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.routes import form_at, page_at
from campus_collector.http.school_view import find_school
from campus_collector.judge.explanations import CAUSE_WORDS, UNIT_WORDS
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.judge.rules import RULES
from campus_collector.ledger.actions import NotPossible
from campus_collector.ledger.listing import ORDERS, counts, event_words, names_in, select
from campus_collector.ledger.table import CONTRADICTED, OVERDUE, Names, rows
from campus_wire.digits import ascii_integer

ALL_WORDS = message("all, struck off too")
MOST_TICKED = ROWS_ON_A_PAGE
BACK_TO = frozenset({"/"})
"""Pages from which a problem can be worked on, and that are shown again afterwards."""


class LedgerPages(PageRoutes):
    @page_at("/problems", "The ledger")
    async def problems(self, request: Request) -> Response:
        """Those that were asked for, with links to the same list as a file."""
        return await self._problems(request, "", [])

    @form_at("/problems", "Work on several at once")
    async def change_many(self, request: Request) -> Response:
        """One action on each problem that is ticked; what could not be done is named beside its number."""
        fields = await read_fields(request, MOST_TICKED + 20)
        form, language = dict(fields), language_of(request)
        numbers = [number for key, text in fields if key == "number" and (number := ascii_integer(text, 10**12))]
        if not numbers:
            return await self._problems(request, "", [WORDS["none_ticked"].in_(language)])
        if form.get("action") == "export":
            listed = urlencode([("number", number) for number in numbers] + [("lang", language)])
            return RedirectResponse(f"/v1/problems.xlsx?{listed}", 303)
        person = await in_thread(self.service.authenticator.person_with_form, request, form.get("form_token", ""))

        def work() -> tuple[int, list[str]]:
            done, refusals = 0, []
            for number in dict.fromkeys(numbers):
                try:
                    work_on(self.service, number, form.get("action", ""), form, person)
                    done += 1
                except NotPossible as refusal:
                    refusals.append(f"#{number} {refusal.in_(language)}")
                except HttpProblem as problem:
                    if problem.status not in (401, 403, 404):
                        raise
                    refusals.append(f"#{number} {_refusal_words(problem, language)}")
            return done, refusals

        done, refusals = await in_thread(work)
        return await self._problems(request, WORDS["changed_many"].in_(language, count=done), refusals)

    @form_at("/problems/filters", "Save a selection, or forget one")
    async def filters(self, request: Request) -> Response:
        """In a cookie of the browser: nothing of it is stored here."""
        form = await read_form(request)
        filters, name, query = saved_filters(request), form.get("name", "").strip(), form.get("query", "")
        forgotten = form.get("forget", "")
        changed = (
            {key: value for key, value in filters.items() if key != forgotten}
            if forgotten
            else with_filter(filters, name, query)
        )
        origin = origin_of(request)
        response = RedirectResponse("/problems" + (f"?{query}" if query else ""), 303)
        response.set_cookie(
            COOKIE,
            cookie_value(changed),
            COOKIE_SECONDS,
            path=f"{origin.root_path}/problems",
            secure=origin.secure,
            samesite="lax",
            httponly=True,
        )
        return response

    async def _problems(self, request: Request, done: str, refusals: list[str]) -> Response:
        wanted = requested_filter(request)
        requested_page(request)

        def make(page: Page) -> Answer:
            problems, today, all_names = read_for(self.service, page.scope, wanted)
            shown = page_of(select(problems, wanted, today, all_names), request)
            names = names_in(self.service.store, shown.rows, self.service.inventory.rows_of(shown.rows))
            return page.render(
                "problems.html",
                409 if refusals else 200,
                shown=shown,
                rows=list(zip(shown.rows, rows(shown.rows, names, today, page.language), strict=True)),
                choices=_choices(page, names),
                counts=[
                    (state, words, count, query_with(request, drop=("page",), state=state))
                    for (state, words), count in zip(
                        _states(page.language)[:-1], _counted(counts(problems, wanted, today, all_names)), strict=True
                    )
                    if count is not None
                ],
                saved=list(saved_filters(request).items()),
                wanted=wanted,
                asked=request.query_params.get("q", ""),
                query=urlencode(
                    [pair for pair in kept_query(request, ("page", "lang")) if pair[0] in KEYS and pair[1]]
                ),
                today=today,
                done=done,
                refusals=refusals,
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
            person = await in_thread(self.service.authenticator.person_with_form, request, form.get("form_token", ""))
            await in_thread(work_on, self.service, number, form.get("action", ""), form, person)
        except NotPossible as refusal:
            return await self._problem(request, refusal.in_(language))
        except HttpProblem as problem:
            if problem.status not in (401, 403):
                raise
            return await self._problem(request, _refusal_words(problem, language))
        goes = form.get("back", "")
        return RedirectResponse(goes if goes in BACK_TO else f"/problems/{number}", 303)

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
                cells=rows(
                    [problem],
                    names_in(store, [problem], self.service.inventory.rows_of([problem])),
                    today,
                    page.language,
                )[0],
                history=[event_words(event, zone, page.language) for event in events],
                today=today,
                need=self.service.verdicts.policy.ledger.close_passing_days,
                refusal=refusal,
                panel=self._panel(page, problem),
            )

        return await self.answer(request, make)

    def _panel(self, page: Page, problem: Problem) -> CommandPanel | None:
        """Of the problem's subject; of the school's gateway where it is a whole school's. None where the school is gone."""
        school = find_school(self.service, problem.school, page.scope.town)
        if school is None:
            return None
        return command_panel(
            page, school, problem.subject, RULES[problem.target].subject_kind if problem.subject else ""
        )


def _choices(page: Page, names: Names) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The lists of the form: key, heading, values with their words."""
    language = page.language
    towns = sorted((town, name or town) for town, name in names.towns.items() if town and page.scope.covers(town))
    return [
        ("town", page.words("town"), towns),
        ("target", page.words("target"), [(name, text.in_(language)) for name, text in TARGET_WORDS.items()]),
        ("state", page.words("state"), _states(language)),
        ("unit", page.words("responsible"), [(unit, UNIT_WORDS[unit].in_(language)) for unit in UNITS]),
        ("cause", page.words("cause"), [(cause, CAUSE_WORDS[cause].in_(language)) for cause in CAUSES]),
        ("sort", page.words("sort"), [(order, text.in_(language)) for order, text in ORDERS.items()]),
    ]


def _counted(numbers: Mapping[str, int]) -> list[int | None]:
    """In the order of `_states`; None of those that are not counted."""
    return [numbers.get(state) for state, _ in _states("en")[:-1]]


def _states(language: Language) -> list[tuple[str, str]]:
    words: Mapping[str, Message] = {**STATE_WORDS, "overdue": OVERDUE, "contradicted": CONTRADICTED, "all": ALL_WORDS}
    return [(name, text.in_(language)) for name, text in words.items()]


def _refusal_words(problem: HttpProblem, language: Language) -> str:
    if problem.status == 401:
        return WORDS["log_in_to_work"].in_(language)
    return WORDS["form_old" if "form" in problem.detail else "not_allowed"].in_(language)
