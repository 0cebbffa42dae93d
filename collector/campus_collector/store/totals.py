"""Counts that only grow, by name and label."""

import sqlite3


def add_total(database: sqlite3.Connection, name: str, label: str, amount: int) -> None:
    """Within a commit."""
    database.execute(
        "INSERT INTO total VALUES (?, ?, ?) ON CONFLICT (name, label) DO UPDATE SET value = value + excluded.value",
        (name, label, amount),
    )
