"""The ledger in the store: problems as they are now, and the trail of everything that happened.

The trail is only added to (the database refuses the rest) and chained: head_n = SHA-256(head_(n-1) || octets of the event).
"""

import sqlite3
from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

from campus_collector.ledger.problem import Event, Problem
from campus_collector.store.database import Database, Refused, micros, octets_of
from campus_collector.store.interface import Change

_encode = msgspec.json.encode
_problem = msgspec.json.Decoder(Problem).decode
_event = msgspec.json.Decoder(Event).decode
FIRST_HEAD = sha256(b"campusmeter audit").digest()


class LedgerTable:
    """Problems with their events."""

    def __init__(self, database: Database) -> None:
        """Shares the store's file."""
        self._database = database

    def problems(self, school: str | None = None, open_only: bool = False) -> list[Problem]:
        """All, or one school's; the open ones, or also those struck off. By id."""
        rows = self._database.all(
            "SELECT body FROM problem WHERE (?1 IS NULL OR school = ?1) AND (?2 = 0 OR state <> 'closed') ORDER BY id",
            (school, open_only),
        )
        return [_problem(row[0]) for row in rows]

    def problem(self, number: int) -> Problem | None:
        """One; None for an unknown number."""
        row = self._database.one("SELECT body FROM problem WHERE id = ?", (number,))
        return _problem(row[0]) if row else None

    def events(self, number: int | None = None, limit: int = 1000) -> list[Event]:
        """A problem's history, oldest first; or the newest of all (None)."""
        if number is None:
            rows = self._database.all("SELECT body FROM audit ORDER BY sequence DESC LIMIT ?", (limit,))
        else:
            rows = self._database.all("SELECT body FROM audit WHERE problem = ? ORDER BY sequence", (number,))
        return [_event(row[0]) for row in rows]

    def put(
        self, problems: Sequence[tuple[Problem, Sequence[Event]]], looked_until: int | None = None
    ) -> list[Problem]:
        """Keep problems with what happened to them, and up to which day all schools were looked at; new ones (id 0) get their number."""

        def work(connection: sqlite3.Connection) -> list[Problem]:
            kept = [_keep(connection, problem, events) for problem, events in problems]
            if looked_until is not None:
                connection.execute(
                    "INSERT INTO mark VALUES ('ledger', ?1) ON CONFLICT DO UPDATE SET value = max(value, ?1)",
                    (looked_until,),
                )
            self._database.note(Change(ledger=True))
            return kept

        return self._database.write(work)

    def change(self, number: int, by: Callable[[Problem], tuple[Problem, Event]]) -> Problem:
        """Read, change and keep one problem in one piece. `by` may raise Refused; an unknown number is Refused too."""

        def work(connection: sqlite3.Connection) -> Problem:
            row = connection.execute("SELECT body FROM problem WHERE id = ?", (number,)).fetchone()
            if row is None:
                raise Refused("unknown")
            problem, event = by(_problem(row[0]))
            self._database.note(Change(ledger=True))
            return _keep(connection, problem, [event])

        return self._database.write(work)

    def note(self, event: Event) -> None:
        """Something a person did that concerns no single problem, such as an import."""
        self._database.write(lambda connection: append(connection, event, None))

    def looked_until(self) -> int | None:
        """The last day (since 1970) the ledger has looked at; None before the first."""
        row = self._database.one("SELECT value FROM mark WHERE name = 'ledger'")
        return int(row[0]) if row else None

    def first_broken_event(self) -> int | None:
        """The sequence of the first event that does not fit its chain; None when the trail is whole."""
        head, expected = FIRST_HEAD, 1
        with self._database.reading() as connection:
            for sequence, body, kept in connection.execute("SELECT sequence, body, head FROM audit ORDER BY sequence"):
                head = sha256(head + octets_of(body)).digest()
                if sequence != expected or head != kept:
                    return int(sequence)
                expected += 1
        return None


def _keep(connection: sqlite3.Connection, problem: Problem, events: Sequence[Event]) -> Problem:
    if problem.id == 0:
        cursor = connection.execute(
            "INSERT INTO problem (school, target, subject, state, body) VALUES (?, ?, ?, ?, '')",
            (problem.school, problem.target, problem.subject, problem.state),
        )
        problem = msgspec.structs.replace(problem, id=int(cursor.lastrowid or 0))
    connection.execute(
        "UPDATE problem SET state = ?, body = ? WHERE id = ?", (problem.state, _encode(problem), problem.id)
    )
    for event in events:
        append(connection, event, problem.id)
    return problem


def append(connection: sqlite3.Connection, event: Event, problem: int | None) -> None:
    """Within a commit: one more event at the end of the chain."""
    row = connection.execute("SELECT sequence, head FROM audit ORDER BY sequence DESC LIMIT 1").fetchone()
    sequence, head = row or (0, FIRST_HEAD)
    body = _encode(msgspec.structs.replace(event, problem=problem))
    connection.execute(
        "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)",
        (sequence + 1, micros(event.at), event.who, event.what, problem, body, sha256(head + body).digest()),
    )
