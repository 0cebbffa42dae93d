"""Sessions of browsers that logged in: signed cookies, and on each person's row in the store the ids of those that have not been ended.

A session ends with logging out, with time, with any change of what proves its person, and when the person begins too many others. It
outlives a restart of the collector.
"""

import logging
import secrets
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from itsdangerous import BadSignature, Signer, URLSafeTimedSerializer

from campus_base.files import read_or_make
from campus_collector.domain.people import Account, Person
from campus_collector.store.store import Store

log = logging.getLogger(__name__)

COOKIE = "campus_session"
SESSION_SECONDS = 8 * 3600
KEY_FILE = "session.key"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in, with the rights its person has now. `form_token` is in each of its forms, against requests that other sites forge."""

    person: Person
    form_token: str


class NewSession(NamedTuple):
    """A session that begins: its id, for the store, and the browser's cookie."""

    session_id: str
    cookie: str


class Sessions:
    """All of them. `folder` holds the key of the signatures, or the store does: all collectors on a server have the same.

    With the key and the ids in the store cookies can be forged.
    """

    def __init__(self, store: Store, folder: Path | None) -> None:
        self._store = store
        self._key_file = None if folder is None else folder / KEY_FILE
        self._temporary_key = secrets.token_bytes(KEY_BYTES)

    @cached_property
    def _key(self) -> bytes:
        """Read when it is first needed, so that only a process that serves makes it. Raises StoreUnavailable."""
        if self._key_file is None:
            return self._store.shared_keys.get_or_add("session", secrets.token_bytes(KEY_BYTES))
        try:
            return _read_or_make_key(self._key_file)
        except (OSError, ValueError) as error:
            log.error("no key for sessions: they end with this process", extra={"error": str(error)})
            return self._temporary_key

    @cached_property
    def _cookies(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._key, salt="campus-session", signer_kwargs={"key_derivation": "hmac", "digest_method": sha256}
        )

    @cached_property
    def _forms(self) -> Signer:
        return Signer(self._key, salt="campus-form", key_derivation="hmac", digest_method=sha256)

    @cached_property
    def _sign_ins(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._key, salt="campus-sign-in", signer_kwargs={"key_derivation": "hmac", "digest_method": sha256}
        )

    def sign_in_cookie(self, values: tuple[str, ...]) -> str:
        """What a browser brings back from the OpenID provider, signed. Raises StoreUnavailable."""
        return str(self._sign_ins.dumps(values))

    def sign_in_values(self, cookie: str, max_age_seconds: int) -> tuple[str, ...] | None:
        """What was signed, not longer ago than that. Raises StoreUnavailable."""
        try:
            return tuple(map(str, self._sign_ins.loads(cookie, max_age=max_age_seconds)))
        except (BadSignature, ValueError):
            return None

    def begin(self, account: Account) -> NewSession:
        """Raises StoreUnavailable."""
        session_id = secrets.token_urlsafe(12)
        return NewSession(session_id, self._cookies.dumps([account.person.name, account.generation, session_id]))

    def end(self, cookie: str) -> None:
        """The cookie, and every copy of it, is refused from now on. Raises StoreUnavailable."""
        signed = self._signed(cookie)
        if signed is not None:
            name, _, session_id = signed
            self._store.people.end_session(name, session_id)

    def get(self, cookie: str | None) -> Session | None:
        """The session of a cookie, while it goes on. Raises StoreUnavailable."""
        signed = self._signed(cookie) if cookie else None
        if signed is None:
            return None
        name, generation, session_id = signed
        account = self._store.people.named(name)
        if account is None or account.generation != generation or session_id not in account.sessions:
            return None
        return Session(account.person, self._forms.get_signature(session_id).decode())

    def _signed(self, cookie: str) -> tuple[str, int, str] | None:
        """Name, generation and id, as this collector signed them, not too long ago."""
        try:
            name, generation, session_id = self._cookies.loads(cookie, max_age=SESSION_SECONDS)
        except (BadSignature, ValueError):
            return None
        return name, generation, session_id


def _read_or_make_key(path: Path) -> bytes:
    """Raises OSError; ValueError for a file that is no key."""
    key = read_or_make(path, lambda: secrets.token_bytes(KEY_BYTES))
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} holds {len(key)} bytes, not {KEY_BYTES}")
    return key
