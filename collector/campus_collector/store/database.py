"""Reads from any thread; writers commit what waits together, on any transport.

Nothing is answered before the commit that holds it.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from time import monotonic
from typing import Any, TypeVar

from campus_base.messages import message
from campus_collector.domain.change import Change
from campus_collector.store.changes import ChangeFeed
from campus_collector.store.errors import StoreBusy, StoreUnavailable, unavailable
from campus_collector.store.tables.totals import add_total
from campus_collector.store.transport import NO_PARAMS, NO_SCHOOL, Params, ReaderConnection, Row, Transaction, Transport
from campus_collector.store.writer import Joint, LastCommit, StoreWriter, Work, WorkQueue

WRITE_SECONDS = 60.0
"""So long `write` waits for its turn."""
CHECK_SECONDS = 60.0
"""`check` writes when nothing was written for so long."""
CHECK_WRITE_SECONDS = 10.0
Answer = TypeVar("Answer")
Item = TypeVar("Item")


class Database:
    """Read from any thread, write by handing in work.

    `whose` says whose work it is: a school's id, NO_SCHOOL, or ALL_SCHOOLS. What is of one of them is done one after the other, whatever
    process does it; schools go on side by side where the transport has several writers.
    """

    def __init__(self, transport: Transport) -> None:
        """Open the database and start the writers. Raises StoreUnusable, StoreUnavailable, of which NoDatabase."""
        self._transport = transport
        self._checking = threading.Lock()
        self._last = LastCommit()
        self._queue = WorkQueue()
        connection = transport.open()
        try:
            self._feed = ChangeFeed(connection)
        except transport.error as error:
            connection.close()
            transport.close()
            raise unavailable(transport.name, error) from None
        first = StoreWriter(transport, self._queue, self._feed, self._last, connection)
        others = (StoreWriter(transport, self._queue, self._feed, self._last) for _ in range(1, transport.writers))
        self._writers = [first, *others]

    @property
    def commit_error(self) -> str:
        """Why the last commit failed; "" when it did not."""
        return self._last.error

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Called after each commit, from the thread that made it; for other processes' commits from whatever thread found them (`follow`)."""
        self._feed.subscribe(listener)

    def follow(self) -> None:
        """Pass on what other processes have committed since last time. Raises StoreUnavailable."""
        with self._reading() as connection:
            self._feed.follow(connection)

    def submit(self, work: Work[Answer], whose: str = NO_SCHOOL) -> "Future[Answer]":
        """Queue work for the next commit; the future is done after it. It may raise StoreUnavailable, of which CommitUncertain, or Conflict."""
        return self._submit(work, whose)

    def submit_joint(
        self,
        together: Callable[[Transaction, Sequence[Item]], list[Answer]],
        item: Item,
        whose: str = NO_SCHOOL,
    ) -> "Future[Answer]":
        """The same for one item of many: `together` is called with those that wait, and gives an answer for each.

        When it raises, nothing of it is written, and it is called for each of them alone.
        """
        return self._submit(Joint(together, item), whose)

    def _submit(self, work: Work[Any] | Joint, whose: str) -> "Future[Any]":
        future: Future[Any] = Future()
        lane = whose if self._transport.writers > 1 else NO_SCHOOL
        if not self._queue.put(lane, (work, future)):
            future.set_exception(StoreUnavailable("the store is closed"))
        return future

    def write(
        self,
        work: Work[Answer],
        seconds: float | None = WRITE_SECONDS,
        *,
        whose: str = NO_SCHOOL,
        finish_begun: bool = True,
    ) -> Answer:
        """Do it and wait for the commit. Raises StoreBusy when it had not begun within `seconds`, and then it never will.

        Work that has begun is waited for however long; with `finish_begun=False` it is not, and may still be written after StoreBusy.
        Raises StoreUnavailable and Conflict too: nothing was written, unless it is CommitUncertain.
        """
        future = self.submit(work, whose)
        try:
            return future.result(seconds)
        except FutureTimeout:
            if not future.cancel() and finish_begun:
                return future.result()
            raise StoreBusy(
                message("{path}: not written within {seconds:.0f} s", path=self._transport.name, seconds=seconds)
            ) from None

    def read(self, sql: str, params: Params = NO_PARAMS) -> list[Row]:
        """All rows. Raises StoreUnavailable, as all readers do."""
        with self._reading() as connection:
            return connection.read(sql, params)

    def first(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        """The first row, or None."""
        with self._reading() as connection:
            return connection.first(sql, params)

    def stream(self, sql: str, params: Params = NO_PARAMS) -> Iterator[Row]:
        """Row by row; a connection is in use until the end. Raises StoreUnavailable, also while iterating."""
        with self._reading() as connection:
            yield from connection.stream(sql, params)

    def clock_micros(self) -> int:
        """Microseconds since 1970, by the one clock that all processes on this database share."""
        with self._reading() as connection:
            return connection.clock_micros()

    def check(self) -> None:
        """Can it be read, and written at the last try, at most a minute ago? Raises StoreUnavailable.

        Writes only when nothing was written for a minute: a caller that asks often costs no disk. A commit that hangs is not waited for.
        """
        self._transport.check()
        self.first("SELECT count(*) FROM migration")
        if monotonic() - self._last.begun_at >= CHECK_SECONDS and self._checking.acquire(blocking=False):
            try:
                self.write(_count_check, CHECK_WRITE_SECONDS, finish_begun=False)
            finally:
                self._checking.release()
        if self.commit_error:
            raise StoreUnavailable(self.commit_error)

    def space(self) -> tuple[int, int | None, int]:
        """Bytes on disk, bytes the disk has left, and bytes that are used again; see `Transport.space`. Raises StoreUnavailable."""
        with self._reading() as connection:
            return self._transport.space(connection)

    def give_space_back(self) -> tuple[int, int] | None:
        """Bytes of the files before and after; None where the database's server sees to it. Nobody can write meanwhile.

        Raises StoreBusy, NotEnoughSpace, StoreUnavailable.
        """
        return self._transport.give_space_back()

    def close(self) -> None:
        """Commit what is queued, then close all connections."""
        self._queue.close()
        for writer in self._writers:
            writer.join()
        self._transport.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[ReaderConnection]:
        try:
            with self._transport.reader() as connection:
                yield connection
        except self._transport.error as error:
            raise unavailable(self._transport.name, error) from None


def _count_check(transaction: Transaction) -> None:
    add_total(transaction, "check", "", 1)
