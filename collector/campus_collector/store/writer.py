"""Threads that commit work for the database: what waits together of one lane is one commit, and lanes go on side by side.

A lane is a school, or what is not a school's. A transport with one writer has one lane.
"""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import groupby
from time import monotonic
from typing import Any, TypeVar

from campus_collector.domain.change import Change
from campus_collector.store.changes import ChangeFeed
from campus_collector.store.errors import CommitUncertain, Conflict, StoreUnavailable, unavailable
from campus_collector.store.transport import ALL_SCHOOLS, Transaction, Transport, TransportConnection

log = logging.getLogger(__name__)

MAX_GROUP = 64
"""At most so many pieces of work share a commit: bounds how long the first of them waits."""
Answer = TypeVar("Answer")
Work = Callable[[Transaction], Answer]


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """Work that is done for several items at once where several wait."""

    together: Callable[[Transaction, Sequence[Any]], list[Any]]
    item: Any


Job = tuple[Work[Any] | Joint, "Future[Any]"]


class WorkQueue:
    """Jobs in the order in which they came, by lane; one writer at a time has a lane."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Job]] = {}
        self._busy: set[str] = set()
        self._closed = False

    def put(self, lane: str, job: Job) -> bool:
        """False: the queue is closed."""
        with self._changed:
            if not self._closed:
                self._waiting.setdefault(lane, deque()).append(job)
                self._changed.notify()
            return not self._closed

    def take(self) -> tuple[str, list[Job]] | None:
        """The lane that has waited longest, with its jobs; `done` is called with it. None: the queue is closed, and empty."""
        with self._changed:
            while True:
                lane = self._next()
                if lane is not None:
                    break
                if self._closed and not self._waiting:
                    return None
                self._changed.wait()
            waiting = self._waiting.pop(lane)
            jobs = [waiting.popleft() for _ in range(min(len(waiting), MAX_GROUP))]
            if waiting:
                self._waiting[lane] = waiting
            self._busy.add(lane)
            return lane, jobs

    def _next(self) -> str | None:
        """What is of all schools waits until everything before it is done, and what came later waits for it: in the server it would wait too,
        and give up after some seconds."""
        if ALL_SCHOOLS in self._busy:
            return None
        for lane in self._waiting:
            if lane == ALL_SCHOOLS:
                return None if self._busy else lane
            if lane not in self._busy:
                return lane
        return None

    def done(self, lane: str) -> None:
        with self._changed:
            self._busy.discard(lane)
            self._changed.notify_all()

    def close(self) -> None:
        """Take nothing more; what waits is still done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


@dataclass(slots=True)
class LastCommit:
    """What became of the last commit of any writer."""

    begun_at: float = float("-inf")
    """When it was tried (monotonic), whatever came of it."""
    error: str = ""
    """Why it failed; "" when it did not."""


