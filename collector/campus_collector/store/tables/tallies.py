"""Verdicts of a school and month, counted once and kept until something they rest on changes (see migration 0020).

Whatever writes evidence or the list of subjects raises the revision in the same commit. Who counts reads the revision first and the evidence
afterwards: a tally that is kept too late rests on an old revision, and holds no more.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from campus_collector.domain.days import day_number, day_of
from campus_collector.domain.tallies import NEWEST, KeptTally
from campus_collector.store.columns import among
from campus_collector.store.tables.table import TableGroup, fields, insert
from campus_collector.store.transport import Transaction

_KEEP_SECONDS = 1.0
"""Whoever counted waits so long to keep it."""


class TallyTable(TableGroup):
    """Tallies by school and month."""

    def of_months(self, months: Sequence[int], schools: Sequence[str] | None = None) -> list[KeptTally]:
        """Those that hold of some months, of all schools or of some, without `verdicts`; whoever reads them compares `basis`."""
        return self._read("''", months, schools)

    def with_verdicts(self, month: int, schools: Sequence[str] | None = None) -> list[KeptTally]:
        """The same of one month, with all they have."""
        return self._read("t.verdicts", [month], schools)

    def months(self, school: str) -> list[int]:
        """The months of a school that a tally was ever kept of."""
        rows = self._database.read(
            "SELECT month FROM school_tally WHERE school = :school AND month <> -1 AND rests_on IS NOT NULL ORDER BY month",
            {"school": school},
        )
        return [month for (month,) in rows]

    def _read(self, verdicts: str, months: Sequence[int], schools: Sequence[str] | None) -> list[KeptTally]:
        listed, key = among("month", months)
        of_schools = ""
        if schools is not None:
            listed_schools, school_key = among("school", schools)
            of_schools, key = f" AND t.school IN {listed_schools}", key | school_key
        # a tally of the newest results has the revision of the subjects itself
        rows = self._database.read(
            f"SELECT t.school, t.month, t.rests_on, t.basis, t.tally, {verdicts} FROM school s"
            " JOIN school_tally t ON t.school = s.id"
            " LEFT JOIN school_tally o ON o.school = t.school AND o.month = -1 AND t.month <> -1"
            f" WHERE t.rests_on = t.revision + coalesce(o.revision, 0) AND t.month IN {listed}{of_schools}",
            key,
        )
        return [KeptTally(*row) for row in rows]

    def revisions(self, month: int, schools: Sequence[str]) -> dict[str, int]:
        """What a tally that is counted from now on rests on, by school."""
        listed, key = among("school", schools)
        rows = self._database.read(
            f"SELECT school, sum(revision) FROM school_tally WHERE school IN {listed} AND month IN (:month, -1)"
            " GROUP BY school",
            key | {"month": month},
        )
        known = {school: int(revision) for school, revision in rows}
        return {school: known.get(school, 0) for school in schools}

    def lacking(self, month: int, basis: str) -> list[str]:
        """The schools without a tally of a month that holds."""
        rows = self._database.read(
            "SELECT s.id FROM school s LEFT JOIN school_tally t ON t.school = s.id AND t.month = :month"
            " LEFT JOIN school_tally o ON o.school = s.id AND o.month = -1 WHERE t.basis IS NULL OR t.basis <> :basis"
            " OR t.rests_on <> t.revision + coalesce(o.revision, 0) ORDER BY s.id",
            {"month": month, "basis": basis},
        )
        return [school for (school,) in rows]

    def keep(self, tallies: Sequence[KeptTally]) -> None:
        """Keep what was counted; of several the one that rests on more. Raises StoreUnavailable, and then it is counted again."""
        self._database.write(lambda transaction: keep_tallies(transaction, tallies), _KEEP_SECONDS, finish_begun=False)


def keep_tallies(transaction: Transaction, tallies: Iterable[KeptTally]) -> None:
    transaction.execute_many(
        "INSERT INTO school_tally (school, month, revision, rests_on, basis, tally, verdicts)"
        " VALUES (:school, :month, 0, :rests_on, :basis, :tally, :verdicts) ON CONFLICT (school, month) DO UPDATE SET"
        " rests_on = excluded.rests_on, basis = excluded.basis, tally = excluded.tally, verdicts = excluded.verdicts"
        " WHERE school_tally.rests_on IS NULL OR school_tally.rests_on <= excluded.rests_on",
        [fields(tally, "school", "month", "rests_on", "basis", "tally", "verdicts") for tally in tallies],
    )


def outdate_months(transaction: Transaction, days: Iterable[tuple[str, int]]) -> None:
    """The evidence of some (school, day) was written: the tallies of their months hold no more."""
    _outdate(transaction, {(school, first_of_month(day)) for school, day in days})


def outdate_subjects(transaction: Transaction, schools: Iterable[str]) -> None:
    """The list of a school's subjects was changed: none of its tallies holds any more."""
    _outdate(transaction, {(school, NEWEST) for school in schools})


def _outdate(transaction: Transaction, outdated: Iterable[tuple[str, int]]) -> None:
    transaction.execute_many(
        insert("school_tally", "school", "month", "revision")
        + " ON CONFLICT (school, month) DO UPDATE SET revision = school_tally.revision + 1",
        [{"school": school, "month": month, "revision": 1} for school, month in sorted(outdated)],
    )


def first_of_month(day: int) -> int:
    """The first day of a day's month, both as days since 1970."""
    local = day_of(day)
    return day_number(date(local.year, local.month, 1))
