"""What does storing take, and how large is the store? The results of a simulated county, in the order in which they came, into a new store.

.venv/bin/python -m tests.bench.store DIR            # of `campus-collector simulate`
.venv/bin/python -m tests.bench.store DIR --batch 500 --store postgres
.venv/bin/python -m tests.bench.store DIR --real-ids --judge

Schools take turns: each sends a batch, then each the next. Decoding and HTTP are not in it. tests.bench.judge measures what reads.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from random import Random

import psycopg

from campus_collector.domain.agents import Principal
from campus_collector.domain.days import EPOCH
from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.domain.results import AcceptedResult, Batch
from campus_collector.store.open import Place, open_database, open_store
from campus_collector.store.store import Store
from campus_wire.codec import decode_result
from tests.dictionaries.samples import with_real_ids
from tests.stores import STORES

WAITING = 64
"""So many batches are under way, as behind a busy server."""
SHOWN_RELATIONS = 10


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("state_dir", type=Path)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--store", choices=STORES, action="append")
    parser.add_argument("--real-ids", action="store_true", help="ids and boots as gateways have them")
    parser.add_argument("--judge", action="store_true", help="measure the size again when nothing waits for the judge")
    arguments = parser.parse_args()
    source = open_store(arguments.state_dir / "campus.db", must_exist=True)
    batches = list(read(source, arguments.batch, real_ids=arguments.real_ids))
    source.close()
    for store in arguments.store or list(STORES):
        measure(store, batches, judge=arguments.judge)


def measure(kind: str, batches: list[Batch], *, judge: bool) -> None:
    """Print the figures of one kind of store."""
    count = sum(len(batch.accepted) for batch in batches)
    with tempfile.TemporaryDirectory() as folder:
        place = STORES[kind](Path(folder))
        store = open_store(place)
        cpu, wall = time.process_time(), time.perf_counter()
        fill(store, batches)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        store.close()
        print(f"{kind}: {count} results: {cpu / count * 1e6:.1f} us CPU each, {count / wall:.0f} a second")
        print(f"  octets a result, nothing judged: {sizes(place, count)}")
        if judge:
            forget_what_waits(place)
            print(f"  and all judged: {sizes(place, count)}")


def read(source: Store, size: int, *, real_ids: bool = False) -> Iterator[Batch]:
    """Everything, in batches of one school each; the schools take turns."""
    now = datetime.now(UTC)
    random = Random(7)
    by_school: list[list[Batch]] = []
    for school in source.schools.all(EPOCH):
        raws: Sequence[bytes] = [leaf.raw for leaf in source.chain.leaves(school.id) if leaf.raw is not None]
        if real_ids:
            raws = [with_real_ids(raw, random) for raw in raws]
        accepted = [AcceptedResult(decode_result(raw), raw) for raw in raws]
        pieces = (tuple(accepted[first : first + size]) for first in range(0, len(accepted), size))
        by_school.append([Batch(Principal(school.id, school.id), now, "bench", piece, ()) for piece in pieces])
    for turn in zip_longest(*by_school):
        yield from (batch for batch in turn if batch is not None)


def fill(store: Store, batches: list[Batch]) -> None:
    """Submit all, and wait for the last."""
    waiting = []
    for batch in batches:
        waiting.append(store.submit(batch))
        if len(waiting) >= WAITING:
            waiting.pop(0).result()
    for future in waiting:
        future.result()


def forget_what_waits(place: Place) -> None:
    """As the judge leaves it, without the evidence, whose size does not grow with the number of results."""
    with closing(open_database(place)) as database:
        database.write(lambda transaction: transaction.execute("DELETE FROM unjudged"))
        database.give_space_back()


def sizes(place: Place, results: int) -> str:
    """Octets a result on the disk: everything, and the largest tables and indexes; on PostgreSQL after a VACUUM."""
    if isinstance(place, PostgresUrl):
        return _postgres_sizes(place.reveal(), results)
    with closing(open_database(place)) as database:
        rows = database.read("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC")
    whole = sum(file.stat().st_size for file in place.parent.iterdir())
    return _listed(whole, rows, results)


def _postgres_sizes(url: str, results: int) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        rows = connection.execute(
            "SELECT relname, pg_relation_size(oid) FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i') ORDER BY 2 DESC"
        ).fetchall()
        whole = connection.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
        ).fetchone()
    assert whole is not None
    return _listed(whole[0], rows, results)


def _listed(whole: int, rows: Sequence[tuple[str, int]], results: int) -> str:
    parts = ", ".join(f"{name} {size / results:.1f}" for name, size in rows[:SHOWN_RELATIONS])
    return f"{float(whole) / results:.1f} ({parts})"


if __name__ == "__main__":
    main()
