"""How a page is made: its template in the reader's language, with who is logged in."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from campus_base.language import Language
from campus_base.text import printable
from campus_collector.http.auth.scope import ReadScope, scope_of
from campus_collector.http.auth.sessions import Session
from campus_collector.http.forwarding import base_address, origin_of
from campus_collector.http.pages.paging import query_with
from campus_collector.http.pages.static import static_path
from campus_collector.http.pages.words import REFUSALS, WORDS
from campus_collector.http.query import LANGUAGE_COOKIE, language_of
from campus_collector.http.routes import Routes
from campus_collector.http.service import Service
from campus_collector.judge.month import Month
from campus_collector.judge.service import DataStatus
from campus_collector.store.errors import ArchiveLost, StoreUnavailable
from campus_collector.tls.served import ends_soon

LANGUAGE_COOKIE_SECONDS = 365 * 86_400
Answer = tuple[int, str]
"""HTTP status and HTML."""
Handler = Callable[[Request, Exception], Awaitable[Response]]


def _printable(value: object) -> object:
    """A text without control characters; what is marked up already, as it is."""
    return printable(value, len(value)) if type(value) is str else value


_TEMPLATES = Environment(
    loader=PackageLoader("campus_collector.http.pages"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_printable,
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page for one reader. `data_status` is how current the verdicts were when its making began; None: it shows none."""

    service: Service
    request: Request
    language: Language
    session: Session | None
    data_status: DataStatus | None = None

    @property
    def scope(self) -> ReadScope:
        return scope_of(self.request)

    def words(self, key: str, **values: object) -> str:
        """A sentence of the pages in the reader's language."""
        return WORDS[key].in_(self.language, **values)

    def message(self, status: int, text: str) -> Answer:
        """Nothing but one sentence."""
        return self.render("message.html", status, message=text)

    def render(self, name: str, status: int = 200, *, month: Month | None = None, **values: Any) -> Answer:
        """From a template; `w` gives its words, `root` stands before all its paths. Links to schools and verdicts keep a `month`."""
        as_of, working = self._status_words()
        html = _TEMPLATES.get_template(name).render(
            w=self.words,
            lang=self.language,
            other_language=query_with(self.request, lang="en" if self.language == "zh" else "zh"),
            other="en" if self.language == "zh" else "zh",
            session=self.session,
            root=self.service.config.root_path,
            takes_months=self.service.config.takes_months,
            sends_months=self.service.upward.is_configured,
            static=lambda name: self.service.config.root_path + static_path(name),
            month_query=f"?month={month}" if month is not None else "",
            simulated=self._simulated(),
            as_of=as_of,
            working=working,
            certificate_ends=self._certificate_ends(),
            **values,
        )
        return status, html

    def _certificate_ends(self) -> str:
        """The day on which the collector's certificate ends, when that is soon."""
        certificate = self.service.certificate
        if certificate is None or not ends_soon(certificate.expires_at()):
            return ""
        return str(certificate.expires_at().astimezone(self.service.config.timezone).date())

    def _simulated(self) -> bool:
        """Are these schools invented? Then every page says so."""
        try:
            return [newest.imported_by for newest in self.service.store.inventory.imports(1)] == ["simulate"]
        except StoreUnavailable:
            return False

    def _status_words(self) -> tuple[str, str]:
        """How current the figures of this page are, and whether they are still being worked out; "" where there are none."""
        if self.data_status is None:
            return "", ""
        as_of, working = self.data_status.as_of, ""
        shown = as_of.astimezone(self.service.config.timezone).strftime("%Y-%m-%d %H:%M") if as_of else "—"
        if not self.data_status.complete:
            working = self.words("still_judging", count=self.data_status.waiting_schools)
        elif self.service.ledger.is_behind(self.service.ledger.yesterday()):
            working = self.words("still_ledger")
        return self.words("data_as_of", time=shown), working


class PageRoutes(Routes):
    """Routes that answer with pages."""

    def public_address(self, request: Request) -> str:
        """This collector as browsers reach it, without a path: as configured, else as the reader of this request does."""
        config = self.service.config
        return config.official.address or base_address(request, config.root_path)

    async def answer(self, request: Request, make: Callable[[Page], Answer]) -> Response:
        """A page, made beside the event loop. 503 and a sentence while the store is away."""
        service, language = self.service, language_of(request)

        def work() -> Answer:
            session = service.authenticator.session(request)
            status = service.verdicts.catch_up_for_reader()  # before the figures are read: they are at least as current
            return make(Page(service, request, language, session, status))

        try:
            status, html = await asyncio.to_thread(work)
        except ArchiveLost as error:
            status, html = Page(service, request, language, None).message(503, error.in_(language))
        except StoreUnavailable:
            status, html = Page(service, request, language, None).message(503, WORDS["unavailable"].in_(language))
        response = HTMLResponse(html, status)
        if request.query_params.get("lang") in ("zh", "en"):
            origin = origin_of(request)
            response.set_cookie(
                LANGUAGE_COOKIE,
                language,
                LANGUAGE_COOKIE_SECONDS,
                path=origin.root_path or "/",
                secure=origin.secure,
                samesite="lax",
                httponly=True,
            )
        return response


def refusal_pages(handler: Handler, service: Service) -> Handler:
    """A handler of refusals whose answer a person's browser gets as a page in the reader's language; programs get the document itself."""

    async def answer(request: Request, error: Exception) -> Response:
        plain = await handler(request, error)
        wants_page = "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith("/v1/")
        words = getattr(error, "words", None) or REFUSALS.get(plain.status_code)
        if not wants_page or words is None:
            return plain
        language = language_of(request)

        def work() -> Answer:
            session = service.authenticator.session(request)
            return Page(service, request, language, session).message(plain.status_code, words.in_(language))

        status, html = await asyncio.to_thread(work)
        headers = {
            name: value for name, value in plain.headers.items() if name not in ("content-type", "content-length")
        }
        return HTMLResponse(html, status, headers)

    return answer
