"""GET / and /schools/ID, the policy and how a verdict came about: Chinese unless the reader asks for English (?lang=, a cookie, or Accept-Language)."""

from dataclasses import replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from campus_base.figures import percent
from campus_base.wire_words import VERDICT_WORDS
from campus_collector.area.key import shown_fingerprint
from campus_collector.http.pages.area import area_overview_page, requested_area_month
from campus_collector.http.pages.commands import command_panel
from campus_collector.http.pages.months import month_picker
from campus_collector.http.pages.overview import Overview, OverviewModel
from campus_collector.http.pages.paging import kept_query, requested_page
from campus_collector.http.pages.paths import subject_path
from campus_collector.http.pages.reader import Reader
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.school import SchoolModel
from campus_collector.http.pages.school_list import SORTS, VERDICTS, SchoolFilter, requested_schools
from campus_collector.http.pages.test_servers import server_words
from campus_collector.http.pages.today import TodayCard, today_cards
from campus_collector.http.problem_requests import CAUSES
from campus_collector.http.query import page_month
from campus_collector.http.routes import page_at
from campus_collector.http.school_view import agents_by_school, find_school, schools_in
from campus_collector.judge.derivation import Derivation, cause_words, conclusion, rule_words
from campus_collector.judge.explanations import CAUSE_WORDS, technical_words
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_NAMES, TARGET_WORDS
from campus_collector.judge.rules import RULES, rule_of
from campus_collector.judge.workdays import last_announced_day
from campus_collector.ledger.explain import explain


