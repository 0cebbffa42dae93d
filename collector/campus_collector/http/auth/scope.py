"""What a request may read, as a type, and what a person may change. Which request gets which scope: `middleware`."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from starlette.requests import HTTPConnection

from campus_collector.domain.people import Person
from campus_collector.http.responses import HttpProblem

_KEY = "campus_read_scope"


class Extent(Enum):
    """How much a request may read."""

    COUNTY = "county"
    TOWN = "town"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ReadScope:
    """What a request may read: the whole county, one town, or nothing. `person` None: reading is open, or a program reads."""

    extent: Extent
    own_town: str | None = None
    person: Person | None = None

    @classmethod
    def of_county(cls) -> "ReadScope":
        """Everything, for a reader that is not a person."""
        return cls(Extent.COUNTY)

    @classmethod
    def of_person(cls, person: Person) -> "ReadScope":
        """What this person may read: one town, or the county for a person without a town."""
        if person.town:
            return cls(Extent.TOWN, person.town, person)
        return cls(Extent.COUNTY, None, person)

    @classmethod
    def nothing(cls) -> "ReadScope":
        """Covers no town: for requests that authenticate themselves, and for paths that are open to everybody."""
        return cls(Extent.NOTHING)

    @property
    def town(self) -> str | None:
        """The one town that may be read; None for the whole county. Raises HttpProblem 403 where nothing may be read."""
        if self.extent is Extent.NOTHING:
            raise HttpProblem(403, "Not yours", "this request reads nothing")
        return self.own_town

    def covers(self, town: str) -> bool:
        """May this town's data be read?"""
        return self.extent is Extent.COUNTY or (self.extent is Extent.TOWN and self.own_town == town)

    def restricted_to(self, town: str | None) -> str | None:
        """The town to select when `town` was asked for. Raises HttpProblem 403 for another's."""
        if town and not self.covers(town):
            raise HttpProblem(403, "Not yours", f"you read town {self.town} only")
        return town if self.town is None else self.town


def set_scope(asgi_scope: MutableMapping[str, Any], scope: ReadScope) -> None:
    """Called once for each request, by the auth middleware."""
    asgi_scope[_KEY] = scope


def scope_of(request: HTTPConnection) -> ReadScope:
    """As the auth middleware set it. Raises KeyError for a request that did not pass it."""
    scope: ReadScope = request.scope[_KEY]
    return scope


def require_ledger_editor(person: Person, town: str) -> None:
    """Returns for a person who may change the problems of this town. Raises HttpProblem 403."""
    if person.role == "viewer":
        raise HttpProblem(403, "Not yours", f"{person.name} may read, not change")
    if person.town not in ("", town):
        raise HttpProblem(403, "Not yours", f"{person.name} works on town {person.town} only")


def require_county_admin(person: Person) -> None:
    """Returns for a person who may change the inventory and see who may do what. Raises HttpProblem 403."""
    if person.role != "admin" or person.town:
        raise HttpProblem(403, "Not yours", "only an admin of the whole county may do this")
