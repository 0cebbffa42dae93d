"""The ledger in the store: problems as they are now, and the trail of everything that happened.

The trail is only added to (the database refuses the rest) and chained: head_n = SHA-256(head_(n-1) || octets of the event).
"""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from campus_collector.domain.problem import MEASUREMENTS, Event, Problem
from campus_collector.domain.records import Change
from campus_collector.store.database import Database, Refused, micros, octets_of

_encode = msgspec.json.encode
_problem = msgspec.json.Decoder(Problem).decode
_event = msgspec.json.Decoder(Event).decode
FIRST_HEAD = sha256(b"campusmeter audit").digest()
LEDGER = "ledger"
"""The mark of the last day at which all schools were looked at; `ledger/SCHOOL` is that of one, while the others are still to come."""


class Conflict(Refused):
    """Somebody was quicker: what was worked out rests on what is not so any more."""


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

    def put(self, problems: Sequence[tuple[Problem, Sequence[Event]]]) -> list[Problem]:
        """Keep problems with what happened to them, all or nothing; new ones (id 0) get their number. Raises Conflict for outdated ones."""
        return self._database.write(lambda connection: self._keep_all(connection, problems))

    def put_days(
        self,
        school: str,
        problems: Sequence[tuple[Problem, Sequence[Event]]],
        looked_before: int | None,
        looked_until: int,
    ) -> list[Problem]:
        """Keep what the days up to `looked_until` did to a school's problems, all or nothing.

        Raises Conflict when another process has looked at the school since (`looked_before` is not true any more), or somebody has
        changed one of these problems: then it is to be worked out again from what is there now.
        """

        def work(connection: sqlite3.Connection) -> list[Problem]:
            if _looked_until(connection, school) != looked_before:
                raise Conflict(f"{school}: another process has looked at it")
            _mark(connection, _name(school), looked_until)
            return self._keep_all(connection, problems)

        return self._database.write(work)

    def _keep_all(
        self, connection: sqlite3.Connection, problems: Sequence[tuple[Problem, Sequence[Event]]]
    ) -> list[Problem]:
        kept = []
        for problem, events in problems:  # in this order: one that is closed makes room for the next of its subject
            _must_be_current(connection, problem)
            kept.append(_keep(connection, problem, events))
        if kept:
            self._database.note(Change(ledger=True))
        return kept

    def finish(self, looked_until: int) -> None:
        """All schools were looked at up to this day."""

        def work(connection: sqlite3.Connection) -> None:
            _mark(connection, LEDGER, looked_until)
            connection.execute("DELETE FROM mark WHERE name LIKE 'ledger/%' AND value <= ?", (looked_until,))

        self._database.write(work)

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

    def looked_until(self, school: str | None = None) -> int | None:
        """The last day (since 1970) the ledger has looked at, at all schools or at one; None before the first."""
        with self._database.reading() as connection:
            return _looked_until(connection, school)

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


def prepare(connection: sqlite3.Connection) -> None:
    """Make sure that a subject has at most one open problem for a target.

    Up to 0.2.0 two processes could open the same problem twice. Of each pair the one stays open on which more was done; the others are
    closed, with an event that says into which.
    """
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'problem_open_once'").fetchone():
        return
    rows = connection.execute(
        "SELECT school, target, subject FROM problem WHERE state <> 'closed' GROUP BY 1, 2, 3 HAVING count(*) > 1"
    ).fetchall()
    now = datetime.now(UTC)
    for key in rows:
        bodies = connection.execute(
            "SELECT p.body FROM problem p WHERE school = ? AND target = ? AND subject = ? AND state <> 'closed'"
            " ORDER BY (SELECT count(*) FROM audit a WHERE a.problem = p.id) DESC, id",
            key,
        ).fetchall()
        first, *others = [_problem(body) for (body,) in bodies]
        for other in others:
            values = {"day": first.opened_on.isoformat(), "problem": str(first.id)}
            event = Event(at=now, who=MEASUREMENTS, what="merged", values=values)
            _keep(connection, msgspec.structs.replace(other, state="closed", closed_on=other.opened_on), [event])
    connection.execute(
        "CREATE UNIQUE INDEX problem_open_once ON problem (school, target, subject) WHERE state <> 'closed'"
    )


def _must_be_current(connection: sqlite3.Connection, problem: Problem) -> None:
    if problem.id:
        row = connection.execute("SELECT body FROM problem WHERE id = ?", (problem.id,)).fetchone()
        if row is None or _problem(row[0]).version != problem.version:
            raise Conflict(f"problem {problem.id} was changed meanwhile")
        return
    row = connection.execute(
        "SELECT id FROM problem WHERE school = ? AND target = ? AND subject = ? AND state <> 'closed'",
        (problem.school, problem.target, problem.subject),
    ).fetchone()
    if row is not None:
        raise Conflict(f"problem {row[0]} was opened meanwhile")


def _keep(connection: sqlite3.Connection, problem: Problem, events: Sequence[Event]) -> Problem:
    if problem.id == 0:
        cursor = connection.execute(
            "INSERT INTO problem (school, target, subject, state, body) VALUES (?, ?, ?, ?, '')",
            (problem.school, problem.target, problem.subject, problem.state),
        )
        problem = msgspec.structs.replace(problem, id=int(cursor.lastrowid or 0))
    problem = msgspec.structs.replace(problem, version=problem.version + 1)
    connection.execute(
        "UPDATE problem SET state = ?, body = ? WHERE id = ?", (problem.state, _encode(problem), problem.id)
    )
    for event in events:
        append(connection, event, problem.id)
    return problem


def _looked_until(connection: sqlite3.Connection, school: str | None) -> int | None:
    """Of a school: the later of its own mark and that of all."""
    names = (LEDGER,) if school is None else (LEDGER, _name(school))
    marks = ", ".join("?" * len(names))
    row = connection.execute(f"SELECT max(value) FROM mark WHERE name IN ({marks})", names).fetchone()  # noqa: S608
    return None if row[0] is None else int(row[0])


def _name(school: str) -> str:
    return f"{LEDGER}/{school}"


def _mark(connection: sqlite3.Connection, name: str, value: int) -> None:
    connection.execute(
        "INSERT INTO mark VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = max(value, ?2)", (name, value)
    )


def append(connection: sqlite3.Connection, event: Event, problem: int | None) -> None:
    """Within a commit: one more event at the end of the chain."""
    row = connection.execute("SELECT sequence, head FROM audit ORDER BY sequence DESC LIMIT 1").fetchone()
    sequence, head = row or (0, FIRST_HEAD)
    body = _encode(msgspec.structs.replace(event, problem=problem))
    connection.execute(
        "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)",
        (sequence + 1, micros(event.at), event.who, event.what, problem, body, sha256(head + body).digest()),
    )
