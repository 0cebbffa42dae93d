"""Results that were kept apart, with the reason; of each school its newest."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from campus_collector.domain.results import QuarantinedResult, RejectedResult
from campus_collector.store.columns import among, micros, moment
from campus_collector.store.tables.table import TableGroup, fields, insert
from campus_collector.store.transport import Transaction

MAX_QUARANTINE_OF_SCHOOL = 500
"""Of each school its newest: a broken gateway must not take the place of another school's."""


class QuarantineTable(TableGroup):
    """Readers of the quarantine."""

    def newest(self, schools: Sequence[str] | None, limit: int) -> list[QuarantinedResult]:
        """Of some schools, together, or of all (None), newest first."""
        listed, key = among("school", schools or ())
        condition = "" if schools is None else f"WHERE school IN {listed}"
        rows = self._database.read(
            f"SELECT school, received_at, id, reason, raw FROM quarantine {condition} ORDER BY sequence DESC LIMIT :limit",
            key | {"limit": limit},
        )
        return [QuarantinedResult(row[0], moment(row[1]), *row[2:]) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many there are, by school."""
        return dict(self._database.read("SELECT school, count(*) FROM quarantine GROUP BY school ORDER BY school"))


def quarantine(transaction: Transaction, school: str, received_at: datetime, results: Iterable[RejectedResult]) -> None:
    at = micros(received_at)
    transaction.execute_many(
        insert("quarantine", "school", "received_at", "id", "reason", "raw"),
        [fields(result, "id", "reason", "raw") | {"school": school, "received_at": at} for result in results],
    )
    transaction.execute(
        "DELETE FROM quarantine WHERE school = :school AND sequence <= (SELECT sequence FROM quarantine"
        " WHERE school = :school ORDER BY sequence DESC LIMIT 1 OFFSET :kept)",
        {"school": school, "kept": MAX_QUARANTINE_OF_SCHOOL},
    )
