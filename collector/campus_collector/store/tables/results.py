"""Results as they came, each id once, and the newest of each subject and kind."""

from collections.abc import Iterator
from datetime import datetime

from campus_collector.domain.results import AcceptedResult, Latest
from campus_collector.store.columns import micros, where
from campus_collector.store.stored import decode_stored
from campus_collector.store.tables.table import TableGroup, insert
from campus_collector.store.tables.totals import totals
from campus_collector.store.transport import Transaction
from campus_wire.records import AnyResult, Outcome, kind_of, outcome_of


class ResultTable(TableGroup):
    """Stored results, as bytes and decoded. What stores them: `insert_result`, `keep_latest`."""

    def latest(self, school: str | None = None, subject: str | None = None) -> list[Latest]:
        """The newest results of all subjects, of one school's, or of one subject of it; one record a subject and kind."""
        rows = self._database.read(
            "SELECT school, subject, kind, any_raw, ok_raw FROM latest"
            f" {where(school=school, subject=subject)} ORDER BY school, subject, kind",
            {"school": school, "subject": subject},
        )
        return [
            Latest(school_id, subject_id, kind, newest, decode_stored(ok_raw) if ok_raw else None)
            for school_id, subject_id, kind, any_raw, ok_raw in rows
            if (newest := decode_stored(any_raw)) is not None
        ]

    def of_subject(self, school: str, subject: str, kind: str, start: datetime, end: datetime) -> Iterator[AnyResult]:
        """One subject's results with start <= started_at < end, oldest first."""
        rows = self._database.stream(
            "SELECT raw FROM result WHERE school = :school AND subject = :subject AND kind = :kind"
            " AND started_at >= :start AND started_at < :end ORDER BY started_at, id",
            {"school": school, "subject": subject, "kind": kind, "start": micros(start), "end": micros(end)},
        )
        for (raw,) in rows:
            result = decode_stored(raw)
            if result is not None:
                yield result

    def raw(
        self, school: str, subject: str | None, kind: str | None, start: datetime, end: datetime, limit: int
    ) -> list[bytes]:
        """The same as they came, of one or all subjects and kinds, newest first, at most `limit`."""
        rows = self._database.read(
            f"SELECT raw FROM result {where(school=school, subject=subject, kind=kind)}"
            " AND started_at >= :start AND started_at < :end ORDER BY started_at DESC, id DESC LIMIT :limit",
            {"school": school, "subject": subject, "kind": kind, "limit": limit}
            | {"start": micros(start), "end": micros(end)},
        )
        return [raw for (raw,) in rows]

    def measurement_totals(self) -> dict[tuple[str, Outcome], int]:
        """How many results were ever stored, by kind and outcome."""
        counts = totals(self._database, "measurement")
        return {(label.split("/")[0], label.split("/")[1]): count for label, count in counts.items()}  # type: ignore[misc]

    def ingest_totals(self) -> dict[str, int]:
        """How many results ever arrived, by `stored`, `duplicate`, `quarantined`."""
        return totals(self._database, "ingest")


_INSERT_SEEN = insert("seen", "school", "id", "sequence") + " ON CONFLICT (school, id) DO NOTHING"
_INSERT_RESULT = insert("result", "school", "subject", "kind", "started_at", "id", "raw")


def is_stored(transaction: Transaction, school: str, result_id: str) -> bool:
    """Is a result of this id stored already?"""
    key = {"school": school, "id": result_id}
    return transaction.first("SELECT 1 FROM seen WHERE school = :school AND id = :id", key) is not None


def insert_result(transaction: Transaction, school: str, accepted: AcceptedResult, sequence: int) -> bool:
    """Store a result as the school's `sequence`th. False, and nothing is stored, when its id is stored already."""
    result = accepted.result
    inserted = transaction.execute(_INSERT_SEEN, {"school": school, "id": result.id, "sequence": sequence})
    if not inserted:
        return False
    transaction.execute(
        _INSERT_RESULT,
        {"school": school, "subject": result.subject, "kind": kind_of(result)}
        | {"started_at": micros(result.started_at), "id": result.id, "raw": accepted.raw},
    )
    return True


def keep_latest(transaction: Transaction, school: str, accepted: AcceptedResult, started_micros: int) -> None:
    """Replace the newest result of its subject and kind, unless this one is older."""
    is_ok = outcome_of(accepted.result) == "ok"
    transaction.execute(
        "INSERT INTO latest (school, subject, kind, any_started_at, any_raw, ok_started_at, ok_raw)"
        " VALUES (:school, :subject, :kind, :started, :raw, :ok_started, :ok_raw)"
        " ON CONFLICT (school, subject, kind) DO UPDATE SET"
        " any_raw = CASE WHEN excluded.any_started_at >= latest.any_started_at THEN excluded.any_raw ELSE latest.any_raw END,"
        " any_started_at = CASE WHEN excluded.any_started_at >= latest.any_started_at THEN excluded.any_started_at"
        " ELSE latest.any_started_at END,"
        " ok_raw = CASE WHEN excluded.ok_started_at >= coalesce(latest.ok_started_at, excluded.ok_started_at)"
        " THEN excluded.ok_raw ELSE latest.ok_raw END,"
        " ok_started_at = CASE WHEN excluded.ok_started_at >= coalesce(latest.ok_started_at, excluded.ok_started_at)"
        " THEN excluded.ok_started_at ELSE latest.ok_started_at END",
        {"school": school, "subject": accepted.result.subject, "kind": kind_of(accepted.result)}
        | {"started": started_micros, "raw": accepted.raw}
        | {"ok_started": started_micros if is_ok else None, "ok_raw": accepted.raw if is_ok else None},
    )
