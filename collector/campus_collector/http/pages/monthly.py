"""GET /monthly: all months with their documents; GET /v1/monthly/YYYY-MM.pdf: one of them, whole, or `?town=` and `?school=` of it."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from campus_base.language import Language
from campus_base.messages import message
from campus_collector.http.auth.scope import ReadScope, scope_of
from campus_collector.http.pages.render import Answer, Page, PageRoutes, language_of
from campus_collector.http.query import MONTH_PATTERN, DocumentLanguage, choices, document_language, one_of
from campus_collector.http.responses import HttpProblem, bad_value, in_thread
from campus_collector.http.routes import Operation, page_at
from campus_collector.http.school_view import schools_in
from campus_collector.http.service import Service
from campus_collector.judge.month import MONTH_RULE, Month, parse_month
from campus_collector.report.forms.pdf_fonts import FontMissing
from campus_collector.report.forms.process import FormFailed
from campus_collector.report.forms.render import FORMS, MEDIA_TYPES, Form
from campus_collector.report.service import MonthlyReports, NoReport, file_name
from campus_collector.report.words import month_words
from campus_wire.ids import is_id

AREA_RULE = message("must be town:ID or school:ID")


class DocumentPath(msgspec.Struct):
    month: Annotated[str, Meta(pattern=MONTH_PATTERN)]
    form: Annotated[str, one_of(FORMS)]


class DocumentQuery(msgspec.Struct):
    town: Annotated[str, Meta(description="an excerpt for one town")] = ""
    school: Annotated[str, Meta(description="an excerpt for one school")] = ""
    lang: DocumentLanguage = "zh"


class MonthlyPages(PageRoutes):
    @page_at("/monthly", "All months with their reports")
    async def monthly(self, request: Request) -> Response:

        def make(page: Page) -> Answer:
            reports, schools = self.service.reports, schools_in(self.service, page.scope.town)
            months = [
                (
                    entry,
                    month_words(str(entry.month), page.language),
                    reports.closes_at(entry.month).astimezone(entry.month.zone),
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
        month, form, area = (
            _month(query.get("month", ""), self.service),
            _form(query.get("form", "")),
            query.get("area", ""),
        )
        kind, _, name = area.partition(":")
        if kind not in ("town", "school") or not is_id(name):
            words = bad_value("area", area, AREA_RULE).words
            raise HttpProblem(404, "No such town or school", area[:64], words=words)
        return RedirectResponse(f"/v1/monthly/{month}.{form}?{kind}={name}&lang={language_of(request)}", 303)

    @Operation(
        "GET",
        "/v1/monthly/{month}.{form}",
        "The monthly report: as it was issued when the month is closed, else as it is now",
        parameters=DocumentPath,
        query=DocumentQuery,
        answer=tuple(MEDIA_TYPES.values()),
    )
    async def document(self, request: Request) -> Response:
        month, form = _month(request.path_params["month"], self.service), _form(request.path_params["form"])
        language = document_language(request) or language_of(request)
        town, school = request.query_params.get("town") or None, request.query_params.get("school") or None
        if town is not None and school is not None:
            raise HttpProblem(400, "Bad query", "town or school, not both")
        await _must_be_readable(scope_of(request), self.service, town, school)
        body = await in_thread(_document, self.service.reports, month, form, language, town, school)
        name = file_name(str(month), form, language, scope=town or school or "")
        how = "inline" if form in ("html", "pdf") else "attachment"
        headers = {"Content-Disposition": f'{how}; filename="{name}"', "Content-Language": language}
        return Response(body, media_type=MEDIA_TYPES[form], headers=headers)


async def _must_be_readable(scope: ReadScope, service: Service, town: str | None, school: str | None) -> None:
    """Raises HttpProblem 403 for more than a reader may see: the whole county, another town."""
    if not scope.town or (town is not None and scope.covers(town)):
        return
    if school is not None:
        schools = await in_thread(schools_in, service, scope.town)
        if any(readable.id == school for readable in schools):
            return
    raise HttpProblem(403, "Not yours", f"you read town {scope.town} only: ask with ?town={scope.town}")


def _document(
    reports: MonthlyReports, month: Month, form: Form, language: Language, town: str | None, school: str | None
) -> bytes:
    try:
        whole = town is None and school is None
        if whole and (issued := reports.issued(month, form, language)) is not None:
            return issued
        return reports.document(month, form, language, town=town, school=school, figures=reports.recent(month))
    except NoReport as none:
        raise HttpProblem(404, "No report", none.words.in_(language)) from None
    except KeyError as key:
        raise HttpProblem(404, "No such town or school", str(key.args[0])) from None
    except FontMissing as missing:
        raise HttpProblem(503, "No font", missing.words.in_(language)) from None
    except FormFailed as failed:
        raise HttpProblem(503, "Not made", failed.words.in_(language)) from None


def _month(text: str, service: Service) -> Month:
    try:
        return parse_month(text, service.config.timezone)
    except ValueError as error:
        raise HttpProblem(404, "No such month", str(error), words=bad_value("month", text, MONTH_RULE).words) from None


def _form(text: str) -> Form:
    for form in FORMS:
        if form == text:
            return form
    raise HttpProblem(
        404, "No such form", f"there are: {', '.join(FORMS)}", words=bad_value("form", text, choices(FORMS)).words
    )
