"""How exact are the engines on lines of known rate? Run as root: PYTHONPATH=. python tests/bench/accuracy.py [ENGINE] [RUNS] [ROOM ...]

ENGINE is iperf3 (default; 3 s a direction after 1 s of warm-up) or campus; RUNS defaults to 20. Prints for each room how many runs
were within 1.5 % of the line (3 % at 10 Mbit/s) in both directions, how many verdicts were right, and time and octets a run.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.lab.school import DEFAULT_ROOMS, LabSchool

OPTIONS = "[throughput]\nduration_seconds = 3\nwarmup_seconds = 1\n"


def main(engine: str, runs: int, wanted: list[str]) -> None:
    """Print a table."""
    rooms = [room for room in DEFAULT_ROOMS if room.on and (room.id in wanted or not wanted)]
    columns = ("room", "runs", "within", "right", "mean down", "mean up", "worst %", "seconds", "MB down")
    print(f"engine {engine}\n" + "".join(f"{column:>10}" for column in columns), flush=True)
    with LabSchool(rooms, endpoint="respond" if engine == "campus" else "iperf3") as school:
        folder = Path(tempfile.mkdtemp(prefix="campus-accuracy-"))
        config = school.agent_toml(folder, engine=engine, more=OPTIONS)
        for room in school.rooms:
            within = right = 0
            down, up, seconds, octets, worst = [], [], [], [], 0.0
            for _ in range(runs):
                began = time.monotonic()
                command = (sys.executable, "-m", "campus_agent", "measure", "classroom", room.id)
                answer = json.loads(school.gateway.run(*command, "--config", str(config), "--json").stdout)
                seconds.append(time.monotonic() - began)
                right += answer["verdict"] == room.truth
                rates = [answer[way]["line_rate_bits_per_second"] if answer[way] else 0.0 for way in ("down", "up")]
                bounds = [bool(answer[way] and answer[way].get("lower_bound")) for way in ("down", "up")]
                true = room.line_rate_bits_per_second
                # A lower bound proves the target, not the line: it is right when the line carries at least so much.
                offs = [
                    0.0 if bound and rate <= true * 1.015 else abs(rate / true - 1)
                    for rate, bound in zip(rates, bounds, strict=True)
                ]
                worst = max(worst, *offs)
                within += max(offs) <= (0.03 if true <= 10e6 else 0.015)
                down.append(rates[0] / 1e6)
                up.append(rates[1] / 1e6)
                octets.append((answer["down"] or {"bytes": 0})["bytes"] / 1e6)
            figures = (
                statistics.mean(down),
                statistics.mean(up),
                worst * 100,
                statistics.median(seconds),
                statistics.median(octets),
            )
            print(
                f"{room.id:>10}{runs:>10}{within:>10}{right:>10}" + "".join(f"{figure:>10.2f}" for figure in figures),
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "iperf3", int(sys.argv[2]) if len(sys.argv) > 2 else 20, sys.argv[3:])
