"""The inventory in the store: every import as it came, and what follows from it to be judged."""

import zlib
from datetime import datetime, timedelta

import msgspec

from campus_collector.domain.change import Change
from campus_collector.domain.inventory import EMPTY, Import, Inventory, Timetable, Upload, subjects_of
from campus_collector.store.columns import micros, moment
from campus_collector.store.errors import Conflict
from campus_collector.store.tables.table import TableGroup, fields, in_commit, in_commit_of_all_schools, insert
from campus_collector.store.tables.tallies import outdate_subjects
from campus_collector.store.transport import Row, Transaction

_encode, _decode = msgspec.json.encode, msgspec.json.Decoder(Inventory).decode
_decode_upload = msgspec.json.Decoder(tuple[Inventory, tuple[str, ...]]).decode
MAX_UPLOADS = 4


class _Timetables(msgspec.Struct, frozen=True):
    """That sheet of an inventory alone."""

    timetables: tuple[Timetable, ...] | None = None


_decode_timetables = msgspec.json.Decoder(_Timetables).decode
UPLOAD_LIFE = timedelta(days=1)


class InventoryTable(TableGroup):
    """Versions; the newest is in force."""

    def current(self) -> Inventory:
        """What was imported last; empty before the first import."""
        return self.current_with_version()[0]

    def current_with_version(self) -> tuple[Inventory, int]:
        """The same, and its version."""
        row = self._database.first("SELECT body, version FROM inventory ORDER BY version DESC LIMIT 1")
        return (_decode(row[0]), int(row[1])) if row else (EMPTY, 0)

    def timetables(self, before: datetime) -> tuple[Timetable, ...]:
        """Of the newest inventory whose effect begins before a moment; where none does, of the first that was imported."""
        row = self._database.first(
            "SELECT body FROM inventory WHERE effective_from < :before ORDER BY version DESC LIMIT 1",
            {"before": micros(before)},
        ) or self._database.first("SELECT body FROM inventory ORDER BY version LIMIT 1")
        return (_decode_timetables(row[0]).timetables or ()) if row else ()

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

    @in_commit_of_all_schools
    def apply(
        self,
        transaction: Transaction,
        whole: Inventory,
        changes: dict[str, dict[str, int]],
        who: str,
        now: datetime,
        effective_from: datetime,
        before_version: int | None = None,
    ) -> int:
        """Put a whole inventory in force, all of it or nothing; its version. Raises Conflict when `before_version` is not in force any more."""
        if before_version is not None:
            newest = transaction.first("SELECT max(version) FROM inventory")
            if newest is not None and (newest[0] or 0) != before_version:
                raise Conflict(f"version {before_version} of the inventory is not in force any more")
        since = micros(effective_from)
        row = transaction.first(
            insert("inventory", "imported_at", "effective_from", "imported_by", "changes", "body")
            + " RETURNING version",
            {"imported_at": micros(now), "effective_from": since, "imported_by": who}
            | {"changes": _encode(changes).decode(), "body": _encode(whole)},
        )
        assert row is not None
        before = _subjects_by_school(transaction)
        _put_schools(transaction, whole, since)
        _remove_subjects(transaction, whole, since)
        _put_subjects(transaction, whole, since)
        after = _subjects_by_school(transaction)
        outdate_subjects(transaction, (school for school in before | after if before.get(school) != after.get(school)))
        transaction.note_change(Change(inventory=True))
        return int(row[0])

    @in_commit
    def keep_upload(self, transaction: Transaction, key: str, upload: Upload, now: datetime) -> None:
        """Keep it for a day; only the newest few are kept."""
        transaction.execute(
            insert("upload", "key", "person", "uploaded_at", "before_version", "body"),
            {"key": key, "uploaded_at": micros(now)}
            | fields(upload, "person", "before_version")
            | {"body": zlib.compress(_encode([upload.inventory, upload.ignored]))},
        )
        transaction.execute(
            "DELETE FROM upload WHERE uploaded_at <= :old OR key NOT IN"
            " (SELECT key FROM upload ORDER BY uploaded_at DESC, key LIMIT :most)",
            {"old": micros(now - UPLOAD_LIFE), "most": MAX_UPLOADS},
        )

    def upload(self, key: str) -> Upload | None:
        """None when it is not kept, or not any more."""
        row = self._database.first("SELECT before_version, person, body FROM upload WHERE key = :key", {"key": key})
        if row is None:
            return None
        inventory, ignored = _decode_upload(zlib.decompress(row[2]))
        return Upload(inventory, row[0], row[1], ignored)

    @in_commit
    def drop_upload(self, transaction: Transaction, key: str) -> None:
        transaction.execute("DELETE FROM upload WHERE key = :key", {"key": key})


def _subjects_by_school(transaction: Transaction) -> dict[str, list[Row]]:
    """All that a verdict depends on of each school's subjects: what a school is called, and its town, change none."""
    by_school: dict[str, list[Row]] = {}
    for row in transaction.read(
        "SELECT school, kind, id, required_bits_per_second, source, exempt_reason, added_at, removed_at FROM subject"
        " ORDER BY school, kind, id"
    ):
        by_school.setdefault(row[0], []).append(row)
    return by_school


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
