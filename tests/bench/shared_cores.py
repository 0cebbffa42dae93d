"""Are verdicts right on a machine that shares its cores? Run as root: PYTHONPATH=. python tests/bench/shared_cores.py [options]

Busy loops run beside gateway and classrooms, which share this machine's cores; every measurement is the command that a person would
type. A verdict is wrong when a line that reaches its target is `not_met`, or the reverse; what could not be measured has to say so
(`gateway_cpu` or `inconclusive`), and is counted apart.

    --engines campus,iperf3   --loops 0,1,2,4   --rates 90,97,100,101,110,300   --runs 5   --seconds 3   --endpoint respond|iperf3

With the defaults it makes 240 verdicts and takes about half an hour; `--runs 1 --loops 2` takes three minutes.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab.school import LabSchool, Room

NOT_MEASURED = ("gateway_cpu", "inconclusive")
COLUMNS = ("engine", "loops", "line", "runs", "right", "wrong", "gateway_cpu", "inconclusive", "other", "seconds")


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """So many processes that want a core all the time."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def measure(school: LabSchool, config: Path, room: Room) -> dict[str, Any]:
    """One measurement by the command."""
    command = (sys.executable, "-m", "campus_agent", "measure", "classroom", room.id)
    done = school.gateway.run(*command, "--config", str(config), "--json", timeout=180)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def outcome(answer: dict[str, Any], truth: str) -> str:
    """Right, wrong, or why there is no verdict."""
    if answer["verdict"] != "insufficient":
        return "right" if answer["verdict"] == truth else "wrong"
    return answer["validity"] if answer["validity"] in NOT_MEASURED else "other"


def line_of(answer: dict[str, Any]) -> str:
    """The rates in Mbit/s, and the words beside them."""
    rates = [answer[way] and f"{answer[way]['line_rate_bits_per_second'] / 1e6:.2f}" for way in ("down", "up")]
    return f"{rates[0]} / {rates[1]}  {answer['verdict']} {answer['validity']}  {answer.get('detail') or ''}"


def main() -> int:
    """Print the table; the number of wrong verdicts is the exit code."""
    parser = argparse.ArgumentParser(description="Verdicts beside busy loops")
    parser.add_argument("--engines", default="campus,iperf3")
    parser.add_argument("--loops", default="0,1,2,4")
    parser.add_argument("--rates", default="90,97,100,101,110,300")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="duration of an iperf3 test in each direction")
    parser.add_argument("--endpoint", default="respond", choices=("respond", "iperf3"))
    parser.add_argument("--verbose", action="store_true", help="print every measurement on standard error")
    options = parser.parse_args()
    rooms = [Room(f"c{int(rate):03}", f"{rate} Mbit/s", float(rate) * 1e6) for rate in options.rates.split(",")]
    more = f"[throughput]\nduration_seconds = {options.seconds}\nwarmup_seconds = 1\n"
    total: Counter[str] = Counter()
    print("".join(f"{column:>13}" for column in COLUMNS))
    with LabSchool(rooms, endpoint=options.endpoint) as school, tempfile.TemporaryDirectory() as folder:
        for engine in options.engines.split(","):
            config = school.agent_toml(Path(folder), engine=engine, more=more)
            for loops in (int(word) for word in options.loops.split(",")):
                for room in school.rooms:
                    with busy_loops(loops):
                        counts, seconds = _repeat(school, config, room, options)
                    total += counts
                    _print_row(engine, loops, room, options.runs, counts, seconds)
    measured = total["right"] + total["wrong"]
    print(f"{total.total()} verdicts, {total['wrong']} wrong, {1 - measured / total.total():.0%} not measured")
    return total["wrong"]


def _repeat(school: LabSchool, config: Path, room: Room, options: argparse.Namespace) -> tuple[Counter[str], float]:
    counts: Counter[str] = Counter()
    began = time.monotonic()
    for _ in range(options.runs):
        answer = measure(school, config, room)
        counts[outcome(answer, room.truth)] += 1
        if options.verbose:
            print(f"  {room.id}: {line_of(answer)}", file=sys.stderr, flush=True)
    return counts, (time.monotonic() - began) / options.runs


def _print_row(engine: str, loops: int, room: Room, runs: int, counts: Counter[str], seconds: float) -> None:
    words = ("right", "wrong", *NOT_MEASURED, "other")
    line = f"{room.line_rate_bits_per_second / 1e6:g}"
    row = (engine, loops, line, runs, *(counts[word] for word in words), f"{seconds:.1f}")
    print("".join(f"{cell:>13}" for cell in row), flush=True)


if __name__ == "__main__":
    sys.exit(main())
