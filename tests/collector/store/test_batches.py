"""Batches that wait together are stored together, and each is what it would be alone."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from campus_collector.domain.agents import Principal
from campus_collector.domain.results import Batch, BatchOutcome, Quotas
from campus_collector.store.database import Database
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.open import open_database
from campus_collector.store.store import Store
from campus_collector.store.tables.chain import first_head, next_head
from campus_collector.store.tables.subjects import subject_kind
from campus_collector.store.transport import Transaction
from campus_wire.codec import encode_result
from tests.collector.store.test_store import batch
from tests.collector.world import AT, service, throughput
from tests.stores import STORES

QUOTAS = Quotas(subjects_of_one_kind=3, results_per_day=6)


@pytest.fixture(params=STORES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    opened = open_database(STORES[request.param](tmp_path))
    yield opened
    opened.close()


def stored_together(database: Database, store: Store, batches: Sequence[Batch]) -> list[BatchOutcome]:
    """All that may be in one commit are: the writers are held until they wait."""
    held = threading.Event()
    for school in sorted({each.principal.school for each in batches}):
        database.submit(lambda _: held.wait(10), school)
    futures = [store.submit(each) for each in batches]
    held.set()
    return [future.result(10) for future in futures]


def of_school(each: Batch, school: str) -> Batch:
    return replace(each, principal=Principal(school, school))


def test_two_batches_of_a_school_in_one_commit_know_of_each_other(database: Database) -> None:
    store = Store(database, QUOTAS)
    early, middle, late = (throughput(at=AT + timedelta(minutes=n)) for n in range(3))
    first, second, other = stored_together(
        database, store, [batch(early, middle), batch(middle, late), of_school(batch(early), "s002")]
    )
    assert [(each.stored, each.duplicate) for each in (first, second, other)] == [(2, 0), (1, 1), (1, 0)]
    head = first_head("s001")
    for result in (early, middle):
        head = next_head(head, encode_result(result))
    assert first.chain is not None
    assert (first.chain.sequence, first.chain.head) == (2, head.hex())
    assert second.chain is not None
    assert second.chain.head == next_head(head, encode_result(late)).hex()
    # the receipt of the first is known although the second was given in the same commit
    claiming = replace(batch(), claimed=first.chain)
    assert stored_together(database, store, [claiming])[0].chain_fits is True
    assert [leaf.raw for leaf in store.chain.leaves("s001")] == [encode_result(each) for each in (early, middle, late)]
    (latest,) = store.results.latest("s001")
    assert latest.any == late
    assert store.results.ingest_totals() == {"stored": 4, "duplicate": 1}
    assert store.results.measurement_totals() == {("throughput", "ok"): 4}


def test_a_quota_counts_the_other_batches_of_the_commit(database: Database) -> None:
    store = Store(database, QUOTAS)
    many = [batch(throughput(subject=f"c{n}"), throughput(subject=f"c{n + 1}")) for n in range(4)]
    outcomes = stored_together(database, store, many)
    assert [each.stored for each in outcomes] == [2, 2, 1, 0]
    assert [each.quarantined for each in outcomes] == [0, 0, 1, 2]
    outcomes = stored_together(database, store, [batch(throughput(subject="c1")), batch(throughput(subject="c1"))])
    assert [each.stored for each in outcomes] == [1, 0]


@pytest.mark.parametrize("kind", ["lesson_stream", "throughput"])
def test_only_the_uplink_is_judged_as_the_uplink(kind: str) -> None:
    assert subject_kind("uplink", kind) == "uplink"
    assert subject_kind("c101", kind) == {"lesson_stream": None, "throughput": "classroom"}[kind]


def test_midnight_within_a_commit_begins_a_new_day(database: Database) -> None:
    store = Store(database, QUOTAS)
    full = batch(*(throughput(at=AT + timedelta(minutes=n)) for n in range(7)))
    tomorrow = replace(batch(throughput()), received_at=AT + timedelta(days=1))
    assert [each.stored for each in stored_together(database, store, [full, tomorrow])] == [6, 1]
    assert [checkpoint.last_sequence for checkpoint in store.chain.checkpoints("s001")] == [6, 7]


def test_hours_of_several_batches_wait_for_the_judge(database: Database) -> None:
    store = Store(database, Quotas())
    stored_together(database, store, [batch(throughput(), service()), batch(throughput(), throughput(subject="c9"))])
    before = {(row.subject, row.arrivals) for row in store.evidence.unjudged("s001")}
    assert before == {("c101", 3), ("smartedu-cn", 2), ("c9", 4)}
    stored_together(database, store, [batch(throughput())])
    assert {(row.subject, row.arrivals) for row in store.evidence.unjudged("s001")} - before == {("c101", 5)}


def test_an_item_that_fails_costs_no_other(database: Database) -> None:
    def put(transaction: Transaction, names: Sequence[str]) -> list[str]:
        for name in names:
            transaction.execute("INSERT INTO mark (name, value) VALUES (:name, 1)", {"name": name})
        return list(names)

    held = threading.Event()
    database.submit(lambda _: held.wait(10))
    futures = [database.submit_joint(put, name) for name in ("a", "b", "a", "c")]
    held.set()
    assert [futures[index].result(10) for index in (0, 1, 3)] == ["a", "b", "c"]
    with pytest.raises(StoreUnavailable):
        futures[2].result(10)
    assert [name for (name,) in database.read("SELECT name FROM mark ORDER BY name")] == ["a", "b", "c"]


def test_many_rows_with_nothing_and_with_signs_in_them(database: Database) -> None:
    names = ["plain", 'quoted "and" \\ {braces}, comma', "百兆", "null"]

    def work(transaction: Transaction) -> int:
        return transaction.execute_many(
            "INSERT INTO quarantine (school, received_at, id, reason, raw)"
            " VALUES (:school, :at, :id, :reason, :raw)",
            [{"school": "s", "at": 2**40, "id": None, "reason": name, "raw": b"\x00\\" + name.encode()} for name in names],
        )  # fmt: skip

    assert database.write(work) == len(names)
    rows = database.read("SELECT received_at, id, reason, raw FROM quarantine ORDER BY sequence")
    assert rows == [(2**40, None, name, b"\x00\\" + name.encode()) for name in names]

    def listed(transaction: Transaction) -> list[tuple[object, ...]]:
        return transaction.read_in(
            "SELECT reason FROM quarantine WHERE reason IN (:names) AND received_at IN (:moments) ORDER BY sequence",
            {"names": names[1:3], "moments": [1, 2**40]},
        )

    assert database.write(listed) == [(name,) for name in names[1:3]]
    assert (
        database.write(lambda transaction: transaction.read_in("SELECT 1 WHERE 'a' IN (:names)", {"names": []})) == []
    )
