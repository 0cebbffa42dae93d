"""A whole store copied into an empty one, from any database to any: in one transaction, compared before it is committed.

A copy that is killed leaves the target empty, so that it is begun again as if nothing had been.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

from campus_base.messages import message
from campus_collector.store.errors import StoreUnavailable, StoreUnusable
from campus_collector.store.migrate import MIGRATION_TABLE
from campus_collector.store.open import Place, transport_to
from campus_collector.store.transport import Queryable, Row, TransportConnection

KEYS = {
    "agent": "school, agent_id",
    "agent_boot": "school, agent_id, boot_id",
    "area_code": "hash",
    "area_member": "id",
    "area_month": "sender, county, series, month, number",
    "archived_month": "month",
    "attempt": "id",
    "audit": "sequence",
    "chain_mismatch": "school, sequence, head",
    "chain_start": "school",
    "change": "what, school",
    "command": "school, number",
    "day_evidence": "school, day, subject, target",
    "enroll_code": "hash",
    "intake": "school, day",
    "inventory": "version",
    "latest": "school, subject, kind",
    "lease": "name",
    "mark": "name",
    "monthly": "month",
    "monthly_document": "month, form, language",
    "numbered_school": "number",
    "outgoing_month": "county, series, month, number",
    "person": "name",
    "problem": "id",
    "quarantine": "sequence",
    "receipt": "school, sequence",
    "removed_month": "month",
    "release": "version",
    "release_index": "name",
    "release_package": "version, architecture",
    "release_part": "sha256, part",
    "result": "school, series, started_at, sequence",
    "school": "id",
    "school_tally": "school, month",
    "seal": "school, day",
    "seen": "school, id",
    "shared_key": "name",
    "slot": "school",
    "store_size": "day",
    "series": "school, number",
    "subject": "school, kind, id",
    "token": "hash",
    "total": "school, name, label",
    "gateway_upgrade": "school, agent_id",
    "unjudged": "school, subject, kind, hour",
    "upload": "key",
    "upstream": "name",
}
"""Each table's primary key: in its order the rows are copied and compared. There are no foreign keys."""
UNPACKED = frozenset({"unpacked_result", "unpacked_school", "unpacked_seen"})
"""Tables of results in the form of older versions. A store that has such is not copied: compaction.py brings it forward first."""
ROWS_A_BATCH = 1000
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table that is the same in both stores."""

    rows: int
    sha256: str
    """Over all rows in the order of the key."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied."""

    tables: dict[str, CopiedTable]
    heads: int
    """Schools whose chain ends in the same head in both stores."""
    has_gone_on: bool
    """Was the source written to meanwhile? What came after the copy began is not in it."""


def copy_store(source: Place, target: Place, progress: Progress) -> Copied:
    """Copy and compare; `progress` is called with the rows done and all rows, each counted twice.

    Both are brought up to date first. Raises StoreUnusable for a target that is not empty or differs afterwards, StoreUnavailable.
    """
    read_transport = transport_to(source, must_exist=True)
    with closing(read_transport), closing(read_transport.open()) as read:
        write_transport = transport_to(target)
        with closing(write_transport), closing(write_transport.open()) as write:
            try:
                copied = _Copy(read, write, source, target, progress).run()
            except (read.error, write.error) as error:
                raise StoreUnavailable(message("copying {source}: {error}", source=source, error=error)) from None
        return copied


