"""How large the database was, day by day."""

from datetime import date

from campus_collector.domain.days import day_number, day_of
from campus_collector.domain.space import GROWTH_DAYS, DaySize, Space, results_per_day
from campus_collector.store.database import Database
from campus_collector.store.tables.archives import ArchiveTable
from campus_collector.store.tables.table import TableGroup, in_commit
from campus_collector.store.tables.totals import totals
from campus_collector.store.transport import Transaction


class SizeTable(TableGroup):
    """The size of the database itself."""

    def __init__(self, database: Database, archives: ArchiveTable) -> None:
        super().__init__(database)
        self._archives = archives

    def space(self, today: date) -> Space:
        """The database as it is now, with its growth over the last days. Raises StoreUnavailable."""
        used_bytes, free_bytes, reusable_bytes = self._database.space()
        left = sum(month.results for month in self._archives.removed())
        results = sum(totals(self._database, "measurement").values()) - left
        rows = self._database.read(
            "SELECT day, used_bytes, results FROM store_size WHERE day >= :first ORDER BY day",
            {"first": day_number(today) - GROWTH_DAYS},
        )
        days = [DaySize(day_of(day), used, count) for day, used, count in rows]
        return Space(used_bytes, results, free_bytes, results_per_day(days, today, results), reusable_bytes)

    def note(self, today: date) -> None:
        """Keep the size of today, when it holds other results than at the last look. Raises StoreUnavailable."""
        space = self.space(today)
        row = self._database.first("SELECT results FROM store_size WHERE day = :day", {"day": day_number(today)})
        if row is None or row[0] != space.results:
            self._put(DaySize(today, space.used_bytes, space.results))

    @in_commit
    def _put(self, transaction: Transaction, size: DaySize) -> None:
        transaction.execute(
            "INSERT INTO store_size (day, used_bytes, results) VALUES (:day, :used_bytes, :results) ON CONFLICT (day)"
            " DO UPDATE SET used_bytes = excluded.used_bytes, results = excluded.results",
            size._asdict() | {"day": day_number(size.day)},
        )
