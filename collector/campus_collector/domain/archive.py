"""What the store keeps of each archive: proof that a month was archived, and what the archive's manifest was."""

from dataclasses import dataclass
from datetime import datetime

from campus_base.messages import Message


@dataclass(frozen=True, slots=True)
class RemovedMonth:
    """A month whose archived results leave the database, or have left it: then `is_finished`.

    `starts_at` and `ends_at` are microseconds since 1970; `results` is how many have left.
    """

    month: str
    starts_at: int
    ends_at: int
    is_finished: bool
    results: int


@dataclass(frozen=True, slots=True)
class LostArchive:
    """A month that left the database and whose archive could not be read: `words` say why."""

    month: str
    words: Message


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """A month that was archived in the folder of archives, and read back."""

    month: str
    archived_at: datetime
    manifest_sha256: str
    results: int
    schools: int
