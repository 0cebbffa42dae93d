"""What a database program must offer so that `Database` and the tables run on it: `sqlite.py`, `postgres.py`.

SQL is portable: named parameters (`:name`), `IN (:names)` of several values in `read_in`, ON CONFLICT with its columns, RETURNING, CASE; column names are qualified where an upsert reads the old row.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from campus_collector.domain.change import Change

Row = tuple[Any, ...]
Params = Mapping[str, object]
Lists = Mapping[str, Sequence[str] | Sequence[int] | Sequence[bytes]]
NO_PARAMS: Params = {}
NO_SCHOOL = ""
"""Whose work is no school's: people, the ledger with its audit trail, leases, closed months."""
ALL_SCHOOLS = "*"
"""Whose work changes what belongs to many schools: an inventory, a migration. Nothing else is written meanwhile."""
KEEP_NEWEST = " ON CONFLICT (what, school) DO UPDATE SET number = excluded.number"
"""Of a change that is noted."""


@dataclass(frozen=True, slots=True)
class SeenChanges:
    """Changes that are visible at one moment."""

    server: str
    """Whose numbers they are: they compare with no other server's."""
    following: int
    """What is not visible yet has this number or a higher one, also after the server has failed and begun again."""
    rows: list[Row]
    """(what, school, number) of each."""


class Queryable(Protocol):
    """Reading, inside a transaction or without one."""

    def read(self, sql: str, params: Params = NO_PARAMS) -> list[Row]:
        """All rows."""

    def first(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        """The first row, or None."""

    def stream(self, sql: str, params: Params = NO_PARAMS) -> Iterator[Row]:
        """Row by row, for answers that are too large for memory."""

    def clock_micros(self) -> int:
        """Microseconds since 1970, by the one clock that all processes on this database share."""


class Transaction(Queryable, Protocol):
    """What work sees inside a commit. Statements with RETURNING go through `read` and `first`."""

    stored_ids_statement: str
    """Which of `:ids` does the school with the number `:school` have? As the database's index finds them; for `read_in`."""

    def read_in(self, sql: str, lists: Lists, params: Params = NO_PARAMS) -> list[Row]:
        """All rows; where the statement has `IN (:name)` stand the values of the list of that name. Of bytes a few hundred at most."""

    def execute(self, sql: str, params: Params = NO_PARAMS) -> int:
        """The number of rows that were inserted, changed or removed."""

    def execute_many(self, sql: str, rows: Iterable[Params]) -> int:
        """The same statement for each of `rows`; the sum of the rows changed. Of an upsert no two rows may have the same key."""

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """The fastest way to add many rows of numbers and bytes; an error when one is there already."""

    def sent_together(self) -> AbstractContextManager[None]:
        """In the block statements do not wait for each other's answers: how many rows they change is not known, and what fails may show at its end."""

    def note_change(self, change: Change) -> None:
        """What this work changes: listeners are called with it when it was committed, and not when the work failed."""


class ReaderConnection(Queryable, Protocol):
    """A connection that cannot write."""

    def changes_from(self, number: int) -> SeenChanges:
        """What was changed with this number or a higher one, as far as it is visible."""


class TransportConnection(Transaction, ReaderConnection, Protocol):
    """A connection. Every method may raise `error`."""

    error: type[Exception]
    """The base class of the driver's errors."""
    changes: list[Change]
    """What was noted since it was last cleared."""

    @property
    def is_open(self) -> bool:
        """False when the server has ended the connection, as far as is known."""

    @property
    def in_transaction(self) -> bool:
        """False when an error has ended the transaction as a whole."""

    def begin(self, whose: str = ALL_SCHOOLS) -> None:
        """Begin a transaction that may write; at most one connection of all processes is in one of the same school, or of NO_SCHOOL.

        One of ALL_SCHOOLS is alone.
        """

    def number_changes(self, changes: Sequence[tuple[str, str]]) -> int:
        """Note what this transaction changes, (what, school) of each; the number they get."""

    def begin_snapshot(self) -> None:
        """Begin a transaction that reads one moment, and writes nothing."""

    def execute_script(self, sql: str) -> None:
        """The statements of a file, inside the present transaction."""

    def table_names(self) -> set[str]:
        """All tables of the database, or of the schema that is used."""

    def column_names(self, table: str) -> list[str]:
        """The columns of one table, in their order."""

    def loading(self, table: str) -> AbstractContextManager[None]:
        """In a transaction: rows are put into a table as they were in another store, triggers or not, and new ones get higher numbers."""

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""


class Transport(Protocol):
    """How connections to one database are made."""

    name: str
    """In messages: a path, or a URL without passwords."""
    dialect: str
    """Under which name its migrations are shipped."""
    error: type[Exception]
    """As that of its connections."""
    writers: int
    """So many connections of a process may be in transactions of different schools at once."""

    def open(self) -> TransportConnection:
        """The first connection of a writer, with all migrations applied. Raises StoreUnusable, StoreUnavailable, of which NoDatabase."""

    def applied(self) -> dict[str, str] | None:
        """The migrations that the database has taken, by name, with the moment; nothing is changed. None when there is no database.

        Raises StoreUnusable, StoreUnavailable.
        """

    def connect(self) -> TransportConnection:
        """Another connection for a writer. Raises `error`, StoreUnusable."""

    def reader(self) -> AbstractContextManager[ReaderConnection]:
        """A connection that cannot write, for the length of the block; one whose block raised `error` is not used again. Raises `error`."""

    def require_present(self) -> None:
        """Raises StoreUnavailable when the database was removed: a connection may go on without noticing."""

    def check(self) -> None:
        """Raises StoreUnavailable when writing is about to fail, such as on a full disk."""

    def space(self, connection: Queryable) -> tuple[int, int | None, int]:
        """Bytes that the database takes on disk, those that the disk has left (None: on another machine), and of the first those
        that removed rows have left inside the file for new ones (0 where that is not known). Raises StoreUnavailable."""

    def give_space_back(self) -> tuple[int, int] | None:
        """Make the database's files smaller by the room of removed rows: their bytes before and after. None where this is not the program's to do.

        Nothing is written meanwhile. Raises StoreBusy, NotEnoughSpace, StoreUnavailable.
        """

    def close(self) -> None:
        """Readers' connections are closed, and what was left for the last connection of this process is done."""