class StoreWriter:
    """One thread with its connection. Nothing that work or a listener raises ends it."""

    def __init__(
        self,
        transport: Transport,
        queue: WorkQueue,
        feed: ChangeFeed,
        last: LastCommit,
        connection: TransportConnection | None = None,
    ) -> None:
        """Begins; without a connection it makes one when there is work."""
        self._transport, self._queue, self._feed, self._last = transport, queue, feed, last
        self._connection = connection
        self._thread = threading.Thread(target=self._write_until_closed, name="store-writer", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until everything is written, after the queue was closed."""
        self._thread.join()

    def _write_until_closed(self) -> None:
        """Take what waits, commit it once, answer all."""
        while (taken := self._queue.take()) is not None:
            lane, jobs = taken
            # a future that was cancelled while it waited is not done, one that runs cannot be cancelled any more
            running = [job for job in jobs if job[1].set_running_or_notify_cancel()]
            try:
                if running:
                    self._commit(lane, running)
            finally:
                self._queue.done(lane)
        self._disconnect()

    def _commit(self, lane: str, jobs: Sequence[Job]) -> None:
        self._last.begun_at = monotonic()
        try:
            answers, changes = self._commit_all(lane, jobs)
        except BaseException as error:
            self._disconnect()
            failure = error if isinstance(error, StoreUnavailable) else unavailable(self._transport.name, error)
            self._last.error = str(failure)
            for _, future in jobs:
                future.set_exception(failure)
            return
        self._last.error = ""
        # Invalidate caches before resolving futures, so that a client reads its own writes. What this process judged it knows already.
        self._feed.notify([replace(change, judged=frozenset()) for change in changes])
        for (_, future), answer in zip(jobs, answers, strict=True):
            if isinstance(answer, _Failure):
                future.set_exception(answer.error)
            else:
                future.set_result(answer)

    def _commit_all(self, lane: str, jobs: Sequence[Job]) -> tuple[list[Any], list[Change]]:
        """Each job's answer or _Failure, and what the commit changed. Raises when the whole commit is lost."""
        self._transport.require_present()
        groups = [list(group) for _, group in groupby((work for work, _ in jobs), key=_together)]
        if len(groups) == 1 and (len(jobs) == 1 or isinstance(groups[0][0], Joint)):
            connection = self._begin(lane)
            answers = self._try(connection, _work_of(groups[0]), "ROLLBACK")
            if not isinstance(answers, _Failure):
                changes = list(connection.changes)
                self._commit_work(connection, changes)
                return answers, changes
            if len(jobs) == 1:
                return [answers], []
            groups = [[work] for work in groups[0]]
        return self._commit_one_by_one(lane, groups)

    def _commit_one_by_one(
        self, lane: str, groups: Sequence[list[Work[Any] | Joint]]
    ) -> tuple[list[Any], list[Change]]:
        """The same with a savepoint before each work, so that one that fails costs no other."""
        answers: list[Any] = []
        changes: list[Change] = []
        connection = self._begin(lane)
        for group in groups:
            pieces = [group] if isinstance(group[0], Joint) else [[work] for work in group]
            while pieces:
                piece = pieces.pop(0)
                connection.execute("SAVEPOINT work")
                done = self._try(connection, _work_of(piece), "ROLLBACK TO work")
                connection.execute("RELEASE work")
                if isinstance(done, _Failure) and len(piece) > 1:
                    pieces = [[work] for work in piece]
                    continue
                answers += [done] if isinstance(done, _Failure) else done
                changes += connection.changes
        self._commit_work(connection, changes)
        return answers, changes

    def _commit_work(self, connection: TransportConnection, changes: Sequence[Change]) -> None:
        try:
            self._feed.commit(connection, changes)
        except self._transport.error as error:
            if connection.is_open:
                raise
            raise CommitUncertain(f"{self._transport.name}: {error}") from None

    def _begin(self, lane: str) -> TransportConnection:
        """In a transaction. A connection that ended while nothing was written is replaced."""
        if self._connection is not None:
            try:
                self._connection.begin(lane)
                return self._connection
            except self._transport.error:
                if self._connection.is_open:
                    raise
                self._disconnect()
        self._connection = self._transport.connect()
        self._connection.begin(lane)
        return self._connection

    def _try(self, connection: TransportConnection, work: Work[list[Any]], undo: str) -> "list[Any] | _Failure":
        """Do it: what it returned, or _Failure after `undo`, and then nothing of it is written. Raises when the whole commit is lost."""
        connection.changes.clear()
        try:
            return work(connection)
        except BaseException as error:
            # a full or failing disk: the database gave up the whole transaction
            if not connection.in_transaction:
                raise
            connection.execute(undo)
            connection.changes.clear()
            if isinstance(error, Conflict | StoreUnavailable):
                return _Failure(error)
            if not isinstance(error, self._transport.error):
                log.error("work for the database failed", exc_info=error)
            return _Failure(StoreUnavailable(f"{self._transport.name}: {type(error).__name__}: {error}"))

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(self._transport.error):
                self._connection.close()
            self._connection = None


@dataclass(frozen=True, slots=True)
class _Failure:
    """Work that could not be done."""

    error: BaseException


def _together(work: Work[Any] | Joint) -> Callable[[Transaction, Sequence[Any]], list[Any]] | None:
    return work.together if isinstance(work, Joint) else None


def _work_of(group: Sequence[Work[Any] | Joint]) -> Work[list[Any]]:
    """Of jobs that go together, or of one: a list of their answers."""
    first = group[0]
    if isinstance(first, Joint):
        return lambda transaction: first.together(transaction, [job.item for job in group if isinstance(job, Joint)])
    return lambda transaction: [first(transaction)]
