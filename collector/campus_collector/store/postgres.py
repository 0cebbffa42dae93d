"""PostgreSQL 15 or newer: readers from a pool, one writer of each school at a time (advisory locks), several hosts in the URL.

The schema is the first one of the user's search path.
"""

import functools
import logging
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, repeat
from typing import Any

import psycopg
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Format, TransactionStatus
from psycopg.types.string import StrDumperUnknown
from psycopg_pool import ConnectionPool, PoolTimeout

from campus_base.messages import message
from campus_collector.domain.change import Change
from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.store.errors import NoDatabase, StoreUnusable, unavailable
from campus_collector.store.migrate import MIGRATION_TABLE, applied_migrations, migrate, shipped
from campus_collector.store.transport import (
    ALL_SCHOOLS,
    KEEP_NEWEST,
    NO_PARAMS,
    NO_SCHOOL,
    Lists,
    Params,
    Queryable,
    Row,
    SeenChanges,
)

LEAST_VERSION = 150_000
"""As the server counts: 15.0."""
WAIT_SECONDS = 5.0
"""For a connection, and for a writer of the same school, or of none, in another process."""
MAX_READERS = 16
"""Connections of a process besides the writers'; a stream of rows has its own until its end."""
DEFAULTS = {
    "target_session_attrs": "read-write",  # of several hosts the one that takes writes
    "connect_timeout": "5",
    # a server that vanished is noticed within 15 s: by data that is not acknowledged (ms), and while an answer is waited for
    "tcp_user_timeout": "10000",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "application_name": "campus-collector",
}
"""For what the URL does not say."""
_WRITER_SETTINGS = (
    f"SET lock_timeout = {WAIT_SECONDS * 1000:.0f};"
    # a collector that hangs or vanished within a transaction would keep others from writing
    " SET idle_in_transaction_session_timeout = 25000; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 3;"
    " SET tcp_keepalives_count = 3;"
    # a commit that is not on the second server says so in a warning, which no setting may hide
    " SET client_min_messages = warning;"
    # Statements are the same each time, and what they name is much alike. For lists the server would plan anew each time, which takes longer than the
    # statement itself.
    " SET plan_cache_mode = force_generic_plan"
)
WRITERS = 4
"""Of a process: while one waits for the server's disk, others work."""
COORDINATION_LOCK = int.from_bytes(b"campus", "big")
"""Of work that is no school's. Locks are taken in this order: this one, that of all schools, a school's."""
SCHOOLS_LOCK = COORDINATION_LOCK + 1
"""Shared by those who work for one school; exclusive for work that concerns all."""
_LOCK = "pg_advisory_xact_lock"
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; "
_CHANGES = (
    "SELECT s.system_identifier, s.timeline, s.running, c.what, c.school, c.number FROM"
    " (SELECT system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline,"
    " CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS running,"
    " CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) AS beyond FROM pg_control_system()) s"
    " LEFT JOIN change c ON c.number >= :number AND c.number < s.beyond"
)
_ROWS_A_PIECE = 500 if psycopg.capabilities.has_stream_chunked() else 1
# its warnings tell of each try; what came of them is an error of ours
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
_ROWS = re.compile(r"INSERT INTO (\w+) \(([\w, ]+)\) VALUES \((:\w+(?:, :\w+)*)\)((?:(?!:\w).)*)")
"""An INSERT of nothing but parameters; what follows has none."""
_OID_OF = {"text": 25, "bytea": 17, "integer": 23, "bigint": 20}
_TYPE_OF: dict[type, str] = {str: "text", bytes: "bytea", int: "bigint"}
_TOKEN = re.compile(r"'(?:[^']|'')*'|(?<!:):([a-z_]\w*)|%")


