"""What a request may read, and what a person may change."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from campus_collector.domain.people import Person
from campus_collector.http.responses import HttpProblem

_KEY = "campus_read_scope"


@dataclass(frozen=True, slots=True)
class ReadScope:
    """What a request may read: the data of one town, or with "" everything. `person` None: reading is open, or a program reads."""

    town: str = ""
    person: Person | None = None

    def covers(self, town: str) -> bool:
        """May this town's data be read?"""
        return self.town in ("", town)

    def restricted_to(self, town: str | None) -> str | None:
        """The town to select when `town` was asked for. Raises HttpProblem 403 for another's."""
        if town and not self.covers(town):
            raise HttpProblem(403, "Not yours", f"you read town {self.town} only")
        return self.town or town


NOTHING = ReadScope(town="-")
"""No town has this id."""


def set_scope(asgi_scope: MutableMapping[str, Any], scope: ReadScope) -> None:
    """Called once for each request, by the auth middleware."""
    asgi_scope[_KEY] = scope


def scope_of(request: HTTPConnection) -> ReadScope:
    """As the auth middleware set it. Raises KeyError for a request that did not pass it."""
    scope: ReadScope = request.scope[_KEY]
    return scope


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
