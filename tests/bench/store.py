"""What does storing take, and how large is the store? The results of a simulated county, in the order in which they came, into a new store.

.venv/bin/python -m tests.bench.store DIR            # of `campus-collector simulate`
.venv/bin/python -m tests.bench.store DIR --batch 500

Decoding and HTTP are not in it. tests.bench.judge measures what reads.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from campus_collector.domain.agents import Principal
from campus_collector.domain.days import EPOCH
from campus_collector.domain.results import AcceptedResult, Batch
from campus_collector.store.open import open_store
from campus_collector.store.store import Store
from campus_wire.codec import decode_result

WAITING = 64
"""So many batches are under way, as behind a busy server."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("state_dir", type=Path)
    parser.add_argument("--batch", type=int, default=100)
    arguments = parser.parse_args()
    source = open_store(arguments.state_dir / "campus.db", must_exist=True)
    batches = list(read(source, arguments.batch))
    source.close()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "campus.db")
        cpu, wall = time.process_time(), time.perf_counter()
        fill(store, batches)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        store.close()
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    count = sum(len(batch.accepted) for batch in batches)
    print(
        f"{count} results in batches of {arguments.batch}: {cpu / count * 1e6:.1f} us CPU each, {count / wall:.0f} a second"
    )
    print(f"{size / count:.0f} octets a result, all files of the store; nothing is judged yet")


def read(source: Store, size: int) -> Iterator[Batch]:
    """Everything, in batches of one school each."""
    now = datetime.now(UTC)
    for school in source.schools.all(EPOCH):
        raws = [leaf.raw for leaf in source.chain.leaves(school.id) if leaf.raw is not None]
        accepted = [AcceptedResult(decode_result(raw), raw) for raw in raws]
        for first in range(0, len(accepted), size):
            yield Batch(Principal(school.id, school.id), now, "bench", tuple(accepted[first : first + size]), ())


def fill(store: Store, batches: list[Batch]) -> None:
    """Submit all, and wait for the last."""
    waiting = []
    for batch in batches:
        waiting.append(store.submit(batch))
        if len(waiting) >= WAITING:
            waiting.pop(0).result()
    for future in waiting:
        future.result()


if __name__ == "__main__":
    main()
