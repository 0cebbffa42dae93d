"""What do spool and shipping cost? Puts and acknowledgements a second, room on disk, memory, on this machine and its disk.

    python -m tests.bench.spool [FOLDER]

Every figure is measured in this run; FOLDER chooses the disk (default: the system's temporary folder).
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from campus_agent.config.model import SpoolLimits
from campus_agent.spool import database
from campus_agent.spool.spool import open_spool
from campus_wire.codec import encode_result
from campus_wire.records import AnyResult
from tests.agent.spool.things import result_id
from tests.fakes.certificates import Authority
from tests.fakes.collector import FakeCollector
from tests.wire.samples import RESULTS

PUTS = 2000
MANY = 100_000
DRAINS = 300
IMPORTS = "campus_agent.spool.spool, campus_agent.ship.shipper, campus_agent.clock.clock"
DRAIN_OFTEN = """
import sys
from pathlib import Path
from tests.agent.ship.things import School
from tests.bench.spool import DRAINS, resident_bytes, samples

ca_file = Path(sys.argv[3]) if sys.argv[3] else None
school = School(Path(sys.argv[1]), sys.argv[2], ca_file)
with school.open() as (spool, shipper):
    for n in range(DRAINS):
        spool.put(*samples(20 * n, 20))
        shipper.drain()
        if n == 10:
            early = resident_bytes()
print(early, resident_bytes())
"""


def samples(first: int, count: int) -> list[AnyResult]:
    """Results of every kind, each with an id of its own."""
    from msgspec.structs import replace

    return [replace(RESULTS[n % len(RESULTS)], id=result_id(n + 1)) for n in range(first, first + count)]


def resident_bytes() -> int:
    """Resident memory of this process (VmRSS)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def said_by(script: str, *arguments: str) -> list[int]:
    """Numbers that a fresh process prints."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def main(folder: Path) -> None:
    """Print one figure a line."""
    limits = SpoolLimits(max_results=10 * MANY, max_bytes=10**10)
    results = samples(0, MANY)
    with open_spool(folder / "one", limits) as spool:
        began = time.perf_counter()
        for each in results[:PUTS]:
            spool.put(each)
        print(f"put, one result a transaction   {PUTS / (time.perf_counter() - began):10.0f} /s")
    with open_spool(folder / "many", limits) as spool:
        began = time.perf_counter()
        for first in range(0, MANY, 500):
            spool.put(*results[first : first + 500])
        print(f"put, 500 results a transaction  {MANY / (time.perf_counter() - began):10.0f} /s")
        octets = sum(len(encode_result(result)) for result in results)
    size = sum(path.stat().st_size for path in (folder / "many").iterdir())
    print(
        f"room on disk                    {size / octets:10.2f} x the octets of the results ({octets / MANY:.0f} each)"
    )
    whole = database.CHECKED_WHOLE_BYTES
    database.CHECKED_WHOLE_BYTES = 0
    began = time.perf_counter()
    open_spool(folder / "many", limits).close()
    unchecked = time.perf_counter() - began
    database.CHECKED_WHOLE_BYTES = size
    began = time.perf_counter()
    open_spool(folder / "many", limits).close()
    checked = time.perf_counter() - began
    database.CHECKED_WHOLE_BYTES = whole
    print(
        f"open and close                  {unchecked * 1000:10.1f} ms; the whole check {checked - unchecked:.2f} s for {size / 1e6:.0f} MB"
    )
    with open_spool(folder / "many", limits) as spool:
        began = time.perf_counter()
        status = spool.status()
        print(f"status with {status.pending_results} waiting      {(time.perf_counter() - began) * 1000:10.1f} ms")
        began = time.perf_counter()
        while entries := spool.peek():
            spool.acknowledge(entry.key for entry in entries)
        print(f"peek and acknowledge            {MANY / (time.perf_counter() - began):10.0f} /s")
    print_memory(folder)


def print_memory(folder: Path) -> None:
    """What stays resident."""
    (bare,) = said_by(
        "print(next(int(l.split()[1]) * 1024 for l in open('/proc/self/status') if l.startswith('VmRSS')))"
    )
    (loaded,) = said_by(
        f"import {IMPORTS}\nprint(next(int(l.split()[1]) * 1024 for l in open('/proc/self/status') if l.startswith('VmRSS')))"
    )
    print(f"resident: Python alone          {bare / 1e6:10.1f} MB; with spool, ship and clock {loaded / 1e6:.1f} MB")
    authority = Authority(folder / "authority")
    with FakeCollector(authority.certificate("here", "IP:127.0.0.1")) as collector:
        school = folder / "school"
        school.mkdir()
        began = time.perf_counter()
        early, late = said_by(DRAIN_OFTEN, str(school), collector.url, str(authority.ca_file))
        each = (time.perf_counter() - began) / DRAINS
    print(
        f"drain of 20 results over TLS    {each * 1000:10.1f} ms; resident after 10: {early / 1e6:.1f} MB, after {DRAINS}: {late / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", os.getcwd())
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made:
        main(Path(made))
