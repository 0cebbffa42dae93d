"""Counts that only grow, by name and label."""

from collections.abc import Mapping

from campus_collector.store.transport import Queryable, Transaction


def add_total(transaction: Transaction, name: str, label: str, amount: int) -> None:
    add_totals(transaction, {(name, label): amount})


def add_totals(transaction: Transaction, amounts: Mapping[tuple[str, str], int]) -> None:
    """By name and label."""
    transaction.execute_many(
        "INSERT INTO total (name, label, value) VALUES (:name, :label, :amount)"
        " ON CONFLICT (name, label) DO UPDATE SET value = total.value + excluded.value",
        [{"name": name, "label": label, "amount": amount} for (name, label), amount in sorted(amounts.items())],
    )


def totals(reader: Queryable, name: str) -> dict[str, int]:
    """The counts of one name, by label."""
    return dict(reader.read("SELECT label, value FROM total WHERE name = :name", {"name": name}))
