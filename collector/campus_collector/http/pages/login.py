"""/login, /logout: how a browser becomes a person's, by token, password or the county's OpenID provider."""

import html
import logging
from functools import partial
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from campus_collector.http.auth.oidc import IdentityRefused, PendingLogin, Provider, ProviderUnavailable
from campus_collector.http.auth.rate_limit import Attempt
from campus_collector.http.auth.sessions import COOKIE, SESSION_SECONDS
from campus_collector.http.forwarding import address_of, origin_of
from campus_collector.http.pages.forms import read_form
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.words import WORDS
from campus_collector.http.query import language_of
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.routes import form_at, page_at

log = logging.getLogger(__name__)
STATE_COOKIE = "campus_oidc"
STATE_SECONDS = 600
PAGES_AFTER_LOGIN = (
    "/problems", "/inventory", "/schools", "/policy", "/explain", "/monthly", "/fleet", "/quarantine", "/account", "/people",
)  # fmt: skip


class LogIn(NamedTuple):
    """A session's cookie, and the path where its browser goes on; without a session, why: words and status."""

    session: str | None = None
    path: str = ""
    refusal: str = ""
    status: int = 200


class LoginPages(PageRoutes):
    @page_at("/login", "Log in")
    async def page(self, request: Request) -> Response:
        return await self._page(request, "", 200)

    @form_at("/login", "Show a token, or a name and its password")
    async def login(self, request: Request) -> Response:
        """A token, or a name with its password, becomes a session."""
        form, language, address = await read_form(request), language_of(request), address_of(request)
        authenticator = self.service.authenticator
        token, name = form.get("token", "").strip(), form.get("name", "").strip()
        log_in = (
            partial(authenticator.log_in_with_token, token)
            if token
            else partial(authenticator.log_in_with_password, name, form.get("password", ""))
        )
        try:
            async with authenticator.limiter.attempt(address) as attempt:
                session = await in_thread(log_in)
                attempt.counts = session is None
        except HttpProblem as problem:
            if problem.status != 429:
                raise
            return await self._page(request, WORDS["too_many"].in_(language), 429)
        if session is None:
            log.warning("log-in refused", extra={"address": address, "by": "token" if token else "password"})
            words = WORDS["token_refused" if token else "password_refused"]
            return await self._page(request, words.in_(language), 401)
        response = RedirectResponse(path_after_login(form.get("next")), 303)
        set_session_cookie(request, response, session)
        return response

    @page_at("/login/oidc", "To the county's OpenID provider, where one is configured", 502)
    async def to_provider(self, request: Request) -> Response:
        """With a state that the browser must bring back."""
        provider = self._provider()
        try:
            sign_in = await in_thread(provider.begin, path_after_login(request.query_params.get("next")))
        except IdentityRefused as why:
            log.error("OpenID provider", extra={"reason": str(why)})
            return await self._page(request, WORDS["provider_away"].in_(language_of(request)), 502)
        response = RedirectResponse(sign_in.url, 303)
        cookie = await in_thread(self.service.authenticator.sessions.sign_in_cookie, sign_in.pending)
        origin = origin_of(request)
        path = f"{origin.root_path}/login"
        # lax: the browser brings it back when the provider sends it here
        response.set_cookie(
            STATE_COOKIE, cookie, STATE_SECONDS, path=path, httponly=True, samesite="lax", secure=origin.secure
        )
        return response

    @page_at("/login/oidc/return", "Back from it", 429, 502)
    async def from_provider(self, request: Request) -> Response:
        provider = self._provider()
        async with self.service.authenticator.limiter.attempt(address_of(request)) as attempt:
            log_in = await self._log_in_with_code(request, provider, attempt)
        if log_in.session is None:
            return await self._page(request, log_in.refusal, log_in.status)
        # A page and not a redirect: what a visit from another site leads to carries no strict cookie, a page's own next step does.
        root = origin_of(request).root_path
        goes = html.escape(root + log_in.path, quote=True)
        response = HTMLResponse(
            f'<!DOCTYPE html><html lang="zh"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={goes}">'
            f'<title>CampusMeter</title><a href="{goes}">{html.escape(WORDS["log_in"].in_(language_of(request)))}</a></html>'
        )
        response.delete_cookie(STATE_COOKIE, path=f"{root}/login")
        set_session_cookie(request, response, log_in.session)
        return response

    @form_at("/logout", "End the session")
    async def logout(self, request: Request) -> Response:
        """Its cookie, and every copy of it, is refused from now on."""
        form = await read_form(request)
        await in_thread(self.service.authenticator.person_with_form, request, form.get("form_token", ""))
        await in_thread(self.service.authenticator.sessions.end, request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path=origin_of(request).root_path or "/")
        return response

    def _provider(self) -> Provider:
        if self.service.provider is None:
            raise HttpProblem(404, "Not Found", "no [oidc] is configured")
        return self.service.provider

    async def _page(self, request: Request, refusal: str, status: int) -> Response:
        path, provider = path_after_login(request.query_params.get("next")), self.service.provider

        def make(page: Page) -> Answer:
            label = provider.config.label if provider is not None else ""
            return page.render("login.html", status, refusal=refusal, next=path, provider=label)

        return await self.answer(request, make)

    async def _log_in_with_code(self, request: Request, provider: Provider, attempt: Attempt) -> LogIn:
        """The session of whom the provider sends back."""
        language, query = language_of(request), request.query_params
        extra = {"address": address_of(request), "by": "OpenID"}
        state, issuer = query.get("state", ""), query.get("iss", provider.config.issuer)  # `iss`: RFC 9207
        cookie = request.cookies.get(STATE_COOKIE, "")
        values = await in_thread(self.service.authenticator.sessions.sign_in_values, cookie, STATE_SECONDS)
        pending = PendingLogin._make(values) if values is not None else None
        if pending is None or state != pending.state or issuer != provider.config.issuer:
            return LogIn(refusal=WORDS["form_old"].in_(language), status=403)
        try:
            identified = await in_thread(provider.finish, pending, query.get("code", ""))
        except ProviderUnavailable as why:
            attempt.counts = False
            log.error("OpenID provider", extra={"reason": str(why)})
            return LogIn(refusal=WORDS["provider_away"].in_(language), status=502)
        except IdentityRefused as why:
            log.warning("log-in refused", extra=extra | {"reason": str(why)})
            return LogIn(refusal=WORDS["provider_refused"].in_(language), status=401)
        session = await in_thread(self.service.authenticator.log_in_with_identity, identified.identity)
        attempt.counts = session is None
        if session is None:
            log.warning("log-in refused", extra=extra | {"reason": "nobody here"})
            return LogIn(refusal=WORDS["identity_unknown"].in_(language, identity=identified.identity), status=403)
        return LogIn(session, identified.path)


def set_session_cookie(request: Request, response: Response, session: str) -> None:
    """For this site only, out of reach of scripts."""
    origin = origin_of(request)
    where: dict[str, Any] = {"path": origin.root_path or "/", "secure": origin.secure}
    response.set_cookie(COOKIE, session, SESSION_SECONDS, httponly=True, samesite="strict", **where)


def path_after_login(text: str | None) -> str:
    """Where to go on after logging in: only within this site; the ledger for anything else."""
    allowed = text is not None and any(text == path or text.startswith(f"{path}/") for path in PAGES_AFTER_LOGIN)
    return text if allowed and text is not None and "\\" not in text else "/problems"
