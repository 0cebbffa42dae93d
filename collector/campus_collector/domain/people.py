"""People who may log in."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Who may read (viewer), work on the ledger (operator), change the inventory too (admin): everywhere, or in one town."""

    name: str
    role: str
    town: str


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
