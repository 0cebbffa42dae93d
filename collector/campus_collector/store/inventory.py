"""The inventory in the store: every import as it came, and what follows from it to be judged."""

import sqlite3
from datetime import datetime

import msgspec

from campus_collector.domain.inventory import EMPTY, Inventory, subjects_of
from campus_collector.domain.records import Change, Import
from campus_collector.store.database import Database, micros, moment_of

_encode, _decode = msgspec.json.encode, msgspec.json.Decoder(Inventory).decode


class InventoryTable:
    """Versions; the newest is in force."""

    def __init__(self, database: Database) -> None:
        """Shares the store's file."""
        self._database = database

    def current(self) -> Inventory:
        """What was imported last; empty before the first import."""
        row = self._database.one("SELECT body FROM inventory ORDER BY version DESC LIMIT 1")
        return _decode(row[0]) if row else EMPTY

    def version(self) -> int:
        """Of what is in force; 0 before the first import. Another process may have imported."""
        row = self._database.one("SELECT max(version) FROM inventory")
        return int(row[0] or 0)

    def imports(self, limit: int = 100) -> list[Import]:
        """The newest imports."""
        rows = self._database.all(
            "SELECT version, imported_at, effective_from, imported_by, changes FROM inventory ORDER BY version DESC LIMIT ?",
            (limit,),
        )
        return [
            Import(version, moment_of(at), moment_of(since), who, msgspec.json.decode(changes))
            for version, at, since, who, changes in rows
        ]

    def apply(
        self, whole: Inventory, changes: dict[str, dict[str, int]], who: str, now: datetime, effective_from: datetime
    ) -> int:
        """Put a whole inventory in force, all of it or nothing; its version."""

        def work(connection: sqlite3.Connection) -> int:
            row = (micros(now), micros(effective_from), who, _encode(changes).decode(), _encode(whole))
            version = connection.execute(
                "INSERT INTO inventory (imported_at, effective_from, imported_by, changes, body) VALUES (?, ?, ?, ?, ?)",
                row,
            ).lastrowid
            _schools(connection, whole, micros(effective_from))
            _subjects(connection, whole, micros(effective_from))
            self._database.note(Change(inventory=True))
            return int(version or 0)

        return self._database.write(work)


def _schools(connection: sqlite3.Connection, whole: Inventory, since: int) -> None:
    connection.execute("UPDATE school SET removed_at = coalesce(removed_at, ?) WHERE source = 'inventory'", (since,))
    connection.executemany(
        "INSERT INTO school (id, name, town, town_name, source, town_seat) VALUES (?, ?, ?, ?, 'inventory', ?)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, town = excluded.town, town_name = excluded.town_name,"
        " source = 'inventory', town_seat = excluded.town_seat, removed_at = NULL",
        [(one.id, one.name, one.town, one.town_name, one.town_seat) for one in whole.schools or ()],
    )


def _subjects(connection: sqlite3.Connection, whole: Inventory, since: int) -> None:
    """What is not named any more is removed from that day on; it keeps its past."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS named (school, kind, id, name, exempt_reason)")
    connection.execute("DELETE FROM named")
    connection.executemany(
        "INSERT INTO named VALUES (?, ?, ?, ?, ?)",
        [(one.school, one.kind, one.id, one.name, one.exempt_reason) for one in subjects_of(whole)],
    )
    connection.execute("CREATE INDEX IF NOT EXISTS temp.named_by_key ON named (school, kind, id)")
    # Kinds the inventory says nothing of (a sheet that was never given) stay as the agents announce them.
    connection.execute(
        "UPDATE subject SET removed_at = max(?1, added_at) WHERE removed_at IS NULL"
        " AND school IN (SELECT id FROM school WHERE source = 'inventory')"
        " AND (source = 'inventory' OR kind IN ('uplink', 'recording_room')"
        "      OR kind IN (SELECT value FROM json_each(?2)))"
        " AND NOT EXISTS (SELECT 1 FROM named n WHERE n.school = subject.school AND n.kind = subject.kind"
        "                 AND n.id = subject.id)",
        (since, msgspec.json.encode(governed(whole)).decode()),
    )
    connection.execute(
        "INSERT INTO subject (school, kind, id, name, required_bits_per_second, source, removed_at, added_at, exempt_reason)"
        " SELECT school, kind, id, name, NULL, 'inventory', NULL, ?1, exempt_reason FROM named WHERE true"
        " ON CONFLICT (school, kind, id) DO UPDATE SET name = excluded.name, source = 'inventory', removed_at = NULL,"
        " exempt_reason = excluded.exempt_reason, added_at = min(added_at, excluded.added_at)",
        (since,),
    )
    connection.execute("DELETE FROM named")


def governed(whole: Inventory) -> list[str]:
    """Which kinds of subjects does this inventory decide? Classrooms and platforms only when their sheets were given."""
    found = ["uplink", "recording_room"] if whole.schools else []
    found += ["classroom"] if whole.classrooms else []
    return found + (["service"] if whole.services else [])
