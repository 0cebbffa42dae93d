"""What any store must do, whatever its database; and what SQLite's does besides."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campus_collector.domain.agents import Principal
from campus_collector.domain.change import Change
from campus_collector.domain.results import AcceptedResult, Batch, QuarantinedResult, RejectedResult
from campus_collector.store.errors import StoreUnavailable, StoreUnusable
from campus_collector.store.migrate import Migration, migrate, shipped
from campus_collector.store.open import open_store
from campus_collector.store.sqlite import SqliteConnection
from campus_collector.store.store import Store
from campus_wire.codec import encode_result
from campus_wire.failures import FailureKind, Validity
from campus_wire.records import AgentState, AnnouncedClassroom, Announcement, AnyResult
from tests.collector.world import ANNOUNCEMENT, AT, service, throughput
from tests.stores import STORES


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(STORES[request.param](tmp_path))
    yield opened
    opened.close()


def batch(
    *results: AnyResult, rejected: tuple[RejectedResult, ...] = (), announcement: Announcement | None = None
) -> Batch:
    accepted = tuple(AcceptedResult(result, encode_result(result)) for result in results)
    return Batch(Principal("s001", "s001"), AT, "boot-1", accepted, rejected, AgentState("0.1.0"), announcement)


def test_the_latest_is_by_start_not_by_arrival(store: Store) -> None:
    new = throughput(at=AT)
    old = throughput(at=AT - timedelta(days=1))
    failed = throughput(at=AT + timedelta(hours=1), failure=FailureKind.TIMEOUT)
    for each in (new, failed, old):
        store.submit(batch(each)).result(10)
    (latest,) = store.results.latest("s001")
    assert latest.any == failed
    assert latest.ok == new


def test_the_latest_of_one_batch_is_by_start_too(store: Store) -> None:
    new = throughput(at=AT)
    failed = throughput(at=AT + timedelta(hours=1), failure=FailureKind.TIMEOUT)
    store.submit(batch(failed, new, throughput(at=AT - timedelta(days=1)))).result(10)
    (latest,) = store.results.latest("s001")
    assert (latest.any, latest.ok) == (failed, new)
    store.submit(batch(throughput(at=AT - timedelta(hours=1)))).result(10)
    assert store.results.latest("s001") == [latest]


def test_results_that_began_at_once_are_read_by_id(store: Store) -> None:
    ids = ["b", "0192f000-0000-7000-8000-000000000001", "a", "fifteen-letters", "0192F000-0000-7000-8000-000000000001"]
    for result_id in ids:
        store.submit(batch(throughput(id=result_id))).result(10)
    outcome = store.submit(batch(*(throughput(id=result_id) for result_id in ids))).result(10)
    assert (outcome.stored, outcome.duplicate) == (0, 5)
    results = store.results.of_subject("s001", "c101", "throughput", AT, AT + timedelta(seconds=1))
    assert [result.id for result in results] == sorted(ids)
    assert [leaf.id for leaf in store.chain.leaves("s001")] == ids


def test_a_first_result_that_failed_leaves_no_valid_one(store: Store) -> None:
    store.submit(batch(throughput(failure=FailureKind.BUSY))).result(10)
    assert store.results.latest()[0].ok is None
    valid = throughput(at=AT - timedelta(days=9))
    store.submit(batch(valid)).result(10)
    assert store.results.latest()[0].ok == valid


def test_results_are_read_by_time_and_counted(store: Store) -> None:
    many = [throughput(at=AT + timedelta(hours=n)) for n in (3, 1, 2)]
    many.append(throughput(at=AT + timedelta(hours=4), validity=Validity.GATEWAY_CPU))
    outcome = store.submit(batch(*many)).result(10)
    assert (outcome.stored, outcome.duplicate, outcome.quarantined) == (4, 0, 0)
    actual = list(
        store.results.of_subject("s001", "c101", "throughput", AT + timedelta(hours=1), AT + timedelta(hours=3))
    )
    assert actual == [many[1], many[2]]
    assert store.results.measurement_totals() == {("throughput", "ok"): 3, ("throughput", "invalid"): 1}
    assert store.results.ingest_totals() == {"stored": 4}


def test_an_announcement_makes_school_and_subjects_known_and_follows_changes(store: Store) -> None:
    store.submit(batch(announcement=ANNOUNCEMENT)).result(10)
    assert [(school.id, school.town, school.source) for school in store.schools.all()] == [("s001", "t01", "announced")]
    assert [(subject.kind, subject.id, subject.name) for subject in store.subjects.all()] == [
        ("classroom", "c101", "一年级1班"),
        ("classroom", "c102", "一年级2班"),
        ("service", "smartedu-cn", "国家智慧教育平台"),
        ("uplink", "uplink", "uplink"),
    ]
    store.submit(batch(announcement=Announcement(town="t01", classrooms=[AnnouncedClassroom("c102", "二班")]))).result(
        10
    )
    assert [(subject.id, subject.name) for subject in store.subjects.all("s001")] == [("c102", "二班")]


def test_a_subject_that_nobody_announced_is_known_from_its_first_result(store: Store) -> None:
    heard: list[Change] = []
    store.subscribe(heard.append)
    store.submit(batch(throughput(subject="c7"), throughput(subject="uplink"), service())).result(10)
    assert [(subject.kind, subject.id) for subject in store.subjects.all()] == [
        ("classroom", "c7"),
        ("service", "smartedu-cn"),
        ("uplink", "uplink"),
    ]
    store.submit(batch(throughput(subject="c7"))).result(10)
    store.check()
    assert [change.announced for change in heard] == [{"s001"}, set()]


def test_listeners_hear_what_changed_and_only_that(store: Store) -> None:
    heard: list[Change] = []
    store.subscribe(heard.append)
    store.submit(batch(throughput(), announcement=ANNOUNCEMENT)).result(10)
    store.submit(batch(throughput(), announcement=ANNOUNCEMENT)).result(10)
    store.submit(batch()).result(10)
    store.check()
    assert [(change.subjects, change.announced) for change in heard] == [
        ({("s001", "c101", "throughput")}, {"s001"}),
        ({("s001", "c101", "throughput")}, set()),
        (set(), set()),
    ]
    assert all(change.reported == {"s001"} and not change.inventory for change in heard)


def test_a_token_may_have_an_end(store: Store) -> None:
    now = datetime.now(UTC)
    store.tokens.issue(b"a" * 32, Principal("s001", "s001"), "t01", now, now + timedelta(days=1))
    store.tokens.issue(b"b" * 32, Principal("s001", "s001"), "t01", now, now - timedelta(seconds=1))
    assert store.tokens.authenticate(b"a" * 32) == Principal("s001", "s001")
    assert store.tokens.authenticate(b"b" * 32) is None
    assert {school: round((end - now).total_seconds()) for school, end in store.tokens.expiries().items()} == {
        "s001": 86_400
    }
    store.tokens.issue(b"c" * 32, Principal("s001", "s001"), "t01", now)
    assert store.tokens.expiries() == {}


def test_tokens_are_known_by_hash_until_revoked(store: Store) -> None:
    store.tokens.issue(b"h" * 32, Principal("s001", "s001"), "t01", AT)
    assert store.tokens.authenticate(b"h" * 32) == Principal("s001", "s001")
    assert store.tokens.authenticate(b"x" * 32) is None
    assert store.tokens.revoke("s001", AT) == 1
    assert store.tokens.authenticate(b"h" * 32) is None


def test_what_was_kept_apart_can_be_read(store: Store) -> None:
    store.submit(batch(rejected=(RejectedResult(None, "not understood", b"{"),))).result(10)
    assert store.quarantine.newest(["s001"], 10) == [QuarantinedResult("s001", AT, None, "not understood", b"{")]
    assert store.quarantine.newest(["s002"], 10) == []


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    record = throughput()
    first = open_store(tmp_path / "campus.db")
    first.submit(batch(record, announcement=ANNOUNCEMENT)).result(10)
    first.close()
    second = open_store(tmp_path / "campus.db")
    assert second.results.latest()[0].any == record
    assert second.agents.all()[0].state == AgentState("0.1.0")
    second.close()


def test_a_changed_migration_and_a_newer_database_are_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    steps = shipped("sqlite")
    assert migrate(SqliteConnection(database), steps) == [step.name for step in steps]
    assert migrate(SqliteConnection(database), steps) == []
    with pytest.raises(StoreUnusable, match="migration 0001_spine.sql was changed after it was applied"):
        migrate(SqliteConnection(database), [Migration(steps[0].name, steps[0].sql + " "), *steps[1:]])
    with pytest.raises(StoreUnusable, match=f"the database is newer than this program: it has {steps[-1].name}"):
        migrate(SqliteConnection(database), [])


def test_nothing_is_applied_to_a_database_that_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    first, second = shipped("sqlite")[0], Migration("0002_x.sql", "CREATE TABLE x (y)")
    migrate(SqliteConnection(database), [second])
    with pytest.raises(StoreUnusable, match="was changed after it was applied"):
        migrate(SqliteConnection(database), [first, Migration(second.name, second.sql + " ")])
    assert database.execute("SELECT name FROM migration").fetchall() == [(second.name,)]


def test_two_programs_that_begin_at_once_migrate_once(tmp_path: Path) -> None:
    """`serve` and a command on a database of an older version, at the same moment."""
    for number in range(10):
        path, barrier, said = tmp_path / f"{number}.db", threading.Barrier(3), []
        migrate(SqliteConnection(sqlite3.connect(path, isolation_level=None)), shipped("sqlite")[: number % 4])

        def begin(path: Path = path, barrier: threading.Barrier = barrier, said: list[str] = said) -> None:
            database = sqlite3.connect(path, timeout=20, isolation_level=None)
            barrier.wait()
            try:
                migrate(SqliteConnection(database), shipped("sqlite"))
            except StoreUnusable as error:
                said.append(str(error))
            database.close()

        threads = [threading.Thread(target=begin) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert said == []
        done = sqlite3.connect(path).execute("SELECT name FROM migration ORDER BY name").fetchall()
        assert [row[0] for row in done] == [step.name for step in shipped("sqlite")]


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    with pytest.raises(StoreUnusable, match="migration 0001_bad.sql failed"):
        migrate(SqliteConnection(database), [Migration("0001_bad.sql", "CREATE TABLE a (x); CREATE TABLE a (x);")])
    assert database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'a'").fetchone() == (0,)


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "campus.db").write_bytes(b"no database at all " * 100)
    with pytest.raises(StoreUnusable, match="campus.db: file is not a database"):
        open_store(tmp_path / "campus.db")


def test_times_are_kept_to_the_microsecond(store: Store) -> None:
    moment = datetime(2026, 11, 9, 2, 0, 0, 123457, tzinfo=UTC)
    store.submit(batch(throughput(at=moment))).result(10)
    assert (
        len(list(store.results.of_subject("s001", "c101", "throughput", moment, moment + timedelta(microseconds=1))))
        == 1
    )
    assert not list(store.results.of_subject("s001", "c101", "throughput", moment - timedelta(days=1), moment))


def test_listeners_know_before_the_sender_does(store: Store) -> None:
    """A verdict asked for right after the acknowledgement must not be of before."""
    told = threading.Event()

    def slowly(change: Change) -> None:
        time.sleep(0.2)
        told.set()

    store.subscribe(slowly)
    store.submit(batch(throughput())).result(10)
    assert told.is_set()


def test_a_disk_that_is_nearly_full_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = open_store(tmp_path / "campus.db")
    made.check()
    monkeypatch.setattr("campus_collector.store.sqlite.LEAST_FREE_BYTES", 2**62)
    with pytest.raises(StoreUnavailable, match="bytes are free in"):
        made.check()
    made.close()
