"""Sessions of browsers that logged in. They live in memory and end with the process, with time, and with any change of what proved their person."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from time import monotonic

from campus_collector.domain.records import Person
from campus_collector.store.interface import Store
from campus_collector.store.people import Account

COOKIE = "campus_session"
SESSION_SECONDS = 8 * 3600
MAX_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in, with the rights its person has now. `form_token` is in each of its forms, against requests that other sites forge."""

    person: Person
    generation: int
    form_token: str
    ends_at: float


class Sessions:
    """All of them."""

    def __init__(self, store: Store) -> None:
        """Nobody is logged in."""
        self._store = store
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self, account: Account) -> str:
        """A new session's id: 256 random bits."""
        name = secrets.token_urlsafe(32)
        ends = monotonic() + SESSION_SECONDS
        session = Session(account.person, account.generation, secrets.token_urlsafe(32), ends)
        with self._lock:
            self._sessions[name] = session
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return name

    def end(self, name: str) -> None:
        """Log out."""
        with self._lock:
            self._sessions.pop(name, None)

    def get(self, name: str | None) -> Session | None:
        """One that goes on. Raises StoreUnavailable."""
        with self._lock:
            session = self._sessions.get(name or "")
        if session is None or monotonic() > session.ends_at:
            return None
        account = self._store.people.named(session.person.name)
        if account is None or account.generation != session.generation:
            return None
        return replace(session, person=account.person)
