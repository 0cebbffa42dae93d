"""Months that were archived, and what an archive is written from: a school's results of a month, and what stands between them in its chain."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from campus_collector.domain.archive import ArchiveRecord, RemovedMonth
from campus_collector.domain.days import EPOCH
from campus_collector.domain.problem import MEASUREMENTS, Event, What
from campus_collector.store.columns import bytes_of, micros, moment
from campus_collector.store.tables.ledger import append_event
from campus_collector.store.tables.table import TableGroup, fields, in_commit, in_commit_of_school
from campus_collector.store.tables.unpacked import unpacked_schools
from campus_collector.store.transport import Transaction

_OF_SCHOOL = (
    "FROM numbered_school n JOIN series s ON s.school = n.number JOIN result r ON r.school = s.school AND r.series = s.number"
    " WHERE n.school = :school AND r.started_at >= :start AND r.started_at < :end"
    # PostgreSQL's index is by day
    " AND r.started_at / 86400000000 BETWEEN :start / 86400000000 AND :end / 86400000000"
)
LAST_MOMENT = 2**62
"""After every result, in microseconds since 1970."""
LAST_SEQUENCE = 2**62
"""After every place of a chain."""


class MonthRow(NamedTuple):
    """A result of a month as it is stored; `sequence` below 1: it is older than the chain."""

    kind: str
    subject: str
    started_at: int
    sequence: int
    packed: bytes


class ArchiveTable(TableGroup):
    """Reads what is archived, and keeps which months are."""

    def records(self) -> dict[str, ArchiveRecord]:
        """Every archived month, oldest first."""
        rows = self._database.read(
            "SELECT month, archived_at, manifest_sha256, results, schools FROM archived_month ORDER BY month"
        )
        return {row[0]: ArchiveRecord(row[0], moment(row[1]), *row[2:]) for row in rows}

    @in_commit
    def keep(self, transaction: Transaction, record: ArchiveRecord, who: str) -> None:
        """That a month was archived, and by whom, also in the audit trail; an archive that was written once more replaces what was kept."""
        transaction.execute(
            "INSERT INTO archived_month (month, archived_at, manifest_sha256, results, schools)"
            " VALUES (:month, :archived_at, :manifest_sha256, :results, :schools)"
            " ON CONFLICT (month) DO UPDATE SET archived_at = excluded.archived_at,"
            " manifest_sha256 = excluded.manifest_sha256, results = excluded.results, schools = excluded.schools",
            fields(record, "month", "manifest_sha256", "results", "schools")
            | {"archived_at": micros(record.archived_at)},
        )
        values = {"month": record.month, "results": str(record.results), "manifest": record.manifest_sha256}
        append_event(transaction, Event(at=record.archived_at, who=who, what="month_archived", values=values))

    def removed(self) -> list[RemovedMonth]:
        """Months whose results leave or have left the database, newest first.

        A reader asks for them after it has read the results: what it missed there left before, and its month stands here.
        """
        rows = self._database.read(
            "SELECT month, starts_at, ends_at, ended_at, results FROM removed_month ORDER BY starts_at DESC"
        )
        return [RemovedMonth(row[0], row[1], row[2], row[3] is not None, row[4]) for row in rows]

    @in_commit
    def begin_removal(self, transaction: Transaction, record: ArchiveRecord, start: datetime, end: datetime) -> None:
        """From this commit on readers read the month, start <= started_at < end, from its archive as well. Nothing when it has begun."""
        now = transaction.clock_micros()
        begun = transaction.execute(
            "INSERT INTO removed_month (month, starts_at, ends_at, began_at) VALUES (:month, :start, :end, :now)"
            " ON CONFLICT (month) DO NOTHING",
            {"month": record.month, "start": micros(start), "end": micros(end), "now": now},
        )
        if begun:
            _append_removal(transaction, now, "month_removal_begun", record.results, record)

    @in_commit_of_school
    def remove_some(self, transaction: Transaction, school: str, month: RemovedMonth, last: int, rows: int) -> int:
        """Remove at most so many of a school's results of a month whose removal has begun, up to the place `last` of its chain; how many."""
        key: dict[str, object] = {"school": school, "start": month.starts_at, "end": month.ends_at, "last": last}
        removed = transaction.execute(
            "DELETE FROM result WHERE (school, series, started_at, sequence) IN"
            f" (SELECT r.school, r.series, r.started_at, r.sequence {_OF_SCHOOL} AND r.sequence <= :last LIMIT :rows)",
            key | {"rows": rows},
        )
        transaction.execute(
            "UPDATE removed_month SET results = results + :removed WHERE month = :month",
            {"removed": removed, "month": month.month},
        )
        return removed

    @in_commit
    def end_removal(self, transaction: Transaction, record: ArchiveRecord) -> None:
        """All of a month has left: from this commit on nothing of it is removed any more. Nothing when it has ended."""
        now = transaction.clock_micros()
        row = transaction.first(
            "UPDATE removed_month SET ended_at = :now WHERE month = :month AND ended_at IS NULL RETURNING results",
            {"now": now, "month": record.month},
        )
        if row is not None:
            _append_removal(transaction, now, "month_removed", row[0], record)

    def schools(self) -> list[str]:
        """Every school that ever had a result."""
        return [school for (school,) in self._database.read("SELECT school FROM numbered_school ORDER BY school")]

    def unpacked_schools(self) -> list[str]:
        """Those with results in the form of older versions."""
        return [each.school for each in unpacked_schools(self._database) if each.state in ("unpacked", "set_aside")]

    def of_month(self, school: str, start: datetime, end: datetime, last: int) -> Iterator[MonthRow]:
        """A school's results with start <= started_at < end, up to the place `last` of its chain; by kind, subject, time and place in the chain."""
        rows = self._database.stream(
            f"SELECT s.kind, s.subject, r.started_at, r.sequence, r.packed {_OF_SCHOOL} AND r.sequence <= :last"
            " ORDER BY s.kind, s.subject, r.started_at, r.sequence",
            {"school": school, "start": micros(start), "end": micros(end), "last": last},
        )
        return (MonthRow(row[0], row[1], row[2], row[3], bytes_of(row[4])) for row in rows)

    def of_places(
        self, school: str, first: int, last: int, start: datetime | None, end: datetime | None
    ) -> Iterator[tuple[int, bytes]]:
        """(sequence, packed result) of the places first to last of a school's chain, in no order; only results with start <= started_at < end.

        None: no bound. All results of that time are looked through.
        """
        rows = self._database.stream(
            f"SELECT r.sequence, r.packed {_OF_SCHOOL} AND r.sequence BETWEEN :first AND :last",
            {"school": school, "first": first, "last": last}
            | {"start": micros(start or EPOCH), "end": micros(end) if end else LAST_MOMENT},
        )
        return ((sequence, bytes_of(packed)) for sequence, packed in rows)


def _append_removal(transaction: Transaction, now: int, what: What, results: int, record: ArchiveRecord) -> None:
    values = {"month": record.month, "results": str(results), "manifest": record.manifest_sha256}
    append_event(transaction, Event(at=moment(now), who=MEASUREMENTS, what=what, values=values))
