"""What was committed lately: this process's caches follow it, and those of every other process on the database.

Changes are numbered in the database. A writer adds its own in the commit that makes them, and first takes note of those that others
made since it looked last; a reader looks before it uses what it keeps.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from campus_collector.domain.change import Change
from campus_collector.store.columns import micros
from campus_collector.store.transport import Queryable, Transaction

log = logging.getLogger(__name__)

EVERY = ""
"""In place of a school: all of them."""


class ChangeFeed:
    """Calls this process's listeners with what was committed."""

    def __init__(self, seen: int) -> None:
        """`seen` is the number of the newest change that the caches rest on."""
        self._seen = seen
        self._listeners: list[Callable[[Change], None]] = []
        self._lock = threading.Lock()
        """Held while changes are numbered or read, never while listeners are called."""

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Called after each commit, from the writer's thread; for other processes' commits from whatever thread found them (`follow`)."""
        self._listeners.append(listener)

    def follow(self, reader: Queryable) -> None:
        """Call the listeners with what other processes have committed since last time.

        Listeners first, then the number: a thread that finds nothing new has current caches. Two threads at once may both notify.
        """
        with self._lock:
            number, change = changes_after(reader, self._seen)
        if change is not None:
            self.notify([change])
        with self._lock:
            self._seen = max(self._seen, number)

    def commit(self, transaction: Transaction, changes: Iterable[Change]) -> None:
        """Number the changes, and commit them with the rest of the transaction."""
        number = record_changes(transaction, changes)
        # until both are done this process's changes would look like another's
        with self._lock:
            transaction.execute("COMMIT")
            self._seen = max(self._seen, number)

    def notify(self, changes: Sequence[Change]) -> None:
        """Call every listener with each change; one that fails hides it from no other."""
        for change in changes:
            for listener in self._listeners:
                try:
                    listener(change)
                except Exception:
                    log.exception("what follows a change failed")


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
    """Within a commit: number what it changes; the newest number.

    The number is the time in microseconds where that is higher than the last. A server that takes over may not have the last commits of
    the one that failed: their numbers, which other processes may have seen, must not come again for something else.
    """
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
    last = last_change(transaction)
    if not changed:
        return last
    number = max(last + 1, micros(datetime.now(UTC)))
    transaction.execute_many(
        "INSERT INTO change (what, school, number) VALUES (:what, :school, :number)"
        " ON CONFLICT (what, school) DO UPDATE SET number = excluded.number",
        [{"what": what, "school": school, "number": number} for what, school in sorted(changed)],
    )
    return number
