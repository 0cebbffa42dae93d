"""Who is asking? Whoever logged in, or brings a token; what they may read and change."""

import hmac
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection, Request

from campus_collector.domain.records import Person
from campus_collector.domain.tokens import bearer, token_hash
from campus_collector.http.auth.login import Doors
from campus_collector.http.auth.sessions import COOKIE, Session, Sessions
from campus_collector.http.responses import HttpProblem
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.interface import Store

ROLES = ("viewer", "operator", "admin")
_REACH = "campus_reach"


class People:
    """One collector's people: who they are now."""

    def __init__(self, store: Store) -> None:
        """Nobody is logged in."""
        self._store = store
        self.sessions = Sessions(store)
        self.doors = Doors(store, self.sessions)
        self._configured = True

    def configured(self) -> bool:
        """Is anybody known who may log in? While the store is away: what was last known, and at first yes, which closes."""
        try:
            self._configured = self._store.people.any()
        except StoreUnavailable:
            pass
        return self._configured

    def session(self, name: str | None) -> Session | None:
        """A session that goes on; None while the store is away."""
        try:
            return self.sessions.get(name)
        except StoreUnavailable:
            return None

    def bearing(self, token: str) -> Person | None:
        """Whose token is this? None while the store is away."""
        try:
            account = self._store.people.of_token(token_hash(token))
        except StoreUnavailable:
            return None
        return account.person if account is not None else None

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
        person = self.bearing(token) if token else None
        if person is None:
            detail = "send Authorization: Bearer TOKEN; `campus-collector person add NAME` prints one"
            raise HttpProblem(401, "Token refused", detail, {"WWW-Authenticate": "Bearer"})
        return person


@dataclass(frozen=True, slots=True)
class Reach:
    """What a reader may see: one town, or with "" everything. `person` None: reading is open, or a program reads."""

    town: str = ""
    person: Person | None = None

    def covers(self, town: str) -> bool:
        """Is this town's data theirs to read?"""
        return self.town in ("", town)

    def narrowed(self, town: str | None) -> str | None:
        """The town to select when `town` was asked for. Raises HttpProblem 403 for another's."""
        if town and not self.covers(town):
            raise HttpProblem(403, "Not yours", f"you read town {self.town} only")
        return self.town or town


def give_reach(scope: MutableMapping[str, Any], reach: Reach) -> None:
    """Said once, at the gate."""
    scope[_REACH] = reach


def reach_of(request: HTTPConnection) -> Reach:
    """Said by the gate; a request that did not come through one has none, and sees nothing."""
    reach: Reach = request.scope[_REACH]
    return reach


def may_work(person: Person, town: str) -> None:
    """May this person change a problem of this town? Raises HttpProblem 403."""
    if person.role == "viewer":
        raise HttpProblem(403, "Not yours", f"{person.name} may read, not change")
    if person.town not in ("", town):
        raise HttpProblem(403, "Not yours", f"{person.name} works on town {person.town} only")


def may_govern(person: Person) -> None:
    """May this person change the inventory and see who may do what? Raises HttpProblem 403."""
    if person.role != "admin" or person.town:
        raise HttpProblem(403, "Not yours", "only an admin of the whole county may do this")
