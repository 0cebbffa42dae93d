"""Work that one process on a database may do at a time: whoever has the lease of its name, until that expires."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any, Protocol

from campus_base.messages import message
from campus_collector.store.columns import micros
from campus_collector.store.errors import StoreBusy, StoreUnavailable
from campus_collector.store.transport import Transaction

LEASE_LENGTH = timedelta(seconds=60)
"""So long after a crash others wait; the holder renews it well before."""
RETRY_SECONDS = 0.2


class Writer(Protocol):
    """What a lease needs of the database."""

    def write(self, work: Callable[[Transaction], Any]) -> Any:
        """Do it in one commit."""


class Lease:
    """Work that one process at a time may do; one thread at a time calls it."""

    def __init__(self, database: Writer, name: str) -> None:
        self._database, self._name = database, name
        self._holder = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._renew_at = 0.0

    def acquire(self, timeout_seconds: float) -> None:
        """Wait for it at most so long. Raises StoreBusy."""
        end = monotonic() + timeout_seconds
        while not self._try_to_acquire():
            if monotonic() >= end:
                raise StoreBusy(message("another process is at work on this: {name}", name=self._name))
            sleep(RETRY_SECONDS)

    def renew(self) -> None:
        """Called between the parts of long work. Raises StoreBusy when it took so long that another process has the lease now."""
        if monotonic() >= self._renew_at and not self._try_to_acquire():
            raise StoreBusy(message("another process is at work on this: {name}", name=self._name))

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
