"""Keys that all collectors on a database share."""

from campus_collector.store.tables.table import TableGroup, in_commit, insert
from campus_collector.store.transport import Transaction


class SharedKeyTable(TableGroup):
    """Keys by name; one that is there is never replaced."""

    def get(self, name: str) -> bytes | None:
        """The key of this name; None of none."""
        row = self._database.first("SELECT value FROM shared_key WHERE name = :name", {"name": name})
        return bytes(row[0]) if row else None

    def get_or_add(self, name: str, new: bytes) -> bytes:
        """The key of this name, which is `new` where there was none. Raises StoreUnavailable."""
        kept = self.get(name)
        return kept if kept is not None else self._add(name, new)

    @in_commit
    def _add(self, transaction: Transaction, name: str, new: bytes) -> bytes:
        transaction.execute(
            insert("shared_key", "name", "value") + " ON CONFLICT (name) DO NOTHING", {"name": name, "value": new}
        )
        row = transaction.first("SELECT value FROM shared_key WHERE name = :name", {"name": name})
        assert row is not None
        return bytes(row[0])
