"""Commits of different schools go on side by side on PostgreSQL: in one process and in two, without loss, deadlock or a change that nobody hears of."""

import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from campus_collector.domain.agents import Principal
from campus_collector.domain.change import Change
from campus_collector.domain.inventory import Inventory
from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.domain.results import AcceptedResult, Batch, RejectedResult
from campus_collector.store.changes import ChangeFeed
from campus_collector.store.database import Database
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.open import open_database, open_store
from campus_collector.store.postgres import PostgresTransport
from campus_collector.store.store import Store
from campus_collector.store.tables.table import insert
from campus_collector.store.transport import ALL_SCHOOLS, NO_SCHOOL, Transaction
from campus_wire.codec import encode_result
from campus_wire.records import AnnouncedClassroom, Announcement
from tests.collector.world import AT, throughput
from tests.postgres_server import PostgresServer, shared_server

SCHOOLS = [f"s{number:03}" for number in range(1, 7)]


@pytest.fixture
def url() -> PostgresUrl:
    return PostgresUrl(shared_server().new_database())


@pytest.fixture
def databases(url: PostgresUrl) -> Iterator[list[Database]]:
    """As two processes have them."""
    opened = [open_database(url), open_database(url)]
    yield opened
    for database in opened:
        database.close()


def nothing(_: Transaction) -> str:
    return "done"


class Held:
    """A commit that is under way until the block ends."""

    def __init__(self, database: Database, whose: str) -> None:
        self._begun, self._go_on = threading.Event(), threading.Event()
        self._future = database.submit(self._work, whose)

    def _work(self, _: Transaction) -> None:
        self._begun.set()
        assert self._go_on.wait(60)

    def __enter__(self) -> None:
        assert self._begun.wait(60)

    def __exit__(self, *_: object) -> None:
        self._go_on.set()
        self._future.result(60)


@pytest.mark.parametrize("other", [0, 1], ids=["the same process", "another process"])
@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        ("s001", "s002", False),
        ("s001", "s001", True),
        ("s001", NO_SCHOOL, False),
        (NO_SCHOOL, "s001", False),
        (NO_SCHOOL, NO_SCHOOL, True),
        ("s001", ALL_SCHOOLS, True),
        (ALL_SCHOOLS, "s001", True),
        (ALL_SCHOOLS, NO_SCHOOL, True),
    ],
)
def test_who_waits_for_whom(databases: list[Database], first: str, second: str, waits: bool, other: int) -> None:
    with Held(databases[0], first):
        future = databases[other].submit(nothing, second)
        if not waits:
            assert future.result(60) == "done"
        else:
            with pytest.raises(TimeoutError):
                future.result(0.3)
    if waits:
        assert future.result(60) == "done"


def test_a_change_that_becomes_visible_after_a_later_one_is_heard_of(url: PostgresUrl) -> None:
    """The first to be numbered is the last to be committed, and somebody looks in between."""
    transport = PostgresTransport(url)
    early, late, reader = transport.open(), transport.connect(), transport.connect()
    feed, heard = ChangeFeed(reader), list[Change]()
    feed.subscribe(heard.append)
    early.begin("s001")
    first = early.number_changes([("results", "s001")])
    late.begin("s002")
    assert late.number_changes([("results", "s002")]) > first
    late.execute("COMMIT")
    feed.follow(reader)
    assert [change.reported for change in heard] == [{"s002"}]
    feed.follow(reader)
    early.execute("COMMIT")
    feed.follow(reader)
    assert [change.reported for change in heard] == [{"s002"}, {"s001"}]
    feed.follow(reader)
    assert len(heard) == 2, "and of each once"
    for connection in (early, late, reader):
        connection.close()
    transport.close()


def test_numbers_of_another_server_are_left_out(url: PostgresUrl) -> None:
    """A database that was brought here from a server on which more had been written."""
    database = open_database(url)
    row = {"what": "results", "school": "s009", "number": 2**40}
    database.write(lambda transaction: transaction.execute(insert("change", *row), row))
    heard: list[Change] = []
    database.subscribe(heard.append)
    database.follow()
    assert heard == []
    other = open_database(url)
    other.write(lambda transaction: transaction.note_change(Change(reported=frozenset({"s009"}))), whose="s009")
    database.follow()
    assert [change.reported for change in heard] == [{"s009"}]
    for each in (database, other):
        each.close()


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """What it has not been asked to write to its disk is lost when it fails."""
    server = PostgresServer("wal_writer_delay=10000")
    yield server
    server.remove()


def changed(school: str) -> Callable[[Transaction], None]:
    return lambda transaction: transaction.note_change(Change(reported=frozenset({school})))


def test_a_number_that_a_server_lost_when_it_failed_and_gives_again_is_heard_of(server: PostgresServer) -> None:
    url = PostgresUrl(server.new_database())
    database, heard = open_database(url), list[Change]()
    database.subscribe(heard.append)
    with psycopg.connect(url.reveal(), autocommit=True) as connection:
        connection.execute("BEGIN")
        lost = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        connection.execute("ROLLBACK")
    database.follow()
    server.stop(signal.SIGQUIT)
    server.start()
    other = open_database(url)
    other.write(changed("s001"), whose="s001")
    assert other.first("SELECT number FROM change WHERE school = 's001'") == lost, "or nothing is tested here"
    database.follow()
    assert [change.reported for change in heard] == [{"s001"}]
    for each in (database, other):
        each.close()


