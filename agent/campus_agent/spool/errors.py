"""Why could the spool not do it? One sentence in both languages, with the place and what to do."""

import sqlite3
from pathlib import Path

from campus_wire.language import Language, Text

_FULL = Text(
    "{place}: the disk is full; free some space: new results cannot be kept, spooled ones are safe",
    "{place}：磁盘已满；请清理空间：新的测量结果无法保存，已留存的结果不受影响",
)
_FAILED = Text("{place}: cannot be used: {reason}", "{place}：无法使用：{reason}")


class SpoolError(Exception):
    """The spool could not do what was asked; nothing that it already holds is lost."""

    def __init__(self, text: Text, **values: object) -> None:
        """`values` fill the placeholders of the text."""
        self.text = text
        self.values = values
        super().__init__(self.in_("en"))

    def in_(self, language: Language) -> str:
        """The sentence in one language."""
        return self.text.in_(language, **self.values)


class SpoolFull(SpoolError):
    """There is no room on the disk: this result is not kept."""


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
    reason = getattr(error, "strerror", None) or str(error)
    return SpoolUnusable(_FAILED, place=place, reason=reason)


def is_damage(error: sqlite3.Error) -> bool:
    """Does this error say that the file's content is broken, not merely out of reach?"""
    return _primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _primary_code(error: BaseException) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None
