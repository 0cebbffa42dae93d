"""Reads the archive of a month from its files; no database is needed."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from campus_base.messages import message, verbatim
from campus_base.system_errors import error_words
from campus_collector.store.archive.duck import literal, reading
from campus_collector.store.archive.errors import ArchiveDamaged
from campus_collector.store.archive.format import (
    CONTEXT,
    FORMAT,
    LINKS,
    MANIFEST,
    Context,
    Manifest,
    folder_name,
    results_file,
    town_of,
)

ROWS_AT_ONCE = 4096
Record = TypeVar("Record", Manifest, Context)


def archived_months(directory: Path) -> "list[ArchivedMonth]":
    """The archives in a folder, oldest first. A folder without a manifest is none: it was never finished. Raises ArchiveDamaged."""
    try:
        folders = sorted(directory.glob(folder_name("[0-9][0-9][0-9][0-9]-[0-9][0-9]")))
    except OSError as error:
        raise ArchiveDamaged(directory, error_words(error)) from None
    return [ArchivedMonth(folder) for folder in folders if (folder / MANIFEST).exists()]


class ArchivedMonth:
    """The archive of one month. Every method may raise ArchiveDamaged and DuckdbMissing."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the month, `DIR/month=YYYY-MM`. Reads nothing yet."""
        self.folder = folder

    @property
    def month(self) -> str:
        """As YYYY-MM, by the folder's name."""
        return self.folder.name.partition("=")[2]

    @cached_property
    def manifest(self) -> Manifest:
        """What the archive holds. Of a newer format: ArchiveDamaged."""
        manifest = self._record(MANIFEST, Manifest)
        if manifest.format > FORMAT:
            words = message(
                "has the format {format}; this program reads up to {known}", format=manifest.format, known=FORMAT
            )
            raise ArchiveDamaged(self.folder / MANIFEST, words)
        return manifest

    @cached_property
    def context(self) -> Context:
        """What judging needs beside the results."""
        return self._record(CONTEXT, Context)

    def partitions(self) -> list[str]:
        """The towns that have results, in order; "" for schools without a town."""
        towns = (town_of(path) for path in self.manifest.files)
        return sorted(town for town in towns if town is not None)

    def file_of(self, town: str) -> Path:
        """The file of a town's results."""
        return self.folder / results_file(town)

    def results(self, town: str, school: str | None = None) -> Iterator[tuple[str, int, bytes]]:
        """(school, sequence, bytes as they came) of a town's results, or of one school of it, by school, kind, subject and time."""
        yield from self.rows(town, "school, sequence, raw", "school = $school" if school else "", school=school)

    def columns(self, town: str) -> set[str]:
        """Those that a town's file has: files of older versions lack some."""
        file = self.file_of(town)
        with reading(file) as database:
            query = "DESCRIBE SELECT * FROM read_parquet($file, hive_partitioning = false)"
            return {row[0] for row in database.execute(query, {"file": literal(file)}).fetchall()}

    def rows(self, town: str, columns: str, condition: str = "", **values: object) -> Iterator[Any]:
        """Some columns of a town's results that meet a condition, in the file's order. `condition` is SQL with `$name` for `values`."""
        file = self.file_of(town)
        where = f" WHERE {condition}" if condition else ""
        with reading(file) as database:
            database.execute(
                f"SELECT {columns} FROM read_parquet($file, hive_partitioning = false){where}",  # noqa: S608
                {"file": literal(file)} | {name: value for name, value in values.items() if value is not None},
            )
            while rows := database.fetchmany(ROWS_AT_ONCE):
                yield from rows

    def links(self) -> Iterator[tuple[str, int, bytes]]:
        """(school, sequence, SHA-256) of the places between a school's first and last of the month that are of other months."""
        file = self.folder / LINKS
        try:
            with gzip.open(file, "rt", encoding="ascii", newline="") as lines:
                for school, sequence, digest in csv.reader(lines):
                    if school != "school":
                        yield school, int(sequence), bytes.fromhex(digest)
        except OSError as error:
            raise ArchiveDamaged(file, error_words(error)) from None
        except (EOFError, ValueError, zlib.error, csv.Error) as error:
            raise ArchiveDamaged(file, message("cannot be read: {why}", why=verbatim(str(error)))) from None

    def _record(self, name: str, kind: type[Record]) -> Record:
        file = self.folder / name
        try:
            return msgspec.json.decode(file.read_bytes(), type=kind)
        except OSError as error:
            raise ArchiveDamaged(file, error_words(error)) from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ArchiveDamaged(file, message("cannot be read: {why}", why=verbatim(str(error)))) from None
