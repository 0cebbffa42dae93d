"""How is the spool laid out on disk? Versions in order, each applied in one transaction with its own number.

`spooled.key` is AUTOINCREMENT: a key is never used twice, so an acknowledgement that comes late can only remove what was sent.
The counts of what waits are kept by triggers: they are right whoever writes, and need no walk over the table.
"""

import sqlite3

APPLICATION_ID = 0x43414D50
""""CAMP" in the file's header: marks the file as ours."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE spooled (
             key INTEGER PRIMARY KEY AUTOINCREMENT,
             id TEXT NOT NULL,
             boot_id TEXT NOT NULL,
             monotonic_seconds REAL NOT NULL,
             body BLOB NOT NULL)""",
        """CREATE TABLE quarantined (
             key INTEGER PRIMARY KEY AUTOINCREMENT,
             id TEXT NOT NULL,
             reason TEXT NOT NULL,
             body BLOB NOT NULL)""",
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE remembered (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        """CREATE TABLE test_bytes (
             day TEXT NOT NULL, segment TEXT NOT NULL, octets INTEGER NOT NULL,
             PRIMARY KEY (day, segment)) WITHOUT ROWID""",
        """INSERT INTO counters VALUES
             ('pending_results', 0), ('pending_bytes', 0), ('quarantined_results', 0), ('quarantined_bytes', 0)""",
        """CREATE TRIGGER spooled_in AFTER INSERT ON spooled BEGIN
             UPDATE counters SET value = value + 1 WHERE name = 'pending_results';
             UPDATE counters SET value = value + length(NEW.body) WHERE name = 'pending_bytes';
           END""",
        """CREATE TRIGGER spooled_out AFTER DELETE ON spooled BEGIN
             UPDATE counters SET value = value - 1 WHERE name = 'pending_results';
             UPDATE counters SET value = value - length(OLD.body) WHERE name = 'pending_bytes';
           END""",
        """CREATE TRIGGER quarantined_in AFTER INSERT ON quarantined BEGIN
             UPDATE counters SET value = value + 1 WHERE name = 'quarantined_results';
             UPDATE counters SET value = value + length(NEW.body) WHERE name = 'quarantined_bytes';
           END""",
        """CREATE TRIGGER quarantined_out AFTER DELETE ON quarantined BEGIN
             UPDATE counters SET value = value - 1 WHERE name = 'quarantined_results';
             UPDATE counters SET value = value - length(OLD.body) WHERE name = 'quarantined_bytes';
           END""",
    ),
)
VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """Which version was this file written by? 0 for a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_ours(connection: sqlite3.Connection) -> bool:
    """Is this our file, or an empty one? Another program's database is not."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        return True
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def is_whole(connection: sqlite3.Connection) -> bool:
    """Are all tables and triggers of this version there, as they were made?"""
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for statements in MIGRATIONS:
            for statement in statements:
                fresh.execute(statement)
        return _objects(fresh) == _objects(connection)
    finally:
        fresh.close()


def _objects(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    return set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file up to this version. The connection is in autocommit mode."""
    while (at := version_of(connection)) < VERSION:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if version_of(connection) == at:  # another process may have been first
                for statement in MIGRATIONS[at]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {at + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
