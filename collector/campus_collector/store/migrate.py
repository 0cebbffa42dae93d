"""Numbered SQL files, each applied once, in one transaction with its own record and checksum.

A file that was changed after it was applied, or a database that knows more than this program, is refused: neither can be put
right by guessing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files

from campus_base.messages import message
from campus_collector.store.errors import StoreUnusable
from campus_collector.store.transport import TransportConnection


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


def migrate(connection: TransportConnection, steps: Iterable[Migration]) -> list[str]:
    """Apply what is missing; the names applied. Raises StoreUnusable."""
    connection.execute("CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, checksum TEXT, applied_at TEXT)")
    done: dict[str, str] = dict(connection.read("SELECT name, checksum FROM migration"))
    steps = list(steps)
    unknown = sorted(set(done) - {step.name for step in steps})
    if unknown:
        raise StoreUnusable(
            message(
                "the database is newer than this program: it has {unknown}; upgrade the collector", unknown=unknown[-1]
            )
        )
    applied = []
    for step in steps:
        if step.name in done:
            if done[step.name] != step.checksum:
                raise StoreUnusable(
                    message("migration {name} was changed after it was applied to this database", name=step.name)
                )
            continue
        applied_at = datetime.now(UTC).isoformat(timespec="seconds")
        record = f"INSERT INTO migration VALUES ('{step.name}', '{step.checksum}', '{applied_at}');"  # noqa: S608
        try:
            connection.execute_script(f"{step.sql}\n{record}")
        except connection.error as error:
            row = connection.first("SELECT checksum FROM migration WHERE name = :name", {"name": step.name})
            # another process applied it while this one waited for the lock
            if row is not None and row[0] == step.checksum:
                continue
            raise StoreUnusable(message("migration {name} failed: {error}", name=step.name, error=error)) from None
        applied.append(step.name)
    return applied
