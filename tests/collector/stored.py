"""What is stored, read from the file itself as a person would who has the program's source."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from campus_collector.store.columns import id_octets, id_text
from campus_collector.store.packing import pack, unpack


class StoredResult(NamedTuple):
    """A result with its names; `sequence` is its place in the chain."""

    school: str
    subject: str
    kind: str
    started_at: int
    sequence: int
    id: str
    raw: bytes


def stored_results(database: Path, school: str | None = None) -> list[StoredResult]:
    """All packed results, or one school's, by school and place in the chain."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        rows = connection.execute(
            "SELECT n.school, s.subject, s.kind, r.started_at, r.sequence, r.packed FROM result r"
            " JOIN numbered_school n ON n.number = r.school JOIN series s ON s.school = r.school AND s.number = r.series"
            " WHERE n.school = ?1 OR ?1 IS NULL ORDER BY 1, r.sequence",
            (school,),
        ).fetchall()
        # the ids have no index by place
        ids = "SELECT n.school, i.sequence, i.id FROM seen i JOIN numbered_school n ON n.number = i.school WHERE n.school = ?1 OR ?1 IS NULL"
        by_place = {
            (school, sequence): id_text(octets) for school, sequence, octets in connection.execute(ids, (school,))
        }
        return [StoredResult(*row[:5], by_place.get((row[0], row[4]), ""), unpack(row[5])) for row in rows]


def place_of(connection: sqlite3.Connection, result_id: str) -> int:
    """The place in the chain of a result, whatever its school."""
    return int(connection.execute("SELECT sequence FROM seen WHERE id = ?", (id_octets(result_id),)).fetchone()[0])


def remove_result(connection: sqlite3.Connection, result_id: str) -> None:
    """With SQL, as whoever falsifies."""
    connection.execute("DELETE FROM result WHERE sequence = ?", (place_of(connection, result_id),))


def change_raw(connection: sqlite3.Connection, change: Callable[[bytes], bytes], result_id: str | None = None) -> None:
    """Other bytes in place of those of one result, or of every one."""
    chosen = None if result_id is None else place_of(connection, result_id)
    for sequence, packed in connection.execute("SELECT sequence, packed FROM result").fetchall():
        if chosen in (None, sequence):
            forged = pack("throughput", change(unpack(packed)))
            connection.execute("UPDATE result SET packed = ? WHERE sequence = ?", (forged, sequence))
