"""Errors of the spool: one sentence in both languages, with the place and what to do."""

import sqlite3
from pathlib import Path

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.system_errors import error_words

_FULL = message("{place}: the disk is full; free some space: new results cannot be kept, spooled ones are safe")
_FAILED = message("{place}: cannot be used: {reason}")


class SpoolError(Exception):
    """The spool could not do what was asked; nothing that it already holds is lost."""

    def __init__(self, text: Message, **values: object) -> None:
        """`values` fill the placeholders of the text."""
        self.text = text.with_(**values)
        super().__init__(self.text.en)

    def in_(self, language: Language) -> str:
        """The sentence in one language."""
        return self.text.in_(language)


class SpoolFull(SpoolError):
    """There is no space on the disk: this result is not kept."""


class SpoolUnusable(SpoolError):
    """The file or its folder cannot be read or written, or belongs to another version."""


class NoSpool(SpoolUnusable):
    """Nothing was ever spooled here."""


class AlreadyRunning(SpoolError):
    """Another process owns this spool."""


def explained(error: sqlite3.Error | OSError, place: Path) -> SpoolError:
    """An error of SQLite or the system in the words of this file."""
    if _primary_code(error) == sqlite3.SQLITE_FULL:
        return SpoolFull(_FULL, place=place)
    return SpoolUnusable(_FAILED, place=place, reason=error_words(error))


_OUT_OF_REACH = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOLFS,
    }
)
"""What the system around the file refuses (https://sqlite.org/rescode.html); everything else is said of its content."""


def is_damage(error: Exception) -> bool:
    """Does this error say that the file's content is broken, for certain?"""
    return _primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def may_be_damage(error: Exception) -> bool:
    """Can broken content be the cause: a column that is gone, text that is no text, a value of another type?

    Our own statements are right, as tests show; what they meet in a sound file is a refusal of the system or a closed connection.
    """
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError | SpoolError):
        return False
    if isinstance(error, sqlite3.Error):
        return _primary_code(error) not in _OUT_OF_REACH
    return isinstance(error, ValueError | LookupError | TypeError | OverflowError)


def _primary_code(error: BaseException) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None
