"""Schools and their subjects: of an imported inventory, or as their agents announce them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from campus_collector.domain.schools import School, Subject, SubjectKind
from campus_collector.store.columns import among, micros_or_none, moment, rows_of, where
from campus_collector.store.tables.table import TableGroup
from campus_collector.store.transport import Row, Transaction
from campus_wire.records import Announcement


class SchoolTable(TableGroup):
    """Schools as they are known."""

    def all(self, since: datetime | None = None) -> list[School]:
        """All schools, by town and id; with `since` also those that were removed later than that."""
        rows = self._database.read(
            "SELECT id, name, town, town_name, source, town_seat FROM school"
            " WHERE removed_at IS NULL OR removed_at > :since ORDER BY town, id",
            {"since": micros_or_none(since)},
        )
        return [
            School(school_id, name, town, town_name, source, bool(town_seat))
            for school_id, name, town, town_name, source, town_seat in rows
        ]


class SubjectTable(TableGroup):
    """Subjects as they are known."""

    def all(
        self, school: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[Subject]:
        """All subjects, or one school's, by school, kind and id.

        With `since` also those that were removed later than that, with `until` only those known before.
        """
        condition = where(school=school) or "WHERE 1 = 1"
        if until is not None:
            condition += " AND added_at < :until"
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM subject {condition} AND (removed_at IS NULL OR removed_at > :since) ORDER BY school, kind, id",
            {"school": school, "since": micros_or_none(since), "until": micros_or_none(until)},
        )
        return [_subject(row) for row in rows]

    def of_schools(
        self, schools: Sequence[str], since: datetime | None = None, until: datetime | None = None
    ) -> list[Subject]:
        """The same of some schools."""
        listed, key = among("school", schools)
        before = "" if until is None else " AND added_at < :until"
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM subject WHERE school IN {listed}{before}"
            " AND (removed_at IS NULL OR removed_at > :since) ORDER BY school, kind, id",
            key | {"since": micros_or_none(since), "until": micros_or_none(until)},
        )
        return [_subject(row) for row in rows]

    def names(self, subjects: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
        """(school, id, name) of some classrooms and services, by school and id; removed ones included."""
        listed, key = rows_of("s", subjects)
        rows = self._database.read(
            f"WITH s(school, id) AS (VALUES {listed}) SELECT n.school, n.id, n.name FROM s CROSS JOIN subject n"
            " WHERE n.school = s.school AND n.id = s.id AND n.kind IN ('classroom', 'service')",
            key,
        )
        return [(school, subject, name) for school, subject, name in rows]


_COLUMNS = "school, kind, id, name, required_bits_per_second, source, exempt_reason, added_at"


def _subject(row: Row) -> Subject:
    return Subject(*(*row[:7], moment(row[7])))


def announce_school(transaction: Transaction, school: str, town: str | None) -> int:
    """Make a school known; an imported inventory is never overruled. 1 when the school changed."""
    action = (
        "NOTHING"
        if town is None
        else "UPDATE SET town = excluded.town, town_name = excluded.town_name"
        " WHERE school.source = 'announced' AND school.town <> excluded.town"
    )
    return transaction.execute(
        "INSERT INTO school (id, name, town, town_name, source) VALUES (:school, :school, :town, :town, 'announced')"
        f" ON CONFLICT (id) DO {action}",
        {"school": school, "town": town or ""},
    )


_NOT_OF_THE_INVENTORY = (
    " WHERE NOT EXISTS (SELECT 1 FROM subject i WHERE i.school = :school AND i.kind = :kind AND i.source = 'inventory')"
    " AND NOT (:kind IN ('uplink', 'recording_room')"
    "          AND EXISTS (SELECT 1 FROM school s WHERE s.id = :school AND s.source = 'inventory'))"
)
"""What an agent announces counts only for kinds of subjects that the inventory does not name for its school."""


def subject_kind(subject: str, result_kind: str) -> SubjectKind | None:
    """What is judged on results of a kind; None when nothing is."""
    if result_kind == "room":  # a single room is shown; judged is what the school has
        return "recording_room" if subject == "recording_room" else None
    if result_kind == "service":
        return "service"
    if result_kind == "lesson_stream":
        return "uplink" if subject == "uplink" else None
    if result_kind == "throughput":
        return "uplink" if subject == "uplink" else "classroom"
    return None


class SubjectKeeper:
    """Makes known which subjects several schools have, inside one transaction; nothing is written of what is known already."""

    def __init__(self, transaction: Transaction, added_at: dict[tuple[str, str, str], int]) -> None:
        """`added_at` is since when the subjects whose results are stored are known, by school, kind and subject."""
        self._transaction, self._added_at = transaction, added_at

    def know(self, school: str, first_results: Mapping[tuple[SubjectKind, str], int]) -> bool:
        """A judged subject that nobody announced is known from its first result on (microseconds since 1970). True when the list of subjects changed."""
        changed = 0
        for (kind, subject), started in first_results.items():
            row = {"school": school, "kind": kind, "id": subject, "started": started}
            added_at = self._added_at.get((school, kind, subject))
            if added_at is None:
                changed += self._transaction.execute(
                    "INSERT INTO subject (school, kind, id, name, source, added_at)"
                    f" SELECT :school, :kind, :id, :id, 'announced', :started {_NOT_OF_THE_INVENTORY}"
                    " ON CONFLICT (school, kind, id) DO NOTHING",
                    row,
                )
            if added_at is None or added_at > started:
                changed += self._transaction.execute(
                    "UPDATE subject SET added_at = :started"
                    " WHERE school = :school AND kind = :kind AND id = :id AND added_at > :started",
                    row,
                )
                self._added_at[school, kind, subject] = started
        return changed > 0


def announce(transaction: Transaction, school: str, announcement: Announcement, now: int) -> bool:
    """Make known what an agent announces, and remove what it announces no more. True when anything changed."""
    changed = announce_school(transaction, school, announcement.town)
    subjects = _announced_subjects(announcement)
    rows = transaction.read(
        "SELECT kind, id, name, required_bits_per_second FROM subject"
        " WHERE school = :school AND source = 'announced' AND removed_at IS NULL",
        {"school": school},
    )
    known = set(rows)
    for kind, subject, name, required in subjects:
        if (kind, subject, name, required) in known:
            continue
        changed += transaction.execute(
            "INSERT INTO subject (school, kind, id, name, required_bits_per_second, source, added_at)"
            f" SELECT :school, :kind, :id, :name, :required, 'announced', :now {_NOT_OF_THE_INVENTORY}"
            " ON CONFLICT (school, kind, id) DO UPDATE SET name = excluded.name,"
            " required_bits_per_second = excluded.required_bits_per_second, removed_at = NULL"
            " WHERE subject.source = 'announced' AND (subject.name <> excluded.name OR subject.removed_at IS NOT NULL"
            " OR subject.required_bits_per_second IS DISTINCT FROM excluded.required_bits_per_second)",
            {"school": school, "kind": kind, "id": subject, "name": name, "required": required, "now": now},
        )
    announced = {(kind, subject) for kind, subject, _, _ in subjects}
    changed += transaction.execute_many(
        "UPDATE subject SET removed_at = :now WHERE school = :school AND kind = :kind AND id = :id",
        [
            {"school": school, "kind": kind, "id": subject, "now": now}
            for kind, subject, _, _ in rows
            if (kind, subject) not in announced
        ],
    )
    return changed > 0


def _announced_subjects(announcement: Announcement) -> list[tuple[SubjectKind, str, str, float | None]]:
    """(kind, id, name, required bit/s) of each."""
    subjects: list[tuple[SubjectKind, str, str, float | None]] = [
        ("classroom", room.id, room.name or room.id, room.required_bits_per_second) for room in announcement.classrooms
    ]
    subjects += [("service", service.id, service.name or service.id, None) for service in announcement.services]
    if announcement.uplink:
        subjects.append(("uplink", "uplink", "uplink", announcement.uplink_required_bits_per_second))
    if announcement.recording_rooms:  # judged is whether the school has one that works
        subjects.append(("recording_room", "recording_room", "recording_room", None))
    return subjects
