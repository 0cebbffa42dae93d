"""A store moved from one database to the other holds the same, to the last octet, and goes on."""

import json
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

from campus_collector.area.key import SigningKey
from campus_collector.cli.main import main
from campus_collector.domain.change import Change
from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.domain.problem import Event
from campus_collector.store import copy
from campus_collector.store.copy import KEYS, UNPACKED, Copied, copy_store
from campus_collector.store.errors import NoDatabase, StoreUnusable
from campus_collector.store.migrate import MIGRATION_TABLE
from campus_collector.store.open import Place, open_database, open_store, transport_to
from tests.collector.store.test_store import batch
from tests.collector.world import ANNOUNCEMENT, AT, days, service, throughput
from tests.flow.programs import ENVIRONMENT, python
from tests.postgres_server import shared_server
from tests.stores import STORES

WAYS = [("sqlite", "postgres"), ("postgres", "sqlite"), ("sqlite", "sqlite"), ("postgres", "postgres")]


@pytest.fixture
def places(tmp_path: Path) -> Callable[[str, str], Place]:
    """A place for a new store: its kind, and a folder's name."""

    def place(kind: str, name: str) -> Place:
        (tmp_path / name).mkdir(exist_ok=True)
        return STORES[kind](tmp_path / name)

    return place


def fill(place: Place) -> None:
    """Rows in most tables, a first of a number that was taken, and names that are hard to copy."""
    store = open_store(place)
    store.submit(batch(*(throughput(at=at) for at in days(3, 5)), service(), announcement=ANNOUNCEMENT)).result(30)
    store.ledger.append_event(
        Event(at=AT, who="王五", what="inventory_imported", values={"note": "it's 100 % :a\\b\n"})
    )
    store.close()


def copied(source: Place, target: Place) -> Copied:
    return copy_store(source, target, lambda done, whole: None)


def test_every_table_is_named_with_its_key(tmp_path: Path) -> None:
    """A table that is added must be copied too."""
    for kind, place in STORES.items():
        transport = transport_to(place(tmp_path))
        with closing(transport), closing(transport.open()) as connection:
            assert connection.table_names() - {MIGRATION_TABLE} == set(KEYS) | UNPACKED, kind
            for table, key in KEYS.items():
                assert set(key.split(", ")) <= set(connection.column_names(table)), (kind, table)


def test_both_databases_have_the_same_columns(tmp_path: Path) -> None:
    columns = []
    for place in STORES.values():
        transport = transport_to(place(tmp_path))
        with closing(transport), closing(transport.open()) as connection:
            columns.append({table: sorted(connection.column_names(table)) for table in KEYS})
    assert columns[0] == columns[1]


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_what_is_copied_is_the_same_and_goes_on(places: Callable[[str, str], Place], source: str, target: str) -> None:
    first, second = places(source, "a"), places(target, "b")
    fill(first)
    with by_hand(first) as database:
        if database is not None:
            database.execute("DROP TRIGGER chain_start_is_not_added")
            database.execute("INSERT INTO chain_start VALUES ('s009', 3)")
    done = copied(first, second)
    assert done.tables["result"].rows == 16
    assert done.heads == 1
    assert not done.has_gone_on
    before, after = open_store(first), open_store(second)
    assert after.results.latest() == before.results.latest()
    assert after.subjects.all() == before.subjects.all()
    assert after.ledger.events() == before.ledger.events()
    assert after.ledger.first_broken_event() is None
    assert list(after.chain.leaves("s001")) == list(before.chain.leaves("s001"))
    assert after.chain.results_before("s009") == before.chain.results_before("s009")
    outcome = after.submit(batch(throughput())).result(30)
    assert outcome.chain.sequence == 17
    before.close()
    after.close()
    with pytest.raises(Exception, match="immutable|not changed"):
        open_database(second).write(lambda work: work.execute("DELETE FROM result"))


@contextmanager
def by_hand(place: Place) -> Iterator[sqlite3.Connection | None]:
    """The file of a place; None on a server."""
    if not isinstance(place, Path):
        yield None
        return
    with closing(sqlite3.connect(place)) as database, database:
        yield database


def test_numbers_go_on_after_the_highest(places: Callable[[str, str], Place]) -> None:
    first, second = places("sqlite", "a"), places("postgres", "b")
    fill(first)
    with by_hand(first) as database:
        assert database is not None
        database.execute(
            "INSERT INTO problem (id, school, target, subject, state, body) VALUES (41, 's', 't', 'x', 'closed', x'')"
        )
    copied(first, second)
    opened = open_database(second)
    sql = (
        "INSERT INTO problem (school, target, subject, state, body) VALUES ('s', 't', 'y', 'open', :body) RETURNING id"
    )
    assert opened.write(lambda work: work.first(sql, {"body": b""})) == (42,)
    opened.close()


