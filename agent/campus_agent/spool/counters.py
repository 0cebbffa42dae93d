"""Counts in the spool's file, changed in the same transaction as what they count."""

import sqlite3


def read(connection: sqlite3.Connection) -> dict[str, int]:
    """All counters that were ever counted."""
    return dict(connection.execute("SELECT name, value FROM counters"))


def count(connection: sqlite3.Connection, name: str, amount: int) -> None:
    if amount:
        connection.execute(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (name, amount),
        )
