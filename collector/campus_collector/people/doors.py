"""Logging in: by a token, by name and password, by an identity that an OpenID provider vouches for. Guesses are bounded by address and by name."""

import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from time import monotonic

from campus_collector.http import HttpProblem
from campus_collector.ingest.tokens import token_hash
from campus_collector.people.passwords import fits, stronger
from campus_collector.people.sessions import Sessions
from campus_collector.store.interface import Store
from campus_collector.store.people import Account

MAX_ATTEMPTS = 10
ATTEMPTS_SECONDS = 300.0
MAX_ADDRESSES = 10_000
WRONG_PASSWORDS = 5
LOCKED = timedelta(minutes=15)


class Doors:
    """Each way in ends in a session, or in nothing that says why."""

    def __init__(self, store: Store, sessions: Sessions) -> None:
        """No attempts yet."""
        self._store = store
        self._sessions = sessions
        self._lock = threading.Lock()
        self._attempts: OrderedDict[str, list[float]] = OrderedDict()

    def by_token(self, token: str, address: str) -> str | None:
        """A new session's id; None for a token that is refused. Raises HttpProblem 429, StoreUnavailable."""
        self.patience(address)
        return self._begin(self._store.people.of_token(token_hash(token)), address, "token")

    def by_password(self, name: str, password: str, address: str) -> str | None:
        """The same for a name and its password. A name that is locked out, unknown or without a password is told like a wrong password."""
        self.patience(address)
        account = self._store.people.named(name)
        now = datetime.now(UTC)
        well = fits(password, account.password if account is not None else None)
        if not well or account is None or account.password is None or account.locked(now):
            self.wrong_password(name, now)
            return self._begin(None, address, "")
        return self._begin(account, address, "password", stronger(password, account.password))

    def wrong_password(self, name: str, now: datetime) -> None:
        """Counted; after some, passwords of that name are refused for a while."""
        self._store.people.failed(name, now, WRONG_PASSWORDS, LOCKED)

    def by_identity(self, identity: str, address: str) -> str | None:
        """The same for somebody whom the OpenID provider has vouched for: only who is known here."""
        return self._begin(self._store.people.of_identity(identity), address, "identity")

    def refused(self, address: str) -> None:
        """Count an attempt that failed."""
        with self._lock:
            self._attempts[address] = [*self._recent(address), monotonic()]
            self._attempts.move_to_end(address)
            while len(self._attempts) > MAX_ADDRESSES:
                self._attempts.popitem(last=False)

    def patience(self, address: str) -> None:
        """Raises HttpProblem 429 after too many of them."""
        with self._lock:
            if len(self._recent(address)) >= MAX_ATTEMPTS:
                headers = {"Retry-After": str(int(ATTEMPTS_SECONDS))}
                raise HttpProblem(429, "Too many attempts", "wait some minutes before you log in again", headers)

    def _begin(self, account: Account | None, address: str, how: str, password: str | None = None) -> str | None:
        if account is None:
            self.refused(address)
            return None
        with self._lock:
            self._attempts.pop(address, None)
        self._store.people.logged_in(account.person.name, datetime.now(UTC), how, password)
        return self._sessions.begin(account)

    def _recent(self, address: str) -> list[float]:
        now = monotonic()
        return [at for at in self._attempts.get(address, []) if now - at < ATTEMPTS_SECONDS]
