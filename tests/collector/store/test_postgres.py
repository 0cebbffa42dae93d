"""PostgreSQL itself: servers that end and come back, addresses that are wrong, and what is said about it."""

import json
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from campus_collector.cli.main import main
from campus_collector.domain.change import Change
from campus_collector.domain.postgres_url import PostgresUrl, without_passwords
from campus_collector.store import open as opening
from campus_collector.store.database import Database
from campus_collector.store.errors import CommitUncertain, NoDatabase, StoreUnavailable, StoreUnusable
from campus_collector.store.open import open_database, open_store
from campus_collector.store.postgres import LEAST_VERSION, PostgresTransport, translated
from campus_collector.store.transport import Transaction
from tests.collector.store.test_store import batch
from tests.collector.world import throughput
from tests.postgres_server import PostgresServer, shared_server

PUT = "INSERT INTO mark (name, value) VALUES (:name, 1)"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """One that may be stopped."""
    started = PostgresServer()
    yield started
    started.remove()


def put(name: str) -> object:
    return lambda transaction: transaction.execute(PUT, {"name": name})


def names(database: Database) -> list[str]:
    return [name for (name,) in database.read("SELECT name FROM mark ORDER BY name")]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_what_was_acknowledged_is_there_once_after_a_restart(server: PostgresServer, how: signal.Signals) -> None:
    database = open_database(PostgresUrl(server.new_database()))
    acknowledged: list[str] = []
    stop = threading.Event()

    def send() -> None:
        """As a gateway does: each until it is acknowledged."""
        number = 0
        while not stop.is_set():
            name = f"m{number:06}"

            def work(transaction: Transaction, name: str = name) -> None:
                transaction.execute(PUT + " ON CONFLICT (name) DO UPDATE SET value = mark.value + 1", {"name": name})

            try:
                database.write(work)
            except StoreUnavailable:
                time.sleep(0.01)
                continue
            acknowledged.append(name)
            number += 1

    sender = threading.Thread(target=send)
    sender.start()
    for _ in range(2):
        wait_for(acknowledged, len(acknowledged) + 20)
        server.stop(how)
        with pytest.raises(StoreUnavailable):
            database.write(put("while it is away"))  # type: ignore[arg-type]
        server.start()
    wait_for(acknowledged, len(acknowledged) + 20)
    stop.set()
    sender.join(60)
    assert set(acknowledged) <= set(names(database))
    assert "while it is away" not in names(database)
    database.close()


def wait_for(grows: list[str], length: int) -> None:
    end = time.monotonic() + 120
    while len(grows) < length:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_readers_come_back_after_a_restart(server: PostgresServer) -> None:
    store = open_store(PostgresUrl(server.new_database()))
    store.submit(batch(throughput())).result(30)
    assert len(store.results.latest()) == 1
    server.stop()
    with pytest.raises(StoreUnavailable, match="refused"):
        store.results.latest()
    server.start()
    assert len(store.results.latest()) == 1
    store.check()
    store.close()


