"""How much one school may send in a day, and of how many subjects. Checked inside the commit that stores, so that two batches at once count both."""

import sqlite3
from datetime import datetime

from campus_collector.store.interface import Quotas, Valid
from campus_wire.records import kind_of


class SchoolQuota:
    """One batch's look at what its school has sent today (UTC, by arrival)."""

    def __init__(self, database: sqlite3.Connection, school: str, received_at: datetime, quotas: Quotas) -> None:
        """Reads the counts of the day so far."""
        self._database, self._school, self._quotas = database, school, quotas
        self._day = int(received_at.timestamp()) // 86_400
        row = database.execute(
            "SELECT results, bytes FROM intake WHERE school = ? AND day = ?", (school, self._day)
        ).fetchone()
        self._results: int = row[0] if row else 0
        self._bytes: int = row[1] if row else 0
        self._of_kind: dict[str, int] = {}

    def refusal(self, one: Valid) -> str | None:
        """Why this result is too much, in words; None when it may be stored."""
        if self._results >= self._quotas.results_per_day:
            return f"quota: more than {self._quotas.results_per_day} results of one school in a day"
        if self._bytes + len(one.raw) > self._quotas.bytes_per_day:
            return f"quota: more than {self._quotas.bytes_per_day} bytes of one school in a day"
        kind, subject = kind_of(one.result), one.result.subject
        key = (self._school, subject, kind)
        if self._database.execute("SELECT 1 FROM latest WHERE school = ? AND subject = ? AND kind = ?", key).fetchone():
            return None
        if kind not in self._of_kind:
            sql = "SELECT count(*) FROM latest WHERE school = ? AND kind = ?"
            self._of_kind[kind] = self._database.execute(sql, (self._school, kind)).fetchone()[0]
        if self._of_kind[kind] >= self._quotas.subjects_of_one_kind:
            return f"quota: more than {self._quotas.subjects_of_one_kind} subjects of kind {kind} in one school"
        self._of_kind[kind] += 1
        return None

    def count(self, one: Valid) -> None:
        """This result is stored."""
        self._results += 1
        self._bytes += len(one.raw)

    def keep(self) -> None:
        """Remember the counts; days before yesterday are forgotten."""
        self._database.execute(
            "INSERT INTO intake VALUES (?, ?, ?, ?) ON CONFLICT (school, day) DO UPDATE SET results = excluded.results,"
            " bytes = excluded.bytes",
            (self._school, self._day, self._results, self._bytes),
        )
        self._database.execute("DELETE FROM intake WHERE school = ? AND day < ?", (self._school, self._day - 1))
