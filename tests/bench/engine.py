"""How often is the quick engine wrong, how long does it take, what does it cost? Namespaces with lines of known rate, side by side with iperf3.

    python -m tests.bench.engine                      the whole table, target 100 Mbit/s (about 30 minutes)
    python -m tests.bench.engine --quick              5 repetitions, not 20 (about 9 minutes)
    python -m tests.bench.engine --reference          iperf3 -t 10 on the same lines, both directions, beside it (25 s a row more)
    python -m tests.bench.engine --target 1000        a gigabit, as far as this machine goes
    python -m tests.bench.engine --rtt 20 --bucket 4000000 --cross 0 30 60 --capacity 90 100

Verdicts are those of the policy (line rate against target x 0.98). "wrong" counts a verdict that contradicts the line's true rate;
"open" counts honest answers that no verdict was possible. Figures are per direction. Bytes are what the engine reports. The delay lies before
the shaper: it is a relay in user space, whose jitter is not the line's. Cross traffic is a share of the line's capacity; buckets are
met on uplinks, without other traffic.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.agent.measure.burst.shaped_link import FAR_ADDRESS, KEY, NEAR_ADDRESS, PORT, ShapedLink
from tests.lab.namespaces import permitted

TOLERANCE_RATIO = 0.98
CAPACITIES = {100: [10, 50, 90, 96, 97, 99, 100, 102, 110, 300, 1000], 1000: [100, 500, 900, 950, 970, 1000]}
BURSTY = "tests.bench.bursty"
HEAD = f"{'line':>6} {'cross':>5} {'bucket':>6} {'rtt':>4} | {'wrong':>9} {'open':>4} {'s down':>6} {'s up':>6} {'s all':>6} {'MB dn':>6} {'MB up':>6} {'estimate down':>17} {'estimate up':>17}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One line to be judged: rates in Mbit/s, cross traffic as a share of the capacity."""

    target: int
    capacity: int
    cross_percent: int
    bucket_bytes: int
    rtt_ms: int

    @property
    def truth(self) -> str:
        """The verdict a perfect judge gives."""
        return "met" if self.capacity >= self.target * TOLERANCE_RATIO else "not_met"

    @property
    def is_clear(self) -> bool:
        """Is the capacity 2 % or more from the threshold, so that no error is forgiven?"""
        return abs(self.capacity / (self.target * TOLERANCE_RATIO) - 1) >= 0.02

    @property
    def hides_behind_bucket(self) -> bool:
        """Does a bucket make a line look fast that is not?"""
        return self.bucket_bytes > 0 and self.truth == "not_met"

    @property
    def queue_bytes(self) -> int:
        """About 10 ms at 100 Mbit/s; deeper for a gigabit, where the shaper's timer is coarse."""
        return 128_000 if self.target <= 300 else 1_000_000

    @property
    def apart(self) -> bool:
        """Does the shaper need a core apart from the sender's? At a gigabit; but blocks, which empty a bucket, are cheap to shape."""
        return self.target > 300 and not self.bucket_bytes

    @property
    def burst_bytes(self) -> int:
        """The shaper's own granularity, unless the cell asks for a bucket."""
        return self.bucket_bytes or (16_000 if self.target <= 300 else 160_000)


def main() -> None:
    """Print the table row by row."""
    options = _options()
    reason = permitted()
    if reason:
        sys.exit(f"no namespaces here: {reason}")
    print(
        f"target {options.target} Mbit/s, {options.repeat} tests a row, both directions each, threshold x {TOLERANCE_RATIO}"
    )
    print(HEAD, flush=True)
    totals: list[tuple[Cell, list[dict[str, Any]]]] = []
    references: list[Reference] = []
    for cell in _cells(options):
        runs = run_cell(cell, options.repeat, "uplink" if cell.bucket_bytes else "classroom")
        totals.append((cell, runs))
        print(row(cell, runs), flush=True)
        if options.verbose:
            _show_odd(cell, runs)
        if options.reference:
            references.append(reference(cell))
            print(references[-1].row, flush=True)
    print(summary(totals, references))


