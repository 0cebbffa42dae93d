"""What several processes on one database need to know of each other: which caches are out of date, and who does work that only one may do.

Changes are numbered in the database. A writer adds its own in the commit that makes them, and first takes note of those that others
made since it looked last; a reader looks before it uses what it keeps.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any, Protocol

from campus_collector.domain.records import Change
from campus_collector.store.errors import StoreBusy

EVERY = ""
"""In place of a school: all of them."""


def last_change(connection: sqlite3.Connection) -> int:
    """The number of the newest change; 0 before the first."""
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM change").fetchone()[0])


def changes_after(connection: sqlite3.Connection, number: int) -> tuple[int, Change | None]:
    """The newest number, and what changed after a given one; None: nothing."""
    rows = connection.execute("SELECT what, school, number FROM change WHERE number > ?", (number,)).fetchall()
    if not rows:
        return number, None
    schools: dict[str, set[str]] = {"results": set(), "subjects": set(), "verdicts": set()}
    inventory = ledger = False
    for what, school, _ in rows:
        if what in schools:
            schools[what].add(school)
        inventory |= what == "inventory"
        ledger |= what == "ledger"
    change = Change(
        inventory=inventory,
        ledger=ledger,
        reported=frozenset(schools["results"]),
        announced=frozenset(schools["subjects"] | schools["results"]),
        judged=frozenset(schools["verdicts"]),
    )
    return max(row[2] for row in rows), change


def record_changes(connection: sqlite3.Connection, changes: Iterable[Change]) -> int:
    """Within a commit: number what it changes; the newest number."""
    changed: set[tuple[str, str]] = set()
    for change in changes:
        changed |= {("results", school) for school, _, _ in change.subjects} | {
            ("results", school) for school in change.reported
        }
        changed |= {("subjects", school) for school in change.announced} | {
            ("verdicts", school) for school in change.judged
        }
        changed |= {("inventory", EVERY)} if change.inventory else set()
        changed |= {("ledger", EVERY)} if change.ledger else set()
    number = last_change(connection)
    if not changed:
        return number
    connection.executemany(
        "INSERT INTO change VALUES (?1, ?2, ?3) ON CONFLICT (what, school) DO UPDATE SET number = excluded.number",
        [(what, school, number + 1) for what, school in sorted(changed)],
    )
    return number + 1


LEASE_LENGTH = timedelta(seconds=60)
"""So long after a crash the work is nobody's; whoever goes on renews it well before."""
ASK_AGAIN_SECONDS = 0.2


class Writer(Protocol):
    """What a lease needs of the database."""

    def write(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Do it in one commit."""


class Lease:
    """Work that one process at a time may do; of one thread."""

    def __init__(self, database: Writer, name: str) -> None:
        """Not taken yet."""
        self._database, self._name = database, name
        self._holder = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._renew_at = 0.0

    def take(self, patience_seconds: float) -> None:
        """Wait for it at most so long. Raises StoreBusy."""
        end = monotonic() + patience_seconds
        while not self._take():
            if monotonic() >= end:
                raise StoreBusy(f"another process is at work on this: {self._name}")
            sleep(ASK_AGAIN_SECONDS)

    def renew(self) -> None:
        """Called between the parts of long work. Raises StoreBusy when it took so long that another has the lease now."""
        if monotonic() >= self._renew_at and not self._take():
            raise StoreBusy(f"another process is at work on this: {self._name}")

    def give_back(self) -> None:
        """Let others have it at once."""
        self._database.write(
            lambda connection: connection.execute(
                "DELETE FROM lease WHERE name = ? AND holder = ?", (self._name, self._holder)
            )
        )

    def _take(self) -> bool:
        self._renew_at = monotonic() + LEASE_LENGTH.total_seconds() / 3
        return bool(
            self._database.write(lambda connection: take_lease(connection, self._name, self._holder, LEASE_LENGTH))
        )


def take_lease(connection: sqlite3.Connection, name: str, holder: str, length: timedelta) -> bool:
    """Within a commit: take a lease that is free, expired or one's own, from now on for so long. Was it?"""
    now = datetime.now(UTC)
    row = connection.execute(
        "INSERT INTO lease VALUES (?1, ?2, ?4) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until"
        " WHERE holder = excluded.holder OR until <= ?3 OR until > ?5 RETURNING holder",
        # one that ends later than any lease can was taken by a clock that was wrong
        (name, holder, _micros(now), _micros(now + length), _micros(now + 10 * length)),
    ).fetchone()
    return row is not None


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
