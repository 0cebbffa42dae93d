"""/login, /logout, /account: how a browser becomes a person's, by token, password or the county's OpenID provider. /people: who may do what."""

import html
import logging
from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from campus_base.language import Language
from campus_collector.http.auth.oidc import NotVouched, Provider, ProviderAway
from campus_collector.http.auth.passwords import fits, hash_of, weakness
from campus_collector.http.auth.people import may_govern
from campus_collector.http.auth.rate_limit import Attempt
from campus_collector.http.auth.sessions import COOKIE, SESSION_SECONDS
from campus_collector.http.forwarding import origin_of
from campus_collector.http.pages.forms import read_form
from campus_collector.http.pages.render import Pages, language_of
from campus_collector.http.pages.words import WORDS
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.service import Service
from campus_collector.ledger.listing import event_words

log = logging.getLogger(__name__)
STATE_COOKIE = "campus_oidc"
SHOWN_EVENTS = 200


class Login:
    """The pages of one collector."""

    def __init__(self, service: Service) -> None:
        """With its people."""
        self._service = service
        self._people = service.people
        self._pages = Pages(service)

    async def page(self, request: Request) -> Response:
        """Where a person shows who they are."""
        return await self._login(request, "", 200)

    async def _login(self, request: Request, refusal: str, status: int) -> Response:
        session, goes_on = self._pages.session(request), own_path(request.query_params.get("next"))
        provider = self._service.provider

        def page(language: Language) -> tuple[int, str]:
            label = provider.config.label if provider is not None else ""
            values = {"refusal": refusal, "next": goes_on, "provider": label}
            return status, self._pages.render("login.html", language, session, **values)

        return await self._pages.answer(request, page)

    async def login(self, request: Request) -> Response:
        """A token, or a name with its password, becomes a session."""
        form, language, address = await read_form(request), language_of(request), address_of(request)
        token, name = form.get("token", "").strip(), form.get("name", "").strip()
        door = (
            partial(self._people.doors.by_token, token)
            if token
            else partial(self._people.doors.by_password, name, form.get("password", ""))
        )
        try:
            async with self._people.doors.limiter.attempt(address) as attempt:
                session = await in_thread(door)
                attempt.counts = session is None
        except HttpProblem as problem:
            if problem.status != 429:
                raise
            return await self._login(request, WORDS["too_many"].in_(language), 429)
        if session is None:
            log.warning("log-in refused", extra={"address": address, "by": "token" if token else "password"})
            return await self._login(
                request, WORDS["token_refused" if token else "password_refused"].in_(language), 401
            )
        response = RedirectResponse(own_path(form.get("next")), 303)
        self._remember(request, response, session)
        return response

    async def to_provider(self, request: Request) -> Response:
        """Off to the OpenID provider."""
        if self._service.provider is None:
            raise HttpProblem(404, "Not Found", "no [oidc] is configured")
        try:
            url, state = await in_thread(self._service.provider.begin, own_path(request.query_params.get("next")))
        except NotVouched as why:
            log.error("OpenID provider", extra={"reason": str(why)})
            return await self._login(request, WORDS["provider_away"].in_(language_of(request)), 502)
        response = RedirectResponse(url, 303)
        # lax: the browser brings it back when the provider sends it here
        origin = origin_of(request)
        path = f"{origin.root_path}/login"
        response.set_cookie(STATE_COOKIE, state, 600, path=path, httponly=True, samesite="lax", secure=origin.secure)
        return response

    async def from_provider(self, request: Request) -> Response:
        """Back from it, with a code."""
        if self._service.provider is None:
            raise HttpProblem(404, "Not Found", "no [oidc] is configured")
        async with self._people.doors.limiter.attempt(address_of(request)) as attempt:
            session, goes_on, refusal = await self._vouched(request, self._service.provider, attempt)
        if session is None:
            return await self._login(request, *refusal)
        # A page and not a redirect: what a visit from another site leads to carries no strict cookie, a page's own next step does.
        root = origin_of(request).root_path
        goes = html.escape(root + goes_on, quote=True)
        response = HTMLResponse(
            f'<!DOCTYPE html><html lang="zh"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={goes}">'
            f'<title>CampusMeter</title><a href="{goes}">{html.escape(WORDS["log_in"].in_(language_of(request)))}</a></html>'
        )
        response.delete_cookie(STATE_COOKIE, path=f"{root}/login")
        self._remember(request, response, session)
        return response

    async def _vouched(
        self, request: Request, provider: Provider, attempt: Attempt
    ) -> tuple[str | None, str, tuple[str, int]]:
        """The session of whom the provider sends back, and where they wanted to go; without a session, why: words and status."""
        language, query, extra = (
            language_of(request),
            request.query_params,
            {"address": address_of(request), "by": "OpenID"},
        )
        state, issuer = (
            query.get("state", ""),
            query.get("iss", provider.config.issuer),
        )  # RFC 9207: this provider's answer
        if not state or state != request.cookies.get(STATE_COOKIE) or issuer != provider.config.issuer:
            return None, "", (WORDS["form_old"].in_(language), 403)
        try:
            identity, goes_on = await in_thread(provider.finish, state, query.get("code", ""))
        except ProviderAway as why:
            attempt.counts = False
            log.error("OpenID provider", extra={"reason": str(why)})
            return None, "", (WORDS["provider_away"].in_(language), 502)
        except NotVouched as why:
            log.warning("log-in refused", extra=extra | {"reason": str(why)})
            return None, "", (WORDS["provider_refused"].in_(language), 401)
        session = await in_thread(self._people.doors.by_identity, identity)
        if session is None:
            log.warning("log-in refused", extra=extra | {"reason": "nobody here"})
        attempt.counts = session is None
        return session, goes_on, (WORDS["identity_unknown"].in_(language, identity=identity), 403)

    async def logout(self, request: Request) -> Response:
        """The session ends."""
        form = await read_form(request)
        self._people.of_form(request, form.get("form_token", ""))
        self._people.sessions.end(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path=origin_of(request).root_path or "/")
        return response

    async def account(self, request: Request) -> Response:
        """A person's own password."""
        return await self._account(request, "", 200)

    async def _account(self, request: Request, refusal: str, status: int) -> Response:
        session = self._pages.session(request)
        if session is None:
            return RedirectResponse("/login?next=/account", 303)

        def page(language: Language) -> tuple[int, str]:
            account = self._service.store.people.named(session.person.name)
            has = account is not None and account.password is not None
            values = {"refusal": refusal, "has_password": has}
            return status, self._pages.render("account.html", language, session, **values)

        return await self._pages.answer(request, page)

    async def change_password(self, request: Request) -> Response:
        """Another password: every session of the person ends, this one too."""
        form, language = await read_form(request), language_of(request)
        person = self._people.of_form(request, form.get("form_token", ""))
        new, again, old = form.get("new", ""), form.get("again", ""), form.get("old", "")
        if new != again:
            return await self._account(request, WORDS["passwords_differ"].in_(language), 422)
        weak = weakness(new, person.name)
        if weak is not None:
            return await self._account(request, weak.in_(language), 422)

        def change() -> bool:
            account = self._service.store.people.named(person.name)
            now = datetime.now(UTC)
            if account is None or account.locked(now):
                return False
            if account.password is not None and not fits(old, account.password):
                self._people.doors.wrong_password(person.name, now)
                return False
            return self._service.store.people.set_password(person.name, hash_of(new), now, person.name)

        async with self._people.doors.limiter.attempt(address_of(request)) as attempt:
            changed = await in_thread(change)
            attempt.counts = not changed
        if not changed:
            return await self._account(request, WORDS["password_refused"].in_(language), 401)
        return RedirectResponse("/login", 303)

    async def people(self, request: Request) -> Response:
        """Who may do what, and what people did; for an admin."""
        session = self._pages.session(request)
        if session is None:
            return RedirectResponse("/login?next=/people", 303)
        may_govern(session.person)
        zone, now = self._service.config.timezone, datetime.now(UTC)

        def page(language: Language) -> tuple[int, str]:
            store = self._service.store
            values = {
                "accounts": [(account, account.locked(now)) for account in store.people.all()],
                "towns": {school.town: school.town_name or school.town for school in store.schools()},
                "events": [event_words(event, zone, language) for event in store.ledger.events(limit=SHOWN_EVENTS)],
            }
            return 200, self._pages.render("people.html", language, session, **values)

        return await self._pages.answer(request, page)

    def _remember(self, request: Request, response: Response, session: str) -> None:
        origin = origin_of(request)
        given: dict[str, Any] = {"path": origin.root_path or "/", "secure": origin.secure}
        response.set_cookie(COOKIE, session, SESSION_SECONDS, httponly=True, samesite="strict", **given)


def routes(service: Service) -> list[Route]:
    """Logging in and out, and people."""
    login = Login(service)
    return [
        Route("/login", login.page, methods=["GET"]),
        Route("/login", login.login, methods=["POST"]),
        Route("/login/oidc", login.to_provider, methods=["GET"]),
        Route("/login/oidc/return", login.from_provider, methods=["GET"]),
        Route("/logout", login.logout, methods=["POST"]),
        Route("/account", login.account, methods=["GET"]),
        Route("/account", login.change_password, methods=["POST"]),
        Route("/people", login.people, methods=["GET"]),
    ]


def address_of(request: Request) -> str:
    """Where a request came from."""
    return request.client.host if request.client else ""


def own_path(text: str | None) -> str:
    """Where to go on after logging in: only within this site."""
    known = (
        "/problems",
        "/inventory",
        "/schools",
        "/policy",
        "/explain",
        "/monthly",
        "/fleet",
        "/quarantine",
        "/account",
        "/people",
    )
    sound = text is not None and any(text == path or text.startswith(f"{path}/") for path in known)
    return text if sound and text is not None and "\\" not in text else "/problems"
