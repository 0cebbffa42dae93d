"""Reading for pages: one result with its place, the newest, one of each hour, and the heads of a chain; on any database."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from campus_collector.store.open import open_store
from campus_collector.store.store import Store
from campus_collector.store.tables.chain import first_head, next_head
from campus_wire.codec import encode_result
from tests.collector.store.test_store import batch
from tests.collector.world import AT, throughput
from tests.stores import STORES


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(STORES[request.param](tmp_path))
    yield opened
    opened.close()


def test_one_result_with_its_bytes_and_its_place(store: Store) -> None:
    first, second, twin = (
        throughput(at=AT, id="a-1"),
        throughput(at=AT + timedelta(hours=1)),
        throughput(at=AT, id="a-2"),
    )
    store.submit(batch(first, second)).result(10)
    store.submit(batch(twin)).result(10)
    for number, result in ((1, first), (2, second), (3, twin)):
        stored = store.results.stored("s001", "c101", "throughput", result.started_at, result.id)
        assert stored is not None
        assert (stored.result, stored.raw, stored.sequence) == (result, encode_result(result), number)
    for school, subject, kind, at, result_id in (
        ("s002", "c101", "throughput", AT, "a-1"),
        ("s001", "c102", "throughput", AT, "a-1"),
        ("s001", "c101", "latency", AT, "a-1"),
        ("s001", "c101", "throughput", AT + timedelta(microseconds=1), "a-1"),
        ("s001", "c101", "throughput", AT, "a-3"),
    ):
        assert store.results.stored(school, subject, kind, at, result_id) is None


def test_the_newest_and_one_of_each_hour(store: Store) -> None:
    results = [throughput(at=AT + timedelta(minutes=minute)) for minute in (0, 5, 59, 60, 61, 200)]
    store.submit(batch(*results, throughput(at=AT, subject="c102"))).result(10)
    end = AT + timedelta(minutes=200)
    assert store.results.newest("s001", "c101", "throughput", AT, end, 2) == [results[4], results[3]]
    assert len(store.results.newest("s001", None, "throughput", AT, end, 100)) == 6
    tests = store.results.newest_tests("s001", "c101", AT, end, 2)
    assert [
        (test.id, test.record.down.line_rate_bits_per_second) for test in tests if test.record and test.record.down
    ] == [
        (result.id, result.record.down.line_rate_bits_per_second)
        for result in (results[4], results[3])
        if result.record and result.record.down
    ]
    sampled = store.results.sampled("s001", "c101", "throughput", AT, end, 3600)
    assert sampled == [results[0], results[3]], "the last one is not before the end"
    assert store.results.sampled("s001", "c101", "throughput", AT, end + timedelta(hours=9), 3600)[-1] == results[5]
    assert store.results.sampled("s001", "c999", "throughput", AT, end, 3600) == []


def test_two_that_began_at_once_are_one_sample(store: Store) -> None:
    store.submit(batch(throughput(at=AT, id="b"), throughput(at=AT, id="a"))).result(10)
    assert len(store.results.sampled("s001", "c101", "throughput", AT, AT + timedelta(hours=1), 3600)) == 1


def test_the_head_behind_a_place(store: Store) -> None:
    results = [throughput(at=AT + timedelta(minutes=minute)) for minute in range(3)]
    store.submit(batch(*results)).result(10)
    head = first_head("s001")
    for result in results:
        head = next_head(head, encode_result(result))
    last = store.chain.last_checkpoint("s001")
    assert last is not None
    assert (last.last_sequence, last.head) == (3, head)
    assert store.chain.checkpoint_after("s001", 2) == last
    assert store.chain.checkpoint_after("s001", 4) is None
    assert store.chain.last_checkpoint("s002") is None
    assert sha256(encode_result(results[0])).digest() not in head
