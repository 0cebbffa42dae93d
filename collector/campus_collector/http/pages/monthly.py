"""GET /monthly: all months with their documents."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from campus_base.messages import message
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.query import language_of, report_form, report_month
from campus_collector.http.responses import HttpProblem, bad_value
from campus_collector.http.routes import Operation, page_at
from campus_collector.http.school_view import schools_in
from campus_collector.report.forms.render import FORMS
from campus_collector.report.words import month_words
from campus_wire.ids import is_id

AREA_RULE = message("must be town:ID or school:ID")


class MonthlyPages(PageRoutes):
    @page_at("/monthly", "All months with their reports")
    async def monthly(self, request: Request) -> Response:

        def make(page: Page) -> Answer:
            reports, schools = self.service.reports, schools_in(self.service, page.scope.town)
            archived = {entry.month: entry for entry in self.service.archives.entries()}
            months = [
                (
                    entry,
                    month_words(str(entry.month), page.language),
                    reports.closes_at(entry.month).astimezone(entry.month.zone),
                    archived.get(str(entry.month)),
                )
                for entry in reports.months()
            ]
            return page.render(
                "monthly.html",
                rows=months,
                forms=FORMS,
                schools=[(school.id, school.name) for school in schools],
                towns=sorted({(school.town, school.town_name or school.town) for school in schools if school.town}),
                own_town=page.scope.town,
            )

        return await self.answer(request, make)

    @Operation("GET", "/monthly/excerpt", "To one excerpt", refusals=(404,))
    async def excerpt(self, request: Request) -> Response:
        """The form of the page: to the document it asks for."""
        query = request.query_params
        month, form = report_month(query.get("month", ""), self.service), report_form(query.get("form", ""))
        area = query.get("area", "")
        kind, _, name = area.partition(":")
        if kind not in ("town", "school") or not is_id(name):
            words = bad_value("area", area, AREA_RULE).words
            raise HttpProblem(404, "No such town or school", area[:64], words=words)
        return RedirectResponse(f"/v1/monthly/{month}.{form}?{kind}={name}&lang={language_of(request)}", 303)
