"""Numbered SQL files, each applied once, in one transaction with its own record and checksum. Where nothing is missing nothing is written.

A file that was changed after it was applied, or a database that knows more than this program, is refused: neither can be put
right by guessing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files

from campus_base.messages import message
from campus_collector.store.errors import StoreUnusable
from campus_collector.store.tables.ledger import close_duplicates
from campus_collector.store.transport import Queryable, Transaction, TransportConnection

MIGRATION_TABLE = "migration"
"""A database that has tables and not this one is another program's."""
_BEFORE: dict[str, Callable[[Transaction], None]] = {"0014_one_open_problem.sql": close_duplicates}
"""What SQL alone cannot do, by the file before which it is done. It reads what it changes as this version does: files that bring that up to date come
before."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. Its checksum is remembered by each database, so a released step never changes."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


def shipped(dialect: str) -> list[Migration]:
    """The steps that come with this program, in order."""
    folder = files("campus_collector.store") / "migrations" / dialect
    steps = [
        Migration(file.name, file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(steps, key=lambda step: step.name)


def migrate(connection: TransportConnection, steps: Sequence[Migration]) -> list[str]:
    """Apply what is missing; the names applied. Raises StoreUnusable, and then nothing was applied unless a step failed."""
    _begin(connection)
    return [step.name for step in _pending(connection, steps) if _apply(connection, step)]


def applied_migrations(reader: Queryable) -> dict[str, str]:
    """When each was applied, by name and in their order."""
    return dict(reader.read("SELECT name, applied_at FROM migration ORDER BY name"))


def _begin(connection: TransportConnection) -> None:
    names = connection.table_names()
    if MIGRATION_TABLE in names:
        return
    if names:
        raise StoreUnusable(message("a database of another program: it has {table}", table=min(names)))
    connection.begin()
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, checksum TEXT, applied_at TEXT)"
        )
    finally:
        connection.execute("COMMIT")


def _pending(connection: TransportConnection, steps: Sequence[Migration]) -> list[Migration]:
    """What this database has not taken yet. Raises StoreUnusable when what it has taken is not what this program knows."""
    done: dict[str, str] = dict(connection.read("SELECT name, checksum FROM migration"))
    unknown = sorted(set(done) - {step.name for step in steps})
    if unknown:
        raise StoreUnusable(
            message(
                "the database is newer than this program: it has {unknown}; upgrade the collector", unknown=unknown[-1]
            )
        )
    for step in steps:
        if done.get(step.name, step.checksum) != step.checksum:
            raise StoreUnusable(
                message("migration {name} was changed after it was applied to this database", name=step.name)
            )
    return [step for step in steps if step.name not in done]


def _apply(connection: TransportConnection, step: Migration) -> bool:
    """False when another process has applied it while this one waited for its turn to write. Raises StoreUnusable."""
    try:
        connection.begin()
        try:
            applied = connection.execute(
                "INSERT INTO migration (name, checksum, applied_at) VALUES (:name, :checksum, :applied_at)"
                " ON CONFLICT (name) DO NOTHING",
                {"name": step.name, "checksum": step.checksum}
                | {"applied_at": datetime.now(UTC).isoformat(timespec="seconds")},
            )
            if applied and step.name in _BEFORE:
                _BEFORE[step.name](connection)
            if applied:
                connection.execute_script(step.sql)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except connection.error as error:
        raise StoreUnusable(message("migration {name} failed: {error}", name=step.name, error=error)) from None
    return bool(applied)
