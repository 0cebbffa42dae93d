"""The store in a file or on a server, by what the configuration names."""

from pathlib import Path

from campus_base.messages import message
from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.domain.results import Quotas
from campus_collector.store.database import Database
from campus_collector.store.errors import StoreUnusable
from campus_collector.store.sqlite import SqliteTransport
from campus_collector.store.store import Store
from campus_collector.store.transport import Transport

Place = Path | PostgresUrl
"""Where a store is: SQLite's file, or a database on a PostgreSQL server."""


def open_store(
    place: Place, quotas: Quotas | None = None, *, archive_dir: Path | None = None, must_exist: bool = False
) -> Store:
    """The store at a place; who reads results of any month names the folder of archives.

    Raises StoreUnusable, StoreUnavailable, of which NoDatabase.
    """
    return Store(open_database(place, must_exist=must_exist), quotas or Quotas(), archive_dir)


def open_database(place: Place, *, must_exist: bool = False) -> Database:
    """A database brought up to date; begun where there is none, unless it `must_exist`. Raises as `open_store`."""
    return Database(transport_to(place, must_exist=must_exist))


def transport_to(place: Place, *, must_exist: bool = False) -> Transport:
    """Nothing is opened. Raises StoreUnusable where the driver is missing."""
    if isinstance(place, Path):
        return SqliteTransport(place, must_exist=must_exist)
    try:
        from campus_collector.store.postgres import PostgresTransport
    except ImportError as error:
        raise StoreUnusable(
            message(
                "{place}: the PostgreSQL driver is missing ({error}): pip install 'campusmeter[postgres]'",
                place=place,
                error=error,
            )
        ) from None
    return PostgresTransport(place, must_exist=must_exist)
