"""/account: a person's own password. /people: who may do what, and what people did."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from campus_collector.domain.people import Person, is_screen, screen_of
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.auth.passwords import hash_of, policy_violation, verify
from campus_collector.http.auth.scope import require_county_admin
from campus_collector.http.forwarding import address_of
from campus_collector.http.pages.forms import read_form
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.words import WORDS
from campus_collector.http.query import language_of
from campus_collector.http.responses import MOST_SHOWN_LETTERS, HttpProblem, in_thread
from campus_collector.http.routes import form_at, page_at
from campus_collector.ledger.listing import event_words
from campus_collector.store.errors import Conflict
from campus_wire.digits import ascii_integer

SHOWN_EVENTS = 200
MAX_LINKS = 10**9
"""The person whose token opens the office's screen; of a town: with its id."""


class PeoplePages(PageRoutes):
    """Pages that need a session."""

    @page_at("/account", "A person's own account")
    async def account(self, request: Request) -> Response:
        return await self._account(request, "", 200)

    @form_at("/account", "Set a password")
    async def change_password(self, request: Request) -> Response:
        """Every session of the person ends, this one too."""
        form, language = await read_form(request), language_of(request)
        authenticator = self.service.authenticator
        person = await in_thread(authenticator.person_with_form, request, form.get("form_token", ""))
        new, again, old = form.get("new", ""), form.get("again", ""), form.get("old", "")
        if new != again:
            return await self._account(request, WORDS["passwords_differ"].in_(language), 422)
        violation = policy_violation(new, person.name)
        if violation is not None:
            return await self._account(request, violation.in_(language), 422)
        async with authenticator.limiter.attempt(address_of(request)) as attempt:
            changed = await in_thread(self._set_password, person.name, old, new)
            attempt.counts = not changed
        if not changed:
            return await self._account(request, WORDS["password_refused"].in_(language), 401)
        return RedirectResponse("/login", 303)

    @page_at("/people", "Who may do what; for an admin")
    async def people(self, request: Request) -> Response:
        session = await in_thread(self.service.authenticator.session, request)
        if session is None:
            return RedirectResponse("/login?next=/people", 303)
        require_county_admin(session.person)
        return await self._people(request)

    @form_at("/people", "Make a link that opens the office's screen")
    async def wall_link(self, request: Request) -> Response:
        """Of the whole county or a town, once for each page that was loaded; the link of before stops. Its token is that of a viewer of its own, whom `person revoke` refuses."""
        form = await read_form(request)
        admin = await in_thread(self.service.authenticator.person_with_form, request, form.get("form_token", ""))
        require_county_admin(admin)
        town = form.get("town", "")
        person = screen_of(town)
        changes = ascii_integer(form.get("links", ""), MAX_LINKS)
        try:
            token = await in_thread(self._new_wall_token, person, admin.name, changes)
        except Conflict:
            return await self._people(request, refusal=WORDS["wall_twice"].in_(language_of(request)))
        return await self._people(request, f"{self.public_address(request)}/wall?token={token}", person.name)

    def _new_wall_token(self, person: Person, by: str, changes: int | None) -> str:
        """The token of before is refused from now on. Raises HttpProblem 404 for an unknown town, Conflict for a form that was sent before."""
        store, now = self.service.store, datetime.now(UTC)
        if person.town and person.town not in {school.town for school in store.schools.all()}:
            raise HttpProblem(404, "No such town", person.town[:MOST_SHOWN_LETTERS])
        token = new_token()
        store.people.put_screen(person, now, by, token_hash(token), -1 if changes is None else changes)
        return token

    async def _people(self, request: Request, wall_link: str = "", wall_name: str = "", refusal: str = "") -> Response:
        """`wall_link` is a link that was just made: it is shown only once."""
        store, zone, now = self.service.store, self.service.config.timezone, datetime.now(UTC)

        def make(page: Page) -> Answer:
            events = store.ledger.events(limit=SHOWN_EVENTS)
            return page.render(
                "people.html",
                409 if refusal else 200,
                links=store.people.screen_changes(),
                refusal=refusal,
                accounts=[
                    (
                        account,
                        page.words("wall") if is_screen(account.person) else account.person.name,
                        account.locked(now),
                    )
                    for account in store.people.all()
                ],
                towns={school.town: school.town_name or school.town for school in store.schools.all()},
                wall_link=wall_link,
                wall_name=wall_name,
                events=[event_words(event, zone, page.language, numbered=True) for event in events],
            )

        return await self.answer(request, make)

    async def _account(self, request: Request, refusal: str, status: int) -> Response:
        session = await in_thread(self.service.authenticator.session, request)
        if session is None:
            return RedirectResponse("/login?next=/account", 303)

        def make(page: Page) -> Answer:
            account = self.service.store.people.named(session.person.name)
            has_password = account is not None and account.password is not None
            return page.render("account.html", status, refusal=refusal, has_password=has_password)

        return await self.answer(request, make)

    def _set_password(self, name: str, old: str, new: str) -> bool:
        """False for a wrong present password, and while the name is locked."""
        people, now = self.service.store.people, datetime.now(UTC)
        account = people.named(name)
        if account is None or account.locked(now):
            return False
        if account.password is not None and not verify(old, account.password):
            self.service.authenticator.count_wrong_password(name, now)
            return False
        return people.set_password(name, hash_of(new), now, name)
