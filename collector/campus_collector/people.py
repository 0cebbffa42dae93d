"""Who is changing something? A person's bearer token (RFC 6750), or the session of a browser that logged in with it.

Sessions live in memory and end with the process. Forms carry a token of their session against forged requests; attempts to log in are
bounded by address.
"""

import hmac
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request

from campus_collector.http import HttpProblem
from campus_collector.ingest.tokens import bearer, token_hash
from campus_collector.store.interface import Person, Store, StoreUnavailable

COOKIE = "campus_session"
SESSION_SECONDS = 8 * 3600
MAX_SESSIONS = 1000
MAX_ATTEMPTS = 10
ATTEMPTS_SECONDS = 300.0
MAX_ADDRESSES = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in."""

    person: Person
    token: bytes
    form_token: str
    ends_at: float


class People:
    """Tokens, sessions, and attempts."""

    def __init__(self, store: Store) -> None:
        """Nobody is logged in."""
        self._store = store
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._attempts: OrderedDict[str, list[float]] = OrderedDict()

    def log_in(self, token: str, address: str) -> str | None:
        """A new session's id; None for a token that is refused. Raises HttpProblem 429 after too many attempts."""
        now = monotonic()
        with self._lock:
            recent = [at for at in self._attempts.get(address, []) if now - at < ATTEMPTS_SECONDS]
            if len(recent) >= MAX_ATTEMPTS:
                headers = {"Retry-After": str(int(ATTEMPTS_SECONDS))}
                raise HttpProblem(429, "Too many attempts", "wait some minutes before you log in again", headers)
        person = self._store.ledger.person(token_hash(token))
        with self._lock:
            if person is None:
                self._attempts[address] = [*recent, now]
                self._attempts.move_to_end(address)
                while len(self._attempts) > MAX_ADDRESSES:
                    self._attempts.popitem(last=False)
                return None
            self._attempts.pop(address, None)
            name = secrets.token_urlsafe(32)
            self._sessions[name] = Session(person, token_hash(token), secrets.token_urlsafe(32), now + SESSION_SECONDS)
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
            return name

    def log_out(self, name: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(name, None)

    def session(self, name: str | None) -> Session | None:
        """A session that goes on; it ends when its person's token is revoked."""
        with self._lock:
            found = self._sessions.get(name or "")
        if found is None or monotonic() > found.ends_at or self._store.ledger.person(found.token) != found.person:
            return None
        return found

    def knows(self, token: bytes) -> bool:
        """Is this the hash of a person's token? False when the store is away."""
        try:
            return self._store.ledger.person(token) is not None
        except StoreUnavailable:
            return False

    def of_form(self, request: Request, form_token: str) -> Person:
        """Who sent this form? Raises HttpProblem 401, 403."""
        session = self.session(request.cookies.get(COOKIE))
        if session is None:
            raise HttpProblem(401, "Not logged in", "log in at /login")
        if not hmac.compare_digest(session.form_token.encode(), form_token.encode()):
            raise HttpProblem(403, "Refused", "the form does not belong to this session; open the page again")
        return session.person

    def of_token(self, request: Request) -> Person:
        """Whose bearer token came with a request? Raises HttpProblem 401."""
        token = bearer(request.headers.get("authorization"))
        person = self._store.ledger.person(token_hash(token)) if token else None
        if person is None:
            detail = "send Authorization: Bearer TOKEN; `campus-collector person add NAME` prints one"
            raise HttpProblem(401, "Token refused", detail, {"WWW-Authenticate": "Bearer"})
        return person


def may_work(person: Person, town: str) -> None:
    """May this person change a problem of this town? Raises HttpProblem 403."""
    if person.town not in ("", town):
        raise HttpProblem(403, "Not yours", f"{person.name} works on town {person.town} only")


def may_import(person: Person) -> None:
    """May this person change the inventory? Raises HttpProblem 403."""
    if person.role != "admin" or person.town:
        raise HttpProblem(403, "Not yours", "only an admin of the whole county imports the inventory")
