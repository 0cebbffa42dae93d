"""Results in the form of older versions: JSON as it came, in the tables `unpacked_...`. They are read as long as they are there; nothing is added.

Whether a school's are still read there is part of each statement: between two statements compaction.py may have moved them.
"""

from typing import NamedTuple

from campus_collector.store.database import Database
from campus_collector.store.transport import Queryable

AFTER_UNPACKED = (
    " AND r.sequence > coalesce((SELECT u.last_sequence FROM unpacked_school u"
    " WHERE u.school = :school AND u.state IN ('unpacked', 'set_aside')), :least)"
)
"""In a statement on `result r`: not those that are still read in their old form, and are being copied."""
LEAST = -(2**62)
"""Below every sequence: the parameter `least`."""
IS_UNPACKED = (
    "EXISTS (SELECT 1 FROM unpacked_school u WHERE u.school = :school AND u.state IN ('unpacked', 'set_aside'))"
)


class UnpackedResults:
    """Are there any? Asked before a statement is chosen: the one for both forms is right in any case, and slower."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._any = True

    def any(self) -> bool:
        """Once there are none there never will be."""
        if self._any:
            self._any = self._database.first("SELECT 1 FROM unpacked_school LIMIT 1") is not None
        return self._any


class UnpackedSchool(NamedTuple):
    """How far a school's results have been moved; `results` is how many there are to move, as far as the chain tells."""

    school: str
    results: int
    state: str
    copied: int
    reason: str


def unpacked_schools(reader: Queryable) -> list[UnpackedSchool]:
    """All whose results are in the form of before, or were when this began; none when it has ended."""
    rows = reader.read("SELECT school, results, state, copied, reason FROM unpacked_school ORDER BY school")
    return [UnpackedSchool(*row) for row in rows]


def stored_unpacked(reader: Queryable, school: str, result_ids: list[str]) -> set[str]:
    """Which of these ids are stored in the form of before?"""
    if reader.first(f"SELECT 1 WHERE {IS_UNPACKED}", {"school": school}) is None:
        return set()
    sql = "SELECT 1 FROM unpacked_seen WHERE school = :school AND id = :id"
    return {result_id for result_id in result_ids if reader.first(sql, {"school": school, "id": result_id}) is not None}
