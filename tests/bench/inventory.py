"""What does the import of a prefecture's inventory cost? 1 500 schools and 60 000 classrooms as .xlsx and as .csv, read by the import's own child process.

.venv/bin/python -m tests.bench.inventory               # some minutes
.venv/bin/python -m tests.bench.inventory --schools 100

CPU seconds, wall seconds and memory of the child, beside its limits (`inventory.worker`): the limit of memory is one of address space.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from campus_collector.domain.inventory import EMPTY, Inventory
from campus_collector.inventory import worker
from campus_collector.inventory.sample import sample
from campus_collector.inventory.sources import files_in
from campus_collector.inventory.worker import Answer, Request
from campus_collector.inventory.write import as_xlsx, write_folder

_FIELDS = {"VmPeak": "address_space_mb", "VmHWM": "resident_mb"}


def main() -> int:
    """Print a JSON object a form; the exit code is 1 when a limit is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schools", type=int, default=1500)
    parser.add_argument("--classrooms", type=float, default=40, help="a school, on average")
    arguments = parser.parse_args()
    whole = sample(arguments.schools, 1, arguments.classrooms)
    fits = True
    with tempfile.TemporaryDirectory() as folder:
        write_folder(whole, Path(folder, "csv"), "zh")
        Path(folder, "county.xlsx").write_bytes(as_xlsx(whole, "zh"))
        for form, name in (("csv", "csv"), ("xlsx", "county.xlsx")):
            for before, known in ((EMPTY, False), (whole, True)):
                measured = measure(Path(folder, name), before, whole)
                print(json.dumps({"form": form, "same_in_force": known} | measured), flush=True)
                fits = fits and bool(measured["read"])
    return 0 if fits else 1


def measure(path: Path, before: Inventory, whole: Inventory) -> dict[str, object]:
    """Read it in a child as the import does."""
    request = msgspec.msgpack.encode(Request(files_in(path), before))
    command = [sys.executable, "-P", "-m", "campus_collector.inventory.worker"]
    began, peaks = time.monotonic(), dict.fromkeys(_FIELDS.values(), 0)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        ended = threading.Event()
        watcher = threading.Thread(target=watch, args=(child.pid, peaks, ended))
        watcher.start()
        answered, _ = child.communicate(request)
        ended.set()
        watcher.join()
    wall = time.monotonic() - began
    read = False
    with suppress(msgspec.MsgspecError):
        answer = msgspec.msgpack.decode(answered, type=Answer)
        read = answer.refusal is None and answer.inventory.over(before) == whole
    return {
        "schools": len(whole.schools or ()),
        "classrooms": len(whole.classrooms or ()),
        "read": read,
        "wall_seconds": round(wall, 1),
        "of_wall_seconds": worker.TIMEOUT_SECONDS,
        "of_cpu_seconds": worker.MAX_CPU_SECONDS,
        "of_address_space_mb": worker.MAX_MEMORY_BYTES // 1024**2,
        **peaks,
    }


def watch(pid: int, peaks: dict[str, int], ended: threading.Event) -> None:
    """Note the peaks of a process's memory in MB and its CPU seconds, until it has ended."""
    while not ended.wait(0.05):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
                name, _, value = line.partition(":")
                if name in _FIELDS:
                    peaks[_FIELDS[name]] = int(value.split()[0]) // 1024
            ticks = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
            peaks["cpu_seconds"] = max(peaks.get("cpu_seconds", 0), sum(map(int, ticks)) // 100)


if __name__ == "__main__":
    sys.exit(main())
