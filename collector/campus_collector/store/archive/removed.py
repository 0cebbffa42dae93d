"""Results that have left the database, read from the archives of their months in the form in which the database keeps them.

Who reads results reads the database first and then what this gives: months that are leaving stand in both, and each result counts once, by its
place in the school's chain. What an archive does not prove is not given: its manifest must be the recorded one, its files those of the manifest.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import file_digest
from pathlib import Path

from campus_base.messages import message
from campus_base.system_errors import error_words
from campus_collector.domain.archive import RemovedMonth
from campus_collector.store.archive.errors import ArchiveDamaged, ArchiveError
from campus_collector.store.archive.format import MANIFEST, ArchivedChain, Manifest, folder_name, hash_of, results_file
from campus_collector.store.archive.read import ArchivedMonth
from campus_collector.store.errors import ArchiveLost
from campus_collector.store.packing import pack
from campus_collector.store.tables.archives import ArchiveTable, MonthRow

KEPT_SCHOOLS = 4
"""So many months of a school are remembered: 2 to 3 MB each."""
_COLUMNS = "kind, subject, epoch_us(started_at), sequence, raw"


@dataclass(frozen=True)
class ArchivedSchool:
    """A school's results of a month, by kind, subject, time and place in the chain."""

    rows: Sequence[MonthRow]

    @cached_property
    def by_series(self) -> dict[tuple[str, str], list[MonthRow]]:
        """By subject and kind."""
        series: dict[tuple[str, str], list[MonthRow]] = {}
        for row in self.rows:
            series.setdefault((row.subject, row.kind), []).append(row)
        return series

    @cached_property
    def by_place(self) -> dict[int, MonthRow]:
        """By the place in the school's chain."""
        return {row.sequence: row for row in self.rows}


@dataclass
class _OpenMonth:
    """An archive whose manifest is the recorded one."""

    archive: ArchivedMonth
    manifest: Manifest
    chains: dict[str, ArchivedChain]
    whole_files: set[tuple[str, int, int]] = field(default_factory=set)
    """Path, size and time of change of files that were compared with the manifest."""


class ArchivedResults:
    """Reads from any thread. Every method may raise ArchiveLost and StoreUnavailable."""

    def __init__(self, table: ArchiveTable, directory: Path | None) -> None:
        """`directory`: the folder of archives; None where it is not known: then what has left the database cannot be read."""
        self._table, self._directory = table, directory
        self._reading = threading.Lock()
        self._open: dict[str, _OpenMonth] = {}
        self._schools: OrderedDict[tuple[str, str], ArchivedSchool] = OrderedDict()

    def months(self, start: int, end: int) -> list[RemovedMonth]:
        """Those that have results of start <= started_at < end (microseconds since 1970) outside the database, newest first."""
        return [month for month in self._table.removed() if month.starts_at < end and start < month.ends_at]

    def of_school(self, month: RemovedMonth, school: str) -> ArchivedSchool:
        """A school's results of a month; none where the school had none."""
        with self._reading:
            opened = self._opened(month.month)
            _must_be_whole(opened, month.month, school)
            key = (f"{month.month}/{opened.manifest.sha256}", school)
            known = self._schools.get(key)
            if known is None:
                known = self._schools[key] = self._read(opened, month.month, school)
            self._schools.move_to_end(key)
            while len(self._schools) > KEPT_SCHOOLS:
                self._schools.popitem(last=False)
            return known

    def chain(self, month: RemovedMonth, school: str) -> ArchivedChain | None:
        """Which places of a school's chain a month has; None: none."""
        with self._reading:
            return self._opened(month.month).chains.get(school)

    def must_be_whole(self, month: RemovedMonth) -> None:
        """Compare every file of a month with its manifest, also those that readers do not need. Raises ArchiveLost."""
        with self._reading:
            opened = self._opened(month.month)
            opened.whole_files.clear()
            try:
                for path in opened.manifest.files:
                    _must_be_as_archived(opened, path)
            except ArchiveDamaged as error:
                raise _lost(month.month, error) from None

    def rows(self, school: str, subject: str | None, kind: str | None, start: int, end: int) -> Iterator[MonthRow]:
        """Of one or all subjects and kinds, with start <= started_at < end, month by month, the newest month first."""
        for month in self.months(start, end):
            by_series = self.of_school(month, school).by_series
            for (of_subject, of_kind), rows in by_series.items():
                if subject in (None, of_subject) and kind in (None, of_kind):
                    yield from (row for row in rows if start <= row.started_at < end)

    def places(self, school: str) -> "ArchivedPlaces":
        """What stands at the places of a school's chain."""
        return ArchivedPlaces(self, school)

    def _opened(self, month: str) -> _OpenMonth:
        """Read anew when the manifest's file was changed or taken away. Raises ArchiveLost."""
        if self._directory is None:
            raise ArchiveLost(month, message("the folder of archives is not known"))
        archive = ArchivedMonth(self._directory / folder_name(month))
        manifest_file = archive.folder / MANIFEST
        try:
            changed_at = manifest_file.stat().st_mtime_ns
        except OSError as error:
            raise _lost(month, ArchiveDamaged(manifest_file, error_words(error))) from None
        known = self._open.get(f"{month}/{changed_at}")
        if known is not None:
            return known
        record = self._table.records().get(month)
        try:
            manifest = archive.manifest
        except ArchiveDamaged as error:
            raise _lost(month, error) from None
        if record is None or manifest.sha256 != record.manifest_sha256 or hash_of(manifest) != manifest.sha256:
            words = message("is not the one that was recorded when the month was archived")
            raise _lost(month, ArchiveDamaged(manifest_file, words))
        opened = _OpenMonth(archive, manifest, {chain.school: chain for chain in manifest.heads})
        self._open[f"{month}/{changed_at}"] = opened
        return opened

    def _read(self, opened: _OpenMonth, month: str, school: str) -> ArchivedSchool:
        chain = opened.chains.get(school)
        if chain is None:
            return ArchivedSchool(())
        try:
            read = opened.archive.rows(chain.town, _COLUMNS, "school = $school", school=school)
            rows = [MonthRow(kind, subject, at, place, pack(kind, raw)) for kind, subject, at, place, raw in read]
        except ArchiveError as error:
            raise _lost(month, error) from None
        return ArchivedSchool(rows)


