"""The ledger in the store: problems as they are now, and the trail of everything that happened.

The trail is only added to (the database refuses the rest) and chained: head_n = SHA-256(head_(n-1) || bytes of the event).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from operator import itemgetter

import msgspec

from campus_collector.domain.change import Change
from campus_collector.domain.problem import MEASUREMENTS, Event, Problem
from campus_collector.store.columns import bytes_of, micros, where
from campus_collector.store.errors import Conflict
from campus_collector.store.tables.marks import raise_mark
from campus_collector.store.tables.table import TableGroup, fields, in_commit, insert
from campus_collector.store.transport import Queryable, Transaction

_encode = msgspec.json.encode
_problem = msgspec.json.Decoder(Problem).decode
_event = msgspec.json.Decoder(Event).decode
FIRST_HEAD = sha256(b"campusmeter audit").digest()
HIGH_WATER_MARK = "ledger"
"""The mark of the last day at which all schools were looked at; `ledger/SCHOOL` is that of one, while the others are still to come."""


class OutdatedProblem(Conflict):
    """Another process was quicker: what was worked out rests on what is not so any more."""


class LedgerTable(TableGroup):
    """Problems with their events."""

    def problems(self, school: str | None = None, open_only: bool = False) -> list[Problem]:
        """All, or one school's; the open ones, or also those struck off. By id."""
        condition = where(school=school)
        if open_only:
            condition = f"{condition or 'WHERE 1 = 1'} AND state <> 'closed'"
        # in order afterwards: for `ORDER BY id` SQLite would read all of them instead of the index of the open ones
        rows = self._database.read(f"SELECT id, body FROM problem {condition}", {"school": school})
        return [_problem(body) for _, body in sorted(rows, key=itemgetter(0))]

    def problem(self, number: int) -> Problem | None:
        """None for an unknown number."""
        return _read_problem(self._database, number)

    def events(self, number: int | None = None, limit: int = 1000) -> list[Event]:
        """A problem's history, oldest first; or the newest of all (None)."""
        if number is None:
            rows = self._database.read("SELECT body FROM audit ORDER BY sequence DESC LIMIT :limit", {"limit": limit})
        else:
            rows = self._database.read(
                "SELECT body FROM audit WHERE problem = :number ORDER BY sequence", {"number": number}
            )
        return [_event(body) for (body,) in rows]

    def events_by_problem(self, school: str | None = None) -> dict[int, list[Event]]:
        """The histories of all problems, or of one school's, oldest event first."""
        rows = self._database.read(
            "SELECT a.problem, a.body FROM problem p CROSS JOIN audit a"
            f" {where(school=school) or 'WHERE 1 = 1'} AND a.problem = p.id ORDER BY a.sequence",
            {"school": school},
        )
        events: dict[int, list[Event]] = {}
        for number, body in rows:
            events.setdefault(number, []).append(_event(body))
        return events

    @in_commit
    def put(self, transaction: Transaction, problems: Sequence[tuple[Problem, Sequence[Event]]]) -> list[Problem]:
        """Keep problems with what happened to them, all or nothing; new ones (id 0) get their number.

        Raises OutdatedProblem when one was changed meanwhile.
        """
        return self._put_all(transaction, problems)

    @in_commit
    def put_days(
        self,
        transaction: Transaction,
        school: str,
        problems: Sequence[tuple[Problem, Sequence[Event]]],
        mark_before: int | None,
        mark: int,
    ) -> list[Problem]:
        """Keep what the days up to `mark` did to a school's problems, all or nothing.

        Raises OutdatedProblem when another process has looked at the school since (its high-water mark is not `mark_before` any more),
        or somebody has changed one of these problems: then it is to be worked out again from what is there now.
        """
        if _high_water_mark(transaction, school) != mark_before:
            raise OutdatedProblem(f"{school}: another process has looked at it")
        raise_mark(transaction, _mark_of(school), mark)
        return self._put_all(transaction, problems)

    @in_commit
    def finish(self, transaction: Transaction, mark: int) -> None:
        """All schools were looked at up to this day."""
        raise_mark(transaction, HIGH_WATER_MARK, mark)
        transaction.execute("DELETE FROM mark WHERE name LIKE 'ledger/%' AND value <= :mark", {"mark": mark})

    @in_commit
    def change(self, transaction: Transaction, number: int, by: Callable[[Problem], tuple[Problem, Event]]) -> Problem:
        """Read, change and keep one problem in one piece. `by` may raise Conflict; an unknown number is a Conflict too."""
        before = _read_problem(transaction, number)
        if before is None:
            raise Conflict("unknown")
        problem, event = by(before)
        transaction.note_change(Change(ledger=True))
        return _put(transaction, problem, [event])

    @in_commit
    def append_event(self, transaction: Transaction, event: Event) -> None:
        """Something a person did that concerns no single problem, such as an import."""
        append_event(transaction, event)

    def high_water_mark(self, school: str | None = None) -> int | None:
        """The last day (since 1970) the ledger has looked at, at all schools or at one; None before the first."""
        return _high_water_mark(self._database, school)

    def first_broken_event(self) -> int | None:
        """The sequence of the first event that does not fit its chain; None when the trail is whole."""
        head, expected = FIRST_HEAD, 1
        rows = self._database.stream("SELECT sequence, body, head FROM audit ORDER BY sequence")
        for sequence, body, kept_head in rows:
            head = sha256(head + bytes_of(body)).digest()
            if sequence != expected or head != kept_head:
                return int(sequence)
            expected += 1
        return None

    def _put_all(self, transaction: Transaction, problems: Sequence[tuple[Problem, Sequence[Event]]]) -> list[Problem]:
        """In this order: a problem that is closed makes room for the next of its subject."""
        kept = []
        for problem, events in problems:
            _require_current(transaction, problem)
            kept.append(_put(transaction, problem, events))
        if kept:
            transaction.note_change(Change(ledger=True))
        return kept


