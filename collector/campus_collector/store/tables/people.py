"""People in the store: who they are, how they prove it, what they may do, and when they are locked out."""

from datetime import datetime, timedelta

from campus_collector.domain.people import SCREEN_PREFIX, Account, Person
from campus_collector.domain.problem import Event, What
from campus_collector.store.columns import micros, moment_or_none
from campus_collector.store.errors import Conflict
from campus_collector.store.tables.ledger import append_event
from campus_collector.store.tables.table import TableGroup, fields, in_commit
from campus_collector.store.tables.totals import add_total
from campus_collector.store.transport import Params, Queryable, Row, Transaction

_COLUMNS = "name, role, town, generation, token_hash IS NOT NULL, password, identity, failures, locked_until, revoked_at, sessions"
MAX_SESSIONS = 20
"""Of one person at the same time."""


class IdentityConflict(Conflict):
    """This identity is another person's; their name."""


class PeopleTable(TableGroup):
    """People with their credentials. Every change is an event of the audit trail, in the same commit."""

    def any(self) -> bool:
        """Was a person ever added, revoked or not? Revoking the last person does not switch authentication off."""
        return self._database.first("SELECT 1 FROM person LIMIT 1") is not None

    def all(self) -> list[Account]:
        """Everybody, also those who are refused by now; by name."""
        rows = self._database.read(f"SELECT {_COLUMNS} FROM person ORDER BY name")
        return [_account(row) for row in rows]

    def named(self, name: str) -> Account | None:
        """One who may log in; None for an unknown or revoked name."""
        return self._where("name", name)

    def of_token(self, token_hash: bytes) -> Account | None:
        return self._where("token_hash", token_hash)

    def of_identity(self, identity: str) -> Account | None:
        """Who is this at the OpenID provider?"""
        return self._where("identity", identity)

    @in_commit
    def put(
        self,
        transaction: Transaction,
        person: Person,
        now: datetime,
        by: str,
        token_hash: bytes | None = None,
        password: str | None = None,
        identity: str | None = None,
    ) -> None:
        """Let a person in with a role; what is given replaces what proved them before, what is None stays. Raises IdentityConflict."""
        _put(transaction, person, now, by, token_hash, password, identity)

    def screen_changes(self) -> int:
        """How often a link of an office's screen was made or ended."""
        return _screen_changes(self._database)

    @in_commit
    def put_screen(
        self, transaction: Transaction, person: Person, now: datetime, by: str, token_hash: bytes, changes: int
    ) -> None:
        """A new link of an office's screen, for one who saw so many `changes` of such links. Raises Conflict when there was another since."""
        if _screen_changes(transaction) != changes:
            raise Conflict
        _put(transaction, person, now, by, token_hash, None, None)

    def set_password(self, name: str, password: str, now: datetime, by: str) -> bool:
        """Another password; sessions and the lock end. Is there such a person?"""
        assignments = "password = :password, generation = generation + 1, failures = 0, locked_until = NULL"
        return self._change(assignments, {"name": name, "password": password}, now, by, "password_changed")

    def unlock(self, name: str, now: datetime, by: str) -> bool:
        """Accept passwords again. Is there such a person?"""
        return self._change("failures = 0, locked_until = NULL", {"name": name}, now, by, "person_unlocked")

    def revoke(self, name: str, now: datetime, by: str) -> bool:
        """Refuse a person from now on. Was there one?"""
        assignments = (
            "revoked_at = :now, token_hash = NULL, password = NULL, identity = NULL, generation = generation + 1"
        )
        return self._change(assignments, {"name": name, "now": micros(now)}, now, by, "person_refused")

    @in_commit
    def failed(self, transaction: Transaction, name: str, now: datetime, allowed: int, lock: timedelta) -> bool:
        """A password was wrong. Is the person locked out by it?

        Every failure is counted, in a commit, so that the time it takes does not show which names are known.
        """
        add_total(transaction, "login", "refused", 1)
        row = transaction.first(
            "UPDATE person SET failures = failures + 1 WHERE name = :name AND revoked_at IS NULL"
            " AND (locked_until IS NULL OR locked_until <= :now) RETURNING failures",
            {"name": name, "now": micros(now)},
        )
        if row is None or row[0] < allowed:
            return False
        transaction.execute(
            "UPDATE person SET failures = 0, locked_until = :until WHERE name = :name",
            {"name": name, "until": micros(now + lock)},
        )
        _note(transaction, now, name, "person_locked", {"person": name})
        return True

    @in_commit
    def logged_in(
        self,
        transaction: Transaction,
        name: str,
        now: datetime,
        how: str,
        session: str,
        password: str | None = None,
    ) -> None:
        """A session begins: forget the wrong passwords before it, end the oldest of too many sessions. `password` is a stronger hash of the same one."""
        sessions = [*_sessions(transaction, name), session][-MAX_SESSIONS:]
        transaction.execute(
            "UPDATE person SET failures = 0, locked_until = NULL, password = coalesce(:password, password),"
            " sessions = :sessions WHERE name = :name",
            {"name": name, "password": password, "sessions": ",".join(sessions)},
        )
        _note(transaction, now, name, "logged_in", {"proof": how})

    @in_commit
    def end_session(self, transaction: Transaction, name: str, session: str) -> None:
        sessions = [known for known in _sessions(transaction, name) if known != session]
        transaction.execute(
            "UPDATE person SET sessions = :sessions WHERE name = :name", {"name": name, "sessions": ",".join(sessions)}
        )

    @in_commit
    def _change(
        self, transaction: Transaction, assignments: str, params: Params, now: datetime, by: str, what: What
    ) -> bool:
        changed = transaction.execute(
            f"UPDATE person SET {assignments} WHERE name = :name AND revoked_at IS NULL", params
        )
        if changed:
            _note(transaction, now, by, what, {"person": str(params["name"])})
        return bool(changed)

    def _where(self, column: str, value: object) -> Account | None:
        sql = f"SELECT {_COLUMNS} FROM person WHERE {column} = :value AND revoked_at IS NULL"
        row = self._database.first(sql, {"value": value})
        return _account(row) if row else None


