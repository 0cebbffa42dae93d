"""Several collectors give turns on one test server: never more at once than it carries, on either database, from threads and processes."""

import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from campus_collector.domain.slots import Reservation
from campus_collector.slots.scheduler import SlotScheduler
from campus_collector.store.open import Place, open_store
from campus_collector.store.store import Store
from tests.flow.programs import ENVIRONMENT
from tests.stores import STORES

CAPACITY = 1e9


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return STORES[request.param](tmp_path)


def ends(store: Store) -> list[tuple[int, int, int]]:
    """(starts_at, ends_at, rate) of every reservation."""
    rows = store._database.read("SELECT starts_at, ends_at, bits_per_second FROM slot ORDER BY starts_at, school")
    return [(starts_at, ends_at, rate) for starts_at, ends_at, rate in rows]


def require_within_capacity(store: Store, expected: int) -> None:
    slots = ends(store)
    assert len(slots) == expected
    for moment, _, _ in slots:
        assert sum(rate for starts_at, ends_at, rate in slots if starts_at <= moment < ends_at) <= CAPACITY


def test_two_collectors_from_threads(place: Place) -> None:
    stores = [open_store(place) for _ in range(2)]
    try:
        schedulers = [SlotScheduler(store, CAPACITY) for store in stores]
        given: list[object] = []

        def ask(number: int) -> None:
            given.append(schedulers[number % 2].reserve(f"s{number:03d}", 30, 300e6, 3600))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(isinstance(each, Reservation) for each in given) == 40
        require_within_capacity(stores[0], 40)
        assert {store.slots.granted() for store in stores} == {40}
        assert {store.slots.running() for store in stores} == {3}
    finally:
        for store in stores:
            store.close()


ASKS = """
import sys
from pathlib import Path
from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.slots.scheduler import SlotScheduler
from campus_collector.store.open import open_store
place = PostgresUrl(sys.argv[1]) if "://" in sys.argv[1] else Path(sys.argv[1])
store = open_store(place)
scheduler = SlotScheduler(store, 1e9)
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    scheduler.reserve(f"{sys.argv[2]}{number:02d}", 30, 1e9, 3600)
store.close()
"""


def test_two_collectors_from_processes(place: Place) -> None:
    store = open_store(place)
    address = str(place) if isinstance(place, Path) else place.reveal()
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", ASKS, address, letter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        for letter in "ab"
    ]
    try:
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == b"ready\n"
        for program in programs:
            program.communicate(b"\n", 120)
        assert [program.returncode for program in programs] == [0, 0]
        require_within_capacity(store, 40)
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(ends(store))), "one after the other"
    finally:
        store.close()
        for program in programs:
            program.kill()
            program.wait()


def test_what_one_gave_the_other_takes_back(place: Place) -> None:
    first, second = open_store(place), open_store(place)
    try:
        here, there = SlotScheduler(first, CAPACITY), SlotScheduler(second, CAPACITY)
        slot = here.reserve("a", 30, CAPACITY, 0)
        assert isinstance(slot, Reservation)
        assert not isinstance(there.reserve("b", 30, CAPACITY, 0), Reservation)
        assert not there.release("b", slot.id), "another school's slot"
        assert there.release("a", slot.id)
        assert not here.release("a", slot.id)
        assert isinstance(there.reserve("b", 30, CAPACITY, 0), Reservation)
        assert (first.slots.granted(), first.slots.refused()) == (2, 1)
    finally:
        first.close()
        second.close()


def test_a_reservation_of_a_clock_that_was_wrong_is_dropped(place: Place) -> None:
    store = open_store(place)
    try:
        store._database.write(
            lambda transaction: transaction.execute(
                "INSERT INTO slot (school, id, bits_per_second, starts_at, ends_at)"
                " VALUES ('a', 'x', 1000000000, 0, 9000000000000000)"
            )
        )
        slot = SlotScheduler(store, CAPACITY).reserve("b", 30, CAPACITY, 0)
        assert isinstance(slot, Reservation)
        assert slot.start == 0.0
    finally:
        store.close()