def append_event(transaction: Transaction, event: Event, problem: int | None = None) -> None:
    """One more event at the end of the trail."""
    sequence, head = transaction.first("SELECT sequence, head FROM audit ORDER BY sequence DESC LIMIT 1") or (
        0,
        FIRST_HEAD,
    )
    body = _encode(msgspec.structs.replace(event, problem=problem))
    transaction.execute(
        insert("audit", "sequence", "at", "who", "what", "problem", "body", "head"),
        fields(event, "who", "what")
        | {"sequence": sequence + 1, "at": micros(event.at), "problem": problem}
        | {"body": body, "head": sha256(head + body).digest()},
    )


_OPEN = "WHERE school = :school AND target = :target AND subject = :subject AND state <> 'closed'"


def close_duplicates(transaction: Transaction) -> None:
    """A part of a migration: of several open problems of a subject for a target the one stays open on which more was done.

    The others are closed, with an event that says into which.
    """
    duplicated = transaction.read(
        "SELECT school, target, subject FROM problem WHERE state <> 'closed'"
        " GROUP BY school, target, subject HAVING count(*) > 1"
    )
    now = datetime.now(UTC)
    for school, target, subject in duplicated:
        bodies = transaction.read(
            f"SELECT p.body FROM problem p {_OPEN}"
            " ORDER BY (SELECT count(*) FROM audit a WHERE a.problem = p.id) DESC, id",
            {"school": school, "target": target, "subject": subject},
        )
        first, *others = [_problem(body) for (body,) in bodies]
        for other in others:
            values = {"day": first.opened_on.isoformat(), "problem": str(first.id)}
            event = Event(at=now, who=MEASUREMENTS, what="merged", values=values)
            _put(transaction, msgspec.structs.replace(other, state="closed", closed_on=other.opened_on), [event])


def _read_problem(reader: Queryable, number: int) -> Problem | None:
    row = reader.first("SELECT body FROM problem WHERE id = :number", {"number": number})
    return _problem(row[0]) if row else None


def _require_current(transaction: Transaction, problem: Problem) -> None:
    """Raises OutdatedProblem."""
    if problem.id:
        current = _read_problem(transaction, problem.id)
        if current is None or current.version != problem.version:
            raise OutdatedProblem(f"problem {problem.id} was changed meanwhile")
        return
    row = transaction.first(
        f"SELECT id FROM problem {_OPEN}",
        fields(problem, "school", "target", "subject"),
    )
    if row is not None:
        raise OutdatedProblem(f"problem {row[0]} was opened meanwhile")


def _put(transaction: Transaction, problem: Problem, events: Sequence[Event]) -> Problem:
    if problem.id == 0:
        row = transaction.first(
            insert("problem", "school", "target", "subject", "state", "body") + " RETURNING id",
            fields(problem, "school", "target", "subject", "state") | {"body": b""},
        )
        assert row is not None
        problem = msgspec.structs.replace(problem, id=int(row[0]))
    problem = msgspec.structs.replace(problem, version=problem.version + 1)
    transaction.execute(
        "UPDATE problem SET state = :state, body = :body WHERE id = :id",
        {"state": problem.state, "body": _encode(problem), "id": problem.id},
    )
    for event in events:
        append_event(transaction, event, problem.id)
    return problem


def _high_water_mark(reader: Queryable, school: str | None) -> int | None:
    """Of a school: the later of its own mark and that of all."""
    row = reader.first(
        "SELECT max(value) FROM mark WHERE name = :all_schools OR name = :school",
        {"all_schools": HIGH_WATER_MARK, "school": None if school is None else _mark_of(school)},
    )
    return row[0] if row else None


def _mark_of(school: str) -> str:
    return f"{HIGH_WATER_MARK}/{school}"
