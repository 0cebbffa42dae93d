"""The archives of one collector: which closed months have one, and making those that are missing."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from zoneinfo import ZoneInfo

from campus_base.messages import Message, message, verbatim
from campus_collector.archive.chains import Digests
from campus_collector.archive.check import archives_below, verify_archives
from campus_collector.archive.errors import NotArchived
from campus_collector.archive.removal import Removal
from campus_collector.archive.write import ArchiveWriter, Progress
from campus_collector.domain.archive import ArchiveRecord
from campus_collector.domain.problem import CONSOLE, MEASUREMENTS
from campus_collector.judge.month import Month, parse_month
from campus_collector.judge.policy import Policy
from campus_collector.store.archive.duck import has_duckdb
from campus_collector.store.archive.errors import ArchiveDamaged
from campus_collector.store.archive.format import MANIFEST, Manifest, folder_name
from campus_collector.store.archive.read import ArchivedMonth
from campus_collector.store.errors import StoreBusy, StoreUnavailable
from campus_collector.store.leases import Lease
from campus_collector.store.packing import unpack
from campus_collector.store.store import Store

RENEW_SECONDS = 5.0
log = logging.getLogger(__name__)
LEASE = "archive"
"""The name of the lease of the process that archives."""


@contextmanager
def _renewed(lease: Lease) -> Iterator[None]:
    """Keep a lease while a town is written or read back, each of which may take longer. Raises StoreBusy at the end, where it was lost."""
    ended, lost = Event(), list[StoreBusy]()

    def renew() -> None:
        while not lost and not ended.wait(RENEW_SECONDS):
            try:
                lease.renew()
            except StoreBusy as error:
                lost.append(error)
            except StoreUnavailable:
                log.warning("the lease could not be renewed; it is tried again")

    thread = Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if lost:
        raise lost[0]


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """A closed month as the list of archives shows it. `state`: archived, waiting (it has none yet), elsewhere (not on this machine), lost
    (`words` say how).

    `manifest` is that of the files, where it can be read.
    """

    month: str
    state: str
    record: ArchiveRecord | None = None
    manifest: Manifest | None = None
    words: Message | None = None
    has_left: bool = False
    """Does the database no longer hold all of its results?"""


@dataclass(frozen=True, slots=True)
class TakenArchive:
    """A month whose archive was put beside a restored store, or why not."""

    month: str
    well: bool
    words: Message


class Archives:
    """The archives of a collector's closed months, in their folder. Every method may raise StoreUnavailable."""

    def __init__(
        self, store: Store, policy: Policy, zone: ZoneInfo, county: str, directory: Path, *, shared: bool = False
    ) -> None:
        """`shared`: collectors of several machines may use the database, each with a folder of its own."""
        self._shared = shared
        self._store, self._policy, self._zone, self._county = store, policy, zone, county
        self.directory = directory
        self.failed: dict[str, str] = {}
        """Why months could not be archived when that was last tried."""

    def entries(self) -> list[ArchiveEntry]:
        """All closed months and all archived ones, newest first."""
        records = self._store.archives.records()
        left = {month.month for month in self._store.archives.removed()}
        months = records.keys() | self._store.monthly.hashes().keys()
        return [
            replace(self._entry(month, records.get(month)), has_left=month in left)
            for month in sorted(months, reverse=True)
        ]

    def due(self) -> list[Month]:
        """Closed months without an archive, oldest first; none where DuckDB is not installed."""
        if not has_duckdb():
            return []
        archived = self._store.archives.records()
        return [parse_month(month, self._zone) for month in self._store.monthly.hashes() if month not in archived]

    def archive(self, month: Month, progress: Progress | None = None, who: str = CONSOLE) -> ArchivedMonth:
        """Archive a closed month in the folder of archives, and keep that it is.

        Files that are there from before are kept, when they are those of this month as it was closed: the collector was ended before it could
        note them, or its folder was brought here. Raises NotArchived, StoreBusy, DuckdbMissing, OSError.
        """
        with self._store.lease(LEASE, 0.0) as lease:
            self._must_be_in_database(month)
            with _renewed(lease):
                archive = self._present(month) or self._writer(self.directory).write(month, self._digests, progress)
            self._keep(archive, who)
        return archive

    def copy(self, month: Month, directory: Path, progress: Progress | None = None) -> ArchivedMonth:
        """The archive of a closed month in another folder: the same files where it is archived already. Raises as `archive`."""
        record = self._store.archives.records().get(str(month))
        if record is None:
            return self._writer(directory).write(month, self._digests, progress)
        archive = ArchivedMonth(self.directory / folder_name(str(month)))
        return self._writer(directory).copy(archive, month)

    def take(self, source: Path) -> Iterator[TakenArchive]:
        """Put the archives of a folder beside a store that was restored; one that differs, or that the store does not fit, is left out.

        Last come months whose archive is recorded and was in neither folder. Raises StoreBusy, DuckdbMissing, ArchiveDamaged, OSError.
        """
        for archive in archives_below(source):
            findings = verify_archives([archive], self._recorded()).findings
            words: Message = message("taken, and whole")
            try:
                if findings:
                    raise NotArchived(message("{place}: {words}", place=findings[0].place, words=findings[0].words))
                self._take(archive)
            except NotArchived as error:
                yield TakenArchive(archive.month, False, error.words)
            else:
                yield TakenArchive(archive.month, True, words)
        for entry in self.entries():
            if entry.state == "lost" and entry.words is not None:
                yield TakenArchive(entry.month, False, message("its archive is lost: {words}", words=entry.words))

    def _recorded(self) -> dict[str, str]:
        return {month: record.manifest_sha256 for month, record in self._store.archives.records().items()}

    def _take(self, archive: ArchivedMonth) -> None:
        month = parse_month(archive.manifest.month, self._zone)
        closed = self._store.monthly.closed(str(month))
        if closed is None or closed.hash != archive.manifest.figures_hash:
            raise NotArchived(message("not taken: the backup does not have this month as it was closed"))
        if (self.directory / archive.folder.name).resolve() != archive.folder.resolve():
            self._writer(self.directory).copy(archive, month)
        if str(month) not in self._recorded():
            self._keep(ArchivedMonth(self.directory / archive.folder.name), CONSOLE)

    def catch_up(self) -> list[str]:
        """Archive the closed months that have no archive; those that were archived. Raises StoreBusy, DuckdbMissing, OSError."""
        return [str(month) for month in self.due() if self.archive_due(month)]

    def archive_due(self, month: Month) -> bool:
        """Archive a month that is due; False: it could not be, and `failed` says why. Raises StoreBusy, DuckdbMissing, OSError."""
        self.failed.pop(str(month), None)
        try:
            self.archive(month, None, MEASUREMENTS)
        except NotArchived as error:
            self.failed[str(month)] = str(error)
            return False
        return True

    def _writer(self, directory: Path) -> ArchiveWriter:
        return ArchiveWriter(self._store, self._policy, self._county, directory)

    def remove(self, month: Month) -> int:
        """Let an archived month leave the database, or go on with it; how many results left.

        Raises NotArchived, ArchiveLost, StoreBusy, DuckdbMissing.
        """
        with self._store.lease(LEASE, 0.0) as lease, _renewed(lease):
            return Removal(self._store, self.directory).run(month)

    def _must_be_in_database(self, month: Month) -> None:
        """Raises NotArchived for a month that cannot be archived once more."""
        if any(each.month == str(month) for each in self._store.archives.removed()):
            words = message(
                "{month} has left the database: it is read from its archive alone; put that back where it was",
                month=month,
            )
            raise NotArchived(words)

    def _digests(self, school: str) -> Digests:
        """The hashes of a school's results that have left the database."""
        digests: Digests = {}
        for month in self._store.archives.removed():
            for row in self._store.archived.of_school(month, school).rows:
                digests[row.sequence] = sha256(unpack(row.packed)).digest()
        return digests

    def _present(self, month: Month) -> ArchivedMonth | None:
        """The archive that is there already. Raises NotArchived for one that is not this month's, or is noted already."""
        archive = ArchivedMonth(self.directory / folder_name(str(month)))
        if not archive.folder.exists():
            return None
        closed = self._store.monthly.closed(str(month))
        recorded = self._store.archives.records().get(str(month))
        findings = verify_archives([archive]).findings
        if findings or closed is None or archive.manifest.figures_hash != closed.hash:
            words = message(
                "{folder} is there, and is not the archive of this month: move it away", folder=archive.folder
            )
            raise NotArchived(words)
        if recorded is not None and recorded.manifest_sha256 == archive.manifest.sha256:
            raise NotArchived(message("{month} is archived already", month=month))
        return archive

    def _keep(self, archive: ArchivedMonth, who: str) -> None:
        manifest = archive.manifest
        self._store.archives.keep(
            ArchiveRecord(manifest.month, datetime.now(UTC), manifest.sha256, manifest.results, manifest.schools), who
        )

    def is_elsewhere(self, month: Month) -> bool:
        """Does another machine have a month's archive, and this one not?"""
        return self._shared and not (self.directory / folder_name(str(month))).exists()

    def _entry(self, month: str, record: ArchiveRecord | None) -> ArchiveEntry:
        if record is None:
            why = self.failed.get(month)
            return ArchiveEntry(month, "waiting", words=None if why is None else verbatim(why))
        archive = ArchivedMonth(self.directory / folder_name(month))
        if self._shared and not archive.folder.exists():
            return ArchiveEntry(month, "elsewhere", record)
        try:
            manifest = archive.manifest
        except ArchiveDamaged as error:
            return ArchiveEntry(month, "lost", record, words=error.words_below(archive.folder.name))
        if manifest.sha256 != record.manifest_sha256:
            other = ArchiveDamaged(
                archive.folder / MANIFEST, message("is not the one that was recorded when the month was archived")
            )
            return ArchiveEntry(month, "lost", record, manifest, other.words_below(archive.folder.name))
        return ArchiveEntry(month, "archived", record, manifest)
