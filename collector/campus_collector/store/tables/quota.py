"""How much one school may send in a day, and of how many subjects. Checked inside the commit that stores, so that two batches at once count both."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from campus_collector.domain.results import AcceptedResult, Quotas
from campus_collector.store.columns import micros
from campus_collector.store.transport import Transaction
from campus_wire.failures import Validity

COUNTED_FOR = timedelta(days=92)
"""A subject without a result for so long is not counted: classrooms are renamed and devices replaced over the years."""


class SchoolQuota:
    """The counts of one school today (UTC, by arrival) while batches are stored."""

    def __init__(
        self,
        transaction: Transaction,
        school: str,
        received_at: datetime,
        quotas: Quotas,
        intake: tuple[int, int] | None,
        known: Iterable[tuple[str, str]],
    ) -> None:
        """With what the school has sent on this day, and some (subject, kind) that have a result."""
        self._transaction, self._school, self._quotas = transaction, school, quotas
        self._day = arrival_day(received_at)
        self.begins_day = intake is None
        self._results, self._bytes = intake or (0, 0)
        self._recent_since = micros(received_at - COUNTED_FOR)
        self._subject_counts: dict[tuple[str, int], int] = {}
        """Subjects of a kind with a result since then; new ones are counted in."""
        self._known = set(known)

    def refusal(self, accepted: AcceptedResult, kind: str) -> str | None:
        """Why this result of a kind is too much, in words; None when it may be stored."""
        if self._results >= self._quotas.results_per_day:
            return f"quota: more than {self._quotas.results_per_day} results of one school in a day"
        if self._bytes + len(accepted.raw) > self._quotas.bytes_per_day:
            return f"quota: more than {self._quotas.bytes_per_day} bytes of one school in a day"
        if self._is_known(accepted.result.subject, kind):
            return None
        late = (
            micros(accepted.result.started_at) < self._recent_since
            and accepted.result.validity is not Validity.CLOCK_UNTRUSTED
        )
        # results that are dated back do not get around the count
        if self._subjects(kind, 0 if late else self._recent_since) >= self._quotas.subjects_of_one_kind:
            return f"quota: more than {self._quotas.subjects_of_one_kind} subjects of kind {kind} in one school"
        for since in (0,) if late else (0, self._recent_since):
            self._subject_counts[kind, since] = self._subjects(kind, since) + 1
        return None

    def count(self, accepted: AcceptedResult, kind: str) -> None:
        self._known.add((accepted.result.subject, kind))
        self._results += 1
        self._bytes += len(accepted.raw)

    def intake(self) -> dict[str, object]:
        """The row of `intake`."""
        return {"school": self._school, "day": self._day, "results": self._results, "bytes": self._bytes}

    def _is_known(self, subject: str, kind: str) -> bool:
        if (subject, kind) not in self._known:
            row = self._transaction.first(
                "SELECT 1 FROM latest WHERE school = :school AND subject = :subject AND kind = :kind",
                {"school": self._school, "subject": subject, "kind": kind},
            )
            if row is None:
                return False
            self._known.add((subject, kind))
        return True

    def _subjects(self, kind: str, since: int) -> int:
        if (kind, since) not in self._subject_counts:
            row = self._transaction.first(
                "SELECT count(*) FROM latest WHERE school = :school AND kind = :kind AND any_started_at >= :since",
                {"school": self._school, "kind": kind, "since": since},
            )
            assert row is not None
            self._subject_counts[kind, since] = row[0]
        return self._subject_counts[kind, since]


def write_intake(transaction: Transaction, quotas: Sequence[SchoolQuota]) -> None:
    """After the batches. With the first of a day, days before yesterday are removed."""
    transaction.execute_many(
        "INSERT INTO intake (school, day, results, bytes) VALUES (:school, :day, :results, :bytes)"
        " ON CONFLICT (school, day) DO UPDATE SET results = excluded.results, bytes = excluded.bytes",
        [quota.intake() for quota in quotas],
    )
    transaction.execute_many(
        "DELETE FROM intake WHERE school = :school AND day < :day - 1",
        [quota.intake() for quota in quotas if quota.begins_day],
    )


def arrival_day(moment: datetime) -> int:
    """The day of the intake, in days since 1970 (UTC)."""
    return int(moment.timestamp()) // 86_400
