"""Results as they came, packed, each id once; and the newest of each subject and kind."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import itemgetter

from campus_collector.domain.results import Latest, StoredResult
from campus_collector.store.archive.removed import ArchivedResults
from campus_collector.store.columns import among, bytes_of, id_octets, id_text, micros, rows_of, where
from campus_collector.store.database import Database
from campus_collector.store.packing import DamagedResult, unpack
from campus_collector.store.stored import decode_packed, decode_stored, decode_test
from campus_collector.store.tables.standing import Standing
from campus_collector.store.tables.table import TableGroup
from campus_collector.store.tables.totals import totals
from campus_collector.store.tables.unpacked import AFTER_UNPACKED, IS_UNPACKED, LEAST, UnpackedResults, stored_unpacked
from campus_collector.store.transport import Queryable, Row, Transaction
from campus_wire.records import AnyResult, Outcome, ThroughputResult

log = logging.getLogger(__name__)

ASKED_AT_ONCE = 500
"""So many ids in one statement."""
MOST_REMEMBERED = 200
"""Of a read of more rows, such as a subject's month, the decoded results are not remembered: they would push out those of every other subject."""
_OF_SCHOOL = (
    "FROM numbered_school n JOIN series s ON s.school = n.number JOIN result r ON r.school = s.school AND r.series = s.number"
    " WHERE n.school = :school"
)
_IN_TIME = (
    " AND r.started_at >= :start AND r.started_at < :end"
    # PostgreSQL's index is by day: an entry for each result would be three times as large
    " AND r.started_at / 86400000000 BETWEEN :start / 86400000000 AND :end / 86400000000"
)
_OF_SUBJECT = _OF_SCHOOL + " AND s.subject = :subject AND s.kind = :kind" + _IN_TIME


