"""How a page is made: its template in the reader's language, with who is logged in."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from campus_base.language import Language
from campus_base.text import printable
from campus_collector.http.auth.sessions import COOKIE as SESSION_COOKIE
from campus_collector.http.auth.sessions import Session
from campus_collector.http.forwarding import origin_of
from campus_collector.http.pages.words import REFUSALS, WORDS
from campus_collector.http.service import Service
from campus_collector.judge.service import DataStatus
from campus_collector.store.errors import StoreUnavailable
from campus_collector.tls.served import ends_soon

_STATUS: ContextVar[DataStatus | None] = ContextVar("data_status", default=None)
"""How current the verdicts were when the making of a page began."""
COOKIE = "campus_lang"
COOKIE_SECONDS = 365 * 86_400
_MONTHLY_LINK = re.compile(r'\bhref="/(explain|schools)/[^"?]+(?=")')
_LINK = re.compile(r'\b(href|action|src|formaction)="/')
Page = Callable[[Language], tuple[int, str]]
Handler = Callable[[Request, Exception], Awaitable[Response]]


class Pages:
    """The templates of one collector."""

    def __init__(self, service: Service) -> None:
        """They are read when they are first used."""
        self._service = service
        self._environment = Environment(
            loader=PackageLoader("campus_collector.http.pages"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_shown,
        )

    def render(self, name: str, language: Language, session: Session | None = None, **values: Any) -> str:
        """One page; `w` gives its words. With `linked_month` its links lead to pages of that month.

        All links are put below the root path: text is escaped, so that only attributes look like them.
        """

        def word(key: str, **more: object) -> str:
            return WORDS[key].in_(language, **more)

        other = "en" if language == "zh" else "zh"
        template = self._environment.get_template(name)
        values["simulated"] = self._simulated()
        values["as_of"], values["working"] = self._status_words(language)
        values["certificate_ends"] = self._certificate_ends()
        html = template.render(w=word, lang=language, other=other, session=session, **values)
        if values.get("linked_month") is not None:
            html = _MONTHLY_LINK.sub(rf"\g<0>?month={values['linked_month']}", html)
        root = self._service.config.root_path
        return _LINK.sub(rf'\1="{root}/', html) if root else html

    def _certificate_ends(self) -> str:
        """The day on which the collector's certificate ends, when that is soon."""
        certificate = self._service.certificate
        if certificate is None or not ends_soon(certificate.expires_at()):
            return ""
        return str(certificate.expires_at().astimezone(self._service.config.timezone).date())

    def _simulated(self) -> bool:
        """Are these schools invented? Then every page says so."""
        try:
            return [one.imported_by for one in self._service.store.inventory.imports(1)] == ["simulate"]
        except StoreUnavailable:
            return False

    def _status_words(self, language: Language) -> tuple[str, str]:
        """How current the figures of this page are, and whether they are still being worked out; "" where there are none."""
        status = _STATUS.get()
        if status is None:
            return "", ""
        as_of, working = status.as_of, ""
        shown = as_of.astimezone(self._service.config.timezone).strftime("%Y-%m-%d %H:%M") if as_of else "—"
        if not status.complete:
            working = WORDS["still_judging"].in_(language, count=status.waiting_schools)
        elif self._service.ledger.is_behind(self._service.ledger.yesterday()):
            working = WORDS["still_ledger"].in_(language)
        return WORDS["data_as_of"].in_(language, time=shown), working

    def session(self, request: Request) -> Session | None:
        """Who is logged in?"""
        return self._service.people.session(request.cookies.get(SESSION_COOKIE))

    async def answer(self, request: Request, page: Page) -> Response:
        """Made beside the event loop; a store that is away is told in words."""
        language = language_of(request)

        def made() -> tuple[int, str]:
            _STATUS.set(self._service.verdicts.look())  # before the figures are read: they are at least as current
            return page(language)

        try:
            status, html = await asyncio.to_thread(made)
        except StoreUnavailable:
            status = 503
            html = self.render("message.html", language, message=WORDS["unavailable"].in_(language))
        response = HTMLResponse(html, status)
        if request.query_params.get("lang") in ("zh", "en"):
            origin = origin_of(request)
            given: dict[str, Any] = {"path": origin.root_path or "/", "secure": origin.secure}
            response.set_cookie(COOKIE, language, COOKIE_SECONDS, samesite="lax", httponly=True, **given)
        return response


def language_of(request: Request) -> Language:
    """What was asked for last, else what the browser prefers; Chinese when in doubt."""
    for asked in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if asked == "zh":
            return "zh"
        if asked == "en":
            return "en"
    first = request.headers.get("accept-language", "").split(",")[0].strip().lower()
    return "en" if first.startswith("en") else "zh"


def in_words(answered: Handler, pages: Pages) -> Handler:
    """A handler of refusals whose answer a person's browser gets as a page in the reader's language; programs get the document itself."""

    async def answer(request: Request, error: Exception) -> Response:
        plain = await answered(request, error)
        wants_page = "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith("/v1/")
        words = getattr(error, "words", None) or REFUSALS.get(plain.status_code)
        if not wants_page or words is None:
            return plain
        language = language_of(request)
        session = pages.session(request)
        page = await asyncio.to_thread(pages.render, "message.html", language, session, message=words.in_(language))
        kept = {name: value for name, value in plain.headers.items() if name not in ("content-type", "content-length")}
        return HTMLResponse(page, plain.status_code, kept)

    return answer


def _shown(value: object) -> object:
    """A text without control characters; what is marked up already, as it is."""
    return printable(value, len(value)) if type(value) is str else value