class ArchivedPlaces:
    """What stands at the places of one school's chain that have left the database."""

    def __init__(self, archived: ArchivedResults, school: str) -> None:
        self._archived, self._school = archived, school
        self._lost: ArchiveLost | None = None
        self._months: list[tuple[RemovedMonth, ArchivedChain]] | None = None
        self._unreadable: dict[str, ArchiveLost] = {}

    def at(self, place: int) -> MonthRow | None:
        """The result at a place; None: no archive has it. Raises ArchiveLost where the archive that may have it is lost."""
        lost = None
        for month, chain in self._ranges():
            # places below 1 are older than the chain, in whatever month
            if place >= 1 and not chain.first_sequence <= place <= chain.last_sequence:
                continue
            if month.month in self._unreadable:
                lost = lost or self._unreadable[month.month]
                continue
            try:
                row = self._archived.of_school(month, self._school).by_place.get(place)
            except ArchiveLost as error:
                lost = self._unreadable[month.month] = error
                continue
            if row is not None:
                return row
        lost = lost or self._lost
        if lost is not None:
            raise lost
        return None

    def _ranges(self) -> list[tuple[RemovedMonth, ArchivedChain]]:
        if self._months is None:
            self._months = []
            for month in self._archived.months(-(2**62), 2**62):
                try:
                    chain = self._archived.chain(month, self._school)
                except ArchiveLost as error:  # which places it has is not known
                    self._lost = self._lost or error
                    continue
                if chain is not None:
                    self._months.append((month, chain))
        return self._months


def _must_be_whole(opened: _OpenMonth, month: str, school: str) -> None:
    """Raises ArchiveLost where a school's file is gone or is not the manifest's, also when its results are remembered."""
    chain = opened.chains.get(school)
    if chain is None:
        return
    try:
        _must_be_as_archived(opened, results_file(chain.town))
    except ArchiveDamaged as error:
        raise _lost(month, error) from None


def _lost(month: str, error: ArchiveError) -> ArchiveLost:
    """Without the place of the folder: every reader of a page or an answer may be given the words."""
    return ArchiveLost(month, error.words_below(folder_name(month)))


def _must_be_as_archived(opened: _OpenMonth, path: str) -> None:
    """Raises ArchiveDamaged for a file that is not the manifest's; `path` is within the month's folder."""
    file = opened.archive.folder / path
    try:
        status = file.stat()
        state = (str(file), status.st_size, status.st_mtime_ns)
        if state in opened.whole_files:
            return
        with file.open("rb") as body:
            digest = file_digest(body, "sha256").hexdigest()
    except OSError as error:
        raise ArchiveDamaged(file, error_words(error)) from None
    archived = opened.manifest.files.get(path)
    if archived is None or archived.sha256 != digest:
        raise ArchiveDamaged(file, message("is not the file that was archived: its SHA-256 is another"))
    opened.whole_files.add(state)
