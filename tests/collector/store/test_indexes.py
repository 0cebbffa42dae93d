"""PostgreSQL's indexes of results and ids: small, used by what reads, and an id is stored once though they do not see to it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.store import postgres
from campus_collector.store.copy import KEYS
from campus_collector.store.migrate import Migration, migrate, shipped
from campus_collector.store.open import open_store, transport_to
from campus_collector.store.store import Store
from campus_collector.store.tables import results
from campus_collector.verify.chain import ChainCheck
from tests.collector.store.test_store import batch
from tests.collector.world import AT, throughput
from tests.postgres_server import shared_server
from tests.stores import STORES

SCHOOLS, SERIES, DAYS, RESULTS_A_DAY = 2, 50, 20, 15
RESULTS = SCHOOLS * SERIES * DAYS * RESULTS_A_DAY
"""As a gateway's reach a collector: a school's day after day, with ids of their moment."""
ADD_DAY = f"""
INSERT INTO result (school, series, started_at, sequence, packed)
  SELECT school, series, 1780000000000000 + %(day)s * 86400000000 + n * 5000000000 + series * 1000000, n, '\\x00'
  FROM generate_series(1, {SCHOOLS}) school, generate_series(1, {RESULTS_A_DAY}) n, generate_series(1, {SERIES}) series;
"""
ADD_IDS = """
INSERT INTO seen (school, id, sequence)
  SELECT school, decode(lpad(to_hex(started_at / 1000), 12, '0') || substr(md5(random()::text), 1, 20), 'hex'), sequence
  FROM result WHERE (started_at - 1780000000000000) / 86400000000 = %(day)s ORDER BY school, started_at
