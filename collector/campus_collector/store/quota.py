"""How much one school may send in a day, and of how many subjects. Checked inside the commit that stores, so that two batches at once count both."""

import sqlite3
from datetime import datetime, timedelta

from campus_collector.domain.records import Quotas, Valid
from campus_collector.store.database import micros
from campus_wire.failures import Validity
from campus_wire.records import kind_of

COUNTED_FOR = timedelta(days=92)
"""A subject without a result for so long takes none of its school's room: classrooms are renamed and devices replaced over the years."""


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
        self._recent_since = micros(received_at - COUNTED_FOR)
        self._of_kind: dict[tuple[str, int], int] = {}
        """Subjects of a kind with a result since then; the batch's new ones are counted in."""

    def refusal(self, valid: Valid) -> str | None:
        """Why this result is too much, in words; None when it may be stored."""
        if self._results >= self._quotas.results_per_day:
            return f"quota: more than {self._quotas.results_per_day} results of one school in a day"
        if self._bytes + len(valid.raw) > self._quotas.bytes_per_day:
            return f"quota: more than {self._quotas.bytes_per_day} bytes of one school in a day"
        kind, subject = kind_of(valid.result), valid.result.subject
        key = (self._school, subject, kind)
        if self._database.execute("SELECT 1 FROM latest WHERE school = ? AND subject = ? AND kind = ?", key).fetchone():
            return None
        late = (
            micros(valid.result.started_at) < self._recent_since
            and valid.result.validity is not Validity.CLOCK_UNTRUSTED
        )
        # whoever dates new subjects back gets no room besides what is counted
        if self._subjects(kind, 0 if late else self._recent_since) >= self._quotas.subjects_of_one_kind:
            return f"quota: more than {self._quotas.subjects_of_one_kind} subjects of kind {kind} in one school"
        for since in (0,) if late else (0, self._recent_since):
            self._of_kind[kind, since] = self._subjects(kind, since) + 1
        return None

    def _subjects(self, kind: str, since: int) -> int:
        if (kind, since) not in self._of_kind:
            sql = "SELECT count(*) FROM latest WHERE school = ? AND kind = ? AND any_started_at >= ?"
            self._of_kind[kind, since] = self._database.execute(sql, (self._school, kind, since)).fetchone()[0]
        return self._of_kind[kind, since]

    def count(self, valid: Valid) -> None:
        """This result is stored."""
        self._results += 1
        self._bytes += len(valid.raw)

    def keep(self) -> None:
        """Remember the counts; days before yesterday are forgotten."""
        self._database.execute(
            "INSERT INTO intake VALUES (?, ?, ?, ?) ON CONFLICT (school, day) DO UPDATE SET results = excluded.results,"
            " bytes = excluded.bytes",
            (self._school, self._day, self._results, self._bytes),
        )
        self._database.execute("DELETE FROM intake WHERE school = ? AND day < ?", (self._school, self._day - 1))
