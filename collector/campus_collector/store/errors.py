"""Why the database cannot be used, or work on it is not done."""

import errno
import os
from pathlib import Path

from campus_base.language import Language
from campus_base.messages import Message, message, verbatim
from campus_base.system_errors import error_words
from campus_base.terminal import escape_cell


class StoreError(Exception):
    """The database cannot be used; `in_` says why. Reasons that only SQLite or the system gives are the same in both languages."""

    def __init__(self, words: Message | str) -> None:
        """In both languages, or the same in both."""
        text = words if isinstance(words, Message) else verbatim(words)
        super().__init__(text.en)
        self.text = text

    def in_(self, language: Language) -> str:
        """Why, in one language, on one line."""
        return escape_cell(self.text.in_(language))


class StoreUnavailable(StoreError):
    """The database cannot be used now: locked, full, gone. Nothing was stored."""


class CommitUncertain(StoreUnavailable):
    """The connection broke while a commit was under way: it is not known whether anything was stored."""


class NoDatabase(StoreUnavailable):
    """There is no database at this place, and the work needs one."""

    def __init__(self, place: object) -> None:
        """`place` is where the database was looked for: a path, or a URL."""
        super().__init__(message("{path}: there is no database; are --state-dir and --config right?", path=place))


def unavailable(place: object, error: BaseException) -> StoreUnavailable:
    """The database at `place`, in the words of SQLite, of the server or of the system."""
    return StoreUnavailable(message("{path}: {reason}", path=place, reason=error_words(error)))


class ArchiveLost(StoreUnavailable):
    """Results are asked for that have left the database, and the archive of their month cannot be read here."""

    def __init__(self, month: str, why: Message) -> None:
        """`month` as YYYY-MM, and what is wrong with its archive."""
        super().__init__(
            message(
                "the results of {month} have left the database, and their archive is lost: {why}", month=month, why=why
            )
        )
        self.month, self.why = month, why


class StoreBusy(StoreUnavailable):
    """Somebody else does this work now, or the store did not answer in time."""


class StoreUnusable(StoreError):
    """The database cannot be used by this program: newer, damaged, changed migrations. A person must look."""


class Conflict(Exception):
    """Raised by work that must not be done: nothing of it is written, its neighbours in the commit are not touched."""


class NotEnoughSpace(OSError):
    """There is too little room: `needed` and `free` bytes in the folder of `filename`."""

    def __init__(self, folder: Path, needed: int, free: int) -> None:
        super().__init__(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        self.needed, self.free = needed, free
