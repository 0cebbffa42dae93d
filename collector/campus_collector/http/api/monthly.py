"""GET /v1/monthly/YYYY-MM.pdf: a monthly report, whole, or `?town=` and `?school=` of it."""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from campus_base.language import Language
from campus_collector.area.report import AreaReports
from campus_collector.http.auth.scope import ReadScope, scope_of
from campus_collector.http.query import (
    MONTH_PATTERN,
    DocumentLanguage,
    document_language,
    language_of,
    one_of,
    report_form,
    report_month,
)
from campus_collector.http.responses import HttpProblem, download, in_thread
from campus_collector.http.routes import Operation, Routes
from campus_collector.http.school_view import schools_in
from campus_collector.http.service import Service
from campus_collector.judge.month import Month
from campus_collector.report.forms.pdf_fonts import FontMissing
from campus_collector.report.forms.process import FormFailed
from campus_collector.report.forms.render import FORMS, MEDIA_TYPES, Form
from campus_collector.report.separate import SeparateReports
from campus_collector.report.service import NoReport, file_name


class DocumentPath(msgspec.Struct):
    month: Annotated[str, Meta(pattern=MONTH_PATTERN)]
    form: Annotated[str, one_of(FORMS)]


class DocumentQuery(msgspec.Struct):
    town: Annotated[str, Meta(description="an excerpt for one town")] = ""
    school: Annotated[str, Meta(description="an excerpt for one school")] = ""
    lang: DocumentLanguage = "zh"


class MonthlyRoutes(Routes):
    @Operation(
        "GET",
        "/v1/monthly/{month}.{form}",
        "The monthly report: as it was issued when the month is closed, else as it is now",
        parameters=DocumentPath,
        query=DocumentQuery,
        answer=tuple(MEDIA_TYPES.values()),
    )
    async def document(self, request: Request) -> Response:
        month, form = report_month(request.path_params["month"], self.service), report_form(request.path_params["form"])
        language = document_language(request) or language_of(request)
        town, school = request.query_params.get("town") or None, request.query_params.get("school") or None
        if town is not None and school is not None:
            raise HttpProblem(400, "Bad query", "town or school, not both")
        await _must_be_readable(scope_of(request), self.service, town, school)
        if self.service.config.takes_months:
            body = await in_thread(_area_document, self.service.area, month, form, language, town or school)
        else:
            body = await in_thread(_document, self.service.separate_reports, month, form, language, town, school)
        name = file_name(str(month), form, language, scope=town or school or "")
        response = download(body, MEDIA_TYPES[form], name, inline=form in ("html", "pdf"), language=language)
        if form == "html":
            response.headers["Content-Security-Policy"] = security_policy(body)
        return response


def security_policy(report: bytes) -> str:
    """For a report as HTML: nothing but its own style sheet, which stands in the file so that the file can be passed on."""
    style = report.partition(b"<style>")[2].partition(b"</style>")[0]
    digest = b64encode(sha256(style).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


async def _must_be_readable(scope: ReadScope, service: Service, town: str | None, school: str | None) -> None:
    """Raises HttpProblem 403 for more than a reader may see: the whole county, another town."""
    if not scope.town or (town is not None and scope.covers(town)):
        return
    if school is not None:
        schools = await in_thread(schools_in, service, scope.town)
        if any(readable.id == school for readable in schools):
            return
    raise HttpProblem(403, "Not yours", f"you read town {scope.town} only: ask with ?town={scope.town}")


def _area_document(reports: AreaReports, month: Month, form: Form, language: Language, excerpt: str | None) -> bytes:
    """Of all counties: there is no excerpt."""
    if excerpt is not None:
        raise HttpProblem(404, "No such town or school", excerpt[:64])
    return _refused_in_words(lambda: reports.document(month, form, language), language)


def _document(
    reports: SeparateReports, month: Month, form: Form, language: Language, town: str | None, school: str | None
) -> bytes:
    def document() -> bytes:
        return reports.document(month, form, language, town=town, school=school)

    return _refused_in_words(document, language)


def _refused_in_words(make: Callable[[], bytes], language: Language) -> bytes:
    """What `make` gives. Raises HttpProblem 404, 503 where there is no document."""
    try:
        return make()
    except NoReport as none:
        raise HttpProblem(404, "No report", none.words.in_(language)) from None
    except KeyError as key:
        raise HttpProblem(404, "No such town or school", str(key.args[0])) from None
    except FontMissing as missing:
        raise HttpProblem(503, "No font", missing.words.in_(language)) from None
    except FormFailed as failed:
        raise HttpProblem(503, "Not made", failed.words.in_(language)) from None