def test_of_several_hosts_the_one_that_takes_writes(server: PostgresServer) -> None:
    readonly = PostgresServer("default_transaction_read_only=on")
    try:
        url = server.new_database()
        name, hosts = url.rpartition("/")[2], f"127.0.0.1:{readonly.port},127.0.0.1:{server.port}"
        with server.administrator() as connection:
            connection.execute("ALTER ROLE campus PASSWORD 'same'")
        readonly_url = readonly.url("postgres")
        with psycopg.connect(readonly_url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE campus PASSWORD 'same'")
        several = PostgresUrl(f"postgresql://campus:same@{hosts}/{name}")
        database = open_database(several)
        database.write(put("a"))  # type: ignore[arg-type]
        assert names(database) == ["a"]
        database.close()
        with pytest.raises(StoreUnavailable, match="read-only"):
            open_database(PostgresUrl(f"postgresql://campus:same@127.0.0.1:{readonly.port}/postgres"))
    finally:
        readonly.remove()


def test_a_connection_that_is_ended_between_two_commits_costs_none() -> None:
    url = shared_server().new_database()
    database = open_database(PostgresUrl(url))
    database.write(put("a"))  # type: ignore[arg-type]
    name = url.rpartition("/")[2]
    with shared_server().administrator() as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    database.write(put("b"))  # type: ignore[arg-type]
    assert names(database) == ["a", "b"]
    database.close()


STOP_WAITING = {
    "cancelled": "SELECT pg_cancel_backend(pid)",  # a warning, and success
    "ended": "SELECT pg_terminate_backend(pid)",
}


@pytest.mark.parametrize("how", STOP_WAITING)
def test_a_commit_that_the_second_server_does_not_have_is_not_acknowledged(server: PostgresServer, how: str) -> None:
    database = open_database(PostgresUrl(server.new_database()))
    with server.administrator() as connection:
        connection.execute("ALTER ROLE campus SET client_min_messages = error")
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'away'")
        connection.execute("SET synchronous_commit = local")
        connection.execute("SELECT pg_reload_conf()")
        put_names = ["a0"]
        future = database.submit(put("a0"))  # type: ignore[arg-type]
        waiting = f"{STOP_WAITING[how]} FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        end = time.monotonic() + 120
        while not connection.execute(waiting).fetchall():
            assert time.monotonic() < end
            if future.done():  # the server had not read its setting yet
                future.result()
                put_names.append(f"a{len(put_names)}")
                future = database.submit(put(put_names[-1]))  # type: ignore[arg-type]
            time.sleep(0.01)
        with pytest.raises(CommitUncertain):
            future.result(120)
        assert names(database) == sorted(put_names), "nobody knows whether it stays"
        connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
        connection.execute("SELECT pg_reload_conf()")
    database.write(put("b"))  # type: ignore[arg-type]
    assert names(database) == [*sorted(put_names), "b"]
    database.close()


def test_work_that_fails_before_the_commit_is_not_uncertain(server: PostgresServer) -> None:
    database = open_database(PostgresUrl(server.new_database()))

    def end_server(transaction: Transaction) -> None:
        server.stop(signal.SIGQUIT)
        transaction.execute("SELECT 1")

    with pytest.raises(StoreUnavailable) as raised:
        database.write(end_server)
    assert not isinstance(raised.value, CommitUncertain)
    database.close()


def test_what_a_server_lost_when_another_took_over_is_not_taken_for_what_comes_after_it() -> None:
    """Changes are numbered; a number that one collector has seen is never that of another change."""
    url = PostgresUrl(shared_server().new_database())
    first, second = open_database(url), open_database(url)
    changes: list[Change] = []
    second.subscribe(changes.append)
    first.write(lambda work: work.note_change(Change(inventory=True)))
    second.follow()
    first.write(lambda work: work.execute("DELETE FROM change"))
    first.write(lambda work: work.note_change(Change(ledger=True)))
    second.follow()
    assert [(change.inventory, change.ledger) for change in changes] == [(True, False), (False, True)]
    first.close()
    second.close()


def test_another_process_that_writes_is_waited_for_and_no_longer_than_it_may() -> None:
    url = shared_server().new_database()
    first, second = open_database(PostgresUrl(url)), open_database(PostgresUrl(url))
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        begun.set()
        go_on.wait(60)

    held = first.submit(hold)
    assert begun.wait(60)
    waiting = second.submit(put("b"))  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable, match="lock timeout"):
        waiting.result(60)
    assert names(second) == [], "readers do not wait"
    go_on.set()
    held.result(60)
    second.write(put("c"))  # type: ignore[arg-type]
    first.close()
    second.close()


def test_what_a_reader_does_cannot_write() -> None:
    database = open_database(PostgresUrl(shared_server().new_database()))
    with pytest.raises(StoreUnavailable, match="read-only"):
        database.read("INSERT INTO mark (name, value) VALUES ('a', 1) RETURNING name")
    database.close()


def test_many_streams_at_once_and_one_left_half_read() -> None:
    store = open_store(PostgresUrl(shared_server().new_database()))
    store.submit(batch(*(throughput() for _ in range(200)))).result(60)
    for _ in range(40):
        leaves = store.chain.leaves("s001")
        next(leaves)
        leaves.close()
    assert len(list(store.chain.leaves("s001"))) == 200
    store.close()


def test_a_name_with_a_sign_that_postgresql_does_not_know() -> None:
    database = open_database(PostgresUrl(shared_server().new_database()))
    database.write(put("a\0b"))  # type: ignore[arg-type]
    assert names(database) == ["a\N{REPLACEMENT CHARACTER}b"]
    assert database.first("SELECT value FROM mark WHERE name = :name", {"name": "a\0b"}) == (1,)
    database.close()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT a FROM b WHERE c = :name", b"SELECT a FROM b WHERE c = %(name)s"),
        ("SELECT 'it''s :not' || :x", b"SELECT 'it''s :not' || %(x)s"),
        ("DELETE FROM a WHERE b LIKE 'c/%'", b"DELETE FROM a WHERE b LIKE 'c/%%'"),
        ("SELECT a % :b, c::text", b"SELECT a %% %(b)s, c::text"),
    ],
)
def test_parameters_are_translated(statement: str, expected: bytes) -> None:
    assert translated(statement) == expected


