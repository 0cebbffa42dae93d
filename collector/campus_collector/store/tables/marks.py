"""Single values by name."""

from campus_collector.store.transport import Queryable, Transaction

_INSERT = "INSERT INTO mark (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = "


def mark_value(reader: Queryable, name: str) -> int | None:
    """None when it was never set."""
    row = reader.first("SELECT value FROM mark WHERE name = :name", {"name": name})
    return row[0] if row else None


def set_mark(transaction: Transaction, name: str, value: int) -> None:
    transaction.execute(_INSERT + "excluded.value", {"name": name, "value": value})


def raise_mark(transaction: Transaction, name: str, value: int) -> None:
    """Set it, unless it is higher already."""
    transaction.execute(
        _INSERT + "CASE WHEN excluded.value > mark.value THEN excluded.value ELSE mark.value END",
        {"name": name, "value": value},
    )
