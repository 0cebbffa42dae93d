"""How long does a monthly report take, and how much memory? By form, and how it grows with the number of schools.

.venv/bin/python -m tests.bench.report                              # 20 schools, two months, few results
.venv/bin/python -m tests.bench.report --schools 100 400 1500       # the growth; many minutes of filling
.venv/bin/python -m tests.bench.report --state-dir DIR --month M    # a county that is there

Wall seconds on one core, each form in a process of its own that has the figures; memory is that process' peak.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from campus_collector.config import load_config
from campus_collector.http.service import open_service
from campus_collector.judge.month import parse_month
from campus_collector.report.compose import compose
from campus_collector.report.figures import encoded_figures, figures_of
from campus_collector.report.forms.render import FORMS, render

MONTH = "2026-10"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schools", type=int, nargs="+", default=[20])
    parser.add_argument("--density", default="0.05", help="share of the tests that are simulated")
    parser.add_argument("--state-dir", type=Path)
    parser.add_argument("--month", default=MONTH)
    parser.add_argument("--form", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    if arguments.form:
        target(arguments.state_dir, arguments.form)
    elif arguments.state_dir:
        measure(arguments.state_dir, arguments.month)
    else:
        for schools in arguments.schools:
            with tempfile.TemporaryDirectory() as folder:
                command = [
                    "simulate",
                    "--schools",
                    str(schools),
                    "--month",
                    MONTH,
                    "--months",
                    "2",
                    "--density",
                    arguments.density,
                ]
                subprocess.run([sys.executable, "-m", "campus_collector", *command, "--state-dir", folder], check=True)
                measure(Path(folder), MONTH)


def measure(state: Path, month: str) -> None:
    """Gather once, then each form apart."""
    service = open_service(load_config(None, state, {}))
    service.verdicts.catch_up()
    began = time.perf_counter()
    figures = service.reports.figures(parse_month(month, service.config.timezone), datetime.now(UTC))
    print(
        f"{figures.schools_total} schools, {sum(target.count.judged for target in figures.targets)} subjects, {len(figures.failing)} not met"
    )
    print(f"  figures of 13 months: {time.perf_counter() - began:.2f} s, peak {peak():.0f} MB", flush=True)
    service.store.close()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "figures.json").write_bytes(encoded_figures(figures))
        for form in (*FORMS, "all"):
            subprocess.run(
                [sys.executable, "-m", "tests.bench.report", "--state-dir", folder, "--form", form], check=True
            )


def target(folder: Path, form: str) -> None:
    """A form from figures that are there: the Chinese document."""
    figures = figures_of((folder / "figures.json").read_bytes())
    began = time.perf_counter()
    document = compose(figures, "zh")
    made = [render(document, each) for each in FORMS if form in (each, "all")]
    octets = sum(map(len, made))
    print(f"  {form}: {time.perf_counter() - began:.2f} s, {octets / 1e6:.2f} MB, peak {peak():.0f} MB", flush=True)


def peak() -> float:
    """MB at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
