"""The store is ready to be distributed by school: its keys begin with the school, and what is done often names one school in each statement."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from campus_collector.store.postgres import PostgresConnection
from campus_collector.store.transport import ALL_SCHOOLS, NO_SCHOOL
from campus_wire.records import AnnouncedClassroom, Announcement
from tests.collector.world import World, collector, days, envelope, service, throughput
from tests.postgres_server import shared_server
from tests.stores import URL

DISTRIBUTE = Path(__file__).parents[3] / "deploy" / "postgres" / "distribute.sql"
DISTRIBUTED = re.compile(r"^SELECT create_distributed_table\('(\w+)', 'school', colocate_with => '(\w+)'\);$", re.M)
REFERENCE = re.compile(r"^SELECT create_reference_table\('(\w+)'\);$", re.M)
LOCAL = re.compile(r"^-- local: (.+)$", re.M)
WITHOUT_KEY = {"result", "seen"}
"""Whoever stores results of a school holds its lock (see migration 0018)."""
CROSS_SCHOOL = {
    "which schools wait for the judge": r"WITH RECURSIVE s\(school\) AS \(SELECT min\(school\) FROM unjudged",
    "the first day of the county": r"SELECT min\(\(SELECT min\(day\) FROM (seal|day_evidence)",
    "what was counted of all schools": r"SELECT label, CAST\(sum\(value\) AS BIGINT\) FROM total",
    "which subjects have evidence of a day": r"FROM school s JOIN day_evidence d ON d.school = s.id AND d.day = :day",
    "evidence and newest results of listed subjects": r"^WITH .* AS \(VALUES .* FROM s CROSS JOIN",
    "subjects of the county": r"SELECT [\w, ]+ FROM subject WHERE 1 = 1",
    "agents of the county": r"SELECT [\w, ]+ FROM agent +ORDER BY",
    "the newest results of the county": r"SELECT [\w, ]+ FROM latest +ORDER BY",
    "the quarantine of the county": r"SELECT school, count\(\*\) FROM quarantine GROUP BY school",
    "receipts that did not fit": r"SELECT [\w, ]+ FROM chain_mismatch ORDER BY",
    "has any school results of older versions?": r"SELECT 1 FROM unpacked_school LIMIT 1|FROM unpacked_school ORDER BY school",
}
"""Reads of all schools, which the manual names (several-collectors.md, "By school")."""


def classes() -> tuple[dict[str, str], set[str], set[str]]:
    """What distribute.sql makes of the tables: distributed with what each is colocated with, reference, and local ones."""
    text = DISTRIBUTE.read_text(encoding="utf-8")
    local = [name.strip() for line in LOCAL.findall(text) for name in line.split(",")]
    tables = [name for name, _ in DISTRIBUTED.findall(text)] + REFERENCE.findall(text) + local
    assert [name for name, count in Counter(tables).items() if count > 1] == [], "a table stands there once"
    assert text.count("SELECT create_") == len(tables) - len(local), "and every line is understood here"
    return dict(DISTRIBUTED.findall(text)), set(REFERENCE.findall(text)), set(local)


@pytest.fixture(scope="module")
def catalogue() -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(shared_server().new_database(), autocommit=True) as connection:
        yield connection


def test_every_table_has_its_place(catalogue: "psycopg.Connection[Any]") -> None:
    distributed, reference, local = classes()
    rows = catalogue.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert {name for (name,) in rows} == distributed.keys() | reference | local, (
        "a new table belongs into deploy/postgres/distribute.sql"
    )


def test_keys_of_distributed_tables_begin_with_the_school(catalogue: "psycopg.Connection[Any]") -> None:
    distributed, _, _ = classes()
    rows = catalogue.execute(
        "SELECT c.relname, a.attname, i.indisprimary FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
        " WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    keys = [(table, column, is_primary) for table, column, is_primary in rows if table in distributed]
    keyed = {table for table, _, is_primary in keys if is_primary}
    assert keyed == distributed.keys() - WITHOUT_KEY, "each has a primary key"
    assert [(table, column) for table, column, _ in keys if column != "school"] == []


@pytest.mark.parametrize("table", sorted(WITHOUT_KEY))
def test_a_table_without_a_key_is_looked_up_by_school(catalogue: "psycopg.Connection[Any]", table: str) -> None:
    rows = catalogue.execute(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
        " WHERE i.indrelid = %s::regclass",
        (table,),
    ).fetchall()
    assert rows == [("school",)]


def test_no_foreign_key(catalogue: "psycopg.Connection[Any]") -> None:
    assert catalogue.execute("SELECT conname FROM pg_constraint WHERE contype = 'f'").fetchall() == []


def test_colocated_tables_are_distributed_by_one_type(catalogue: "psycopg.Connection[Any]") -> None:
    distributed, _, _ = classes()
    types = dict(
        catalogue.execute(
            "SELECT table_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name = 'school'"
        ).fetchall()
    )
    listed = list(distributed)
    for table, first in distributed.items():
        if first != "none":
            assert listed.index(first) < listed.index(table), f"{first} is distributed before {table}"
            assert (types[table], distributed[first]) == (types[first], "none")
    assert [distributed[table] for table in distributed].count("none") == len({types[table] for table in distributed})


@dataclass
class Recorded:
    """A statement, and the values of schools that it names, by parameter."""

    sql: str
    schools: dict[str, list[object]] = field(default_factory=dict)

    def tables(self) -> set[str]:
        return set(re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE) (\w+)", self.sql))

    def equalities(self) -> list[object]:
        """The schools to which the statement is bound."""
        names = re.findall(r"\b(?:\w+\.)?school (?:=|IN) \(?:(\w+)", self.sql)
        inserted = re.match(r"INSERT INTO \w+ \((.*?)\)", self.sql)
        if inserted is not None and "school" in inserted[1].split(", "):
            names.append("school")
        return [value for name in names for value in self.schools.get(name, [])]


@dataclass
class Statements:
    """What was asked: inside each transaction, with whose it is, and outside."""

    transactions: list[tuple[str, list[Recorded]]] = field(default_factory=list)
    outside: list[Recorded] = field(default_factory=list)
    _open: dict[int, list[Recorded]] = field(default_factory=dict)

    def begin(self, connection: PostgresConnection, whose: str) -> None:
        self._open[id(connection)] = []
        self.transactions.append((whose, self._open[id(connection)]))

    def add(self, connection: PostgresConnection, sql: str, values: Iterable[Mapping[str, object]]) -> None:
        if sql in ("COMMIT", "ROLLBACK"):
            self._open.pop(id(connection), None)
            return
        recorded = Recorded(sql)
        for row in values:
            for name, value in row.items():
                recorded.schools.setdefault(name, []).extend(value if isinstance(value, list | tuple) else [value])
        self._open.get(id(connection), self.outside).append(recorded)


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Statements]:
    statements = Statements()
    original = {
        name: getattr(PostgresConnection, name)
        for name in ("read", "first", "stream", "execute", "read_in", "execute_many", "insert_many", "begin")
    }
    inner: set[int] = set()

    def spy(name: str) -> Any:
        def call(self: PostgresConnection, sql: str, params: Any = (), *more: Any) -> Any:
            if id(self) in inner:
                return original[name](self, sql, params, *more)
            inner.add(id(self))
            try:
                if name == "insert_many":
                    rows = [dict(zip(params, row, strict=True)) for row in more[0]]
                    statements.add(self, f"INSERT INTO {sql} ({', '.join(params)})", rows)
                elif name == "execute_many":
                    params = list(params)
                    if params:
                        statements.add(self, sql, params)
                else:
                    statements.add(self, sql, [params or {}, *more])
                return original[name](self, sql, params or {}, *more)
            finally:
                inner.discard(id(self))

        return call

    def begin(self: PostgresConnection, whose: str = ALL_SCHOOLS) -> None:
        original["begin"](self, whose)
        statements.begin(self, whose)

    with monkeypatch.context() as patch:
        for name in original.keys() - {"begin"}:
            patch.setattr(PostgresConnection, name, spy(name))
        patch.setattr(PostgresConnection, "begin", begin)
        yield statements


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv(URL, shared_server().new_database())
    with collector(tmp_path) as running:
        yield running


ROOMS = Announcement("t01", [AnnouncedClassroom("c101", "", 1e8)], [], True, 1e9)


def send(world: World, school: str, token: str, number: int) -> None:
    results = [throughput(at=at, school=school) for at in days(6 + number, 1)] + [service(school=school)]
    for _ in range(2):  # and once more: duplicates
        assert world.post(envelope(*results, agent_id=school, announcement=ROOMS), token).status == 200


def unbound(statements: Sequence[Recorded], distributed: Iterable[str]) -> list[str]:
    """Those that read or write a distributed table, and name no school."""
    return sorted({each.sql for each in statements if each.tables() & set(distributed) and not each.equalities()})


def test_a_run_names_one_school_in_each_transaction_and_statement(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed, _, _ = classes()
    tokens = {school: world.issue_token(school) for school in ("s001", "s002", "s003")}
    with recorded(monkeypatch) as statements:
        for number in range(2):
            for school, token in tokens.items():
                send(world, school, token, number)
        world.service.verdicts.catch_up()
        for path in ("/schools/s001", "/v1/schools/s001", "/v1/results?school=s001"):
            assert world.get(path, Authorization=f"Bearer {tokens['s001']}").status == 200
    numbers = dict(world.service.store._database.read("SELECT school, number FROM numbered_school"))
    of_schools = [(whose, asked) for whose, asked in statements.transactions if whose in tokens]
    assert Counter(whose for whose, _ in of_schools).keys() == tokens.keys()
    assert len(of_schools) >= 15, "storing and judging"
    for whose, asked in of_schools:
        named = {value for each in asked for value in each.equalities()}
        assert named <= {whose, numbers[whose]}, asked
        assert unbound(asked, distributed) == []
        assert "audit" not in {table for each in asked for table in each.tables()}
    for whose, asked in statements.transactions:
        if whose == NO_SCHOOL:
            written = {
                table for each in asked for table in each.tables() if not each.sql.startswith(("SELECT", "WITH"))
            }
            assert written & distributed.keys() <= {"total"}
    documented = re.compile("|".join(CROSS_SCHOOL.values()))
    assert [sql for sql in unbound(statements.outside, distributed) if not documented.search(sql)] == []


def test_a_statement_without_a_school_is_noticed() -> None:
    statements = [
        Recorded("SELECT count(*) FROM result", {}),
        Recorded("UPDATE subject SET name = :name WHERE id = :id", {"name": ["x"], "id": ["c101"]}),
        Recorded("SELECT 1 FROM seen WHERE school = :school", {"school": [1]}),
        Recorded("INSERT INTO total (school, name) VALUES (:school, :name)", {"school": ["s001"], "name": ["a"]}),
    ]
    assert len(unbound(statements, classes()[0])) == 2
