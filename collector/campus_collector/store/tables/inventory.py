"""The inventory in the store: every import as it came, and what follows from it to be judged."""

from datetime import datetime

import msgspec

from campus_collector.domain.change import Change
from campus_collector.domain.inventory import EMPTY, Import, Inventory, subjects_of
from campus_collector.store.columns import micros, moment
from campus_collector.store.tables.table import TableGroup, fields, in_commit, insert
from campus_collector.store.transport import Transaction

_encode, _decode = msgspec.json.encode, msgspec.json.Decoder(Inventory).decode


class InventoryTable(TableGroup):
    """Versions; the newest is in force."""

    def current(self) -> Inventory:
        """What was imported last; empty before the first import."""
        row = self._database.first("SELECT body FROM inventory ORDER BY version DESC LIMIT 1")
        return _decode(row[0]) if row else EMPTY

    def version(self) -> int:
        """Of what is in force; 0 before the first import. Another process may have imported."""
        row = self._database.first("SELECT max(version) FROM inventory")
        return int(row[0] or 0) if row else 0

    def imports(self, limit: int = 100) -> list[Import]:
        rows = self._database.read(
            "SELECT version, imported_at, effective_from, imported_by, changes FROM inventory"
            " ORDER BY version DESC LIMIT :limit",
            {"limit": limit},
        )
        return [
            Import(version, moment(imported_at), moment(effective_from), imported_by, msgspec.json.decode(changes))
            for version, imported_at, effective_from, imported_by, changes in rows
        ]

    @in_commit
    def apply(
        self,
        transaction: Transaction,
        whole: Inventory,
        changes: dict[str, dict[str, int]],
        who: str,
        now: datetime,
        effective_from: datetime,
    ) -> int:
        """Put a whole inventory in force, all of it or nothing; its version."""
        since = micros(effective_from)
        row = transaction.first(
            insert("inventory", "imported_at", "effective_from", "imported_by", "changes", "body")
            + " RETURNING version",
            {"imported_at": micros(now), "effective_from": since, "imported_by": who}
            | {"changes": _encode(changes).decode(), "body": _encode(whole)},
        )
        assert row is not None
        _put_schools(transaction, whole, since)
        _remove_subjects(transaction, whole, since)
        _put_subjects(transaction, whole, since)
        transaction.note_change(Change(inventory=True))
        return int(row[0])


def governed(whole: Inventory) -> list[str]:
    """Which kinds of subjects does this inventory decide? Classrooms and services only when their sheets were given."""
    kinds = ["uplink", "recording_room"] if whole.schools else []
    kinds += ["classroom"] if whole.classrooms else []
    return kinds + (["service"] if whole.services else [])


def _put_schools(transaction: Transaction, whole: Inventory, since: int) -> None:
    transaction.execute(
        "UPDATE school SET removed_at = coalesce(removed_at, :since) WHERE source = 'inventory'", {"since": since}
    )
    transaction.execute_many(
        "INSERT INTO school (id, name, town, town_name, source, town_seat)"
        " VALUES (:id, :name, :town, :town_name, 'inventory', :town_seat)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, town = excluded.town, town_name = excluded.town_name,"
        " source = 'inventory', town_seat = excluded.town_seat, removed_at = NULL",
        [
            fields(school, "id", "name", "town", "town_name") | {"town_seat": int(school.town_seat)}
            for school in whole.schools or ()
        ],
    )


def _remove_subjects(transaction: Transaction, whole: Inventory, since: int) -> None:
    """What is not named any more is removed from that day on; it keeps its past.

    Kinds the inventory says nothing of (a sheet that was never given) stay as the agents announce them.
    """
    named = {(subject.school, subject.kind, subject.id) for subject in subjects_of(whole)}
    decided = {"uplink", "recording_room", *governed(whole)}
    known = transaction.read(
        "SELECT subject.school, kind, subject.id, subject.source FROM subject JOIN school ON school.id = subject.school"
        " WHERE subject.removed_at IS NULL AND school.source = 'inventory'"
    )
    transaction.execute_many(
        "UPDATE subject SET removed_at = CASE WHEN added_at > :since THEN added_at ELSE :since END"
        " WHERE school = :school AND kind = :kind AND id = :id",
        [
            {"school": school, "kind": kind, "id": subject, "since": since}
            for school, kind, subject, source in known
            if (source == "inventory" or kind in decided) and (school, kind, subject) not in named
        ],
    )


def _put_subjects(transaction: Transaction, whole: Inventory, since: int) -> None:
    transaction.execute_many(
        "INSERT INTO subject (school, kind, id, name, source, added_at, exempt_reason)"
        " VALUES (:school, :kind, :id, :name, 'inventory', :since, :exempt_reason)"
        " ON CONFLICT (school, kind, id) DO UPDATE SET name = excluded.name, source = 'inventory', removed_at = NULL,"
        " exempt_reason = excluded.exempt_reason,"
        " added_at = CASE WHEN excluded.added_at < subject.added_at THEN excluded.added_at ELSE subject.added_at END",
        [
            fields(subject, "school", "kind", "id", "name", "exempt_reason") | {"since": since}
            for subject in subjects_of(whole)
        ],
    )
