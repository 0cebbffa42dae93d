"""What was committed lately: this process's caches follow it, and those of every other process on the database.

Each commit numbers its changes in the database. Readers look for new numbers before they use what they keep. Commits that go on side by side
become visible in any order: so a reader asks from the lowest number on that was not visible when it looked last, and leaves out the numbers that
it has passed on already. Numbers are of one server: where another has taken over, whatever is there may be new.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence

from campus_collector.domain.change import Change
from campus_collector.store.transport import ReaderConnection, Row, TransportConnection

log = logging.getLogger(__name__)

EVERY = ""
"""In place of a school: all of them."""
COMMITS_A_LOOK = 1000
"""After so many commits of its own a process looks, so that it need not remember their numbers for ever."""


class ChangeFeed:
    """Calls this process's listeners with what was committed."""

    def __init__(self, reader: ReaderConnection) -> None:
        """Whatever is committed already is not passed on: the caches are empty."""
        seen = reader.changes_from(0)
        self._server, self._next = seen.server, seen.following
        self._passed = {number for _, _, number in seen.rows if number >= seen.following}
        """Numbers from `_next` on that listeners know of; also those of this process's commits that are under way."""
        self._look_at = COMMITS_A_LOOK
        """How many numbers to remember before this process looks itself."""
        self._set_back = 0
        """How often later looks had to ask for numbers once more: a look that began before does not say from where on to go on."""
        self._listeners: list[Callable[[Change], None]] = []
        self._looking = threading.Lock()
        """Held while changes are read, never while listeners are called."""
        self._lock = threading.Lock()
        """Of the numbers and the server; never held while the database is waited for."""

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Called after each commit, from the thread that made it; for other processes' commits from whatever thread found them (`follow`)."""
        self._listeners.append(listener)

    def follow(self, reader: ReaderConnection) -> None:
        """Call the listeners with what other processes have committed since last time.

        Listeners first, then the number: a thread that finds nothing new has current caches. Two threads at once may both notify.
        """
        with self._looking:
            seen = reader.changes_from(self._next)
            if seen.server != self._server:
                # a number may have been given once more, and what it stood for before may be lost
                with self._lock:
                    self._server, self._next, self._passed = seen.server, 0, set()
                    self._set_back += 1
                seen = reader.changes_from(0)
            with self._lock:
                set_back = self._set_back
                unknown = [row for row in seen.rows if row[2] not in self._passed]
        if unknown:
            self.notify([_change_of(unknown)])
        with self._lock:
            if set_back == self._set_back:
                self._next = max(self._next, seen.following)
                self._passed.update(row[2] for row in unknown)
                self._passed = {number for number in self._passed if number >= self._next}
                self._look_at = len(self._passed) + COMMITS_A_LOOK

    def commit(self, connection: TransportConnection, changes: Iterable[Change]) -> None:
        """Number the changes, and commit them with the rest of the transaction."""
        changes = list(changes)
        rows = _rows_of(changes)
        if not rows:
            connection.execute("COMMIT")
            return
        if len(self._passed) > self._look_at:
            self.follow(connection)
        number = connection.number_changes(rows)
        # before it is visible, or it would look like another process's
        with self._lock:
            self._passed.add(number)
        try:
            connection.execute("COMMIT")
        except BaseException:
            # perhaps it was committed, and a thread that looked meanwhile has left it out; perhaps not, and another commit gets the number
            with self._lock:
                self._passed.discard(number)
                self._next = min(self._next, number)
                self._set_back += 1
            raise

    def notify(self, changes: Sequence[Change]) -> None:
        """Call every listener with each change; one that fails hides it from no other."""
        for change in changes:
            for listener in self._listeners:
                try:
                    listener(change)
                except Exception:
                    log.exception("what follows a change failed")


def _change_of(rows: Iterable[Row]) -> Change:
    schools: dict[str, set[str]] = {"results": set(), "subjects": set(), "verdicts": set()}
    inventory = ledger = False
    for what, school, _ in rows:
        if what in schools:
            schools[what].add(school)
        inventory |= what == "inventory"
        ledger |= what == "ledger"
    return Change(
        inventory=inventory,
        ledger=ledger,
        reported=frozenset(schools["results"]),
        announced=frozenset(schools["subjects"] | schools["results"]),
        judged=frozenset(schools["verdicts"]),
    )


def _rows_of(changes: Iterable[Change]) -> list[tuple[str, str]]:
    """(what, school), in an order that all writers keep."""
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
    return sorted(changed)
