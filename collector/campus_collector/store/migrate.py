"""Numbered SQL files, each applied once, in one transaction with its own record and checksum.

A file that was changed after it was applied, or a database that knows more than this program, is refused: neither can be put
right by guessing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files

from campus_base.language import Text
from campus_collector.store.errors import StoreUnusable
from campus_collector.store.transport import TransportConnection


@dataclass(frozen=True, slots=True)
class Migration:
    """One step."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Of its text."""
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
            Text(
                f"the database is newer than this program: it has {unknown[-1]}; upgrade the collector",
                f"数据库版本高于本程序（含 {unknown[-1]}），请升级采集端",
            )
        )
    applied = []
    for step in steps:
        if step.name in done:
            if done[step.name] != step.checksum:
                raise StoreUnusable(
                    Text(
                        f"migration {step.name} was changed after it was applied to this database",
                        f"数据库执行格式升级 {step.name} 之后，该升级文件被改动",
                    )
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
            raise StoreUnusable(
                Text(f"migration {step.name} failed: {error}", f"格式升级 {step.name} 失败：{error}")
            ) from None
        applied.append(step.name)
    return applied