def test_a_target_that_is_not_empty_is_refused_and_not_changed(places: Callable[[str, str], Place]) -> None:
    first, second = places("sqlite", "a"), places("postgres", "b")
    fill(first)
    fill(second)
    with pytest.raises(StoreUnusable, match="is not empty"):
        copied(first, second)
    with pytest.raises(StoreUnusable, match="is not empty"):
        copied(first, first)
    store = open_store(second)
    assert store.results.ingest_totals() == {"stored": 16}
    store.close()


def test_a_source_that_is_not_there_makes_no_target(tmp_path: Path) -> None:
    with pytest.raises(NoDatabase):
        copied(tmp_path / "none.db", tmp_path / "new.db")
    with pytest.raises(NoDatabase):
        copied(PostgresUrl(shared_server().empty_database()), tmp_path / "new.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_what_differs_afterwards_is_not_kept(
    places: Callable[[str, str], Place], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = places("sqlite", "a"), places(target, "b")
    fill(first)
    encoded, rows = copy._encoded, count()
    with monkeypatch.context() as patched:
        # the first row that is read is not the one that is read back
        patched.setattr(copy, "_encoded", lambda row: encoded(row) + (b"" if next(rows) else b"x"))
        with pytest.raises(StoreUnusable, match="differs: nothing was kept"):
            copied(first, second)
    assert copied(first, second).tables["result"].rows == 16, "it is empty, and a second try is whole"


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_a_copy_that_is_killed_leaves_an_empty_target(places: Callable[[str, str], Place], target: str) -> None:
    first, second = places("sqlite", "a"), places(target, "b")
    fill(first)
    program = (
        "import os, signal, sys\n"
        "from campus_collector.cli import common\n"
        "from campus_collector.cli.main import main\n"
        "def kill(self, done, whole):\n"
        "    if done * 4 > whole * 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "common.ProgressBar.__call__ = kill\n"
        "main(['store', 'copy', *sys.argv[1:]])\n"
    )
    command = [*python("-c", program)[:1], "-c", program, str(first), address(second)]
    assert subprocess.run(command, env=ENVIRONMENT, check=False, timeout=120).returncode == -signal.SIGKILL
    assert copied(first, second).tables["result"].rows == 16


def address(place: Place) -> str:
    return place.reveal() if isinstance(place, PostgresUrl) else str(place)


def test_a_source_that_goes_on_is_said(places: Callable[[str, str], Place], capsys: pytest.CaptureFixture[str]) -> None:
    first, second = places("postgres", "a"), places("sqlite", "b")
    fill(first)
    running = open_database(first)
    went_on: list[object] = []

    def go_on(done: int, whole: int) -> None:
        if not went_on:
            went_on.append(running.write(lambda work: work.note_change(Change(inventory=True))))

    assert copy_store(first, second, go_on).has_gone_on
    running.close()


def test_the_key_that_signs_months_is_copied(places: Callable[[str, str], Place]) -> None:
    """On a server it is in the database, else in a file beside it; one that is there stays."""
    first, second, third = places("sqlite", "a"), places("postgres", "b"), places("sqlite", "c")
    fingerprints = []
    for place, source in ((first, None), (second, first), (third, second)):
        if source is None:
            fill(place)
        else:
            assert main(["store", "copy", address(source), address(place)]) == 0
        store = open_store(place)
        key = SigningKey(store, place.parent if isinstance(place, Path) else None)
        if source is None:
            key.make()
        fingerprints.append(key.fingerprint())
        store.close()
    assert fingerprints == [fingerprints[0]] * 3 != [""] * 3


def test_the_command(
    places: Callable[[str, str], Place], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = places("sqlite", "a"), places("postgres", "b"), places("sqlite", "c")
    fill(first)
    assert main(["store", "copy", address(first), address(second), "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert answer["tables"]["result"]["rows"] == 16
    assert set(answer["tables"]) == set(KEYS)
    password = psycopg.conninfo.conninfo_to_dict(address(second))["password"]
    assert isinstance(password, str)
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    assert main(["store", "copy", address(second), address(third)]) == 0
    said_in_chinese = capsys.readouterr()
    assert main(["store", "copy", address(third), address(second)]) == 1
    refused = capsys.readouterr()
    assert "不为空" in refused.err
    with pytest.raises(SystemExit, match="2"):
        main(["store", "copy", "mysql://a:secret@x/y", "z"])
    wrong = capsys.readouterr()
    for text in (said.out, said_in_chinese.out, refused.err, wrong.err):
        assert password not in text
        assert "secret" not in text
