"""GET / and /schools/ID: Chinese unless the reader asks for English (?lang=, a cookie, or Accept-Language)."""

import asyncio
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from campus_collector.service import Service
from campus_collector.store.interface import StoreUnavailable
from campus_collector.web.model import Reader
from campus_collector.web.words import WORDS
from campus_wire.language import Language

COOKIE = "campus_lang"
COOKIE_SECONDS = 365 * 86_400


def routes(service: Service) -> list[Route]:
    """The pages."""
    pages = Environment(
        loader=PackageLoader("campus_collector.web"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def render(name: str, language: Language, **values: Any) -> str:
        def word(key: str, **more: object) -> str:
            return WORDS[key].in_(language, **more)

        other = "en" if language == "zh" else "zh"
        return pages.get_template(name).render(w=word, lang=language, other=other, **values)

    async def answer(request: Request, page: Callable[[Language], tuple[int, str]]) -> Response:
        language = _language(request)
        try:
            status, html = await asyncio.to_thread(page, language)
        except StoreUnavailable:
            status, html = 503, render("message.html", language, message=WORDS["unavailable"].in_(language))
        response = HTMLResponse(html, status)
        if request.query_params.get("lang") in ("zh", "en"):
            response.set_cookie(COOKIE, language, COOKIE_SECONDS, samesite="lax", httponly=True)
        return response

    def overview_page(language: Language) -> tuple[int, str]:
        return 200, render("overview.html", language, view=Reader(service, language).overview())

    async def overview(request: Request) -> Response:
        return await answer(request, overview_page)

    async def school(request: Request) -> Response:
        school_id = request.path_params["school"]

        def page(language: Language) -> tuple[int, str]:
            reader = Reader(service, language)
            view = reader.find_school(school_id)
            if view is None:
                return 404, render("message.html", language, message=WORDS["not_found"].in_(language, id=school_id))
            judged_by, updated = reader.foot()
            values = {"school": view, "month": reader.month_words(), "judged_by": judged_by, "updated": updated}
            return 200, render("school.html", language, **values)

        return await answer(request, page)

    return [Route("/", overview), Route("/schools/{school}", school)]


def _language(request: Request) -> Language:
    """What was asked for last, else what the browser prefers; Chinese when in doubt."""
    for asked in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if asked == "zh":
            return "zh"
        if asked == "en":
            return "en"
    first = request.headers.get("accept-language", "").split(",")[0].strip().lower()
    return "en" if first.startswith("en") else "zh"
