"""The writer's thread: work that fails costs itself, nothing ends the thread, nobody waits for ever."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from campus_collector.domain.change import Change
from campus_collector.store.database import Database
from campus_collector.store.errors import Conflict, StoreBusy, StoreUnavailable
from campus_collector.store.open import open_database
from campus_collector.store.transport import ALL_SCHOOLS, Transaction
from campus_collector.store.writer import WorkQueue
from tests.collector.world import World, throughput


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path / "campus.db")
    yield opened
    opened.close()


def put(name: str) -> Callable[[Transaction], object]:
    return lambda transaction: transaction.execute("INSERT INTO mark VALUES (:name, 1)", {"name": name})


def names(database: Database) -> list[str]:
    return [row[0] for row in database.read("SELECT name FROM mark WHERE name <> 'ledger' ORDER BY name")]


def held(database: Database) -> threading.Event:
    """Work that keeps the writer until the event is set; what is submitted meanwhile shares one commit."""
    begun, go_on = threading.Event(), threading.Event()

    def work(_: Transaction) -> None:
        begun.set()
        go_on.wait(30)

    database.submit(work)
    assert begun.wait(60)
    return go_on


def raises(error: BaseException) -> Callable[[Transaction], object]:
    def work(transaction: Transaction) -> None:
        transaction.execute("INSERT INTO mark VALUES ('half', 1)")
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (raises(KeyError("x")), StoreUnavailable),
        (raises(RecursionError()), StoreUnavailable),
        (raises(SystemExit(1)), StoreUnavailable),
        (raises(Conflict("no")), Conflict),
        (lambda transaction: transaction.execute("INSERT INTO mark VALUES ('a00', 1)"), StoreUnavailable),
        (
            lambda transaction: transaction.execute("INSERT INTO mark VALUES ('big', :value)", {"value": 1 << 70}),
            StoreUnavailable,
        ),
        (lambda transaction: transaction.execute("SELECT nothing"), StoreUnavailable),
    ],
)
def test_work_that_fails_costs_only_itself(
    database: Database, work: Callable[[Transaction], object], expected: type[Exception]
) -> None:
    go_on = held(database)
    before = [database.submit(put(f"a{number:02}")) for number in range(20)]
    failing = database.submit(work)
    after = [database.submit(put(f"b{number:02}")) for number in range(20)]
    go_on.set()
    assert isinstance(failing.exception(20), expected)
    assert [each.exception(20) for each in before + after] == [None] * 40
    assert len(names(database)) == 40, "and nothing of the failed work is there"
    assert database.commit_error == ""


def test_a_listener_that_raises_ends_nothing_and_hides_no_other(database: Database) -> None:
    heard: list[Change] = []

    def broken(_: Change) -> None:
        raise ValueError("a cache that fails")

    database.subscribe(broken)
    database.subscribe(heard.append)
    for number in range(3):
        database.write(lambda work, n=number: work.note_change(Change(announced=frozenset({f"s{n}"}))), 10)
    assert [set(each.announced) for each in heard] == [{"s0"}, {"s1"}, {"s2"}]


def test_a_process_does_not_take_its_own_changes_for_those_of_another(database: Database) -> None:
    heard: list[Change] = []
    database.subscribe(heard.append)
    stop = threading.Event()

    def follow() -> None:
        while not stop.is_set():
            database.follow()

    followers = [threading.Thread(target=follow) for _ in range(2)]
    for follower in followers:
        follower.start()
    for number in range(200):
        database.write(lambda work, n=number: work.note_change(Change(judged=frozenset({f"s{n}"}))), None)
    stop.set()
    for follower in followers:
        follower.join(20)
    assert len(heard) == 200
    assert [change.judged for change in heard if change.judged] == [], "it has dropped what it judged itself already"


def test_a_listener_may_look_for_changes_itself(tmp_path: Path, database: Database) -> None:
    other = open_database(tmp_path / "campus.db")
    heard: list[Change] = []

    def listen(change: Change) -> None:
        heard.append(change)
        if len(heard) == 1:
            database.follow()

    database.subscribe(listen)
    other.write(lambda work: work.note_change(Change(judged=frozenset({"s1"}))), None)
    follower = threading.Thread(target=database.follow, daemon=True)
    follower.start()
    follower.join(10)
    assert not follower.is_alive()
    assert {school for change in heard for school in change.judged} == {"s1"}
    other.close()


def test_a_future_that_was_cancelled_is_not_done(database: Database) -> None:
    go_on = held(database)
    cancelled, kept = database.submit(put("cancelled")), database.submit(put("kept"))
    assert cancelled.cancel()
    go_on.set()
    kept.result(20)
    database.write(put("later"), 10)
    assert names(database) == ["kept", "later"]


def test_nobody_waits_for_ever(database: Database) -> None:
    go_on = held(database)
    with pytest.raises(StoreBusy, match="not written within"):
        database.write(put("too late"), 0.2)
    go_on.set()
    database.write(put("later"), 10)
    assert names(database) == ["later"], "what was given up is not done afterwards"


def test_work_that_was_begun_is_waited_for_and_the_answer_is_what_became_of_it(database: Database) -> None:
    """A code that is spent, an account that is opened: nobody may be answered that it was not, and then it was."""

    def slow(transaction: Transaction) -> str:
        time.sleep(0.5)
        put("slow")(transaction)
        return "written"

    try:
        answer = database.write(slow, 0.2)
    except StoreBusy:  # the machine was so slow that it was not begun
        answer = "not written"
    database.write(put("later"), None)
    assert names(database) == (["later", "slow"] if answer == "written" else ["later"])


def test_what_comes_after_the_end_is_answered(tmp_path: Path) -> None:
    database = open_database(tmp_path / "campus.db")
    stop, answers = threading.Event(), []

    def go_on() -> None:
        while not stop.is_set():
            answers.append(database.submit(lambda transaction: None))

    thread = threading.Thread(target=go_on)
    thread.start()
    database.close()
    stop.set()
    thread.join(60)
    assert all(answer.exception(10) is None or isinstance(answer.exception(0), StoreUnavailable) for answer in answers)


@pytest.mark.parametrize("name", ["a#b", "a%20b", "a?mode=memory", "数据 100%"])
def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    for number in range(2):
        database = open_database(tmp_path / name / "campus.db")
        database.write(put(f"m{number}"))
        assert len(names(database)) == number + 1
        database.close()
    assert [path.name for path in (tmp_path / name).iterdir()] == ["campus.db"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.sqlite_only("the database is changed by hand")
def test_readiness_is_asked_often_and_costs_no_write(world: World) -> None:
    world.send(throughput())
    store = world.service.store
    before = store._database.first("PRAGMA data_version")  # of the reader's connection: it changes with every commit
    for _ in range(20):
        store.check()
    assert store._database.first("PRAGMA data_version") == before
    assert world.get("/readyz").status == 200


def test_work_of_all_schools_waits_for_what_is_before_it_and_holds_what_comes_after() -> None:
    queue = WorkQueue()
    for lane in ("s001", "s002", ALL_SCHOOLS, "s003"):
        queue.put(lane, (lambda _: None, Future()))
    taken: list[str] = []
    assert [queue.take()[0], queue.take()[0]] == ["s001", "s002"]  # type: ignore[index]

    def take_the_rest() -> None:
        while (piece := queue.take()) is not None:
            taken.append(piece[0])
            queue.done(piece[0])

    thread = threading.Thread(target=take_the_rest)
    thread.start()
    queue.done("s001")
    time.sleep(0.1)
    assert taken == [], "s002 is not done"
    queue.done("s002")
    queue.close()
    thread.join(30)
    assert taken == [ALL_SCHOOLS, "s003"]
