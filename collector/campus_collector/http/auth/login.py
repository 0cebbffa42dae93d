"""Logging in: by a token, by name and password, by an identity that an OpenID provider vouches for. Guesses are bounded by address and by name."""

from datetime import UTC, datetime, timedelta

from campus_collector.domain.tokens import token_hash
from campus_collector.http.auth.passwords import fits, stronger
from campus_collector.http.auth.rate_limit import RateLimiter
from campus_collector.http.auth.sessions import Sessions
from campus_collector.store.interface import Store
from campus_collector.store.people import Account

MAX_ATTEMPTS = 10
ATTEMPTS_SECONDS = 300.0
WRONG_PASSWORDS = 5
LOCKED = timedelta(minutes=15)


class Doors:
    """Each way in ends in a session, or in nothing that says why."""

    def __init__(self, store: Store, sessions: Sessions) -> None:
        """No attempts yet."""
        self._store = store
        self._sessions = sessions
        self.limiter = RateLimiter(MAX_ATTEMPTS, ATTEMPTS_SECONDS)

    def by_token(self, token: str) -> str | None:
        """A new session's id; None for a token that is refused; the try was counted by `limiter`. Raises StoreUnavailable."""
        return self._begin(self._store.people.of_token(token_hash(token)), "token")

    def by_password(self, name: str, password: str) -> str | None:
        """The same for a name and its password. A name that is locked out, unknown or without a password is told like a wrong password."""
        account = self._store.people.named(name)
        now = datetime.now(UTC)
        well = fits(password, account.password if account is not None else None)
        if well:  # tries that were looked at meanwhile may have closed the name
            account = self._store.people.named(name)
        if not well or account is None or account.password is None or account.locked(now):
            self.wrong_password(name, now)
            return None
        return self._begin(account, "password", stronger(password, account.password))

    def wrong_password(self, name: str, now: datetime) -> None:
        """Counted; after some, passwords of that name are refused for a while."""
        self._store.people.failed(name, now, WRONG_PASSWORDS, LOCKED)

    def by_identity(self, identity: str) -> str | None:
        """The same for somebody whom the OpenID provider has vouched for: only who is known here."""
        return self._begin(self._store.people.of_identity(identity), "identity")

    def _begin(self, account: Account | None, how: str, password: str | None = None) -> str | None:
        if account is None:
            return None
        self._store.people.logged_in(account.person.name, datetime.now(UTC), how, password)
        return self._sessions.begin(account)
