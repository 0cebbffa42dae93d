"""Archived months leave the database: after so many months, in small commits, and only what stands in the archive octet for octet.

From the first commit on readers read the archive as well, so that whatever moment this is stopped or killed at, each result is read once; it goes
on where it was. Places in the chains, ids of results, evidence, verdicts and reports stay.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from campus_base.messages import message
from campus_collector.archive.check import verify_archives
from campus_collector.archive.errors import NotArchived
from campus_collector.domain.archive import ArchiveRecord, RemovedMonth
from campus_collector.judge.month import Month, parse_month
from campus_collector.store.archive.format import folder_name
from campus_collector.store.archive.read import ArchivedMonth
from campus_collector.store.columns import moment
from campus_collector.store.packing import unpack
from campus_collector.store.store import Store

ROWS_A_COMMIT = 500
"""Some milliseconds: what waits behind it hardly notices."""
MOST_PAUSE_SECONDS = 1.0


def months_due(store: Store, zone: ZoneInfo, keep_months: int, now: datetime | None = None) -> list[Month]:
    """Archived months that ended `keep_months` months ago or earlier and have not left the database, oldest first. 0: none."""
    if keep_months < 1:
        return []
    left = {month.month for month in store.archives.removed() if month.is_finished}
    months = [parse_month(name, zone) for name in store.archives.records() if name not in left]
    now = now or datetime.now(UTC)
    return [month for month in months if _after(month, keep_months).start <= now]


def _after(month: Month, count: int) -> Month:
    """The month that begins so many months after a month has ended."""
    for _ in range(count + 1):
        month = month.next()
    return month


@dataclass(frozen=True, slots=True)
class Removal:
    """Removes months, by one process at a time: the caller holds the lease of archives."""

    store: Store
    directory: Path
    pause: Callable[[float], object] = time.sleep
    """Called after each commit with the seconds that it took."""

    def run(self, month: Month) -> int:
        """How many results have left. Raises NotArchived where the archive is not whole or lacks a result, ArchiveLost, StoreUnavailable."""
        record = self.store.archives.records().get(str(month))
        if record is None:
            raise NotArchived(message("{month} is not archived: nothing of it leaves the database", month=month))
        unpacked = self.store.archives.unpacked_schools()
        if unpacked:
            words = message(
                "results of older versions are not packed yet ({schools}): run campus-collector store compact",
                schools=", ".join(unpacked[:5]),
            )
            raise NotArchived(words)
        archive = ArchivedMonth(self.directory / folder_name(str(month)))
        _must_be_whole(archive, record)
        self.store.archives.begin_removal(record, month.start, month.end)
        (leaving,) = (each for each in self.store.archives.removed() if each.month == str(month))
        removed = 0
        for chain in archive.manifest.heads:
            self._must_stand_in_archive(leaving, chain.school, chain.last_sequence)
            removed += self._remove(leaving, chain.school, chain.last_sequence)
        self.store.archives.end_removal(record)
        return removed

    def _must_stand_in_archive(self, month: RemovedMonth, school: str, last: int) -> None:
        """Of what is about to leave. Raises NotArchived."""
        by_place = self.store.archived.of_school(month, school).by_place
        start, end = moment(month.starts_at), moment(month.ends_at)
        for row in self.store.archives.of_month(school, start, end, last):
            archived = by_place.get(row.sequence)
            if (
                archived is None
                or archived[:4] != row[:4]
                or (archived.packed != row.packed and unpack(archived.packed) != unpack(row.packed))
            ):
                words = message(
                    "{school}: result {result} is not in the archive of {month} as it is in the database: nothing more of"
                    " the month leaves",
                    school=school,
                    result=f"#{row.sequence}",
                    month=month.month,
                )
                raise NotArchived(words)

    def _remove(self, month: RemovedMonth, school: str, last: int) -> int:
        whole = 0
        while True:
            began = time.monotonic()
            removed = self.store.archives.remove_some(school, month, last, ROWS_A_COMMIT)
            whole += removed
            if removed < ROWS_A_COMMIT:
                return whole
            self.pause(min(MOST_PAUSE_SECONDS, time.monotonic() - began))


def _must_be_whole(archive: ArchivedMonth, record: ArchiveRecord) -> None:
    """Every file, result and chain of it. Raises NotArchived."""
    findings = verify_archives([archive], {record.month: record.manifest_sha256}, columns=False).findings
    if findings:
        words = message("{place}: {words}", place=findings[0].place, words=findings[0].words)
        raise NotArchived(message("{month} does not leave the database: {why}", month=record.month, why=words))
