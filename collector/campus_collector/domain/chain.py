"""The chain of a school's results, and what shows that results are missing from it."""

from dataclasses import dataclass
from datetime import datetime

from campus_collector.domain.archive import LostArchive


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a school's chain after the last result that came on a day (UTC, since 1970)."""

    school: str
    day: int
    last_sequence: int
    head: bytes


@dataclass(frozen=True, slots=True)
class ReceiptMismatch:
    """A gateway had a receipt for another head than the school's chain has: noticed when, and how far the chain reached then."""

    school: str
    sequence: int
    head: bytes
    noticed_at: datetime
    our_sequence: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """A place in a school's chain, and the bytes that are stored for it; None when the result is missing, or `damage` says why it cannot be read.

    `filed`: under which subject, kind and time (microseconds since 1970) the result is found by everybody else.
    """

    sequence: int
    id: str
    raw: bytes | None
    damage: str = ""
    filed: tuple[str, str, int] | None = None
    lost: LostArchive | None = None
    """The archive that may hold the result and could not be read."""


@dataclass(frozen=True, slots=True)
class MissingLog:
    """The database was found without its -wal file; `unconfirmed` schools have not shown by a receipt that no result is missing."""

    noticed_at: datetime
    unconfirmed: tuple[str, ...]