class PostgresConnection:
    """See `transport.TransportConnection`."""

    error: type[Exception] = psycopg.Error
    # one id after the other: also before there are statistics of the table the server takes the index for each
    stored_ids_statement = (
        "SELECT known.id FROM unnest(:ids::bytea[]) AS asked(id) CROSS JOIN LATERAL (SELECT s.id FROM seen s WHERE"
        " s.school = :school AND id_bucket(s.id) = id_bucket(asked.id) AND s.id = asked.id LIMIT 1) AS known"
    )

    def __init__(self, connection: "psycopg.Connection[Row]") -> None:
        """Of a connection without transactions of its own (`autocommit`)."""
        self._connection = connection
        self.changes: list[Change] = []
        self._types: dict[str, dict[str, str]] = {}
        self._warnings: list[str] = []
        connection.add_notice_handler(self._on_notice)

    def _on_notice(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            self._warnings.append(notice.message_primary or "")

    def note_change(self, change: Change) -> None:
        self.changes.append(change)

    @property
    def is_open(self) -> bool:
        return not self._connection.closed

    @property
    def in_transaction(self) -> bool:
        return self._connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    def read(self, sql: str, params: Params = NO_PARAMS) -> list[Row]:
        return self._connection.execute(translated(sql), params).fetchall()

    def read_in(self, sql: str, lists: Lists, params: Params = NO_PARAMS) -> list[Row]:
        values: dict[str, object] = {}
        for name, listed in lists.items():
            type_ = _TYPE_OF[type(listed[0])] if listed else "text"
            values[name] = _array(type_, listed) if listed else []
            array = f":{name}::{type_}[]" if listed else f":{name}"
            sql = sql.replace(f"IN (:{name})", f"= ANY({array})")
        return self.read(sql, {**params, **values})

    def first(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        return self._connection.execute(translated(sql), params).fetchone()

    def stream(self, sql: str, params: Params = NO_PARAMS) -> Iterator[Row]:
        with self._connection.cursor() as cursor:
            yield from cursor.stream(translated(sql), params, size=_ROWS_A_PIECE)

    def clock_micros(self) -> int:
        row = self.first("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")
        assert row is not None
        return int(row[0])

    def changes_from(self, number: int) -> SeenChanges:
        """Every transaction that is running, or will begin, has an id from the snapshot's least on: https://www.postgresql.org/docs/15/functions-info.html

        Ids that a server gave and lost when it failed, it gives again: none of them is at most that of a commit which is visible here. Another server
        takes over on a timeline of its own. Numbers beyond the snapshot are of a server from which the database was brought here.
        """
        rows = self.read(_CHANGES, {"number": number})
        visible = [row[3:] for row in rows if row[5] is not None]
        server, identifier, running = rows[0][:3]
        following = min(running, max((row[2] + 1 for row in visible), default=number))
        return SeenChanges(f"{server}/{identifier}", following, visible)

    def execute(self, sql: str, params: Params = NO_PARAMS) -> int:
        if sql == "COMMIT":
            self._commit()
            return 0
        return self._connection.execute(translated(sql), params).rowcount

    def _commit(self) -> None:
        """Raises OperationalError, and closes the connection, when the server stopped waiting for the second server.

        Then it is committed on the first alone, and would be lost with it. The server says so in a warning and reports success.
        """
        self._warnings.clear()
        self._connection.execute("COMMIT")
        if self._warnings:
            self.close()
            raise psycopg.OperationalError(f"the commit may not last: {'; '.join(self._warnings)}")

    def execute_many(self, sql: str, rows: Iterable[Params]) -> int:
        rows = list(rows)
        inserted = _ROWS.fullmatch(sql)
        if inserted is not None and len(rows) > 1:
            table, columns, names, rest = inserted.groups()
            values = [[row[name[1:]] for row in rows] for name in names.split(", ")]
            return self._insert_arrays(table, columns.split(", "), values, rest)
        if len(rows) < 2:
            return sum(self.execute(sql, row) for row in rows)
        with self._connection.cursor() as cursor:
            cursor.executemany(translated(sql), rows)
            return cursor.rowcount

    def _insert_arrays(self, table: str, columns: Sequence[str], values: Sequence[Sequence[object]], rest: str) -> int:
        """One statement for all rows: an array for each column."""
        types = [self._column_types(table)[column] for column in columns]
        arrays = ", ".join(f"%s::{type_}[]" for type_ in types)
        sql = f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays}){rest.replace('%', '%%')}"  # noqa: S608
        return self._connection.execute(sql.encode(), list(map(_array, types, values))).rowcount

    @contextmanager
    def sent_together(self) -> Iterator[None]:
        with self._connection.pipeline():
            yield

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self._insert_arrays(table, columns, list(zip(*rows, strict=True)), "")

    def _column_types(self, table: str) -> dict[str, str]:
        if table not in self._types:
            rows = self.read(
                "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
                " WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped",
                {"table": table},
            )
            self._types[table] = dict(rows)
        return self._types[table]

    def begin(self, whose: str = ALL_SCHOOLS) -> None:
        self._connection.execute((_BEGIN + _locks(whose)).encode())

    def number_changes(self, changes: Sequence[tuple[str, str]]) -> int:
        """By the transaction's own id, which no other has on this server."""
        places = ", ".join(["(%s, %s, CAST(CAST(pg_current_xact_id() AS text) AS bigint))"] * len(changes))
        sql = f"INSERT INTO change (what, school, number) VALUES {places}{KEEP_NEWEST} RETURNING number"  # noqa: S608
        row = self._connection.execute(sql.encode(), [text for change in changes for text in change]).fetchone()
        assert row is not None
        return int(row[0])

    def begin_snapshot(self) -> None:
        self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def execute_script(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def table_names(self) -> set[str]:
        return {name for (name,) in self.read("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")}

    def column_names(self, table: str) -> list[str]:
        rows = self.read(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = :table",
            {"table": table},
        )
        return [name for (name,) in rows]

    @contextmanager
    def loading(self, table: str) -> Iterator[None]:
        self.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        self.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        numbered = self.read(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = :table AND is_identity = 'YES'",
            {"table": table},
        )
        for (column,) in numbered:
            self.execute(
                f"SELECT setval(pg_get_serial_sequence(:table, :column), coalesce(max({column}), 0) + 1, false)"  # noqa: S608
                f" FROM {table}",
                {"table": table, "column": column},
            )

    def close(self) -> None:
        self._connection.close()


class PostgresTransport:
    """See `transport.Transport`."""

    error = PostgresConnection.error
    dialect = "postgres"
    writers = WRITERS

    def __init__(self, url: PostgresUrl, *, must_exist: bool = False) -> None:
        """Raises StoreUnusable for what is no address."""
        self.name = str(url)
        self._url, self._must_exist = url, must_exist
        try:
            self._address = make_conninfo(url.reveal(), **_defaults_for(url), client_encoding="UTF8")
        # not in its own words: it may quote a password
        except (psycopg.Error, ValueError):
            raise StoreUnusable(message("{url}: is no address of a PostgreSQL database", url=url)) from None
        self._pool: ConnectionPool[psycopg.Connection[Row]] = ConnectionPool(
            self._address,
            kwargs={"autocommit": True},
            min_size=1,
            max_size=MAX_READERS,
            timeout=WAIT_SECONDS,
            reconnect_timeout=0,  # it tries when somebody asks, not less and less often
            configure=_prepare_reader,
            check=ConnectionPool.check_connection,
            open=False,
        )

    def open(self) -> PostgresConnection:
        try:
            connection = self.connect()
        except psycopg.Error as error:
            raise unavailable(self.name, error) from None
        try:
            self._migrate(connection)
            self._pool.open()
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: PostgresConnection) -> None:
        try:
            if self._must_exist and MIGRATION_TABLE not in connection.table_names():
                raise NoDatabase(self._url)
            migrate(connection, shipped(self.dialect))
        except StoreUnusable as error:
            raise StoreUnusable(message("{path}: {text}", path=self.name, text=error.text)) from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise StoreUnusable(
                message(
                    "{url}: {error}; make the collector's user the owner of the database", url=self.name, error=error
                )
            ) from None
        except psycopg.Error as error:
            raise unavailable(self.name, error) from None

    def applied(self) -> dict[str, str] | None:
        try:
            with closing(self.connect()) as connection:
                return applied_migrations(connection) if MIGRATION_TABLE in connection.table_names() else None
        except psycopg.Error as error:
            raise unavailable(self.name, error) from None

    def connect(self) -> PostgresConnection:
        connection = psycopg.connect(self._address, autocommit=True)
        try:
            self._require_usable(connection)
            _register(connection)
            connection.execute(_WRITER_SETTINGS)
            # what is acknowledged is on the disk; an administrator may ask for more than that, not for less
            connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
            )
        except BaseException:
            connection.close()
            raise
        return PostgresConnection(connection)

    def _require_usable(self, connection: "psycopg.Connection[Row]") -> None:
        if connection.info.server_version < LEAST_VERSION:
            version = connection.info.parameter_status("server_version")
            raise StoreUnusable(
                message("{url}: PostgreSQL 15 or newer is needed, this is {found}", url=self.name, found=version)
            )
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreUnusable(
                message(
                    "{url}: the database's encoding must be UTF8, it is {encoding}", url=self.name, encoding=encoding
                )
            )

    @contextmanager
    def reader(self) -> Iterator[PostgresConnection]:
        try:
            connection = self._pool.getconn()
        except PoolTimeout:
            with self._connect_reader() as connection:  # raises, and says why the pool has none
                yield PostgresConnection(connection)
            return
        try:
            yield PostgresConnection(connection)
        finally:
            self._pool.putconn(connection)

    def _connect_reader(self) -> "psycopg.Connection[Row]":
        connection = psycopg.connect(self._address, autocommit=True)
        _prepare_reader(connection)
        return connection

    def require_present(self) -> None:
        """A connection to a database that is gone fails by itself."""

    def check(self) -> None:
        """How full the server's disk is cannot be asked."""

    def space(self, connection: Queryable) -> tuple[int, int | None, int]:
        row = connection.first("SELECT pg_database_size(current_database())")
        assert row is not None
        return int(row[0]), None, 0

    def give_space_back(self) -> None:
        """The server's autovacuum does what is to be done."""

    def close(self) -> None:
        self._pool.close()


