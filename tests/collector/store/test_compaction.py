"""An older database is brought into the packed form beside the running collector; whatever stops it, nothing is lost, doubled or changed."""

import asyncio
import re
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from campus_collector.cli.main import main
from campus_collector.config import load_config
from campus_collector.domain.agents import Principal
from campus_collector.domain.results import AcceptedResult, Batch
from campus_collector.http.compaction import BackgroundCompaction
from campus_collector.http.service import open_service
from campus_collector.store import compaction
from campus_collector.store.compaction import CompactionStatus, Interrupted
from campus_collector.store.errors import NotEnoughSpace, StoreBusy
from campus_collector.store.migrate import migrate, shipped
from campus_collector.store.open import open_store
from campus_collector.store.sqlite import SqliteConnection
from campus_collector.store.store import Store
from campus_collector.store.tables.chain import first_head, next_head
from campus_wire.codec import encode_result
from campus_wire.records import AnyResult, kind_of
from tests.collector.stored import stored_results
from tests.collector.world import AT, service, throughput
from tests.flow.programs import ENVIRONMENT, python, running, until

LAST_UNPACKED = "0015_z"
pytestmark = pytest.mark.sqlite_only("PostgreSQL never had the form of before")
Stored = dict[str, list[tuple[str, bytes]]]


