"""Attempts with a code or a password that failed or are being checked: all collectors on a database count them together."""

from secrets import token_hex
from typing import NamedTuple

from campus_collector.store.tables.table import TableGroup, in_commit, insert
from campus_collector.store.transport import Queryable, Transaction


class Admission(NamedTuple):
    """An attempt that was counted, or after how many seconds its address may try again (`id` is then "")."""

    id: str
    wait_seconds: float


class AttemptTable(TableGroup):
    """By kind and group of addresses. Moments are seconds since 1970 by the database's clock, unless a caller has one of its own."""

    def begin(self, kind: str, address: str, tries: int, window_seconds: float, now: float | None = None) -> Admission:
        """Count an attempt, unless this address had so many within the window: then nothing is written. Raises StoreUnavailable."""
        moment = self._database.clock_micros() if now is None else round(now * 1e6)
        wait_seconds = _wait_seconds(self._database, kind, address, tries, round(window_seconds * 1e6), moment)
        if wait_seconds > 0:
            return Admission("", wait_seconds)
        return self._count(kind, address, tries, round(window_seconds * 1e6), now)

    @in_commit
    def _count(
        self, transaction: Transaction, kind: str, address: str, tries: int, window: int, now: float | None
    ) -> Admission:
        moment = transaction.clock_micros() if now is None else round(now * 1e6)
        transaction.execute(
            "DELETE FROM attempt WHERE kind = :kind AND (at <= :old OR at > :now)",  # later ones: the clock was set back
            {"kind": kind, "old": moment - window, "now": moment},
        )
        wait_seconds = _wait_seconds(transaction, kind, address, tries, window, moment)
        if wait_seconds > 0:
            return Admission("", wait_seconds)
        attempt_id = token_hex(8)
        transaction.execute(
            insert("attempt", "id", "kind", "address", "at"),
            {"id": attempt_id, "kind": kind, "address": address, "at": moment},
        )
        return Admission(attempt_id, 0.0)

    @in_commit
    def give_back(self, transaction: Transaction, attempt_id: str) -> None:
        """This attempt does not count, and only this one."""
        transaction.execute("DELETE FROM attempt WHERE id = :id", {"id": attempt_id})

    def count(self, kind: str, window_seconds: float, most: int, now: float | None = None) -> int:
        """How many attempts of all addresses are within the window; at most so many are counted. Raises StoreUnavailable."""
        moment = self._database.clock_micros() if now is None else round(now * 1e6)
        row = self._database.first(
            "SELECT count(*) FROM (SELECT 1 AS counted FROM attempt WHERE kind = :kind AND at > :old AND at <= :now"
            " LIMIT :most) newest",
            {"kind": kind, "old": moment - round(window_seconds * 1e6), "now": moment, "most": most},
        )
        return int(row[0]) if row else 0


def _wait_seconds(reader: Queryable, kind: str, address: str, tries: int, window: int, now: int) -> float:
    rows = reader.read(
        "SELECT at FROM attempt WHERE kind = :kind AND address = :address AND at > :old AND at <= :now ORDER BY at",
        {"kind": kind, "address": address, "old": now - window, "now": now},
    )
    return max(0.001, (rows[0][0] + window - now) / 1e6) if len(rows) >= tries else 0.0
