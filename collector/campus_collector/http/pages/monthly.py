"""GET /monthly: all months with their documents; GET /v1/monthly/YYYY-MM.pdf: one of them, whole, or `?town=` and `?school=` of it."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from campus_base.language import Language, Text
from campus_collector.http.auth.people import Reach, reach_of
from campus_collector.http.pages.render import Pages, language_of
from campus_collector.http.query import choices, document_language
from campus_collector.http.responses import HttpProblem, bad_value, check_query, in_thread
from campus_collector.http.service import Service
from campus_collector.judge.month import MONTH_RULE, Month, parse_month
from campus_collector.report.forms.pdf_fonts import FontMissing
from campus_collector.report.forms.process import FormFailed
from campus_collector.report.forms.render import FORMS, MEDIA_TYPES, Form
from campus_collector.report.service import MonthlyReports, NoReport, file_name
from campus_collector.report.words import month_words
from campus_wire.ids import is_id

AREA_RULE = Text("must be town:ID or school:ID", "应为 town:编号 或 school:编号")


def routes(service: Service) -> list[Route]:
    """The page and the documents."""
    book, pages = service.reports, Pages(service)

    async def monthly(request: Request) -> Response:
        session, reach = pages.session(request), reach_of(request)

        def page(language: Language) -> tuple[int, str]:
            rows = [
                (
                    entry,
                    month_words(str(entry.month), language),
                    book.closes_at(entry.month).astimezone(entry.month.zone),
                )
                for entry in book.months()
            ]
            known = [one for one in service.store.schools() if reach.covers(one.town)]
            values = {
                "rows": rows,
                "forms": FORMS,
                "schools": [(one.id, one.name) for one in known],
                "towns": sorted({(one.town, one.town_name or one.town) for one in known if one.town}),
                "own_town": reach.town,
            }
            return 200, pages.render("monthly.html", language, session, **values)

        return await pages.answer(request, page)

    async def document(request: Request) -> Response:
        check_query(request, "town", "school", "lang")
        month, form = _month(request.path_params["month"], service), _form(request.path_params["form"])
        language = document_language(request) or language_of(request)
        town, school = request.query_params.get("town") or None, request.query_params.get("school") or None
        if town is not None and school is not None:
            raise HttpProblem(400, "Bad query", "town or school, not both")
        await _within_reach(reach_of(request), service, town, school)
        body = await in_thread(_made, book, month, form, language, town, school)
        name = file_name(str(month), form, language, scope=town or school or "")
        how = "inline" if form in ("html", "pdf") else "attachment"
        headers = {"Content-Disposition": f'{how}; filename="{name}"', "Content-Language": language}
        return Response(body, media_type=MEDIA_TYPES[form], headers=headers)

    async def chosen(request: Request) -> Response:
        """The form of the page: to the document it asks for."""
        query = request.query_params
        month, form = _month(query.get("month", ""), service), _form(query.get("form", ""))
        kind, _, name = query.get("area", "").partition(":")
        if kind not in ("town", "school") or not is_id(name):
            raise HttpProblem(
                404,
                "No such town or school",
                query.get("area", "")[:64],
                words=bad_value("area", query.get("area", ""), AREA_RULE).words,
            )
        return RedirectResponse(f"/v1/monthly/{month}.{form}?{kind}={name}&lang={language_of(request)}", 303)

    return [
        Route("/monthly", monthly),
        Route("/monthly/excerpt", chosen),
        Route("/v1/monthly/{month}.{form}", document),
    ]


async def _within_reach(reach: Reach, service: Service, town: str | None, school: str | None) -> None:
    """Raises HttpProblem 403 for more than a reader may see: the whole county, another town."""
    if not reach.town or (town is not None and reach.covers(town)):
        return
    if school is not None:
        schools = await in_thread(service.store.schools)
        if any(one.id == school and reach.covers(one.town) for one in schools):
            return
    raise HttpProblem(403, "Not yours", f"you read town {reach.town} only: ask with ?town={reach.town}")


def _made(
    book: MonthlyReports, month: Month, form: Form, language: Language, town: str | None, school: str | None
) -> bytes:
    try:
        whole = town is None and school is None
        if whole and (issued := book.issued(month, form, language)) is not None:
            return issued
        return book.document(month, form, language, town=town, school=school, figures=book.recent(month))
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
