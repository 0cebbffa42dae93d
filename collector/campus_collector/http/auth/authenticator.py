"""Who a request comes from: a session's cookie, a person's token. How a session begins: with a token, a password, or an identity from the OpenID provider."""

import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.requests import HTTPConnection, Request

from campus_collector.domain.people import Account, Person, is_screen
from campus_collector.domain.tokens import bearer, token_hash
from campus_collector.http.auth.passwords import rehash_if_needed, verify
from campus_collector.http.auth.rate_limit import RateLimiter
from campus_collector.http.auth.sessions import COOKIE, Session, Sessions
from campus_collector.http.responses import HttpProblem
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.store import Store

MAX_ATTEMPTS = 10
ATTEMPTS_SECONDS = 300.0
WRONG_PASSWORDS = 5
LOCKED = timedelta(minutes=15)


class Authenticator:
    """The people of one collector, as they are in the store now. `limiter` bounds log-ins by address, the store those by name."""

    def __init__(self, store: Store, folder: Path | None) -> None:
        """`folder` holds the key of the sessions; without one the store does."""
        self._store = store
        self.sessions = Sessions(store, folder)
        self.limiter = RateLimiter(store.attempts, "log-in", MAX_ATTEMPTS, ATTEMPTS_SECONDS)
        self._has_people = True

    def has_people(self) -> bool:
        """Was a person ever added? While the store is away: as last known, and at first True, which refuses."""
        try:
            self._has_people = self._store.people.any()
        except StoreUnavailable:
            pass
        return self._has_people

    def session(self, request: HTTPConnection) -> Session | None:
        """The session of a request's cookie; None without one that goes on, and while the store is away."""
        try:
            return self.sessions.get(request.cookies.get(COOKIE))
        except StoreUnavailable:
            return None

    def person_of_token(self, token: str) -> Person | None:
        """Whose token is this? None while the store is away."""
        try:
            account = self._store.people.of_token(token_hash(token))
        except StoreUnavailable:
            return None
        return account.person if account is not None else None

    def person_with_form(self, request: Request, form_token: str) -> Person:
        """Who sent this form? Raises HttpProblem 401, 403."""
        session = self.session(request)
        if session is None:
            raise HttpProblem(401, "Not logged in", "log in at /login")
        if not hmac.compare_digest(session.form_token.encode(), form_token.encode()):
            raise HttpProblem(403, "Refused", "the form does not belong to this session; open the page again")
        return session.person

    def person_with_token(self, request: Request) -> Person:
        """Whose bearer token came with a request? Raises HttpProblem 401."""
        token = bearer(request.headers.get("authorization"))
        person = self.person_of_token(token) if token else None
        if person is None or is_screen(person):
            detail = "send Authorization: Bearer TOKEN; `campus-collector person add NAME` prints one"
            raise HttpProblem(401, "Token refused", detail, {"WWW-Authenticate": "Bearer"})
        return person

    def log_in_with_token(self, token: str) -> str | None:
        """A new session's cookie; None for a token that is refused. Raises StoreUnavailable."""
        account = self._store.people.of_token(token_hash(token))
        return None if account is not None and is_screen(account.person) else self._log_in(account, "token")

    def log_in_with_password(self, name: str, password: str) -> str | None:
        """The same. A name that is locked, unknown or has no password is refused like a wrong password."""
        account = self._store.people.named(name)
        now = datetime.now(UTC)
        right = verify(password, account.password if account is not None else None)
        if right:  # attempts that were looked at meanwhile may have locked the name
            account = self._store.people.named(name)
        if not right or account is None or account.password is None or account.locked(now):
            self.count_wrong_password(name, now)
            return None
        return self._log_in(account, "password", rehash_if_needed(password, account.password))

    def count_wrong_password(self, name: str, now: datetime) -> None:
        """After some, passwords of that name are refused for a while."""
        self._store.people.failed(name, now, WRONG_PASSWORDS, LOCKED)

    def log_in_with_identity(self, identity: str) -> str | None:
        """The same for a person whom the OpenID provider identified; None for an identity that belongs to no account here."""
        return self._log_in(self._store.people.of_identity(identity), "identity")

    def _log_in(self, account: Account | None, how: str, password: str | None = None) -> str | None:
        if account is None:
            return None
        session_id, cookie = self.sessions.begin(account)
        self._store.people.logged_in(account.person.name, datetime.now(UTC), how, session_id, password)
        return cookie