def _put(
    transaction: Transaction,
    person: Person,
    now: datetime,
    by: str,
    token_hash: bytes | None,
    password: str | None,
    identity: str | None,
) -> None:
    _require_free_identity(transaction, person.name, identity)
    given = {"token": token_hash, "password": password, "identity": identity}
    row = fields(person, "name", "role", "town") | given | {"created_at": micros(now)}
    # who comes back proves it anew; the generation goes on, or old sessions would be theirs
    transaction.execute(
        "UPDATE person SET token_hash = NULL, password = NULL, identity = NULL, revoked_at = NULL, created_at = :created_at"
        " WHERE name = :name AND revoked_at IS NOT NULL",
        row,
    )
    transaction.execute(
        "INSERT INTO person (name, role, town, token_hash, password, identity, created_at)"
        " VALUES (:name, :role, :town, :token, :password, :identity, :created_at)"
        " ON CONFLICT (name) DO UPDATE SET role = excluded.role, town = excluded.town,"
        " token_hash = coalesce(excluded.token_hash, person.token_hash),"
        " password = coalesce(excluded.password, person.password),"
        " identity = coalesce(excluded.identity, person.identity),"
        " generation = person.generation + 1, failures = 0, locked_until = NULL",
        row,
    )
    values = {"person": person.name, "role": person.role, "town": person.town}
    values["proof"] = ", ".join(name for name, value in given.items() if value is not None)
    _note(transaction, now, by, "person_admitted", values)


def _screen_changes(reader: Queryable) -> int:
    key = {"first": SCREEN_PREFIX, "last": f"{SCREEN_PREFIX}\uffff"}
    row = reader.first("SELECT sum(generation + 1) FROM person WHERE name >= :first AND name < :last", key)
    return int(row[0] or 0) if row else 0


def _account(row: Row) -> Account:
    name, role, town, generation, has_token, password, identity, failures, locked_until, revoked_at, sessions = row
    return Account(
        Person(name, role, town),
        generation,
        bool(has_token),
        password,
        identity,
        failures,
        moment_or_none(locked_until),
        moment_or_none(revoked_at),
        tuple(sessions.split(",")) if sessions else (),
    )


def _sessions(transaction: Transaction, name: str) -> list[str]:
    row = transaction.first("SELECT sessions FROM person WHERE name = :name", {"name": name})
    return row[0].split(",") if row and row[0] else []


def _require_free_identity(transaction: Transaction, name: str, identity: str | None) -> None:
    """Raises IdentityConflict when another person has it."""
    if identity is not None:
        row = transaction.first(
            "SELECT name FROM person WHERE identity = :identity AND name <> :name",
            {"identity": identity, "name": name},
        )
        if row is not None:
            raise IdentityConflict(row[0])


def _note(transaction: Transaction, now: datetime, who: str, what: What, values: dict[str, str]) -> None:
    given = {key: value for key, value in values.items() if value}
    append_event(transaction, Event(at=now, who=who, what=what, values=given))
