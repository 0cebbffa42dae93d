"""People in the store: who they are, how they prove it, what they may do, and when they are locked out."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from campus_collector.domain.problem import Event, What
from campus_collector.domain.records import Person
from campus_collector.store.database import Database, Refused, micros, moment_of
from campus_collector.store.ledger import append
from campus_collector.store.totals import add_total

_COLUMNS = (
    "name, role, town, generation, token_hash IS NOT NULL, password, identity, failures, locked_until, revoked_at"
)


@dataclass(frozen=True, slots=True)
class Account:
    """A person with what proves them. `generation` grows with every change: sessions of an earlier one have ended."""

    person: Person
    generation: int
    has_token: bool
    password: str | None
    """Its argon2id hash in PHC form."""
    identity: str | None
    failures: int
    locked_until: datetime | None
    revoked_at: datetime | None

    def locked(self, now: datetime) -> bool:
        """Are passwords refused for a while?"""
        return self.locked_until is not None and now < self.locked_until


class PeopleTable:
    """People with their credentials. Every change is an event of the audit trail, in the same commit."""

    def __init__(self, database: Database) -> None:
        """Shares the store's file."""
        self._database = database

    def any(self) -> bool:
        """Was anybody ever let in? Who refuses the last one does not open the doors."""
        return self._database.one("SELECT 1 FROM person LIMIT 1") is not None

    def all(self) -> list[Account]:
        """Everybody, also those who are refused by now; by name."""
        rows = self._database.all(f"SELECT {_COLUMNS} FROM person ORDER BY name")  # noqa: S608
        return [_account(row) for row in rows]

    def named(self, name: str) -> Account | None:
        """One who may log in; None for an unknown or revoked name."""
        return self._where("name", name)

    def of_token(self, token_hash: bytes) -> Account | None:
        """Whose token is this?"""
        return self._where("token_hash", token_hash)

    def of_identity(self, identity: str) -> Account | None:
        """Who is this at the OpenID provider?"""
        return self._where("identity", identity)

    def put(
        self,
        person: Person,
        now: datetime,
        by: str,
        token_hash: bytes | None = None,
        password: str | None = None,
        identity: str | None = None,
    ) -> None:
        """Let a person in with a role; what is given replaces what proved them before, what is None stays. Raises Taken."""

        def work(connection: sqlite3.Connection) -> None:
            if identity is not None:
                row = connection.execute(
                    "SELECT name FROM person WHERE identity = ? AND name <> ?", (identity, person.name)
                ).fetchone()
                if row is not None:
                    raise Taken(row[0])
            connection.execute(  # who comes back proves it anew; the generation goes on, or old sessions would be theirs
                "UPDATE person SET token_hash = NULL, password = NULL, identity = NULL, revoked_at = NULL, created_at = ?"
                " WHERE name = ? AND revoked_at IS NOT NULL",
                (micros(now), person.name),
            )
            connection.execute(
                "INSERT INTO person (name, role, town, token_hash, password, identity, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET role = excluded.role, town = excluded.town,"
                " token_hash = coalesce(excluded.token_hash, token_hash), password = coalesce(excluded.password, password),"
                " identity = coalesce(excluded.identity, identity), generation = generation + 1, failures = 0,"
                " locked_until = NULL",
                (person.name, person.role, person.town, token_hash, password, identity, micros(now)),
            )
            given = {"token": token_hash, "password": password, "identity": identity}
            values = {"person": person.name, "role": person.role, "town": person.town}
            values["proof"] = ", ".join(name for name, value in given.items() if value is not None)
            _note(connection, now, by, "person_admitted", values)

        self._database.write(work)

    def set_password(self, name: str, password: str, now: datetime, by: str) -> bool:
        """Another password; sessions and the lock end. Is there such a person?"""
        return self._change(
            "UPDATE person SET password = ?, generation = generation + 1, failures = 0, locked_until = NULL",
            (password,), name, now, by, "password_changed",
        )  # fmt: skip

    def unlock(self, name: str, now: datetime, by: str) -> bool:
        """Passwords are heard again. Is there such a person?"""
        return self._change("UPDATE person SET failures = 0, locked_until = NULL", (), name, now, by, "person_unlocked")

    def revoke(self, name: str, now: datetime, by: str) -> bool:
        """Refuse a person from now on. Was there one?"""
        return self._change(
            "UPDATE person SET revoked_at = ?, token_hash = NULL, password = NULL, identity = NULL,"
            " generation = generation + 1",
            (micros(now),), name, now, by, "person_refused",
        )  # fmt: skip

    def failed(self, name: str, now: datetime, allowed: int, lock: timedelta) -> bool:
        """A password was refused. Is the person locked out by it? Every refusal is counted, in a commit, so that time tells nobody which names are known."""

        def work(connection: sqlite3.Connection) -> bool:
            add_total(connection, "login", "refused", 1)
            row = connection.execute(
                "UPDATE person SET failures = failures + 1 WHERE name = ? AND revoked_at IS NULL"
                " AND (locked_until IS NULL OR locked_until <= ?) RETURNING failures",
                (name, micros(now)),
            ).fetchone()
            if row is None or row[0] < allowed:
                return False
            connection.execute(
                "UPDATE person SET failures = 0, locked_until = ? WHERE name = ?", (micros(now + lock), name)
            )
            _note(connection, now, name, "person_locked", {"person": name})
            return True

        return self._database.write(work)

    def logged_in(self, name: str, now: datetime, how: str, password: str | None = None) -> None:
        """It worked: wrong passwords before it are forgotten. `password` is a stronger hash of the same one."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE person SET failures = 0, locked_until = NULL, password = coalesce(?, password) WHERE name = ?",
                (password, name),
            )
            _note(connection, now, name, "logged_in", {"proof": how})

        self._database.write(work)

    def _change(self, sql: str, values: tuple[object, ...], name: str, now: datetime, by: str, what: What) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            count = connection.execute(f"{sql} WHERE name = ? AND revoked_at IS NULL", (*values, name)).rowcount
            if count:
                _note(connection, now, by, what, {"person": name})
            return bool(count)

        return self._database.write(work)

    def _where(self, column: str, value: object) -> Account | None:
        sql = f"SELECT {_COLUMNS} FROM person WHERE {column} = ? AND revoked_at IS NULL"  # noqa: S608
        row = self._database.one(sql, (value,))
        return _account(row) if row else None


class Taken(Refused):
    """This identity is another person's; their name."""


def _account(row: tuple[object, ...]) -> Account:
    name, role, town, generation, has_token, password, identity, failures, locked, revoked = row
    return Account(
        Person(str(name), str(role), str(town)),
        int(generation),  # type: ignore[call-overload]
        bool(has_token),
        password,  # type: ignore[arg-type]
        identity,  # type: ignore[arg-type]
        int(failures),  # type: ignore[call-overload]
        moment_of(locked),  # type: ignore[arg-type]
        moment_of(revoked),  # type: ignore[arg-type]
    )


def _note(connection: sqlite3.Connection, now: datetime, who: str, what: What, values: dict[str, str]) -> None:
    append(
        connection,
        Event(at=now, who=who, what=what, values={key: value for key, value in values.items() if value}),
        None,
    )