"""
ODD_IDS = ["a", "b", "x" * 15, "x" * 16, "x" * 17, "sim-2026-s001-1", "sim-2026-s001-2"] + [
    f"018f0000-0000-7000-8000-00000000000{digit}" for digit in "12a"
]


@pytest.fixture(scope="module")
def county() -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with psycopg.connect(shared_server().new_database(), autocommit=True) as connection:
        connection.execute("INSERT INTO numbered_school SELECT n, 's' || n FROM generate_series(1, %s) n", (SCHOOLS,))
        connection.execute(
            "INSERT INTO series SELECT school, n, 'c' || n, 'port' FROM numbered_school s(school, name),"
            " generate_series(1, %s) n",
            (SERIES,),
        )
        for day in range(DAYS):
            connection.execute(ADD_DAY, {"day": day})
            connection.execute(ADD_IDS, {"day": day})
        connection.execute("VACUUM ANALYZE")
        yield connection


@pytest.mark.parametrize(("table", "most"), [("result", 25), ("seen", 30)])
def test_an_entry_is_small(county: "psycopg.Connection[tuple[object, ...]]", table: str, most: int) -> None:
    (size,) = county.execute("SELECT pg_indexes_size(%s::regclass)", (table,)).fetchone() or (0,)
    assert isinstance(size, int)
    assert size / RESULTS < most


def test_what_reads_uses_them(county: "psycopg.Connection[tuple[object, ...]]") -> None:
    start = 1780000000000000 + 3 * 86_400_000_000
    of_a_day = {"school": "s2", "subject": "c4", "kind": "port", "start": start, "end": start + 86_400_000_000}
    statement = f"SELECT r.packed {results._OF_SUBJECT}"
    plan, read = explained(county, statement, of_a_day)
    assert "result_by_day" in plan
    assert read <= 3 * RESULTS_A_DAY, "only rows of the days around"
    ids = [row[0] for row in county.execute("SELECT id FROM seen WHERE school = 2 LIMIT 100")]
    statement = postgres.PostgresConnection.stored_ids_statement
    plan, read = explained(county, statement, {"school": 2, "ids": ids})
    assert "seen_by_bucket" in plan
    assert read < 10 * len(ids), "only those of their buckets"


def explained(county: "psycopg.Connection[tuple[object, ...]]", sql: str, key: dict[str, object]) -> tuple[str, int]:
    """The plan, and how many rows of `result` and `seen` it read."""
    (plan,) = county.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + postgres.translated(sql), key).fetchone() or ([],)
    assert isinstance(plan, list)
    return str(plan), sum(_rows_read(plan[0]["Plan"]))


def _rows_read(step: dict[str, object]) -> Iterator[int]:
    if step.get("Relation Name") in ("result", "seen"):
        removed = [step.get(f"Rows Removed by {reason}", 0) for reason in ("Filter", "Index Recheck")]
        yield int(str(step["Actual Rows"])) + sum(int(str(number)) for number in removed)
    below = step.get("Plans", [])
    assert isinstance(below, list)
    for each in below:
        yield from _rows_read(each)


@pytest.mark.parametrize("kind", STORES)
def test_ids_of_any_form_are_stored_once(kind: str, tmp_path: Path) -> None:
    store = open_store(STORES[kind](tmp_path))
    sent = batch(*(throughput(at=AT + timedelta(minutes=n), id=name) for n, name in enumerate(ODD_IDS)))
    outcomes = [store.submit(sent).result(30) for _ in range(2)]
    assert [(outcome.stored, outcome.duplicate) for outcome in outcomes] == [(len(ODD_IDS), 0), (0, len(ODD_IDS))]
    assert [leaf.id for leaf in store.chain.leaves("s001")] == ODD_IDS
    store.close()


def test_what_two_collectors_are_sent_at_once_is_stored_once() -> None:
    url = PostgresUrl(shared_server().new_database())
    stores = [open_store(url), open_store(url)]
    together = threading.Barrier(2)
    stored = [0, 0]

    def send(number: int) -> None:
        for hour in range(20):
            sent = batch(*(throughput(at=AT + timedelta(hours=hour), id=f"r-{hour}-{n}") for n in range(3)))
            together.wait(60)
            stored[number] += stores[number].submit(sent).result(60).stored

    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sum(stored) == 60
    leaves = list(stores[0].chain.leaves("s001"))
    assert [leaf.sequence for leaf in leaves] == list(range(1, 61))
    assert len({leaf.id for leaf in leaves}) == 60
    for store in stores:
        store.close()


@pytest.mark.parametrize("first", ["0018_smaller_indexes.sql", "0021_by_school.sql"])
def test_a_database_of_before_is_brought_forward_with_what_is_in_it(first: str) -> None:
    """Of before the step `first`."""
    filled = PostgresUrl(shared_server().new_database())
    store = open_store(filled)
    store.submit(batch(*(throughput(at=AT + timedelta(days=n), id=name) for n, name in enumerate(ODD_IDS)))).result(30)
    before = contents(store)
    totals = (store.results.ingest_totals(), store.results.measurement_totals())
    store.close()
    older = PostgresUrl(shared_server().empty_database())
    steps = shipped("postgres")
    apply(older, steps[: [step.name for step in steps].index(first)])
    with psycopg.connect(filled.reveal()) as source, psycopg.connect(older.reveal()) as target:
        for table in KEYS:
            if target.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
                continue  # came later
            columns = [column.name for column in target.execute(f"SELECT * FROM {table}").description or ()]
            rows = source.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
            for row in rows:
                target.execute(insert, row)
    store = open_store(older)
    assert contents(store) == before
    assert (store.results.ingest_totals(), store.results.measurement_totals()) == totals
    again = store.submit(batch(*(throughput(id=name) for name in ODD_IDS), throughput(at=AT))).result(30)
    assert (again.stored, again.duplicate, again.chain.sequence) == (1, len(ODD_IDS), len(ODD_IDS) + 1)
    store.close()
    with psycopg.connect(older.reveal()) as connection:
        names = connection.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename IN ('result', 'seen') ORDER BY 1"
        ).fetchall()
    assert names == [("result_by_day",), ("seen_by_bucket",)]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM result WHERE sequence = 3", "s001: result r-2 is missing; seal of"),
        ("DELETE FROM seen WHERE sequence = 3", "s001: result #3 is missing; seal of"),
        ("INSERT INTO seen SELECT * FROM seen WHERE sequence = 3", "s001: result #4 is missing; seal of"),
        ("INSERT INTO result SELECT * FROM result WHERE sequence = 3", "s001: 1 result(s) were put in that never came"),
        (
            "UPDATE result SET started_at = started_at + 1 WHERE sequence = 3",
            "s001: 1 result(s) are filed under another",
        ),
    ],
)
def test_what_the_indexes_would_let_pass_is_named(damage: str, words: str) -> None:
    url = PostgresUrl(shared_server().new_database())
    store = open_store(url)
    store.submit(batch(*(throughput(at=AT + timedelta(days=n), id=f"r-{n}") for n in range(5)))).result(30)
    assert ChainCheck(store, "s001", ()).findings == []
    with psycopg.connect(url.reveal(), autocommit=True) as connection:
        connection.execute("ALTER TABLE result DISABLE TRIGGER USER")
        connection.execute(damage.encode())
    assert ChainCheck(store, "s001", ()).findings[0].text.en.startswith(words)
    store.close()


def apply(place: PostgresUrl, steps: Sequence[Migration]) -> None:
    transport = transport_to(place)
    with closing(transport), closing(transport.connect()) as connection:
        migrate(connection, steps)


def contents(store: Store) -> tuple[object, ...]:
    """Leaves, results and those that are newest."""
    of_subject = store.results.of_subject("s001", "c101", "throughput", AT, AT + timedelta(days=30))
    assert len(of_subject) == len(ODD_IDS)
    return list(store.chain.leaves("s001")), of_subject, store.results.latest()
