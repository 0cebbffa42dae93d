"""Counts that only grow, by name and label. What ingest counts is kept by school, so that no two schools share a row, and added up when it is read."""

from collections.abc import Mapping

from campus_collector.store.transport import NO_SCHOOL, Queryable, Transaction


def add_total(transaction: Transaction, name: str, label: str, amount: int) -> None:
    """Of what is no school's."""
    add_totals(transaction, {(NO_SCHOOL, name, label): amount})


def add_totals(transaction: Transaction, amounts: Mapping[tuple[str, str, str], int]) -> None:
    """By school, name and label."""
    transaction.execute_many(
        "INSERT INTO total (school, name, label, value) VALUES (:school, :name, :label, :amount)"
        " ON CONFLICT (school, name, label) DO UPDATE SET value = total.value + excluded.value",
        [
            {"school": school, "name": name, "label": label, "amount": amount}
            for (school, name, label), amount in sorted(amounts.items())
        ],
    )


def totals(reader: Queryable, name: str) -> dict[str, int]:
    """The counts of one name, of all schools together, by label."""
    return dict(
        reader.read(
            "SELECT label, CAST(sum(value) AS BIGINT) FROM total WHERE name = :name GROUP BY label", {"name": name}
        )
    )
