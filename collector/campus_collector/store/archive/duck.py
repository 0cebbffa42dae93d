"""DuckDB as archives use it: one thread, little memory, no extensions from elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from campus_base.messages import message, verbatim
from campus_collector.store.archive.errors import ArchiveDamaged, DuckdbMissing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_LIMIT = "200MB"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "preserve_insertion_order": True,  # else DuckDB, also on one thread, holds back the few rows that a condition takes of many
    "memory_limit": MEMORY_LIMIT,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
MOST_REASON_LETTERS = 200


def literal(path: Path) -> str:
    """A path for DuckDB, which takes `*`, `?` and `[` for patterns where they do not stand in brackets."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))


def has_duckdb() -> bool:
    """Is DuckDB installed? Nothing is loaded."""
    return find_spec("duckdb") is not None


@contextmanager
def connection(temporary: Path | None = None) -> "Iterator[DuckDBPyConnection]":
    """A database in memory; what it cannot hold there goes to the folder `temporary`. Raises DuckdbMissing."""
    try:
        import duckdb
    except ImportError:
        raise DuckdbMissing from None
    config = _CONFIG | ({} if temporary is None else {"temp_directory": str(temporary)})
    database = duckdb.connect(config=config)
    try:
        database.execute("SET TimeZone = 'UTC'")
        yield database
    finally:
        database.close()


@contextmanager
def reading(file: Path) -> "Iterator[DuckDBPyConnection]":
    """A connection to read a file with; what DuckDB says of it becomes ArchiveDamaged. Raises DuckdbMissing."""
    if not file.is_file():
        raise ArchiveDamaged(file, message("is not there"))
    with connection() as database:
        import duckdb

        try:
            yield database
        except duckdb.Error as error:
            why = " ".join(str(error).split())[:MOST_REASON_LETTERS]
            raise ArchiveDamaged(file, message("cannot be read: {why}", why=verbatim(why))) from None
