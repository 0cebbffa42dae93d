"""Why an archive cannot be used."""

from pathlib import Path

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.terminal import escape_cell


class ArchiveError(Exception):
    """An archive cannot be read or written; the database is not at fault. `in_` says why."""

    def __init__(self, text: Message) -> None:
        super().__init__(text.en)
        self.text = text

    def in_(self, language: Language) -> str:
        """Why, in one language, on one line."""
        return escape_cell(self.text.in_(language))

    def words_below(self, folder: str) -> Message:
        """The same without the path of anything above the folder of that name."""
        return self.text


class ArchiveDamaged(ArchiveError):
    """A file of an archive is missing, cannot be read, or is not what the manifest says; `file` is which."""

    def __init__(self, file: Path, words: Message) -> None:
        super().__init__(message("{file}: {words}", file=file, words=words))
        self.file = file
        self.words = words

    def words_below(self, folder: str) -> Message:
        """The same without the path of anything above the folder of that name."""
        _, found, below = str(self.file).rpartition(f"/{folder}/")
        place = f"{folder}/{below}" if found else self.file.name
        is_safe = str(self.file.parent) not in self.words.en  # DuckDB's reasons may hold the path
        return message("{file}: {words}", file=place, words=self.words if is_safe else message("cannot be read"))


class DuckdbMissing(ArchiveError):
    """Archives are read and written by DuckDB, and it is not installed."""

    def __init__(self) -> None:
        super().__init__(message("archives need DuckDB: pip install 'campusmeter[archive]'"))
