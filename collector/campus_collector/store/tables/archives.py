"""What an archive of a month is written from: a school's results of a month, and what stands between them in its chain."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from campus_collector.domain.days import EPOCH
from campus_collector.store.columns import bytes_of, micros
from campus_collector.store.tables.table import TableGroup
from campus_collector.store.tables.unpacked import unpacked_schools

_OF_SCHOOL = (
    "FROM numbered_school n JOIN series s ON s.school = n.number JOIN result r ON r.school = s.school AND r.series = s.number"
    " WHERE n.school = :school AND r.started_at >= :start AND r.started_at < :end"
    # PostgreSQL's index is by day
    " AND r.started_at / 86400000000 BETWEEN :start / 86400000000 AND :end / 86400000000"
)
LAST_MOMENT = 2**62
"""After every result, in microseconds since 1970."""


class MonthRow(NamedTuple):
    """A result of a month as it is stored; `sequence` below 1: it is older than the chain."""

    kind: str
    subject: str
    started_at: int
    sequence: int
    packed: bytes


class ArchiveTable(TableGroup):
    """Reads what is archived."""

    def schools(self) -> list[str]:
        """Every school that ever had a result."""
        return [school for (school,) in self._database.read("SELECT school FROM numbered_school ORDER BY school")]

    def unpacked_schools(self) -> list[str]:
        """Those with results in the form of older versions."""
        return [each.school for each in unpacked_schools(self._database) if each.state in ("unpacked", "set_aside")]

    def of_month(self, school: str, start: datetime, end: datetime) -> Iterator[MonthRow]:
        """A school's results with start <= started_at < end, by kind, subject, time and place in the chain."""
        rows = self._database.stream(
            f"SELECT s.kind, s.subject, r.started_at, r.sequence, r.packed {_OF_SCHOOL}"
            " ORDER BY s.kind, s.subject, r.started_at, r.sequence",
            {"school": school, "start": micros(start), "end": micros(end)},
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