@functools.lru_cache(maxsize=4096)
def _locks(whose: str) -> str:
    if whose == NO_SCHOOL:
        return f"SELECT {_LOCK}({COORDINATION_LOCK})"
    if whose == ALL_SCHOOLS:
        return f"SELECT {_LOCK}({COORDINATION_LOCK}); SELECT {_LOCK}({SCHOOLS_LOCK})"
    number = int.from_bytes(sha256(whose.encode()).digest()[:8], "big", signed=True)
    return f"SELECT {_LOCK}_shared({SCHOOLS_LOCK}), {_LOCK}({number})"


def _defaults_for(url: PostgresUrl) -> dict[str, str]:
    given = conninfo_to_dict(url.reveal())
    return {name: value for name, value in DEFAULTS.items() if name not in given}


@functools.lru_cache(maxsize=1024)
def translated(sql: str) -> bytes:
    """A statement with psycopg's parameters in place of ours."""
    return _TOKEN.sub(_replacement, sql).encode()


def _replacement(match: re.Match[str]) -> str:
    name = match[1]
    return f"%({name})s" if name else match[0].replace("%", "%%")


def _register(connection: "psycopg.Connection[Row]") -> None:
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_dumper(_Array, _ArrayDumper)


def _prepare_reader(connection: "psycopg.Connection[Row]") -> None:
    _register(connection)
    connection.execute("SET default_transaction_read_only = on")


