"""What several processes on one database need to know of each other: which caches are out of date, and who does work that only one may do.

Changes are numbered in the database. A writer adds its own in the commit that makes them, and first takes note of those that others
made since it looked last; a reader looks before it uses what it keeps.
"""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any, Protocol

from campus_collector.domain.change import Change
from campus_collector.store.columns import micros
from campus_collector.store.errors import StoreBusy, StoreUnavailable
from campus_collector.store.transport import Queryable, Transaction

EVERY = ""
"""In place of a school: all of them."""


def last_change(reader: Queryable) -> int:
    """The number of the newest change; 0 before the first."""
    row = reader.first("SELECT max(number) FROM change")
    return int(row[0] or 0) if row else 0


def changes_after(reader: Queryable, number: int) -> tuple[int, Change | None]:
    """The newest number, and what changed after a given one; None: nothing."""
    rows = reader.read("SELECT what, school, number FROM change WHERE number > :number", {"number": number})
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


def record_changes(transaction: Transaction, changes: Iterable[Change]) -> int:
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
    number = last_change(transaction)
    if not changed:
        return number
    transaction.execute_many(
        "INSERT INTO change (what, school, number) VALUES (:what, :school, :number)"
        " ON CONFLICT (what, school) DO UPDATE SET number = excluded.number",
        [{"what": what, "school": school, "number": number + 1} for what, school in sorted(changed)],
    )
    return number + 1


LEASE_LENGTH = timedelta(seconds=60)
"""So long after a crash others wait; the holder renews it well before."""
RETRY_SECONDS = 0.2


class Writer(Protocol):
    """What a lease needs of the database."""

    def write(self, work: Callable[[Transaction], Any]) -> Any:
        """Do it in one commit."""


class Lease:
    """Work that one process at a time may do; of one thread."""

    def __init__(self, database: Writer, name: str) -> None:
        self._database, self._name = database, name
        self._holder = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._renew_at = 0.0

    def acquire(self, timeout_seconds: float) -> None:
        """Wait for it at most so long. Raises StoreBusy."""
        end = monotonic() + timeout_seconds
        while not self._try_to_acquire():
            if monotonic() >= end:
                raise StoreBusy(f"another process is at work on this: {self._name}")
            sleep(RETRY_SECONDS)

    def renew(self) -> None:
        """Called between the parts of long work. Raises StoreBusy when it took so long that another process has the lease now."""
        if monotonic() >= self._renew_at and not self._try_to_acquire():
            raise StoreBusy(f"another process is at work on this: {self._name}")

    def release(self) -> None:
        """Let others have it at once."""
        self._database.write(
            lambda transaction: transaction.execute(
                "DELETE FROM lease WHERE name = :name AND holder = :holder",
                {"name": self._name, "holder": self._holder},
            )
        )

    def _try_to_acquire(self) -> bool:
        self._renew_at = monotonic() + LEASE_LENGTH.total_seconds() / 3
        return bool(self._database.write(lambda transaction: acquire_lease(transaction, self._name, self._holder)))


@contextmanager
def held_lease(database: Writer, name: str, timeout_seconds: float) -> Iterator[Lease]:
    """A lease that is released at the end. Raises StoreBusy when another process still has it after so long."""
    lease = Lease(database, name)
    lease.acquire(timeout_seconds)
    try:
        yield lease
    finally:
        # when this fails the lease expires
        with suppress(StoreUnavailable):
            lease.release()


def acquire_lease(transaction: Transaction, name: str, holder: str, length: timedelta = LEASE_LENGTH) -> bool:
    """Acquire from now on a lease that is free, expired or the holder's own. Was it?

    One that ends later than any lease can was acquired by a clock that was wrong.
    """
    now = datetime.now(UTC)
    row = transaction.first(
        "INSERT INTO lease (name, holder, until) VALUES (:name, :holder, :until)"
        " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until"
        " WHERE lease.holder = excluded.holder OR lease.until <= :now OR lease.until > :latest RETURNING holder",
        {"name": name, "holder": holder}
        | {"now": micros(now), "until": micros(now + length), "latest": micros(now + 10 * length)},
    )
    return row is not None