class _Copy:
    def __init__(
        self, read: TransportConnection, write: TransportConnection, source: Place, target: Place, progress: Progress
    ) -> None:
        self._read, self._write = read, write
        self._source, self._target = source, target
        self._progress = progress
        self._done = self._whole = 0

    def run(self) -> Copied:
        """Everything in one transaction of the target, and one moment of the source."""
        self._read.begin_snapshot()
        self._require_tables()
        self._whole = 2 * sum(_count(self._read, table) for table in KEYS)
        # last: the server ends a connection that does nothing in a transaction for long
        self._write.begin()
        self._require_packed()
        self._require_empty()
        tables = {table: self._copy(table) for table in KEYS}
        for table, copied in tables.items():
            self._compare(table, copied)
        heads = _last_heads(self._read)
        if _last_heads(self._write) != heads:
            raise StoreUnusable(
                message("{target}: the heads of the chains differ: nothing was kept", target=self._target)
            )
        before = _changes(self._read)
        self._write.execute("COMMIT")
        self._read.execute("COMMIT")
        return Copied(tables, len(heads), _changes(self._read) != before)

    def _require_tables(self) -> None:
        for place, connection in ((self._source, self._read), (self._target, self._write)):
            names = connection.table_names() - {MIGRATION_TABLE} - UNPACKED
            if names != set(KEYS):
                listed = ", ".join(sorted(names ^ set(KEYS)))
                raise StoreUnusable(
                    message("{place}: tables that are not known, or missing: {listed}", place=place, listed=listed)
                )

    def _require_packed(self) -> None:
        for place, connection in ((self._source, self._read), (self._target, self._write)):
            if connection.first("SELECT 1 FROM unpacked_school LIMIT 1") is not None:
                raise StoreUnusable(
                    message(
                        "{place}: has results in the form of older versions: run campus-collector store compact first",
                        place=place,
                    )
                )

    def _require_empty(self) -> None:
        for table in KEYS:
            if self._write.first(f"SELECT 1 FROM {table} LIMIT 1") is not None:  # noqa: S608 - our own names
                raise StoreUnusable(
                    message(
                        "{target}: is not empty ({table}): a store is copied into an empty one",
                        target=self._target,
                        table=table,
                    )
                )

    def _copy(self, table: str) -> CopiedTable:
        columns = sorted(self._read.column_names(table))
        parameters = ", ".join(f":{column}" for column in columns)
        insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({parameters})"  # noqa: S608
        digest, count = sha256(), 0
        with self._write.loading(table):
            for batch in _batches(_rows(self._read, table, columns)):
                self._write.execute_many(insert, [dict(zip(columns, row, strict=True)) for row in batch])
                count += len(batch)
                self._add(digest.update, batch)
        return CopiedTable(count, digest.hexdigest())

    def _compare(self, table: str, copied: CopiedTable) -> None:
        digest, count = sha256(), 0
        for batch in _batches(_rows(self._write, table, sorted(self._write.column_names(table)))):
            count += len(batch)
            self._add(digest.update, batch)
        if (count, digest.hexdigest()) != (copied.rows, copied.sha256):
            raise StoreUnusable(
                message("{target}: {table} differs: nothing was kept", target=self._target, table=table)
            )

    def _add(self, update: Callable[[bytes], object], batch: list[Row]) -> None:
        update(b"".join(map(_encoded, batch)))
        self._done += len(batch)
        self._progress(self._done, self._whole)


def _rows(reader: Queryable, table: str, columns: list[str]) -> Iterator[Row]:
    return reader.stream(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {KEYS[table]}")  # noqa: S608


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rows = iter(rows)
    while batch := list(islice(rows, ROWS_A_BATCH)):
        yield batch


def _encoded(row: Row) -> bytes:
    """One way to write a row, whatever database it comes from; no two rows are written alike."""
    parts = []
    for value in row:
        # text without NUL, which PostgreSQL does not know (see postgres.py)
        content = value if isinstance(value, bytes) else str(value).replace("\0", "\N{REPLACEMENT CHARACTER}").encode()
        parts.append(b"%s %d:%s," % (type(value).__name__.encode(), len(content), content))
    return b"".join(parts) + b"\n"


def _count(reader: Queryable, table: str) -> int:
    row = reader.first(f"SELECT count(*) FROM {table}")  # noqa: S608
    return int(row[0]) if row else 0


def _changes(reader: Queryable) -> list[Row]:
    return reader.read("SELECT what, school, number FROM change ORDER BY what, school")


def _last_heads(reader: Queryable) -> list[Row]:
    return reader.read(
        "SELECT school, last_sequence, head FROM seal WHERE day ="
        " (SELECT max(day) FROM seal last WHERE last.school = seal.school) ORDER BY school"
    )