def test_addresses_that_are_wrong(tmp_path: Path) -> None:
    server = shared_server()
    for url, error, words in (
        ("postgresql://campus:s3cret@127.0.0.1:1/x", StoreUnavailable, "refused"),
        (server.url("postgres").replace(server.password, "s3cret"), StoreUnavailable, "password authentication failed"),
        ("postgresql://campus:s3%zzcret@127.0.0.1:1/x", StoreUnusable, "is no address"),
        (f"postgresql://campus:{server.password}@127.0.0.1:{server.port}/nowhere", StoreUnavailable, "does not exist"),
    ):
        with pytest.raises(error, match=words) as raised:
            open_database(PostgresUrl(url))
        for text in (str(raised.value), raised.value.in_("zh"), raised.value.in_("en")):
            assert "s3" not in text
            assert server.password not in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u@h1,h2:5433/d?sslmode=require", "postgresql://u@h1,h2:5433/d?sslmode=require"),
        ("postgresql://h/d?user=u&password=p&x=y", "postgresql://h/d?user=u&password=***&x=y"),
        ("postgresql://u:p@q/r:s@h/d", "postgresql://u:***@h/d"),
        ("mysql://u:p@h/d", "mysql://u:***@h/d"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_passwords(url) == shown
    assert str(PostgresUrl(url)) == repr(PostgresUrl(url)) == shown


def test_databases_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    server = shared_server()
    other = server.empty_database()
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int)")
    with pytest.raises(StoreUnusable, match="of another program: it has orders"):
        open_database(PostgresUrl(other))
    with pytest.raises(NoDatabase):
        open_database(PostgresUrl(server.empty_database()), must_exist=True)
    with server.administrator() as connection:
        connection.execute(
            "CREATE DATABASE latin ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C' LOCALE_PROVIDER libc"
        )
    with pytest.raises(StoreUnusable, match="encoding must be UTF8, it is SQL_ASCII"):
        open_database(PostgresUrl(server.url("latin")))
    monkeypatch.setattr("campus_collector.store.postgres.LEAST_VERSION", LEAST_VERSION * 10)
    with pytest.raises(StoreUnusable, match="PostgreSQL 15 or newer is needed, this is"):
        open_database(PostgresUrl(server.url("postgres")))


def test_a_user_who_may_not_make_tables_reads_what_is_missing() -> None:
    server = shared_server()
    url = server.empty_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'x'")
    with pytest.raises(StoreUnusable, match="owner of the database"):
        open_database(PostgresUrl(url.replace(f"campus:{server.password}", "stranger:x")))


def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "campus_collector.store.postgres", None)
    with pytest.raises(StoreUnusable, match=r"pip install 'campusmeter\[postgres\]'"):
        opening.open_database(PostgresUrl("postgresql://h/d"))


def test_sqlite_needs_no_driver() -> None:
    program = (
        "import sys; import campus_collector.cli.main, campus_collector.store.open; print('psycopg' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"False\n"


def test_commands_name_the_server_and_no_password(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    url = shared_server().new_database()
    monkeypatch.setenv("CAMPUS_STORE_URL", url)
    folder = ["--state-dir", str(tmp_path)]
    assert main(["agent-token", "s001", *folder]) == 0
    assert main(["check-config", *folder]) == 0
    assert main(["migrations", "--json", *folder]) == 0
    steps = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert all(step["applied_at"] and step["known"] for step in steps)
    assert main(["backup", str(tmp_path / "copy"), *folder]) == 1
    assert "pg_dump" in capsys.readouterr().err
    assert main(["restore", str(tmp_path / "copy"), *folder]) == 1
    assert "pg_restore" in capsys.readouterr().err
    assert shared_server().password not in caplog.text
    assert not (tmp_path / "campus.db").exists()


def test_two_that_begin_at_once_migrate_once() -> None:
    url = PostgresUrl(shared_server().empty_database())
    barrier, errors = threading.Barrier(4), []

    def begin() -> None:
        transport = PostgresTransport(url)
        barrier.wait()
        try:
            transport.open().close()
        except StoreUnusable as error:
            errors.append(error)
        transport.close()

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