def run_cell(cell: Cell, repeat: int, segment: str) -> list[dict[str, Any]]:
    """The engine's answers on one line."""
    with ShapedLink(cell.rtt_ms / 2000, apart=cell.apart) as link:
        link.shape(cell.capacity, cell.burst_bytes, cell.queue_bytes)
        link.start_responder()
        request = {
            "host": FAR_ADDRESS,
            "port": PORT,
            "key": KEY,
            "segment": segment,
            "required_bits_per_second": cell.target * 1e6,
            "tolerance_ratio": TOLERANCE_RATIO,
        }
        runs: list[dict[str, Any]] = []
        with cross_traffic(link, cell):
            chunk = 1 if cell.bucket_bytes else repeat
            while len(runs) < repeat:
                if cell.bucket_bytes:
                    time.sleep(min(3.0, 1.2 * cell.bucket_bytes * 8 / (cell.capacity * 1e6)))  # the bucket fills again
                argv = (
                    *link.on_own_core(link.near),
                    sys.executable,
                    "-m",
                    "tests.agent.measure.burst.run_client",
                    str(chunk),
                )
                done = link.near.run(*argv, input=json.dumps(request), timeout=60 + 15 * chunk)
                if done.returncode:
                    raise RuntimeError(done.stderr[-2000:])
                runs += [json.loads(line) for line in done.stdout.splitlines()]
        return runs


@contextmanager
def cross_traffic(link: ShapedLink, cell: Cell) -> Iterator[None]:
    """Other people's bursts in both directions: on and off, exponential around 20 ms, at twice the mean rate while on."""
    if not cell.cross_percent:
        yield
        return
    rate = str(cell.capacity * 1e6 * cell.cross_percent / 100)
    with (
        link.running(link.near, sys.executable, "-m", BURSTY, FAR_ADDRESS, rate),
        link.running(link.far, sys.executable, "-m", BURSTY, NEAR_ADDRESS, rate),
    ):
        time.sleep(0.3)
        yield


def wrong(cell: Cell, run: dict[str, Any]) -> bool:
    """Did this run say the opposite of the truth?"""
    return run["verdict"] != cell.truth and run["verdict"] != "insufficient"


def row(cell: Cell, runs: list[dict[str, Any]]) -> str:
    """One line of the table."""
    wrongs = sum(wrong(cell, run) for run in runs)
    opens = sum(run["verdict"] == "insufficient" for run in runs)
    down, up = _column(runs, "down"), _column(runs, "up")
    return (
        f"{cell.capacity:>6} {cell.cross_percent:>4}% {cell.bucket_bytes / 1e6:>5.1f}M {cell.rtt_ms:>4} | "
        f"{wrongs:>4} of {len(runs):<3}{opens:>3} {_median(down, 'duration_seconds'):>6.3f} {_median(up, 'duration_seconds'):>6.3f} "
        f"{statistics.median(run['seconds'] for run in runs):>6.3f} {_median(down, 'bytes') / 1e6:>6.2f} {_median(up, 'bytes') / 1e6:>6.2f} "
        f"{_spread(down):>17} {_spread(up):>17}"
    )


