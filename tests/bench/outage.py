"""The collector was away for 14 days and comes back: how long does a fleet take to deliver what it kept, and does the collector stay well?

    PYTHONPATH=. python -m tests.bench.outage [--gateways 100] [--days 14] [--a-day 400] [--folder DIR]

Real spools on disk, the agents' own shipping code (a thread for each gateway, all beginning at the same second: the worst case), a real collector process.
Clients and collector share this machine's processors. One gateway's spool is smaller than its fortnight: what it drops must be counted, exactly.
"""

import argparse
import random
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

import psutil

from campus_agent.clock.clock import system_clock
from campus_agent.config.model import Collector, SpoolLimits
from campus_agent.ship.shipper import Shipper
from campus_agent.spool.spool import Spool, open_spool
from campus_collector.domain.agents import Principal
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.store.open import open_store
from campus_wire.records import AgentState, Announcement
from tests.agent.measure.equipment.peers import free_port
from tests.agent.spool.things import measured
from tests.flow.programs import ENVIRONMENT, python, running, until

SMALL_SHARE = 0.75
"""The one small spool holds so much of its fortnight."""


@dataclass
class Gateway:
    """One school's agent as far as it matters here."""

    name: str
    spool: Spool
    shipper: Shipper
    state: AgentState = field(default_factory=lambda: AgentState("0.2.0"))
    refused: int = 0
    impatient: int = 0
    seconds: float = 0.0


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateways", type=int, default=100)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--a-day", type=int, default=400)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(Path(folder), options.gateways, options.days, options.a_day)


def measure(folder: Path, count: int, days: int, a_day: int) -> None:
    """Fill, come back, drain, compare."""
    port, state = free_port(), folder / "collector"
    each = days * a_day
    gateways = fill(folder, state, count, days, a_day, f"http://127.0.0.1:{port}")
    put = sum(gateway.spool.status().put_total for gateway in gateways)
    kept = sum(gateway.spool.status().pending_results for gateway in gateways)
    dropped = gateways[0].spool.status().dropped_total
    print(
        f"{count} gateways, {days} days without the collector, {each} results each: {put} put, {kept} kept, {dropped} dropped by the small spool"
    )
    assert put == kept + dropped, "every result is kept or counted as dropped"
    with running(python("campus_collector", "serve", "--state-dir", str(state)), folder / "log") as process:
        until(lambda: healthy(port) is not None, 60, "the collector is back")
        ended = threading.Event()
        health: list[float] = []
        memory: list[int] = []
        watcher = threading.Thread(target=watch, args=(port, process.pid, health, memory, ended))
        watcher.start()
        began = time.monotonic()
        threads = [threading.Thread(target=drain, args=(gateway, began)) for gateway in gateways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - began
        ended.set()
        watcher.join()
        cpu = psutil.Process(process.pid).cpu_times()
    store = open_store(state / "campus.db")
    totals = store.results.ingest_totals()
    told = {
        agent.school: agent.state.spool_dropped_results_total for agent in store.agents.all() if agent.state is not None
    }
    store.close()
    refused = sum(gateway.refused for gateway in gateways)
    print(
        f"drained in {seconds:.1f} s: {kept / seconds:.0f} results a second; collector CPU {cpu.user + cpu.system:.1f} s, {max(memory) / 1e6:.0f} MB at most"
    )
    print(
        f"503 with Retry-After: {refused}, of them retried too early: {sum(gateway.impatient for gateway in gateways)}"
    )
    print(
        f"/healthz meanwhile: median {sorted(health)[len(health) // 2] * 1e3:.0f} ms, p95 {quantiles([*health, *health], n=20)[-1] * 1e3:.0f} ms, {len(health)} asked"
    )
    print(
        f"first gateway done after {min(gateway.seconds for gateway in gateways):.1f} s, last after {max(gateway.seconds for gateway in gateways):.1f} s"
    )
    assert totals["stored"] == kept, totals
    assert told[gateways[0].name] == dropped, "and the collector knows"
    print(f"stored {totals['stored']}: everything that was kept; the collector was told of {dropped} dropped")


def fill(folder: Path, state: Path, count: int, days: int, a_day: int, url: str) -> list[Gateway]:
    """A fortnight in each spool, as an agent would have put it."""
    ENVIRONMENT["CAMPUS_SERVER_LISTEN"] = url.removeprefix("http://")
    store = open_store(state / "campus.db")
    first = datetime.now(UTC) - timedelta(days=days)
    made = []
    for number in range(count):
        name = f"s{number:03d}"
        token = new_token()
        store.tokens.issue(token_hash(token), Principal(name, name), "t01", first)
        own = folder / name
        own.mkdir()
        (own / "token").write_text(token)
        most = int(days * a_day * SMALL_SHARE) if number == 0 else SpoolLimits().max_results
        spool = open_spool(own / "state", SpoolLimits(max_results=most))
        for day in range(days):
            at = first + timedelta(days=day)
            numbers = range(number * 1_000_000 + day * a_day, number * 1_000_000 + (day + 1) * a_day)
            spool.put(
                *(
                    measured(n, at=at + timedelta(seconds=n % a_day * 86_400 / a_day), boot_id="before", school=name)
                    for n in numbers
                )
            )
        gateway = Gateway(name, spool, None)  # type: ignore[arg-type]
        gateway.state = AgentState("0.2.0", spool_dropped_results_total=spool.status().lost_total)
        gateway.shipper = Shipper(
            Collector(url, own / "token"), name, spool, system_clock(), Announcement(),
            lambda gateway=gateway: gateway.state, random.Random(number),
        )  # fmt: skip
        made.append(gateway)
    store.close()
    return made


def drain(gateway: Gateway, began: float) -> None:
    """As the daemon does: send, wait as long as it is told, again."""
    while gateway.spool.status().pending_results:
        outcome = gateway.shipper.drain()
        if outcome.failures_in_a_row:
            gateway.refused += outcome.reason == "overloaded"
            gateway.impatient += outcome.reason == "overloaded" and outcome.retry_seconds < 20
            time.sleep(outcome.retry_seconds)
    gateway.seconds = time.monotonic() - began


def watch(port: int, pid: int, health: list[float], memory: list[int], ended: threading.Event) -> None:
    """How soon does it answer a small question, and how large does it get?"""
    process, failures = psutil.Process(pid), Counter[str]()
    while not health or not ended.wait(0.5):
        memory.append(process.memory_info().rss)
        seconds = healthy(port)
        if seconds is None:
            failures["healthz"] += 1
        else:
            health.append(seconds)
    print(f"/healthz failed {failures['healthz']} times")


def healthy(port: int) -> float | None:
    """Seconds to an answer; None without one within 10 s."""
    began = time.monotonic()
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(f"http://127.0.0.1:{port}/healthz", timeout=10).read()
    except OSError:
        return None
    return time.monotonic() - began


if __name__ == "__main__":
    main()
