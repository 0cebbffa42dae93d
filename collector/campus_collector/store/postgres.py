"""PostgreSQL 15 or newer: readers from a pool, one writer of all processes at a time (an advisory lock), several hosts in the URL.

The schema is the first one of the user's search path.
"""

import functools
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.string import StrDumperUnknown
from psycopg_pool import ConnectionPool, PoolTimeout

from campus_base.messages import message
from campus_collector.domain.change import Change
from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.store.errors import NoDatabase, StoreUnusable, unavailable
from campus_collector.store.migrate import MIGRATION_TABLE, applied_migrations, migrate, shipped
from campus_collector.store.transport import NO_PARAMS, Lists, Params, Queryable, Row

LEAST_VERSION = 150_000
"""As the server counts: 15.0."""
WAIT_SECONDS = 5.0
"""For a connection, and for the writer of another process."""
MAX_READERS = 16
"""Connections of a process besides the writer's; a stream of rows has its own until its end."""
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
    # a collector that hangs or vanished within a transaction would keep all others from writing
    " SET idle_in_transaction_session_timeout = 25000; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 3;"
    " SET tcp_keepalives_count = 3;"
    # a commit that is not on the second server says so in a warning, which no setting may hide
    " SET client_min_messages = warning"
)
WRITER_LOCK = int.from_bytes(b"campus", "big")
_BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({WRITER_LOCK})"
_ROWS_A_PIECE = 500 if psycopg.capabilities.has_stream_chunked() else 1
# its warnings tell of each try; what came of them is an error of ours
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
_ROWS = re.compile(r"INSERT INTO (\w+) \(([\w, ]+)\) VALUES \((:\w+(?:, :\w+)*)\)((?:(?!:\w).)*)")
"""An INSERT of nothing but parameters; what follows has none."""
_IN = re.compile(r"\bIN \(:([a-z_]\w*)\)")
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
        values = {name: list(listed) for name, listed in lists.items()}
        return self.read(_IN.sub(r"= ANY(:\1)", sql), {**params, **values})

    def first(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        return self._connection.execute(translated(sql), params).fetchone()

    def stream(self, sql: str, params: Params = NO_PARAMS) -> Iterator[Row]:
        with self._connection.cursor() as cursor:
            yield from cursor.stream(translated(sql), params, size=_ROWS_A_PIECE)

    def clock_micros(self) -> int:
        row = self.first("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")
        assert row is not None
        return int(row[0])

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
            return self._insert_arrays(inserted, rows)
        with self._connection.cursor() as cursor:
            cursor.executemany(translated(sql), rows)
            return max(cursor.rowcount, 0)  # -1: there were no rows

    def _insert_arrays(self, inserted: re.Match[str], rows: Sequence[Params]) -> int:
        """One statement for all rows: an array for each column."""
        table, columns, names, rest = inserted.groups()
        types = self._column_types(table)
        arrays = ", ".join(f"%s::{types[column]}[]" for column in columns.split(", "))
        sql = f"INSERT INTO {table} ({columns}) SELECT * FROM unnest({arrays}){rest.replace('%', '%%')}"  # noqa: S608
        values = [[row[name[1:]] for row in rows] for name in names.split(", ")]
        return self._connection.execute(sql.encode(), values).rowcount

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        types = self._column_types(table)
        sql = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
            copy.set_types([types[column] for column in columns])
            for row in rows:
                copy.write_row(row)

    def _column_types(self, table: str) -> dict[str, str]:
        if table not in self._types:
            rows = self.read(
                "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
                " WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped",
                {"table": table},
            )
            self._types[table] = dict(rows)
        return self._types[table]

    def begin(self) -> None:
        self._connection.execute(_BEGIN)

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
            connection.adapters.register_dumper(str, _TextDumper)
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

    def space(self, connection: Queryable) -> tuple[int, int | None]:
        row = connection.first("SELECT pg_database_size(current_database())")
        assert row is not None
        return int(row[0]), None

    def give_space_back(self) -> None:
        """The server's autovacuum does what is to be done."""

    def close(self) -> None:
        self._pool.close()


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


def _prepare_reader(connection: "psycopg.Connection[Row]") -> None:
    connection.adapters.register_dumper(str, _TextDumper)
    connection.execute("SET default_transaction_read_only = on")


class _TextDumper(StrDumperUnknown):
    """PostgreSQL's text knows no NUL; a name that holds one is kept with the sign for an unknown character."""

    def dump(self, obj: str) -> "bytes | bytearray | memoryview | None":
        return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in obj else obj)