def summary(totals: list[tuple[Cell, list[dict[str, Any]]]], references: list["Reference"]) -> str:
    """All rows together, line by line what issue 3 asks of the engine, and whether it holds."""
    clear = [(cell, run) for cell, runs in totals for run in runs if cell.is_clear]
    wrongs = sum(wrong(cell, run) for cell, run in clear)
    lines = [
        _claim(
            "wrong verdicts, capacity 2 % or more from the threshold", wrongs, len(clear), wrongs <= 0.01 * len(clear)
        )
    ]
    opens = sum(run["verdict"] == "insufficient" for _, runs in totals for run in runs)
    lines.append(_claim("answers without a verdict, all rows", opens, sum(len(runs) for _, runs in totals)))
    reached = [run for cell, runs in totals if cell.truth == "met" and not cell.bucket_bytes for run in runs]
    plain = [run for cell, runs in totals if not cell.bucket_bytes for run in runs]
    fast = bool(totals) and totals[0][0].target > 300
    for name, runs, seconds, megabytes in (
        ("capacity at or above the target", reached, 1.0 if fast else 0.3, 45 if fast else 3),
        ("all rows without a bucket", plain, 1.0 if fast else 0.5, 45 if fast else 4),
    ):
        both = _both(runs)
        if both:
            took, spent = _median(both, "duration_seconds"), _median(both, "bytes") / 1e6
            holds = _holds(took <= seconds and spent <= megabytes)
            lines.append(
                f"median a direction, {name}: {took:.3f} s, {spent:.2f} MB (asked: {seconds} s, {megabytes} MB){holds}"
            )
    hidden = [(cell, run) for cell, runs in totals for run in runs if cell.hides_behind_bucket]
    if hidden:
        seen = sum(run["verdict"] == "not_met" for _, run in hidden)
        lines.append(_claim("buckets seen through", seen, len(hidden), seen >= 0.95 * len(hidden)))
        costs = [direction["bytes"] / cell.bucket_bytes for cell, run in hidden for direction in _both([run])]
        lines.append(
            f"octets for that, in buckets: median {statistics.median(costs):.2f}, most {max(costs):.2f} (asked: 3){_holds(max(costs) <= 3)}"
        )
    return "\n".join(lines + _against(totals, references))


def _against(totals: list[tuple[Cell, list[dict[str, Any]]]], references: list["Reference"]) -> list[str]:
    """The engine and the reference on the same rows, those without a bucket."""
    beside = [
        (cell, runs, found) for (cell, runs), found in zip(totals, references, strict=False) if not cell.bucket_bytes
    ]
    quick = _both([run for _, runs, _ in beside for run in runs])
    if not quick:
        return []
    octets = statistics.median(octets for _, _, found in beside for octets in found.octets) / _median(quick, "bytes")
    seconds = statistics.median(found.seconds for _, _, found in beside) / _median(quick, "duration_seconds")
    clear = [(cell, runs, found) for cell, runs, found in beside if cell.is_clear]
    theirs = sum(found.wrong for _, _, found in clear)
    ours = sum(wrong(cell, run) for cell, runs, _ in clear for run in runs)
    tests = sum(len(runs) for _, runs, _ in clear)
    fewer = ours * len(clear) <= theirs * tests
    return [
        f"iperf3 -t 10 on the same rows: wrong {theirs} of {len(clear)}, the engine {ours} of {tests}{_holds(fewer)}",
        f"fewer octets than iperf3: {octets:.0f} times (asked: 30){_holds(octets >= 30)}",
        f"less time than iperf3: {seconds:.0f} times (asked: 20){_holds(seconds >= 20)}",
    ]


def _claim(name: str, count: int, total: int, holds: bool | None = None) -> str:
    share = f" ({count / total:.1%})".replace("%", " %") if total else ""
    return f"{name}: {count} of {total}{share}{'' if holds is None else _holds(holds)}"


def _holds(holds: bool) -> str:
    return ": reached" if holds else ": NOT reached"


@dataclass(frozen=True, slots=True)
class Reference:
    """What iperf3 -t 10 said of a cell, each direction once."""

    row: str
    wrong: bool
    octets: tuple[float, float]
    seconds: float


def reference(cell: Cell) -> Reference:
    """iperf3 -t 10, one TCP connection, each direction; its goodput as a line rate (1448 octets in 1538)."""
    with ShapedLink(cell.rtt_ms / 2000, apart=cell.apart) as link:
        link.shape(cell.capacity, cell.burst_bytes, cell.queue_bytes)
        with cross_traffic(link, cell), link.running(link.far, "iperf3", "-s"):
            time.sleep(0.5)
            found = [_iperf3(link, reverse) for reverse in (False, True)]
    rates = [rate for rate, _, _ in found]
    verdict = "met" if all(rate >= cell.target * TOLERANCE_RATIO for rate in rates) else "not_met"
    (down, down_bytes, seconds), (up, up_bytes, _) = found
    row = (
        f"{'iperf3 -t 10':>24} | {int(verdict != cell.truth):>4} of 1  {0:>3} {seconds:>6.1f} {seconds:>6.1f} {2 * seconds:>6.1f} "
        f"{down_bytes / 1e6:>6.1f} {up_bytes / 1e6:>6.1f} {down:>17.2f} {up:>17.2f}"
    )
    return Reference(row, verdict != cell.truth, (down_bytes, up_bytes), seconds)