class _TextDumper(StrDumperUnknown):
    """PostgreSQL's text knows no NUL; a name that holds one is kept with the sign for an unknown character."""

    def dump(self, obj: str) -> "bytes | bytearray | memoryview | None":
        return super().dump(_without_nul(obj))


def _without_nul(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text


@dataclass(frozen=True, slots=True)
class _Array:
    """Of one dimension, as the server reads it (array_recv in its array_userfuncs.c): many times faster to write than as text."""

    octets: bytes


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: _Array) -> bytes:
        return obj.octets


_HEAD, _LENGTH = struct.Struct("!iiIii"), struct.Struct("!i")
_NULL = _LENGTH.pack(-1)
_NUMBER = {"integer": ("ii", 4), "bigint": ("iq", 8)}
"""How an item with its length is packed, and the length."""


def _array(type_: str, values: Sequence[Any]) -> "_Array | list[Any]":
    """Of a type that is not among `_OID_OF` the driver's own, as text."""
    if type_ not in _OID_OF:
        return list(values)
    parts = [_HEAD.pack(1, 1, _OID_OF[type_], len(values), 1)]
    if type_ in _NUMBER and None not in values:
        code, length = _NUMBER[type_]
        sized = chain.from_iterable(zip(repeat(length), values))
        parts.append(struct.pack("!" + code * len(values), *sized))
        return _Array(b"".join(parts))
    for value in values:
        if value is None:
            parts.append(_NULL)
            continue
        if type_ == "text":
            value = _without_nul(value).encode()
        elif type_ != "bytea":
            code, length = _NUMBER[type_]
            value = struct.pack("!" + code[1:], value)
        parts.append(_LENGTH.pack(len(value)))
        parts.append(value)
    return _Array(b"".join(parts))