def test_where_another_server_has_taken_over_everything_may_be_new(server: PostgresServer) -> None:
    """It has not got the last commit of the first one, and gives its number to another."""
    url = PostgresUrl(server.new_database())
    database, heard = open_database(url), list[Change]()
    database.write(changed("s001"), whose="s001")
    server.stop()
    data = server.folder / "data"
    shutil.copytree(data, server.folder / "second", symlinks=True)
    server.start()
    with suppress(StoreUnavailable):
        database.write(changed("s001"), whose="s001")
    database.write(changed("s001"), whose="s001")
    database.follow()
    lost = database.first("SELECT number FROM change WHERE school = 's001'")
    server.stop()
    shutil.rmtree(data)
    (server.folder / "second").rename(data)
    (data / "standby.signal").touch()
    for path in (data, *data.rglob("*")):
        shutil.chown(path, server.folder.owner(), server.folder.group())
    server.start()
    with server.administrator() as connection:
        connection.execute("SELECT pg_promote()")
    other = open_database(url)
    database.subscribe(heard.append)
    while other.first("SELECT number FROM change WHERE school = 's002'") != lost:
        other.write(changed("s002"), whose="s002")
    database.follow()
    assert [change.reported for change in heard] == [{"s001", "s002"}]
    database.follow()
    assert len(heard) == 1
    for each in (database, other):
        each.close()


def test_a_commit_of_which_it_is_not_known_is_looked_for(databases: list[Database]) -> None:
    """Its number may be another's when it was lost; a thread that looked meanwhile has left it out."""
    feed, reader = ChangeFeed(databases[0]._transport.connect()), databases[0]._transport.connect()
    writer, heard = databases[0]._transport.connect(), list[Change]()
    feed.subscribe(heard.append)
    execute = writer.execute

    def lose(sql: str) -> None:
        execute(sql)
        feed.follow(reader)
        raise ConnectionError("the answer did not come")

    writer.execute = lose  # type: ignore[method-assign, assignment]
    writer.begin("s001")
    with pytest.raises(ConnectionError):
        feed.commit(writer, [Change(reported=frozenset({"s001"}))])
    assert heard == []
    feed.follow(reader)
    assert [change.reported for change in heard] == [{"s001"}]
    for connection in (reader, writer):
        connection.close()


def test_every_change_is_heard_of_by_each_process(databases: list[Database]) -> None:
    heard: list[set[str]] = [set(), set()]
    for each, database in zip(heard, databases, strict=True):
        database.subscribe(lambda change, each=each: each.update(change.reported))  # type: ignore[misc]
    stop = threading.Event()

    def follow(database: Database) -> None:
        while not stop.is_set():
            database.follow()

    followers = [threading.Thread(target=follow, args=(database,)) for database in databases]
    for follower in followers:
        follower.start()
    schools = [f"s{number:04}" for number in range(150)]
    futures = [databases[number % 2].submit(changed(school), school) for number, school in enumerate(schools)]
    for future in futures:
        future.result(60)
    stop.set()
    for follower in followers:
        follower.join(60)
    for database in databases:
        database.follow()
    assert heard == [set(schools)] * 2


def batch(school: str, number: int) -> Batch:
    at = AT + timedelta(minutes=number)
    results = [throughput(at=at, school=school, subject=subject) for subject in ("c101", "c102", "uplink")]
    accepted = tuple(AcceptedResult(result, encode_result(result)) for result in results)
    rooms = [AnnouncedClassroom(f"c{100 + room}", f"{number}", 1e8) for room in range(1, 4)]
    return Batch(
        Principal(school, school),
        datetime.now(UTC),
        f"boot-{number % 3}",
        accepted,
        (RejectedResult(None, "not understood", b"{"),),
        announcement=Announcement("t01", rooms, [], True, 1e9),
    )


def test_everything_at_once_is_done_and_nothing_is_lost(url: PostgresUrl) -> None:
    """Gateways at two collectors, an inventory, tokens, events of the audit trail: in an order that nobody decides."""
    stores = [open_store(url), open_store(url)]
    rounds = 8

    def send(store: Store, school: str, first: int) -> None:
        for number in range(first, 2 * rounds, 2):
            assert store.submit(batch(school, number)).result(60).stored == 3

    def import_inventory(store: Store) -> None:
        for number in range(rounds):
            store.inventory.apply(
                Inventory(), {}, "console", AT + timedelta(seconds=number), AT + timedelta(seconds=number)
            )

    def issue(store: Store, name: str) -> None:
        for number in range(rounds):
            for school in SCHOOLS:
                token = f"{name}{number}{school}".encode()
                store.tokens.issue(token, Principal(school, school), f"t{number}", AT)

    work: list[Callable[[], None]] = [
        lambda store=store, school=school, first=first: send(store, school, first)  # type: ignore[misc]
        for first, store in enumerate(stores)
        for school in SCHOOLS
    ]
    work += [lambda: import_inventory(stores[0]), lambda: issue(stores[0], "a"), lambda: issue(stores[1], "b")]
    with ThreadPoolExecutor(len(work)) as pool:
        for future in [pool.submit(each) for each in work]:
            future.result(120)
    store = stores[0]
    assert store.results.ingest_totals() == {"stored": 6 * 48, "quarantined": 6 * 16}
    assert store.results.measurement_totals() == {("throughput", "ok"): 6 * 48}
    assert store.ledger.first_broken_event() is None
    for school in SCHOOLS:
        leaves = list(store.chain.leaves(school))
        assert [leaf.sequence for leaf in leaves] == list(range(1, 49))
        assert store.chain.checkpoints(school)[-1].last_sequence == 48
        assert store.chain.results_without_leaf(school) == 0
    numbers = store._database.read("SELECT number FROM numbered_school")
    assert len(set(numbers)) == len(SCHOOLS), "new schools that came at the same moment"
    for each in stores:
        each.close()