def _iperf3(link: ShapedLink, reverse: bool) -> tuple[float, float, float]:
    argv = ["iperf3", "-c", FAR_ADDRESS, "-t", "10", "-J", *(["-R"] if reverse else [])]
    for _ in range(5):
        answer = json.loads(link.near.run(*argv, timeout=40).stdout)
        if "error" not in answer:
            received = answer["end"]["sum_received"]
            return received["bits_per_second"] * 1538 / 1448 / 1e6, received["bytes"] * 1538 / 1448, received["seconds"]
        time.sleep(1)
    raise RuntimeError(answer["error"])


def _show_odd(cell: Cell, runs: list[dict[str, Any]]) -> None:
    for run in runs:
        if run["verdict"] != cell.truth:
            rates = [_rate(run, way) for way in ("down", "up")]
            print(f"    {run['verdict']} {run['validity']} {rates} {run['detail']}", flush=True)


def _column(runs: list[dict[str, Any]], way: str) -> list[dict[str, Any]]:
    return [run["record"][way] for run in runs if run["record"] and run["record"].get(way)]


def _both(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return _column(runs, "down") + _column(runs, "up")


def _rate(run: dict[str, Any], way: str) -> float | None:
    direction = (run["record"] or {}).get(way)
    return None if direction is None else round(direction["line_rate_bits_per_second"] / 1e6, 2)


def _median(column: list[dict[str, Any]], key: str) -> float:
    return statistics.median(direction[key] for direction in column) if column else float("nan")


def _spread(column: list[dict[str, Any]]) -> str:
    rates = [direction["line_rate_bits_per_second"] / 1e6 for direction in column]
    if not rates:
        return "-"
    bound = ">=" if sum(bool(direction.get("lower_bound")) for direction in column) * 2 > len(column) else ""
    return f"{bound}{statistics.mean(rates):.2f} +- {statistics.pstdev(rates):.2f}"


def _cells(options: argparse.Namespace) -> list[Cell]:
    capacities = options.capacity or CAPACITIES.get(options.target, [options.target])
    buckets = options.bucket
    if buckets is None:
        buckets = [0, 4_000_000 if options.target <= 300 else 20_000_000]
    return [
        Cell(options.target, capacity, cross, bucket, rtt)
        for bucket in buckets
        for rtt in options.rtt
        for cross in (options.cross if not bucket else [0])
        for capacity in capacities
        if not bucket or 0.3 * options.target <= capacity <= 1.2 * options.target
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The quick engine against lines of known rate.")
    parser.add_argument("--target", type=int, default=100, help="Mbit/s")
    parser.add_argument("--capacity", type=int, nargs="*", help="Mbit/s of line rate")
    parser.add_argument("--cross", type=int, nargs="*", default=[0, 30, 60], help="percent of the capacity")
    parser.add_argument(
        "--bucket", type=int, nargs="*", help="octets; 0 = none; default 0 and 4 MB (20 MB at a gigabit)"
    )
    parser.add_argument(
        "--rtt", type=int, nargs="*", help="milliseconds, added by a relay; default 1 and 20, 0 at a gigabit"
    )
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="5 repetitions")
    parser.add_argument("--reference", action="store_true", help="iperf3 -t 10 beside every row")
    parser.add_argument("--verbose", action="store_true", help="show every run that was not right")
    options = parser.parse_args()
    if options.rtt is None:
        options.rtt = [1, 20] if options.target <= 300 else [0]  # the relay ends near 300 Mbit/s
    if options.quick:
        options.repeat = 5
    return options


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, subprocess.TimeoutExpired) as stopped:
        sys.exit(f"stopped: {stopped!r}")
