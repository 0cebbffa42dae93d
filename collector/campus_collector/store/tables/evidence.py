"""What the judge keeps: the evidence of each day, and which hours have results that are not in it yet. Derived from results, never the other way."""

from collections.abc import Iterator, Mapping, Sequence

from campus_collector.domain.change import Change
from campus_collector.domain.evidence import DayRow, Unjudged
from campus_collector.domain.tallies import KeptTally
from campus_collector.store.columns import among, rows_of
from campus_collector.store.tables.table import TableGroup, fields, in_commit_of_school, insert
from campus_collector.store.tables.tallies import keep_tallies, outdate_months
from campus_collector.store.transport import Transaction

MICROS_PER_HOUR = 3_600_000_000


class EvidenceTable(TableGroup):
    """Days by school; every key starts with it."""

    def schools_unjudged(self) -> list[str]:
        """Which schools have results that are not judged yet? One step of the index for each, however many hours wait."""
        rows = self._database.read(
            "WITH RECURSIVE s(school) AS (SELECT min(school) FROM unjudged UNION ALL"
            " SELECT (SELECT min(school) FROM unjudged u WHERE u.school > s.school) FROM s WHERE s.school IS NOT NULL)"
            " SELECT school FROM s WHERE school IS NOT NULL"
        )
        return [school for (school,) in rows]

    def unjudged(self, school: str) -> list[Unjudged]:
        """The hours of a school that wait for the judge."""
        rows = self._database.read(
            "SELECT school, subject, kind, hour, arrivals FROM unjudged WHERE school = :school"
            " ORDER BY subject, kind, hour",
            {"school": school},
        )
        return [Unjudged(*row) for row in rows]

    def days(self, school: str, first: int, last: int) -> Iterator[DayRow]:
        """A school's evidence from one day to another, both included (days since 1970)."""
        rows = self._database.stream(
            "SELECT school, day, subject, target, basis, body FROM day_evidence"
            " WHERE school = :school AND day BETWEEN :first AND :last",
            {"school": school, "first": first, "last": last},
        )
        for row in rows:
            yield DayRow(*row)

    def first_day(self, since: int = 0) -> int | None:
        """The first day with evidence from a day on (since 1970); None of none."""
        row = self._database.first(
            "SELECT min((SELECT min(day) FROM day_evidence d WHERE d.school = s.id AND d.day >= :since)) FROM school s",
            {"since": since},
        )
        return row[0] if row else None

    def on_day(self, day: int) -> list[tuple[str, str, str]]:
        """(school, subject, target) that have evidence of a day."""
        rows = self._database.read(
            "SELECT d.school, d.subject, d.target FROM school s JOIN day_evidence d ON d.school = s.id AND d.day = :day",
            {"day": day},
        )
        return [(school, subject, target) for school, subject, target in rows]

    def of_schools(self, schools: Sequence[str], first: int, last: int) -> list[DayRow]:
        """The evidence of some schools from one day to another, both included."""
        listed, key = among("school", schools)
        rows = self._database.read(
            "SELECT school, day, subject, target, basis, body FROM day_evidence"
            f" WHERE school IN {listed} AND day BETWEEN :first AND :last",
            key | {"first": first, "last": last},
        )
        return [DayRow(*row) for row in rows]

    def of_subjects(self, subjects: Sequence[tuple[str, str, str]], first: int, last: int) -> list[DayRow]:
        """The evidence of some (school, subject, target), day by day: a step of the index for each."""
        listed, key = rows_of("s", subjects)
        rows = self._database.read(
            "WITH RECURSIVE d(day) AS (SELECT CAST(:first AS INTEGER) UNION ALL SELECT day + 1 FROM d WHERE day < :last),"
            f" s(school, subject, target) AS (VALUES {listed})"
            " SELECT e.school, e.day, e.subject, e.target, e.basis, e.body FROM s CROSS JOIN d CROSS JOIN day_evidence e"
            " WHERE e.school = s.school AND e.day = d.day AND e.subject = s.subject AND e.target = s.target",
            key | {"first": first, "last": last},
        )
        return [DayRow(*row) for row in rows]

    @in_commit_of_school
    def keep(
        self,
        transaction: Transaction,
        school: str,
        rows: Sequence[DayRow],
        judged: Sequence[Unjudged],
        tallies: Sequence[KeptTally] = (),
    ) -> bool:
        """Keep days of a school, and take hours off the list, unless more of them has arrived meanwhile.

        `tallies` are those of the same months with these days; each rests on the revision that this commit makes.
        False, and nothing is kept, when another process has judged some of these hours since: it may have known more.
        """
        waiting = set(
            transaction.read("SELECT subject, kind, hour FROM unjudged WHERE school = :school", {"school": school})
        )
        if any((row.subject, row.kind, row.hour) not in waiting for row in judged):
            return False
        _put_days(transaction, rows)
        keep_tallies(transaction, tallies)
        transaction.execute_many(
            "DELETE FROM unjudged WHERE school = :school AND subject = :subject AND kind = :kind AND hour = :hour"
            " AND arrivals = :arrivals",
            [fields(row, "school", "subject", "kind", "hour", "arrivals") for row in judged],
        )
        transaction.note_change(Change(judged=frozenset({school})))
        return True

    @in_commit_of_school
    def replace(self, transaction: Transaction, school: str, rows: Sequence[DayRow]) -> None:
        """Keep days of a school that were judged by an older rule; one that another process has judged by the new rule meanwhile stays."""
        _put_days(transaction, rows, only_older_rules=True)


def await_judgement(transaction: Transaction, arrivals: Mapping[tuple[str, str, str, int], int]) -> None:
    """Results have been stored: their hours, by school, subject, kind and hour, wait for the judge; with the place in the chain of the last one.

    The number of an hour grows with each commit and is at least that place, so that no number comes twice.
    """
    transaction.execute_many(
        insert("unjudged", "school", "subject", "kind", "hour", "arrivals")
        + " ON CONFLICT (school, subject, kind, hour) DO UPDATE SET arrivals ="
        " CASE WHEN unjudged.arrivals >= excluded.arrivals THEN unjudged.arrivals + 1 ELSE excluded.arrivals END",
        [
            {"school": school, "subject": subject, "kind": kind, "hour": hour, "arrivals": sequence}
            for (school, subject, kind, hour), sequence in sorted(arrivals.items())
        ],
    )


def _put_days(transaction: Transaction, rows: Sequence[DayRow], *, only_older_rules: bool = False) -> None:
    condition = " WHERE day_evidence.basis <> excluded.basis" if only_older_rules else ""
    transaction.execute_many(
        "INSERT INTO day_evidence (school, day, subject, target, basis, body)"
        " VALUES (:school, :day, :subject, :target, :rule_fingerprint, :body) ON CONFLICT (school, day, subject, target)"
        f" DO UPDATE SET basis = excluded.basis, body = excluded.body{condition}",
        [fields(row, "school", "day", "subject", "target", "rule_fingerprint", "body") for row in rows],
    )
    outdate_months(transaction, {(row.school, row.day) for row in rows})
