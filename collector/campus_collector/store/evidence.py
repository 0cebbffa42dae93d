"""What the judge keeps: the evidence of each day, and which hours have results that are not in it yet. Derived from results, never the other way."""

import sqlite3
from collections.abc import Iterator, Sequence

from campus_collector.domain.records import Change, DayRow, Unjudged
from campus_collector.store.database import Database

MICROS_PER_HOUR = 3_600_000_000


class EvidenceTable:
    """Days by school; every key starts with it."""

    def __init__(self, database: Database) -> None:
        """Shares the store's file."""
        self._database = database

    def schools_unjudged(self) -> list[str]:
        """Which schools have results that are not judged yet?"""
        rows = self._database.all(
            "WITH RECURSIVE s(school) AS (SELECT min(school) FROM unjudged UNION ALL"
            " SELECT (SELECT min(school) FROM unjudged u WHERE u.school > s.school) FROM s WHERE s.school IS NOT NULL)"
            " SELECT school FROM s WHERE school IS NOT NULL"
        )
        return [row[0] for row in rows]

    def unjudged(self, school: str) -> list[Unjudged]:
        """The hours of a school that wait for the judge."""
        rows = self._database.all(
            "SELECT school, subject, kind, hour, arrivals FROM unjudged WHERE school = ? ORDER BY subject, kind, hour",
            (school,),
        )
        return [Unjudged(*row) for row in rows]

    def days(self, school: str, first: int, last: int) -> Iterator[DayRow]:
        """A school's evidence from one day to another, both included (days since 1970)."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT school, day, subject, target, basis, body FROM day_evidence"
                " WHERE school = ? AND day BETWEEN ? AND ?",
                (school, first, last),
            )
            for row in rows:
                yield DayRow(*row)

    def first_day(self, since: int = 0) -> int | None:
        """The first day with evidence from a day on (since 1970); None of none."""
        row = self._database.one(
            "SELECT min((SELECT min(day) FROM day_evidence d WHERE d.school = s.id AND d.day >= ?)) FROM school s",
            (since,),
        )
        return row[0] if row else None

    def on_day(self, day: int) -> list[tuple[str, str, str]]:
        """(school, subject, target) that have evidence of a day."""
        return self._database.all(
            "SELECT d.school, d.subject, d.target FROM school s JOIN day_evidence d ON d.school = s.id AND d.day = ?",
            (day,),
        )

    def of_subject(self, school: str, subject: str, target: str, first: int, last: int) -> list[DayRow]:
        """One subject's evidence, day by day: a look-up for each."""
        rows = self._database.all(
            "WITH RECURSIVE d(day) AS (SELECT ?4 UNION ALL SELECT day + 1 FROM d WHERE day < ?5)"
            " SELECT e.school, e.day, e.subject, e.target, e.basis, e.body FROM d JOIN day_evidence e"
            " ON e.school = ?1 AND e.day = d.day AND e.subject = ?2 AND e.target = ?3",
            (school, subject, target, first, last),
        )
        return [DayRow(*row) for row in rows]

    def keep(self, school: str, rows: Sequence[DayRow], judged: Sequence[Unjudged]) -> bool:
        """Keep days of a school, and take hours off the list, unless more of them has arrived meanwhile.

        False, and nothing is kept, when another process has judged some of these hours since: it may have known more.
        """

        def work(connection: sqlite3.Connection) -> bool:
            waiting = {(row[0], row[1], row[2]): row[3] for row in connection.execute(_WAITING, (school,))}
            if any((row.subject, row.kind, row.hour) not in waiting for row in judged):
                return False
            _put_days(connection, rows)
            connection.executemany(
                "DELETE FROM unjudged WHERE school = ? AND subject = ? AND kind = ? AND hour = ? AND arrivals = ?",
                [(row.school, row.subject, row.kind, row.hour, row.arrivals) for row in judged],
            )
            self._database.note(Change(judged=frozenset({school})))
            return True

        return self._database.write(work)

    def replace(self, rows: Sequence[DayRow]) -> None:
        """Keep days that were judged by an older rule; one that somebody else has judged by the new rule meanwhile stays."""
        if rows:
            self._database.write(lambda connection: _put_days(connection, rows, only_older_rules=True))


_WAITING = "SELECT subject, kind, hour, arrivals FROM unjudged WHERE school = ?"


_OLDER_RULES = " WHERE basis <> excluded.basis"


def await_judgement(
    connection: sqlite3.Connection, school: str, subject: str, kind: str, started: int, sequence: int
) -> None:
    """A result has been stored: its hour waits for the judge. Its place in the chain makes the hour's number one that never was."""
    connection.execute(
        "INSERT INTO unjudged VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET arrivals = max(arrivals + 1, excluded.arrivals)",
        (school, subject, kind, started // MICROS_PER_HOUR, sequence),
    )


def _put_days(connection: sqlite3.Connection, rows: Sequence[DayRow], *, only_older_rules: bool = False) -> None:
    connection.executemany(
        "INSERT INTO day_evidence VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"  # noqa: S608
        " basis = excluded.basis, body = excluded.body" + (_OLDER_RULES if only_older_rules else ""),
        [(row.school, row.day, row.subject, row.target, row.basis, row.body) for row in rows],
    )