class SchoolPages(PageRoutes):
    @page_at("/", "Overview page")
    async def overview(self, request: Request) -> Response:
        if self.service.config.takes_months:
            asked = requested_area_month(request, self.service)
            return await self.answer(request, lambda page: area_overview_page(page, asked))
        month, linked = page_month(request, self.service)
        requested_page(request)  # refused at once, before the figures are read
        selection = requested_schools(request)

        def make(page: Page) -> Answer:
            return self._overview(page, month, linked, selection, page.scope.town, "")

        return await self.answer(request, make)

    @page_at("/towns/{town}", "Page of one town")
    async def town(self, request: Request) -> Response:
        """404 also for a town that the reader may not see."""
        town_id, (month, linked) = request.path_params["town"], page_month(request, self.service)
        requested_page(request)
        selection = replace(requested_schools(request), town=None)

        def make(page: Page) -> Answer:
            schools = [school for school in schools_in(self.service, page.scope.town) if school.town == town_id]
            if not schools:
                return page.message(404, page.words("no_such_town", id=town_id))
            return self._overview(page, month, linked, selection, town_id, schools[0].town_name or town_id)

        return await self.answer(request, make)

    def _overview(
        self, page: Page, month: Month, linked: Month | None, selection: SchoolFilter, town: str | None, town_name: str
    ) -> Answer:
        """Of all schools that the reader may see, or of one town's. `town_name` is that of a town's own page."""
        reader = Reader(page.language, datetime.now(UTC))
        view = OverviewModel(self.service, page.request, reader, month, town).overview(selection)
        shown_now = str(month) == str(self.service.verdicts.this_month())
        return page.render(
            "overview.html",
            month=linked,
            picker=month_picker(page, month),
            today=self._today(page, reader) if shown_now and not town_name else None,
            view=view,
            town_name=town_name,
            choices=_choices(page, view, selection),
            kept=[pair for pair in kept_query(page.request, ("page",)) if pair[0] in ("month", "lang")],
        )

    @page_at("/schools/{school}", "Page of one school")
    async def school(self, request: Request) -> Response:
        """404 also for a school that the reader may not see."""
        school_id, (month, linked) = request.path_params["school"], page_month(request, self.service)

        def make(page: Page) -> Answer:
            school = find_school(self.service, school_id, page.scope.town)
            if school is None:
                return page.message(404, page.words("no_such_school", id=school_id))
            reader, verdicts = Reader(page.language, datetime.now(UTC)), self.service.verdicts
            return page.render(
                "school.html",
                month=linked,
                picker=month_picker(page, month),
                school=SchoolModel(self.service, reader, month).page(school),
                panel=command_panel(page, school),
                month_words=reader.month(month),
                judged_by=reader.judged_by(verdicts.policy, month),
                updated=reader.updated(verdicts.zone),
            )

        return await self.answer(request, make)

    @page_at("/policy", "The policy in plain words")
    async def policy(self, request: Request) -> Response:
        return await self.answer(request, self._policy)

    @page_at("/explain/{target}/{school}/{subject}", "How a verdict came about")
    async def derivation(self, request: Request) -> Response:
        target, school_id, subject = (request.path_params[key] for key in ("target", "school", "subject"))
        month, _ = page_month(request, self.service)

        def make(page: Page) -> Answer:
            if target not in TARGET_NAMES:
                return page.message(404, page.words("no_such_target", target=target))
            derivation = explain(self.service.store, self.service.verdicts, target, school_id, subject, month)
            title = TARGET_WORDS[target].in_(page.language)
            if derivation is None or not page.scope.covers(derivation.verdict.town):
                values = {"target": title, "subject": f"{school_id}/{subject}", "month": month}
                return page.message(404, page.words("no_such_subject", **values))
            rule = rule_words(derivation.rule, derivation.about.required_bits_per_second, derivation.tolerance_ratio)
            return page.render(
                "explain.html",
                derivation=derivation,
                title=title,
                place=self._place(page, school_id, subject),
                rule=rule.in_(page.language),
                conclusion=[sentence.in_(page.language) for sentence in conclusion(derivation.verdict)],
                causes=[
                    (
                        percent(cause.weight, decimals=0),
                        cause_words(cause).in_(page.language),
                        technical_words([cause.code], page.language),
                    )
                    for cause in derivation.verdict.causes
                ],
                picker=month_picker(page, month),
                zone=month.zone,
                subject_path=subject_path(school_id, RULES[target].subject_kind, subject),
                has_rates=rule_of(target, derivation.rule).result_kind == "throughput",
                test_server=self._test_server(page, derivation),
            )

        return await self.answer(request, make)

    def _test_server(self, page: Page, derivation: Derivation) -> str:
        """Of an uplink's tests; "" for other subjects."""
        if RULES[derivation.about.target].subject_kind != "uplink":
            return ""
        reader = Reader(page.language, datetime.now(UTC))
        return server_words(reader, derivation.servers, self.service.config.test_servers)

    def _place(self, page: Page, school: str, subject: str) -> str:
        """School and subject by their names, where they are known."""
        row = self.service.inventory.school(school)
        names = self.service.store.subjects.names([(school, subject)])
        name = page.words("uplink") if subject == "uplink" else names[0][2] if names else subject
        return f"{row.name if row is not None else school} {name}"

    def _today(self, page: Page, reader: Reader) -> tuple[list[TodayCard], int] | None:
        """None while no school is known."""
        schools = schools_in(self.service, page.scope.town)
        agents = agents_by_school(self.service.store.agents.all())
        return today_cards(self.service, schools, agents, reader) if schools else None

    def _policy(self, page: Page) -> Answer:
        policy, today = self.service.verdicts.policy, self.service.verdicts.this_month().first_day
        entries = []
        for name in TARGET_NAMES:
            in_force = policy.in_force(name, today)
            targets = (target for target in policy.targets if target.name == name)
            for target in sorted(targets, key=lambda target: target.effective_from):
                words = rule_words(target, target.required_bits_per_second, policy.tolerance_ratio).in_(page.language)
                title = TARGET_WORDS[name].in_(page.language)
                entries.append((title, target.source, target.effective_from, target is in_force, words))
        return page.render(
            "policy.html",
            entries=entries,
            policy=policy,
            ledger=policy.ledger,
            text=policy.text,
            calendar_known=last_announced_day(),
            fingerprint=shown_fingerprint(self.service.signing_key.fingerprint()),
        )


def _choices(
    page: Page, view: Overview, selection: SchoolFilter
) -> list[tuple[str, str, list[tuple[str, str]], str | None]]:
    """The lists of the form above the schools: key, heading, values with their words, and which is chosen."""
    language = page.language
    choices: list[tuple[str, str, list[tuple[str, str]], str | None]] = []
    if len(view.towns) > 1:
        choices.append(("town", page.words("town"), [(row.town, row.name) for row in view.towns], selection.town))
    targets = [(name, text.in_(language)) for name, text in TARGET_WORDS.items()]
    verdicts = [(verdict.value, VERDICT_WORDS[verdict].in_(language)) for verdict in VERDICTS]
    causes = [(cause, CAUSE_WORDS[cause].in_(language)) for cause in CAUSES]
    choices += [
        ("target", page.words("target"), targets, selection.target),
        ("verdict", page.words("this_month"), verdicts, selection.verdict),
        ("cause", page.words("cause"), causes, selection.cause),
    ]
    if view.carriers:
        choices.append(("carrier", page.words("carrier"), [(name, name) for name in view.carriers], selection.carrier))
    choices.append(
        ("sort", page.words("sort"), [(sort, text.in_(language)) for sort, text in SORTS.items()], selection.sort)
    )
    return choices
