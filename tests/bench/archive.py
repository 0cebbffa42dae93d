"""How long does archiving a month take, how much memory, and how many bytes is a result? And reading it: the check, and a query.

.venv/bin/python -m tests.bench.archive                             # 6 schools, few results
.venv/bin/python -m tests.bench.archive --schools 100 --density 1   # a county-month; many minutes of filling
.venv/bin/python -m tests.bench.archive --state-dir DIR --month M   # a county that is there, its month closed or over

On one core, each part in a process of its own; memory is that process' peak. Seconds are of the processor and of the wall.
`year` asks the files twelve times over, as twelve months of the county: the same bytes, read twelve times.
To reach with 2.9 million results: 60 s, 300 MB, 60 bytes a result.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from campus_collector.archive.check import archives_below, verify_archives
from campus_collector.archive.service import Archives
from campus_collector.config import load_config
from campus_collector.http.service import open_service
from campus_collector.judge.month import parse_month
from campus_collector.store.archive.read import ArchivedMonth

MONTH = "2026-10"
PARTS = ("archive", "verify", "read", "query", "year")
MONTHS_OF_A_YEAR = 12


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schools", default="6")
    parser.add_argument("--density", default="0.3", help="share of the tests that are simulated")
    parser.add_argument("--state-dir", type=Path)
    parser.add_argument("--month", default=MONTH)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    if arguments.part:
        part(arguments.part, arguments.state_dir, arguments.month, arguments.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        state_dir = arguments.state_dir or Path(folder, "state")
        if not arguments.state_dir:
            command = ["--schools", arguments.schools, "--month", MONTH, "--density", arguments.density]
            subprocess.run(
                [sys.executable, "-m", "campus_collector", "simulate", *command, "--state-dir", state_dir], check=True
            )
        close(state_dir, arguments.month)
        for name in PARTS:
            options = [
                "--part",
                name,
                "--state-dir",
                state_dir,
                "--month",
                arguments.month,
                "--folder",
                f"{folder}/out",
            ]
            subprocess.run([sys.executable, "-m", "tests.bench.archive", *options], check=True)


def close(state_dir: Path, month: str) -> None:
    """Without its documents."""
    config = load_config(None, state_dir)
    service = open_service(config, must_exist=True)
    wanted = parse_month(month, config.timezone)
    if not service.reports.is_closed(wanted):
        service.reports.close_figures(wanted, datetime.now(UTC))
    service.store.close()


def part(name: str, state_dir: Path, month: str, folder: Path) -> None:
    """One line of figures."""
    config = load_config(None, state_dir)
    works: dict[str, Callable[[], int]] = {
        "archive": lambda: _archive(state_dir, month, folder),
        "verify": lambda: verify_archives(archives_below(folder)).results,
        "read": lambda: sum(
            1 for each in archives_below(folder) for town in each.partitions() for _ in each.results(town)
        ),
        "query": lambda: _query(folder),
        "year": lambda: _query(folder, MONTHS_OF_A_YEAR),
    }
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    results = works[name]()
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (archive,) = archives_below(folder)
    size = sum(file.bytes for file in archive.manifest.files.values())
    print(
        f"{name:8} {results:9} results  {seconds:7.1f} s of the processor ({seconds / results * 1e6:5.1f} us a result)  {wall:7.1f} s"
        f"  {after.ru_maxrss / 1e3:5.0f} MB  {size / archive.manifest.results:5.1f} bytes a result",
        flush=True,
    )
    assert config.state_dir == state_dir


def _archive(state_dir: Path, month: str, folder: Path) -> int:
    config = load_config(None, state_dir)
    service = open_service(config, must_exist=True)
    archives = Archives(service.store, service.verdicts.policy, config.timezone, config.county, folder)
    archive: ArchivedMonth = archives.copy(parse_month(month, config.timezone), folder)
    service.store.close()
    return archive.manifest.results


def _query(folder: Path, times: int = 1) -> int:
    """Tests and their mean by school, from all files, each read so many times. On one thread: the process may use one core."""
    import duckdb

    files = [str(file) for file in sorted(folder.glob("*/*/results.parquet"))] * times
    rows = (
        duckdb.connect(config={"threads": 1})
        .execute(
            "SELECT school, count(*), avg(down_line_rate_bits_per_second) FILTER (outcome = 'ok')"
            " FROM read_parquet($files) GROUP BY school",
            {"files": files},
        )
        .fetchall()
    )
    return sum(row[1] for row in rows)


if __name__ == "__main__":
    main()
