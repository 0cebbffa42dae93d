"""How long does judging take? A simulated county: all of a month from raw results, one more result, the ledger, the evidence checked.

.venv/bin/python -m tests.bench.judge                 # 10 schools
.venv/bin/python -m tests.bench.judge --schools 100   # a county: 2.5 million results, some minutes
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from campus_collector.config import load_config
from campus_collector.domain.agents import Principal
from campus_collector.domain.results import AcceptedResult, Batch
from campus_collector.http.service import open_service
from campus_collector.judge.month import parse_month
from campus_collector.verify.database import verify
from campus_wire.codec import encode_result
from tests.collector.world import throughput

MONTH = "2026-10"
ROUNDS = 50


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schools", type=int, default=10)
    parser.add_argument("--state-dir", type=Path, help="a county that was simulated before, not judged yet")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = arguments.state_dir or Path(folder)
        if arguments.state_dir is None:
            began = time.perf_counter()
            command = ["simulate", "--schools", str(arguments.schools), "--month", MONTH, "--state-dir", folder]
            subprocess.run([sys.executable, "-m", "campus_collector", *command], check=True)
            print(f"simulated and sent through the ingest API: {time.perf_counter() - began:.1f} s")
        measure(state)


def measure(state: Path) -> None:
    """Each figure in CPU seconds of this process, all threads."""
    service = open_service(load_config(None, state, {}))
    month = parse_month(MONTH, service.config.timezone)
    results = sum(service.store.results.measurement_totals().values())
    with Timed(f"judge {results} results from raw"):
        service.verdicts.catch_up()
    with Timed("verdicts of the month from its days"):
        verdicts = service.verdicts.subjects(month)
    print(f"  {len(verdicts)} subjects")
    taken = []
    for number in range(ROUNDS):
        at = datetime(2026, 10, 9 + number % 5, 3, number, tzinfo=UTC)
        result = throughput(at=at, subject="c101", id=f"bench-{time.time_ns()}")
        batch = Batch(
            Principal("s001", "s001"),
            datetime.now(UTC),
            "bench",
            (AcceptedResult(result, encode_result(result)),),
            (),
            None,
            None,
        )
        service.store.submit(batch).result()
        began = time.process_time()
        service.verdicts.subjects(month, "s001")
        taken.append(time.process_time() - began)
    print(f"after one more result, its school's verdicts again: {median(taken) * 1000:.2f} ms CPU (median of {ROUNDS})")
    with Timed("the ledger, evening by evening"):
        service.ledger.catch_up()
    with Timed("verify: chains, trail, evidence"):
        found = verify(service.store, service.verdicts)
    print(f"  {found.results} results, {found.days} days, {len(found.findings)} findings")
    service.store.close()


class Timed:
    """Says what a block took."""

    def __init__(self, words: str) -> None:
        """What it is."""
        self._words = words

    def __enter__(self) -> None:
        """Begin."""
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        """End, and say."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{self._words}: {cpu:.1f} s CPU, {wall:.1f} s wall; peak memory so far {peak:.0f} MB")


if __name__ == "__main__":
    main()
