"""Copies of a store, a first start, migrations and packing are killed at random moments: the next try is as if nothing had been, or finds it done.

In the suite a few kills of each; `CAMPUS_KILLS=30 pytest -s tests/failover/test_kills.py` makes as many as it says.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random

import pytest

from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.store.copy import KEYS
from campus_collector.store.migrate import applied_migrations, shipped
from campus_collector.store.open import Place, open_store, transport_to
from campus_wire.codec import encode_result
from tests.collector.store.test_compaction import _expire_leases, compact, old_database, send
from tests.collector.world import days, throughput
from tests.failover.killed import copy, pack, start
from tests.postgres_server import shared_server
from tests.two_at_once.test_migrations import older

KILLS = int(os.environ.get("CAMPUS_KILLS", "4"))
RESULTS = 1500
programs = get_context("forkserver")
programs.set_forkserver_preload(["tests.failover.killed"])
pytestmark = [
    pytest.mark.timeout(900 + 60 * KILLS),
    pytest.mark.sqlite_only("has databases of its own, of both kinds"),
]


@pytest.fixture(scope="module")
def random() -> Random:
    seed = int(os.environ.get("CAMPUS_SEED", "0")) or Random().randrange(1, 1_000_000)
    print(f"\nCAMPUS_SEED={seed} CAMPUS_KILLS={KILLS}")
    return Random(seed)


def run_to_its_end(work: Callable[[], None]) -> float:
    """Its seconds. It also starts the server of forks, which the first kill must not wait for."""
    began = time.monotonic()
    program = programs.Process(target=work)
    program.start()
    program.join(600)
    assert program.exitcode == 0
    return time.monotonic() - began


def kill(work: Callable[[], None], random: Random, seconds: float) -> bool:
    """Was it killed before it had ended? `seconds`: how long it takes."""
    program = programs.Process(target=work)
    program.start()
    program.join(random.uniform(0, seconds))
    program.kill()
    program.join(600)
    return program.exitcode != 0


def new_place(kind: str, folder: Path, number: int) -> Place:
    return folder / f"{number}.db" if kind == "sqlite" else PostgresUrl(shared_server().empty_database())


def rows(place: Place) -> dict[str, int]:
    """How many each table has, of all tables of a store."""
    transport = transport_to(place)
    with closing(transport), closing(transport.open()) as connection:
        counts = {table: connection.first(f"SELECT count(*) FROM {table}") for table in KEYS}
    return {table: int(row[0]) for table, row in counts.items() if row}


@pytest.mark.parametrize("way", [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_a_copy(tmp_path: Path, random: Random, way: tuple[str, str]) -> None:
    """What a killed one left is empty, or whole; in what is empty the next is put."""
    source = new_place(way[0], tmp_path, 0)
    store = open_store(source)
    for school in ("s001", "s002"):
        send(store, school, *(throughput(at=at, school=school) for at in days(10, RESULTS // 20)))
    store.close()
    expected = rows(source)
    numbers = iter(range(1, 1000))
    target = new_place(way[1], tmp_path, next(numbers))
    seconds = run_to_its_end(partial(copy, source, target))
    target, killed = new_place(way[1], tmp_path, next(numbers)), 0
    for _ in range(KILLS):
        killed += kill(partial(copy, source, target), random, seconds)
        counts = rows(target)
        assert counts in (expected, dict.fromkeys(expected, 0))
        if counts == expected:
            target = new_place(way[1], tmp_path, next(numbers))
    print(f"copy {'->'.join(way)}: killed {killed} times within {seconds:.1f} s")
    if rows(target) != expected:
        copy(source, target)
    stores = [open_store(place) for place in (source, target)]
    for school in ("s001", "s002"):
        first, second = ([(leaf.id, leaf.raw) for leaf in store.chain.leaves(school)] for store in stores)
        assert first == second
        assert stores[0].chain.checkpoints(school) == stores[1].chain.checkpoints(school)
    for store in stores:
        store.close()


def test_a_first_start_on_postgresql(tmp_path: Path, random: Random) -> None:
    place = new_place("postgres", tmp_path, 0)
    seconds, killed = run_to_its_end(partial(start, place)), 0
    expected = shape(place)
    for number in range(KILLS):
        place = new_place("postgres", tmp_path, number)
        for _ in range(random.randrange(1, 3)):
            killed += kill(partial(start, place), random, seconds)
        assert shape(place) == expected
    print(f"first start: killed {killed} times within {seconds:.1f} s")


def shape(place: Place) -> tuple[list[str], dict[str, list[str]]]:
    """The migrations and columns of a database, after a start."""
    transport = transport_to(place)
    with closing(transport), closing(transport.open()) as connection:
        tables = {table: sorted(connection.column_names(table)) for table in connection.table_names()}
        return list(applied_migrations(connection)), tables


def test_the_migration_of_an_older_file(tmp_path: Path, random: Random) -> None:
    older(tmp_path / "0.db", "0008_z")
    seconds, killed = run_to_its_end(partial(start, tmp_path / "0.db")), 0
    expected = shape(tmp_path / "0.db")
    assert expected[0] == [step.name for step in shipped("sqlite")]
    for number in range(1, KILLS + 1):
        path = tmp_path / f"{number}.db"
        older(path, "0008_z")
        killed += kill(partial(start, path), random, seconds)
        assert shape(path) == expected
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("SELECT id FROM school").fetchall() == [("s001",)]
    print(f"migration: killed {killed} times within {seconds:.1f} s")


def test_packing_of_an_older_file(tmp_path: Path, random: Random) -> None:
    stored = old_database(tmp_path / "0.db", {"s001": 300, "s002": 100})
    (tmp_path / "1.db").write_bytes((tmp_path / "0.db").read_bytes())
    seconds, killed = run_to_its_end(partial(pack, tmp_path / "0.db")), 0
    path = tmp_path / "1.db"
    for number in range(KILLS):
        killed += kill(partial(pack, path), random, seconds / 2)
        _expire_leases(path)
        store = open_store(path)
        result = throughput(school="s001", at=days(40)[number % 40])
        assert send(store, "s001", result) == (1, 0)
        stored["s001"].append((result.id, encode_result(result)))
        for school, expected in stored.items():
            leaves = [(leaf.id, leaf.raw) for leaf in store.chain.leaves(school)]
            assert sorted(raw or b"" for _, raw in leaves) == sorted(raw for _, raw in expected)
            assert store.chain.results_without_leaf(school) == 0
        store.close()
    store = open_store(path)
    assert compact(store) is None
    store.close()
    print(f"packing: killed {killed} times within {seconds:.1f} s")