def old_results(school: str, number: int) -> list[AnyResult]:
    """Some with ids that are no UUID."""
    return [
        throughput(
            at=AT + timedelta(minutes=n // 2),
            subject=f"c{n % 7}",
            school=school,
            **({"id": f"id-{n}"} if n % 3 else {}),
        )
        if n % 4
        else service(at=AT + timedelta(minutes=n), school=school)
        for n in range(number)
    ]


def old_database(path: Path, schools: dict[str, int], older: int = 5) -> Stored:
    """As 0.2 left it: the first `older` results of a school are older than the chain. What is in it, by school in the order of the chain."""
    stored: Stored = {}
    with closing(sqlite3.connect(path)) as database:
        database.isolation_level = None
        migrate(SqliteConnection(database), [step for step in shipped("sqlite") if step.name <= LAST_UNPACKED])
        database.execute("DROP TRIGGER chain_start_is_not_added")
        database.execute("BEGIN")
        for school, number in schools.items():
            head, sequence = first_head(school), 0
            database.execute(
                "INSERT INTO school (id, name, town, town_name, source) VALUES (?, ?, 't01', '', 'announced')",
                (school, school),
            )
            results = old_results(school, number)
            for place, result in enumerate(results):
                raw, kind = encode_result(result), kind_of(result)
                started = int(result.started_at.timestamp() * 1e6)
                is_older = place < older
                if not is_older:
                    sequence, head = sequence + 1, next_head(head, raw)
                row = (school, result.subject, kind, started, result.id, raw)
                database.execute("INSERT INTO result VALUES (?, ?, ?, ?, ?, ?)", row)
                database.execute(
                    "INSERT INTO seen VALUES (?, ?, ?)", (school, result.id, None if is_older else sequence)
                )
                database.execute(
                    "INSERT INTO latest VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET any_raw = excluded.any_raw",
                    (school, result.subject, kind, started, raw, started, raw),
                )
                if place in (number // 2, number - 1):
                    database.execute("INSERT INTO seal VALUES (?, ?, ?, ?)", (school, 20_000 + place, sequence, head))
                    database.execute("INSERT INTO receipt VALUES (?, ?, ?)", (school, sequence, head))
                stored.setdefault(school, []).append((result.id, raw))
            database.execute("INSERT INTO chain_start VALUES (?, ?)", (school, older))
        database.execute("COMMIT")
    return stored


def send(store: Store, school: str, *results: AnyResult) -> tuple[int, int]:
    accepted = tuple(AcceptedResult(result, encode_result(result)) for result in results)
    outcome = store.submit(Batch(Principal(school, school), AT, "boot-1", accepted, ())).result(60)
    return outcome.stored, outcome.duplicate


def content(store: Store, school: str) -> tuple[object, ...]:
    """All that readers are given of a school."""
    since, until = AT - timedelta(days=1), AT + timedelta(days=9)
    return (
        sorted((leaf.id, leaf.raw, leaf.sequence) for leaf in store.chain.leaves(school)),
        sorted(store.results.raw(school, None, None, since, until, 100_000)),
        [list(store.results.of_subject(school, f"c{n}", "throughput", since, until)) for n in range(7)],
        [
            store.results.stored(school, "c1", "throughput", result.started_at, result.id)
            for result in store.results.of_subject(school, "c1", "throughput", since, until)
        ],
        store.results.sampled(school, "c1", "throughput", since, until, 600),
        store.results.newest(school, "c1", "throughput", since, until, 3),
        store.results.latest(school),
        store.chain.results_without_leaf(school),
        last_head(store, school),
    )


def last_head(store: Store, school: str) -> bytes:
    """Worked out from what is stored."""
    head = first_head(school)
    for leaf in store.chain.leaves(school):
        if leaf.sequence:
            assert leaf.raw is not None
            head = next_head(head, leaf.raw)
    return head


def compact(store: Store, is_stopped: Callable[[], bool] = lambda: False) -> CompactionStatus | None:
    return store.compaction(is_stopped, lambda seconds: None).run()


def test_everything_reads_as_before_while_it_is_moved_and_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "ROWS_A_COMMIT", 17)
    stored = old_database(tmp_path / "campus.db", {"s001": 120, "s002": 80})
    store = open_store(tmp_path / "campus.db")
    before = {school: content(store, school) for school in stored}
    for school, results in stored.items():
        assert before[school][1] == sorted(raw for _, raw in results)
        assert before[school][-1] == store.chain.checkpoints(school)[-1].head
    steps, random = [0], Random(2)

    def stop() -> bool:
        """At each step everything reads as before; it is stopped many times."""
        steps[0] += 1
        if steps[0] % 5 == 0:
            for school in stored:
                assert content(store, school) == before[school]
        return random.random() < 1 / 40

    for _ in range(200):
        try:
            assert compact(store, stop) is None
            break
        except Interrupted:
            assert store.compaction_status() is not None
    assert store.compaction_status() is None
    assert steps[0] > 50
    assert {school: content(store, school) for school in stored} == before
    rows = stored_results(tmp_path / "campus.db")
    assert sorted((row.school, row.id, row.raw) for row in rows) == sorted(
        (school, result_id, raw) for school, results in stored.items() for result_id, raw in results
    )
    with closing(sqlite3.connect(tmp_path / "campus.db")) as database:
        for table in ("unpacked_result", "unpacked_seen", "unpacked_school"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM latest WHERE substr(any_raw, 1, 1) = X'7b'").fetchone() == (0,)
    store.close()


def test_the_collector_goes_on_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New results, old ones that come once more, and readers, at every step."""
    monkeypatch.setattr(compaction, "ROWS_A_COMMIT", 23)
    stored = old_database(tmp_path / "campus.db", {"s001": 150})
    store = open_store(tmp_path / "campus.db")
    new: list[AnyResult] = []
    again = Random(1).sample(old_results("s001", 150), 20)
    again = [result for result in again if result.id.startswith("id-")]

    def step() -> bool:
        result = throughput(at=AT + timedelta(seconds=len(new)), subject="c1", school="s001")
        new.append(result)
        assert send(store, "s001", result, result, *again) == (1, 1 + len(again))
        return False

    assert compact(store, step) is None
    assert len(new) > 15
    raws = [leaf.raw for leaf in store.chain.leaves("s001")]
    assert sorted(raws[:5]) == sorted(raw for _, raw in stored["s001"][:5])  # type: ignore[type-var]
    assert raws[5:] == [raw for _, raw in stored["s001"][5:]] + [encode_result(result) for result in new]
    assert last_head(store, "s001") == store.chain.checkpoints("s001")[-1].head
    store.close()


PROGRAM = """
import sys
from pathlib import Path
from campus_collector.store import compaction
from campus_collector.store.open import open_store
compaction.ROWS_A_COMMIT = 11
store = open_store(Path(sys.argv[1]))
print("begun", flush=True)
store.compaction(lambda: False, lambda seconds: None).run()
if store.has_space_to_give_back():
    store.give_space_back()
store.close()
print("done", flush=True)
"""


def test_it_is_killed_again_and_again(tmp_path: Path) -> None:
    """With SIGKILL, at any moment; between the kills results come in."""
    path, random = tmp_path / "campus.db", Random(3)
    stored = old_database(path, {"s001": 700, "s002": 300})
    new: dict[str, list[bytes]] = {school: [] for school in stored}
    kills = 0
    for number in range(14):
        program = subprocess.Popen(
            [*python("-c", PROGRAM)[:1], "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        assert program.stdout is not None
        assert program.stdout.readline() == "begun\n"
        if number < 12:
            time.sleep(random.uniform(0, 0.05))
            program.send_signal(signal.SIGKILL)
        done = program.stdout.read() == "done\n"
        kills += program.wait() == -signal.SIGKILL
        store = open_store(path)
        for school in stored:
            result = throughput(at=AT + timedelta(days=2, seconds=number), school=school)
            assert send(store, school, result) == (1, 0)
            new[school].append(encode_result(result))
            expected = sorted(raw for _, raw in stored[school]) + sorted(new[school])
            assert sorted(leaf.raw or b"" for leaf in store.chain.leaves(school)) == sorted(expected)
            assert last_head(store, school) == store.chain.checkpoints(school)[-1].head
            assert store.chain.results_without_leaf(school) == 0
        store.close()
        _expire_leases(path)
        if done:
            break
    print(f"\nkilled {kills} times")
    assert kills > 3
    store = open_store(path)
    assert compact(store) is None
    store.close()


def _expire_leases(path: Path) -> None:
    """Those of the killed: they would end after a minute."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM lease")


def damage(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for trigger in ("result_is_not_changed", "result_is_not_removed"):
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute(statement)


DAMAGES = {
    "changed": (
        "UPDATE result SET raw = X'7b7d' WHERE school = 's001' AND id = 'id-10'",
        "is not the one that was sealed",
    ),
    "removed": ("DELETE FROM result WHERE school = 's001' AND id = 'id-10'", "result #6 is missing"),
    "put in": (
        "INSERT INTO result SELECT school, subject, kind, started_at, 'forged', raw FROM result WHERE school = 's001' AND id = 'id-10'",
        "never came through ingest",
    ),
    "called older": ("UPDATE seen SET sequence = NULL WHERE school = 's001'", "is missing"),
    "another receipt": ("UPDATE receipt SET head = X'00' WHERE school = 's001'", "is not the one that was sealed"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_school_that_does_not_fit_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    statement, reason = DAMAGES[name]
    old_database(tmp_path / "campus.db", {"s001": 40, "s002": 40})
    damage(tmp_path / "campus.db", statement)
    store = open_store(tmp_path / "campus.db")
    before = content_or_leaves(store)
    status = compact(store)
    assert status is not None
    assert status.is_done
    (aside,) = status.set_aside
    assert aside.school == "s001"
    assert reason in aside.reason
    assert content_or_leaves(store) == before
    assert send(store, "s001", throughput(school="s001")) == (1, 0)
    with closing(sqlite3.connect(tmp_path / "campus.db")) as database:
        assert database.execute("SELECT DISTINCT school FROM unpacked_result").fetchall() == [("s001",)]
        with pytest.raises(sqlite3.IntegrityError, match="immutable"):
            database.execute("DELETE FROM unpacked_result")
    store.close()


def content_or_leaves(store: Store) -> object:
    leaves = [(school, leaf) for school in ("s001", "s002") for leaf in store.chain.leaves(school)]
    return sorted((school, leaf.sequence, leaf.id, leaf.raw or b"") for school, leaf in leaves)


def test_a_copy_that_differs_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = old_database(tmp_path / "campus.db", {"s001": 40})
    store = open_store(tmp_path / "campus.db")
    pack = compaction.pack
    monkeypatch.setattr(compaction, "pack", lambda kind, raw: pack(kind, raw.replace(b'"c3"', b'"c4"')))
    status = compact(store)
    assert status is not None
    assert "the copies are not what was copied" in status.set_aside[0].reason
    assert content(store, "s001")[1] == sorted(raw for _, raw in stored["s001"])
    store.close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    old_database(tmp_path / "campus.db", {"s001": 30})
    first, second = open_store(tmp_path / "campus.db"), open_store(tmp_path / "campus.db")

    def other() -> bool:
        with pytest.raises(StoreBusy):
            compact(second)
        return True

    with pytest.raises(Interrupted):
        compact(first, other)
    assert compact(second) is None
    first.close()
    second.close()


def test_the_file_gets_smaller_while_readers_and_writers_go_on(tmp_path: Path) -> None:
    old_database(tmp_path / "campus.db", {"s001": 3000})
    store = open_store(tmp_path / "campus.db")
    assert not store.has_space_to_give_back()
    assert compact(store) is None
    assert store.has_space_to_give_back()
    before = content(store, "s001")
    stop, sent = threading.Event(), []

    def go_on() -> None:
        while not stop.is_set():
            sent.append(send(store, "s002", throughput(school="s002")))
            assert len(store.results.latest("s001")) == len(before[3])  # type: ignore[arg-type]

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        sizes = store.give_space_back()
    finally:
        stop.set()
        thread.join()
    assert not store.has_space_to_give_back()
    assert content(store, "s001") == before
    assert set(sent) == {(1, 0)}
    store.close()
    assert sizes is not None
    size = (tmp_path / "campus.db").stat().st_size
    assert size < sizes[0] / 4
    assert size / 3000 < 500


def test_without_room_the_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_database(tmp_path / "campus.db", {"s001": 30})
    store = open_store(tmp_path / "campus.db")
    compact(store)
    monkeypatch.setattr("campus_collector.store.sqlite.LEAST_FREE_BYTES", 2**62)
    with pytest.raises(NotEnoughSpace):
        store.give_space_back()
    assert store.has_space_to_give_back()
    store.close()


def test_a_collector_that_serves_does_it_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole program: /fleet, /metrics and the log say how far it is. It begins when nobody else is at it any more."""
    stored = old_database(tmp_path / "campus.db", {"s001": 300, "s002": 200})
    monkeypatch.setitem(ENVIRONMENT, "CAMPUS_SERVER_LISTEN", "127.0.0.1:0")
    open_store(tmp_path / "campus.db").close()
    with closing(sqlite3.connect(tmp_path / "campus.db")) as database, database:
        database.execute("INSERT INTO lease VALUES ('compaction', 'another', ?)", (int((time.time() + 300) * 1e6),))
    command = python("campus_collector", "serve", "--state-dir", str(tmp_path))
    with running(command, tmp_path / "log-1"):
        url = until(lambda: _address(tmp_path / "log-1"), 60, "it listens")
        assert "Results of an older version are being packed: 0 of 500, 2 school(s) to come" in _get(
            url + "fleet?lang=en"
        )
        assert "campus_store_unpacked_results 500.0" in _get(url + "metrics")
        until(lambda: "at work on this: compaction" in (tmp_path / "log-1").read_text(), 60, "it waits")
    _expire_leases(tmp_path / "campus.db")
    with running(command, tmp_path / "log-2"):
        url = until(lambda: _address(tmp_path / "log-2"), 60, "it listens")
        until(lambda: "campus_store_unpacked_results 0.0" in _get(url + "metrics"), 300, "all are packed")
        until(lambda: "results of older versions are packed" in (tmp_path / "log-2").read_text(), 60, "the log says so")
        assert "older version" not in _get(url + "fleet?lang=en")
    assert {school: len(results) for school, results in stored.items()} == {
        school: sum(row.school == school for row in stored_results(tmp_path / "campus.db")) for school in stored
    }


def _address(log: Path) -> str:
    found = re.search(r"Overview: (\S+/)  ", log.read_text())
    return found[1] if found else ""


def _get(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60) as answer:
        return str(answer.read().decode())


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "en")
    old_database(tmp_path / "campus.db", {"s001": 500, "s002": 40})
    damage(tmp_path / "campus.db", "UPDATE result SET raw = X'7b7d' WHERE school = 's002' AND id = 'id-10'")
    where = ("--state-dir", str(tmp_path))
    assert main(["store", "compact", *where]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "s002: its older results do not fit their chain: run campus-collector verify"
    assert re.fullmatch(r"The file was made smaller: from [0-9.]+ MB to [0-9.]+ MB\.", said[1])
    assert main(["verify", *where]) == 1
    assert "s002: the seal of" in capsys.readouterr().out
    assert main(["store", "copy", str(tmp_path / "campus.db"), str(tmp_path / "b.db")]) == 1
    assert "run campus-collector store compact first" in capsys.readouterr().err
    for number in ("id-10",):
        raw = next(encode_result(result) for result in old_results("s002", 40) if result.id == number)
        with closing(sqlite3.connect(tmp_path / "campus.db")) as database, database:
            database.execute("DROP TRIGGER unpacked_result_is_not_changed")
            database.execute("UPDATE unpacked_result SET raw = ? WHERE school = 's002' AND id = ?", (raw, number))
    assert main(["store", "compact", *where]) == 0, "what was mended is examined again"
    assert capsys.readouterr().out.splitlines()[0] == "All results are packed."
    assert main(["store", "compact", *where]) == 0


def test_at_night_the_file_is_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_database(tmp_path / "campus.db", {"s001": 2000})
    before = (tmp_path / "campus.db").stat().st_size
    monkeypatch.setattr("campus_collector.http.compaction.NIGHT_HOURS", range(24))
    monkeypatch.setattr("campus_collector.http.compaction.RETRY_SECONDS", 0.1)
    service_ = open_service(load_config(None, tmp_path, {}))
    asyncio.run(BackgroundCompaction(service_).run())
    assert service_.store.compaction_status() is None
    assert not service_.store.has_space_to_give_back()
    service_.store.close()
    assert (tmp_path / "campus.db").stat().st_size < before / 3
