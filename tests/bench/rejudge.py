"""How long does judging archived months again take? Against the judge that reads the database, by one worker and by two, and how much memory a worker needs.

.venv/bin/python -m tests.bench.rejudge                  # 12 schools of a usual month, about two minutes without the simulation
.venv/bin/python -m tests.bench.rejudge --schools 100    # a county, many minutes of filling
.venv/bin/python -m tests.bench.rejudge --state-dir DIR  # a county that was simulated before, not judged yet, with --month

CPU seconds count the processes that judge; the machine's other work lengthens only the wall seconds, from which the ratio of two workers to one follows.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from campus_collector.archive.write import ArchiveWriter
from campus_collector.config import load_config, shipped_policy
from campus_collector.http.service import open_service
from campus_collector.judge.month import parse_month
from campus_collector.rejudge.part import Part
from campus_collector.rejudge.plan import plan
from campus_collector.rejudge.processes import by_processes

ROUNDS = 3
LEAST_PARTS = 6


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schools", type=int, default=12)
    parser.add_argument("--month", default="2026-10")
    parser.add_argument("--state-dir", type=Path, help="is copied")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        if arguments.state_dir is None:
            simulated = ["simulate", "--schools", str(arguments.schools), "--month", arguments.month]
            command = [sys.executable, "-m", "campus_collector", *simulated, "--state-dir", str(state)]
            subprocess.run(command, check=True)
        else:
            shutil.copytree(arguments.state_dir, state)
        results = from_database(state, arguments.month, Path(folder) / "archive")
        from_archive(Path(folder) / "archive", arguments.month, results)


def from_database(state: Path, name: str, archive: Path) -> int:
    """Judge all of a month from the database, and archive it; how many results there are."""
    service = open_service(load_config(None, state, {}))
    month = parse_month(name, service.config.timezone)
    results = sum(service.store.results.measurement_totals().values())
    seconds = cpu_of(lambda: service.verdicts.subjects(month))
    print(
        f"from the database, with causes: {results} results, {seconds:.1f} s CPU, {1e6 * seconds / results:.1f} us each"
    )
    service.reports.close_figures(month, datetime.now(UTC), None)
    writer = ArchiveWriter(service.store, service.verdicts.policy, "bench", archive)
    writer.write(month, lambda _: {})
    service.store.close()
    size = sum(file.stat().st_size for file in archive.rglob("*") if file.is_file())
    print(f"  archived in {size} bytes, {size / results:.1f} each")
    return results


def from_archive(archive: Path, month: str, results: int) -> None:
    """By one worker and by two in turn, so that both feel the machine's other work alike."""
    other = shipped_policy().read_text(encoding="utf-8").replace("tolerance_ratio = 0.98", "tolerance_ratio = 0.97")
    for words, policy in (("by the archive's policy", ""), ("by it and another tolerance", other)):
        parts = plan(archive, [month], policy).parts
        before = children_cpu()
        list(by_processes(parts, 1))
        seconds = children_cpu() - before
        print(f"{words}, one worker: {seconds:.1f} s CPU, {1e6 * seconds / results:.1f} us a result")
    parts = plan(archive, [month], "").parts
    parts *= -(-LEAST_PARTS // len(parts))  # as many as a county has, so that both have work until the end
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers in taken:
            taken[workers].append(wall_of(lambda workers=workers: list(by_processes(parts, workers))))  # type: ignore[misc]
    alone, together = (median(seconds) for seconds in taken.values())
    print(
        f"{len(parts)} parts: one worker {alone:.1f} s wall, two {together:.1f} s: {alone / together:.2f} times as fast"
    )
    print(f"a worker's memory at most: {peak_of_a_worker(parts):.0f} MB")


def peak_of_a_worker(parts: Sequence[Part]) -> float:
    """Megabytes, as the kernel counted them while it judged."""
    pids: list[int] = []
    peak = 0
    for _ in by_processes(parts, 1, pids.append):
        status = Path(f"/proc/{pids[-1]}/status").read_text(encoding="ascii")
        peak = max(peak, int(status.partition("VmHWM:")[2].split()[0]))
    return peak / 1024


def children_cpu() -> float:
    """Seconds of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def wall_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
