"""Reads from any thread, and one writer thread that commits many pieces of work at once, on any transport.

Nothing is answered before the commit that holds it.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, replace
from itertools import groupby
from time import monotonic
from typing import Any, Final, TypeVar

from campus_base.messages import message
from campus_collector.domain.change import Change
from campus_collector.store.changes import ChangeFeed, last_change
from campus_collector.store.errors import CommitUncertain, Conflict, StoreBusy, StoreUnavailable, unavailable
from campus_collector.store.tables.totals import add_total
from campus_collector.store.transport import (
    NO_PARAMS,
    Params,
    Queryable,
    Row,
    Transaction,
    Transport,
    TransportConnection,
)

log = logging.getLogger(__name__)

MAX_GROUP = 64
"""At most so many pieces of work share a commit: bounds how long the first of them waits."""
WRITE_SECONDS = 60.0
"""So long `write` waits for its turn."""
CHECK_SECONDS = 60.0
"""`check` writes when nothing was written for so long."""
CHECK_WRITE_SECONDS = 10.0
Answer = TypeVar("Answer")
Work = Callable[[Transaction], Answer]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class _Joint:
    """Work that is done for several items at once where several wait."""

    together: Callable[[Transaction, Sequence[Any]], list[Any]]
    item: Any


_Job = tuple[Work[Any] | _Joint, "Future[Any]"]
_CLOSE: Final = None
"""In the queue: nothing comes after this, the writer is to end."""


class Database:
    """Read from any thread, write by handing in work."""

    def __init__(self, transport: Transport) -> None:
        """Open the database and start the writer. Raises StoreUnusable, StoreUnavailable, of which NoDatabase."""
        self._transport = transport
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._checking = threading.Lock()
        self._last_attempt_at = float("-inf")
        """When the writer tried last (monotonic), whatever came of it."""
        self.commit_error = ""
        """Why the last commit failed; "" when it did not."""
        self._connection: TransportConnection | None = transport.open()
        self._feed = ChangeFeed(last_change(self._connection))
        self._writer = threading.Thread(target=self._write_until_closed, name="store-writer", daemon=True)
        self._writer.start()

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Called after each commit, from the writer's thread; for other processes' commits from whatever thread found them (`follow`)."""
        self._feed.subscribe(listener)

    def follow(self) -> None:
        """Pass on what other processes have committed since last time. Raises StoreUnavailable."""
        with self._reading() as connection:
            self._feed.follow(connection)

    def submit(self, work: Work[Answer]) -> "Future[Answer]":
        """Queue work for the next commit; the future is done after it. It may raise StoreUnavailable, of which CommitUncertain, or Conflict."""
        return self._queue(work)

    def submit_joint(
        self, together: Callable[[Transaction, Sequence[Item]], list[Answer]], item: Item
    ) -> "Future[Answer]":
        """The same for one item of many: `together` is called with those that wait, and gives an answer for each.

        When it raises, nothing of it is written, and it is called for each of them alone.
        """
        return self._queue(_Joint(together, item))

    def _queue(self, work: Work[Any] | _Joint) -> "Future[Any]":
        future: Future[Any] = Future()
        with self._closing:
            if self._closed:
                future.set_exception(StoreUnavailable("the store is closed"))
            else:
                self._jobs.put((work, future))
        return future

    def write(self, work: Work[Answer], seconds: float | None = WRITE_SECONDS, *, finish_begun: bool = True) -> Answer:
        """Do it and wait for the commit. Raises StoreBusy when it had not begun within `seconds`, and then it never will.

        Work that has begun is waited for however long; with `finish_begun=False` it is not, and may still be written after StoreBusy.
        Raises StoreUnavailable and Conflict too: nothing was written, unless it is CommitUncertain.
        """
        future = self.submit(work)
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
        if monotonic() - self._last_attempt_at >= CHECK_SECONDS and self._checking.acquire(blocking=False):
            try:
                self.write(_count_check, CHECK_WRITE_SECONDS, finish_begun=False)
            finally:
                self._checking.release()
        if self.commit_error:
            raise StoreUnavailable(self.commit_error)

    def space(self) -> tuple[int, int | None]:
        """Bytes on disk, and bytes the disk has left; see `Transport.space`. Raises StoreUnavailable."""
        with self._reading() as connection:
            return self._transport.space(connection)

    def give_space_back(self) -> tuple[int, int] | None:
        """Bytes of the files before and after; None where the database's server sees to it. Nobody can write meanwhile.

        Raises StoreBusy, NotEnoughSpace, StoreUnavailable.
        """
        return self._transport.give_space_back()

    def close(self) -> None:
        """Commit what is queued, then close all connections."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(_CLOSE)
        self._writer.join()
        self._transport.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Queryable]:
        try:
            with self._transport.reader() as connection:
                yield connection
        except self._transport.error as error:
            raise unavailable(self._transport.name, error) from None

    def _write_until_closed(self) -> None:
        """The writer's thread: take what waits, commit it once, answer all. Nothing that work or a listener raises ends it."""
        closing = False
        while not closing:
            jobs = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while len(jobs) < MAX_GROUP:
                    jobs.append(self._jobs.get_nowait())
            closing = _CLOSE in jobs
            # a future that was cancelled while it waited is not done, one that runs cannot be cancelled any more
            waiting = [job for job in jobs if job is not _CLOSE and job[1].set_running_or_notify_cancel()]
            if waiting:
                self._commit(waiting)
        self._disconnect()

    def _commit(self, jobs: Sequence[_Job]) -> None:
        self._last_attempt_at = monotonic()
        try:
            answers, changes = self._commit_all(jobs)
        except BaseException as error:
            self._disconnect()
            failure = error if isinstance(error, StoreUnavailable) else unavailable(self._transport.name, error)
            self.commit_error = str(failure)
            for _, future in jobs:
                future.set_exception(failure)
            return
        self.commit_error = ""
        # Invalidate caches before resolving futures, so that a client reads its own writes. What this process judged it knows already.
        self._feed.notify([replace(change, judged=frozenset()) for change in changes])
        for (_, future), answer in zip(jobs, answers, strict=True):
            if isinstance(answer, _Failure):
                future.set_exception(answer.error)
            else:
                future.set_result(answer)

    def _commit_all(self, jobs: Sequence[_Job]) -> tuple[list[Any], list[Change]]:
        """Each job's answer or _Failure, and what the commit changed. Raises when the whole commit is lost."""
        answers: list[Any] = []
        changes: list[Change] = []
        self._transport.require_present()
        connection = self._begin()
        # nobody else commits from here on
        self._feed.follow(connection)
        for together, group in groupby(jobs, key=_together):
            works = [work for work, _ in group]
            if together is not None and len(works) > 1:
                connection.changes.clear()
                items = [work.item for work in works if isinstance(work, _Joint)]
                joint = self._try(connection, _jointly(together, items))
                if not isinstance(joint, _Failure):
                    answers += joint
                    changes += connection.changes
                    continue
            for work in works:
                connection.changes.clear()
                answers.append(self._try(connection, _alone(work)))
                changes += connection.changes
        try:
            self._feed.commit(connection, changes)
        except self._transport.error as error:
            if connection.is_open:
                raise
            raise CommitUncertain(f"{self._transport.name}: {error}") from None
        return answers, changes

    def _begin(self) -> TransportConnection:
        """In a transaction. A connection that ended while nothing was written is replaced."""
        if self._connection is not None:
            try:
                self._connection.begin()
                return self._connection
            except self._transport.error:
                if self._connection.is_open:
                    raise
                self._disconnect()
        self._connection = self._transport.connect()
        self._connection.begin()
        return self._connection

    def _try(self, connection: TransportConnection, work: Work[Any]) -> Any:
        """Do one piece of work: what it returned, or _Failure, and then nothing of it is written. Raises when the whole commit is lost."""
        connection.execute("SAVEPOINT work")
        try:
            answer = work(connection)
        except BaseException as error:
            # a full or failing disk: the database gave up the whole transaction
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO work")
            connection.execute("RELEASE work")
            connection.changes.clear()
            if isinstance(error, Conflict | StoreUnavailable):
                return _Failure(error)
            if not isinstance(error, self._transport.error):
                log.error("work for the database failed", exc_info=error)
            return _Failure(StoreUnavailable(f"{self._transport.name}: {type(error).__name__}: {error}"))
        connection.execute("RELEASE work")
        return answer

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(self._transport.error):
                self._connection.close()
            self._connection = None


@dataclass(frozen=True, slots=True)
class _Failure:
    """Work that could not be done."""

    error: BaseException


def _together(job: _Job) -> Callable[[Transaction, Sequence[Any]], list[Any]] | None:
    return job[0].together if isinstance(job[0], _Joint) else None


def _alone(work: Work[Any] | _Joint) -> Work[Any]:
    if not isinstance(work, _Joint):
        return work
    jointly = _jointly(work.together, [work.item])
    return lambda transaction: jointly(transaction)[0]


def _jointly(together: Callable[[Transaction, Sequence[Any]], list[Any]], items: Sequence[Any]) -> Work[list[Any]]:
    return lambda transaction: together(transaction, items)


def _count_check(transaction: Transaction) -> None:
    add_total(transaction, "check", "", 1)
