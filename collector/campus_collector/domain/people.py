"""People who may log in."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Who may read (viewer), work on the ledger (operator), change the inventory too (admin): everywhere, or in one town."""

    name: str
    role: str
    town: str


SCREEN_PREFIX = "wall:"
"""Names of the office's screens begin with it, and no person's does."""


def screen_of(town: str) -> Person:
    """Who the screen of a town is, or of the county (""): a viewer whose token opens /wall and nothing else."""
    return Person(f"{SCREEN_PREFIX}{town or 'county'}", "viewer", town)


def is_screen(person: Person) -> bool:
    """Is this the link of a screen, and nobody who logs in?"""
    return person.name.startswith(SCREEN_PREFIX)


@dataclass(frozen=True, slots=True)
class Account:
    """A person with what proves them. `generation` grows with every change: sessions of an earlier one have ended."""

    person: Person
    generation: int
    has_token: bool
    password: str | None
    """Its argon2id hash in PHC form."""
    identity: str | None
    failures: int
    locked_until: datetime | None
    revoked_at: datetime | None
    sessions: tuple[str, ...] = ()
    """Ids of those that have not been ended, the newest last."""

    def locked(self, now: datetime) -> bool:
        """Are passwords refused for a while?"""
        return self.locked_until is not None and now < self.locked_until