class ResultTable(TableGroup):
    """Stored results, as bytes and decoded. What stores them: `store.batches`."""

    def __init__(self, database: Database, archived: ArchivedResults) -> None:
        super().__init__(database)
        self._unpacked = UnpackedResults(database)
        self._archived = archived

    def latest(self, school: str | None = None, subject: str | None = None) -> list[Latest]:
        """The newest results of all subjects, of one school's, or of one subject of it; one record a subject and kind."""
        rows = self._database.read(
            "SELECT school, subject, kind, any_raw, ok_raw FROM latest"
            f" {where(school=school, subject=subject)} ORDER BY school, subject, kind",
            {"school": school, "subject": subject},
        )
        newest: list[Latest] = []
        for school_id, subject_id, kind, any_packed, ok_packed in rows:
            anything = self._decoded_latest(school_id, any_packed)
            if anything is not None:
                ok = self._decoded_latest(school_id, ok_packed) if ok_packed else None
                newest.append(Latest(school_id, subject_id, kind, anything, ok))
        return newest

    def devices(self, school: str | None = None) -> list[tuple[str, str]]:
        """School and id of each piece of equipment that was ever polled, of all schools or of one."""
        condition = where(school=school, kind="device")
        rows = self._database.read(
            f"SELECT school, subject FROM latest {condition} ORDER BY school, subject",
            {"school": school, "kind": "device"},
        )
        return [(school_id, subject) for school_id, subject in rows]

    def newest_of_schools(
        self, schools: Sequence[str], kinds: Sequence[str]
    ) -> Iterator[tuple[str, str, str, AnyResult]]:
        """(school, subject, kind, newest result) of all subjects of some schools."""
        listed, key = among("school", schools)
        listed_kinds, kind_key = among("kind", kinds)
        sql = f"SELECT school, subject, kind, any_raw FROM latest WHERE school IN {listed} AND kind IN {listed_kinds}"
        return self._newest(sql, key | kind_key)

    def newest_of_subjects(
        self, subjects: Sequence[tuple[str, str, str]], *, valid: bool = False
    ) -> Iterator[tuple[str, str, str, AnyResult]]:
        """The same of some (school, subject, kind); `valid`: the newest valid one, where there is any."""
        column = "coalesce(l.ok_raw, l.any_raw)" if valid else "l.any_raw"
        listed, key = rows_of("s", subjects)
        return self._newest(
            f"WITH s(school, subject, kind) AS (VALUES {listed})"
            f" SELECT l.school, l.subject, l.kind, {column} FROM s CROSS JOIN latest l"
            " WHERE l.school = s.school AND l.subject = s.subject AND l.kind = s.kind",
            key,
        )

    def _newest(self, sql: str, key: dict[str, object]) -> Iterator[tuple[str, str, str, AnyResult]]:
        for school, subject, kind, packed in self._database.read(sql, key):
            result = self._decoded_latest(school, packed)
            if result is not None:
                yield school, subject, kind, result

    def of_subject(self, school: str, subject: str, kind: str, start: datetime, end: datetime) -> list[AnyResult]:
        """One subject's results with start <= started_at < end, oldest first; of those that began at once, by id."""
        sql = f"SELECT r.started_at, r.sequence, r.packed {_OF_SUBJECT} ORDER BY r.started_at, r.sequence"
        if self._unpacked.any():
            sql = (
                f"SELECT r.started_at, r.sequence, r.packed {_OF_SUBJECT}{AFTER_UNPACKED} UNION ALL"
                " SELECT started_at, 0, raw FROM unpacked_result WHERE school = :school AND subject = :subject"
                f" AND kind = :kind AND started_at >= :start AND started_at < :end AND {IS_UNPACKED} ORDER BY 1, 2"
            )
        key = {"school": school, "subject": subject, "kind": kind, "start": micros(start), "end": micros(end)}
        results: list[AnyResult] = []
        last, has_ties = None, False
        rows = self._with_archived(
            self._database.read(sql, key | {"least": LEAST}), school, subject, kind, micros(start), micros(end)
        )
        decode = decode_packed if len(rows) <= MOST_REMEMBERED else decode_packed.__wrapped__
        for started_at, sequence, packed in rows:
            try:
                result = decode(packed)
            except DamagedResult as error:
                self._report_damage(school, sequence, error)
                continue
            if result is not None:
                results.append(result)
                has_ties |= started_at == last
                last = started_at
        if has_ties:
            results.sort(key=lambda result: (result.started_at, result.id))
        return results

    def raw(
        self, school: str, subject: str | None, kind: str | None, start: datetime, end: datetime, limit: int
    ) -> list[bytes]:
        """The same as they came, of one or all subjects and kinds, newest first, at most `limit`; of those that began at once the last stored first."""
        named = "".join(
            f" AND s.{name} = :{name}" for name, value in (("subject", subject), ("kind", kind)) if value is not None
        )
        sql = f"SELECT r.started_at, r.sequence, r.packed {_OF_SCHOOL}{named}{_IN_TIME}"
        if self._unpacked.any():
            sql += (
                f"{AFTER_UNPACKED} UNION ALL SELECT started_at, 0, raw FROM unpacked_result"
                f" {where(school=school, subject=subject, kind=kind)}"
                f" AND started_at >= :start AND started_at < :end AND {IS_UNPACKED}"
            )
        rows = self._database.read(
            f"{sql} ORDER BY 1 DESC, 2 DESC LIMIT :limit",
            {"school": school, "subject": subject, "kind": kind, "limit": limit, "least": LEAST}
            | {"start": micros(start), "end": micros(end)},
        )
        newest = self._newest_with_archived(rows, school, subject, kind, micros(start), micros(end), limit)
        raws = (self._raw(school, packed, sequence) for _, sequence, packed in newest)
        return [raw for raw in raws if raw is not None]

    def _with_archived(
        self, rows: list[Row], school: str, subject: str | None, kind: str | None, start: int, end: int
    ) -> list[Row]:
        """(started_at, sequence, packed) of the database, oldest first, with those that have left it: each once, in the same order."""
        archived = list(self._archived.rows(school, subject, kind, start, end))
        if not archived:
            return rows
        stored = {row[1] for row in rows}
        left = [(row.started_at, row.sequence, row.packed) for row in archived if row.sequence not in stored]
        return sorted([*rows, *left], key=itemgetter(0, 1))

    def _newest_with_archived(
        self, rows: list[Row], school: str, subject: str | None, kind: str | None, start: int, end: int, limit: int
    ) -> list[Row]:
        """The same, newest first, at most `limit`: no archive is opened for results that are older than all of these."""
        for month in self._archived.months(start, end):
            if len(rows) >= limit and rows[-1][0] >= month.ends_at:
                break
            first, last = max(start, month.starts_at), min(end, month.ends_at)
            rows = self._with_archived(rows[::-1], school, subject, kind, first, last)[::-1][:limit]
        return rows

    def newest(
        self, school: str, subject: str | None, kind: str, start: datetime, end: datetime, limit: int
    ) -> list[AnyResult]:
        """The newest `limit` results of a kind, of one subject or all, with start <= started_at < end; newest first."""
        results = map(decode_stored, self.raw(school, subject, kind, start, end, limit))
        return [result for result in results if result is not None]

    def newest_tests(
        self, school: str, subject: str, start: datetime, end: datetime, limit: int
    ) -> list[ThroughputResult]:
        """The newest `limit` throughput results of a subject, newest first, without the slices of the tests: for charts of a long time."""
        tests = map(decode_test, self.raw(school, subject, "throughput", start, end, limit))
        return [test for test in tests if test is not None]

    def sampled(
        self, school: str, subject: str, kind: str, start: datetime, end: datetime, every_seconds: int
    ) -> list[AnyResult]:
        """The first result of each `every_seconds` from start on, oldest first: what is polled often, over a long time."""
        if self._unpacked.any() or self._archived.months(micros(start), micros(end)):
            return _first_of_each(self.of_subject(school, subject, kind, start, end), start, every_seconds)
        key = {"school": school, "subject": subject, "kind": kind, "start": micros(start), "end": micros(end)}
        rows = self._database.read(
            # one step of the index for each sample: the results between them are not read
            "WITH RECURSIVE step(at) AS (SELECT CAST(:start AS BIGINT) UNION ALL"
            " SELECT at + :every FROM step WHERE at + :every < :end)"
            " SELECT r.started_at, r.sequence, r.packed FROM numbered_school n"
            " JOIN series s ON s.school = n.number AND s.subject = :subject AND s.kind = :kind CROSS JOIN step"
            " CROSS JOIN result r WHERE n.school = :school AND r.school = s.school AND r.series = s.number AND r.started_at ="
            " (SELECT min(m.started_at) FROM result m WHERE m.school = s.school AND m.series = s.number"
            " AND m.started_at >= step.at AND m.started_at < step.at + :every AND m.started_at < :end)"
            " ORDER BY r.started_at, r.sequence",
            key | {"every": every_seconds * 1_000_000},
        )
        raws = (self._raw(school, packed, sequence) for _, sequence, packed in rows)
        results = (decode_stored(raw) for raw in raws if raw is not None)
        return _first_of_each([result for result in results if result is not None], start, every_seconds)

    def stored(self, school: str, subject: str, kind: str, started_at: datetime, result_id: str) -> StoredResult | None:
        """One result of a subject and kind by its time and id; None of an unknown one."""
        sql = f"SELECT r.sequence, r.packed {_OF_SUBJECT}"
        if self._unpacked.any():
            sql += (
                f"{AFTER_UNPACKED} UNION ALL SELECT coalesce((SELECT p.sequence FROM unpacked_seen p"
                " WHERE p.school = o.school AND p.id = o.id), 0), o.raw FROM unpacked_result o"
                " WHERE o.school = :school AND o.subject = :subject AND o.kind = :kind"
                f" AND o.started_at >= :start AND o.started_at < :end AND o.id = :id AND {IS_UNPACKED}"
            )
        start = micros(started_at)
        key = {"school": school, "subject": subject, "kind": kind, "start": start, "end": start + 1, "id": result_id}
        for sequence, packed in self._database.read(sql, key | {"least": LEAST}):
            raw = self._raw(school, packed, sequence)
            result = None if raw is None else decode_stored(raw)
            if raw is not None and result is not None and result.id == result_id:
                return StoredResult(result, raw, max(0, int(sequence)))
        for row in self._archived.rows(school, subject, kind, start, start + 1):
            raw = unpack(row.packed)
            result = decode_stored(raw)
            if result is not None and result.id == result_id:
                return StoredResult(result, raw, max(0, row.sequence))
        return None

    def measurement_totals(self) -> dict[tuple[str, Outcome], int]:
        """How many results were ever stored, by kind and outcome."""
        counts = totals(self._database, "measurement")
        return {(label.split("/")[0], label.split("/")[1]): count for label, count in counts.items()}  # type: ignore[misc]

    def ingest_totals(self) -> dict[str, int]:
        """How many results ever arrived, by `stored`, `duplicate`, `quarantined`."""
        return totals(self._database, "ingest")

    def _decoded_latest(self, school: str, packed: bytes) -> AnyResult | None:
        try:
            return decode_packed(bytes_of(packed))
        except DamagedResult as error:
            self._report_damage(school, 0, error)
            return None

    def _raw(self, school: str, packed: bytes, sequence: int) -> bytes | None:
        try:
            return unpack(bytes_of(packed))
        except DamagedResult as error:
            self._report_damage(school, sequence, error)
            return None

    def _report_damage(self, school: str, sequence: int, error: DamagedResult) -> None:
        """No reader is stopped by a row that is damaged; `verify` names it too."""
        result_id = id_at(self._database, school, sequence) if sequence else "among the newest"
        extra = {"school": school, "result": result_id, "error": str(error)[:200]}
        log.error("a stored result is damaged: run campus-collector verify", extra=extra)


