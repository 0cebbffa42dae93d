"""GET / and /schools/ID, the policy and how a verdict came about: Chinese unless the reader asks for English (?lang=, a cookie, or Accept-Language)."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from campus_base.figures import percent
from campus_collector.http.pages.months import month_picker
from campus_collector.http.pages.overview import OverviewModel
from campus_collector.http.pages.paging import requested_page
from campus_collector.http.pages.paths import subject_path
from campus_collector.http.pages.reader import Reader
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.school import SchoolModel
from campus_collector.http.query import requested_month
from campus_collector.http.routes import page_at
from campus_collector.http.school_view import find_school
from campus_collector.judge.derivation import cause_words, conclusion, rule_words
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_NAMES, TARGET_WORDS
from campus_collector.judge.rules import RULES
from campus_collector.judge.workdays import last_announced_day
from campus_collector.ledger.explain import explain


class SchoolPages(PageRoutes):
    @page_at("/", "Overview page")
    async def overview(self, request: Request) -> Response:
        month, linked = self._month(request)
        requested_page(request)  # refused at once, before the figures are read

        def make(page: Page) -> Answer:
            reader = Reader(page.language, datetime.now(UTC))
            model = OverviewModel(self.service, request, reader, month, page.scope.town)
            return page.render("overview.html", month=linked, picker=month_picker(page, month), view=model.overview())

        return await self.answer(request, make)

    @page_at("/schools/{school}", "Page of one school")
    async def school(self, request: Request) -> Response:
        """404 also for a school that the reader may not see."""
        school_id, (month, linked) = request.path_params["school"], self._month(request)

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
        month, _ = self._month(request)

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
                rule=rule.in_(page.language),
                conclusion=[sentence.in_(page.language) for sentence in conclusion(derivation.verdict)],
                causes=[
                    (percent(cause.weight, decimals=0), cause_words(cause).in_(page.language))
                    for cause in derivation.verdict.causes
                ],
                picker=month_picker(page, month),
                zone=month.zone,
                subject_path=subject_path(school_id, RULES[target].subject_kind, subject),
            )

        return await self.answer(request, make)

    def _month(self, request: Request) -> tuple[Month, Month | None]:
        """The month of a page, and the same when it was asked for: its links then keep it. Raises HttpProblem 400."""
        month = requested_month(request, self.service, blank_is_now=True)
        return month, month if request.query_params.get("month") else None

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
        )