def _first_of_each(results: Sequence[AnyResult], start: datetime, every_seconds: int) -> list[AnyResult]:
    """Of results in order of time, the first of each `every_seconds` from start on."""
    first: dict[int, AnyResult] = {}
    for result in results:
        first.setdefault(int((result.started_at - start).total_seconds()) // every_seconds, result)
    return list(first.values())


def id_at(reader: Queryable, school: str, sequence: int) -> str:
    """The id of the result at a place in a school's chain; "#" and the place when it is not known. Reads all ids of the school."""
    row = reader.first(
        "SELECT s.id FROM numbered_school n JOIN seen s ON s.school = n.number"
        " WHERE n.school = :school AND s.sequence = :sequence",
        {"school": school, "sequence": sequence},
    )
    return id_text(row[0]) if row else f"#{sequence}"


class Numbers:
    """The numbers that stand for a school and its series, inside one transaction; what has none is given the next."""

    def __init__(self, transaction: Transaction, school: str, known: Standing | None = None) -> None:
        self._transaction = transaction
        self._series: dict[tuple[str, str], int] = {}
        key = {"school": school}
        row: Row | None = None
        if known is not None and school in known.numbers:
            row = (known.numbers[school],)
            self._series = known.series.get(school, {})
        row = row or transaction.first("SELECT number FROM numbered_school WHERE school = :school", key)
        self.is_new = row is None
        row = row or transaction.first("INSERT INTO numbered_school (school) VALUES (:school) RETURNING number", key)
        assert row is not None
        self.school: int = row[0]

    def series(self, subject: str, kind: str) -> int:
        """Of a subject's results of one kind."""
        if (subject, kind) not in self._series:
            key = {"school": self.school, "subject": subject, "kind": kind}
            row = self._transaction.first(
                "SELECT number FROM series WHERE school = :school AND subject = :subject AND kind = :kind", key
            ) or self._transaction.first(
                "INSERT INTO series (school, number, subject, kind)"
                " SELECT :school, coalesce(max(number), 0) + 1, :subject, :kind FROM series WHERE school = :school"
                " RETURNING number",
                key,
            )
            assert row is not None
            self._series[subject, kind] = row[0]
        return self._series[subject, kind]


def insert_results(transaction: Transaction, ids: Sequence[Row], results: Sequence[Row]) -> None:
    """(school, id, sequence) of each, and (school, series, started_at, sequence, packed)."""
    if not results:
        return
    transaction.insert_many("seen", ("school", "id", "sequence"), ids)
    transaction.insert_many("result", ("school", "series", "started_at", "sequence", "packed"), results)


def stored_ids(
    transaction: Transaction, school: str, number: int | None, result_ids: Sequence[str], has_unpacked: bool
) -> set[str]:
    """Which of these are stored already, in whatever form? `number` is the school's, if it has one."""
    stored = stored_unpacked(transaction, school, list(result_ids)) if has_unpacked else set()
    for first in range(0, len(result_ids) if number is not None else 0, ASKED_AT_ONCE):
        asked = [id_octets(text) for text in result_ids[first : first + ASKED_AT_ONCE]]
        rows = transaction.read_in(transaction.stored_ids_statement, {"ids": asked}, {"school": number})
        stored |= {id_text(octets) for (octets,) in rows}
    return stored


class LatestResults:
    """The newest result of each subject and kind in a commit: collected, and written at once."""

    def __init__(self) -> None:
        self._any: dict[tuple[str, str, str], tuple[int, bytes]] = {}
        self._ok: dict[tuple[str, str, str], tuple[int, bytes]] = {}

    def keep(self, key: tuple[str, str, str], outcome: Outcome, started_micros: int, packed: bytes) -> None:
        """Of a school, subject and kind; unless a newer one is kept already."""
        for newest in (self._any, self._ok) if outcome == "ok" else (self._any,):
            kept = newest.get(key)
            if kept is None or started_micros >= kept[0]:
                newest[key] = (started_micros, packed)

    def write(self, transaction: Transaction) -> None:
        """Replace those that are older."""
        rows = []
        for key, (any_started, any_packed) in sorted(self._any.items()):
            school, subject, kind = key
            ok_started, ok_packed = self._ok.get(key, (None, None))
            rows.append(
                {"school": school, "subject": subject, "kind": kind}
                | {"any_started": any_started, "any_packed": any_packed}
                | {"ok_started": ok_started, "ok_packed": ok_packed}
            )
        transaction.execute_many(_KEEP_LATEST, rows)


_KEEP_LATEST = (
    "INSERT INTO latest (school, subject, kind, any_started_at, any_raw, ok_started_at, ok_raw)"
    " VALUES (:school, :subject, :kind, :any_started, :any_packed, :ok_started, :ok_packed)"
    " ON CONFLICT (school, subject, kind) DO UPDATE SET"
    " any_raw = CASE WHEN excluded.any_started_at >= latest.any_started_at THEN excluded.any_raw ELSE latest.any_raw END,"
    " any_started_at = CASE WHEN excluded.any_started_at >= latest.any_started_at THEN excluded.any_started_at"
    " ELSE latest.any_started_at END,"
    " ok_raw = CASE WHEN excluded.ok_started_at >= coalesce(latest.ok_started_at, excluded.ok_started_at)"
    " THEN excluded.ok_raw ELSE latest.ok_raw END,"
    " ok_started_at = CASE WHEN excluded.ok_started_at >= coalesce(latest.ok_started_at, excluded.ok_started_at)"
    " THEN excluded.ok_started_at ELSE latest.ok_started_at END"
)
