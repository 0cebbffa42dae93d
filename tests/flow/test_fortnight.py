"""Fourteen days without the collector, by the agent's real daemon: probes, spool and shipping are real, only the waiting between them is simulated."""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campus_agent.clock.clock import Clock
from campus_agent.config.read import load_config
from campus_agent.daemon import Daemon
from campus_agent.spool.spool import open_spool
from campus_collector.domain.agents import Principal
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.store.open import open_store
from tests.agent.measure.equipment.peers import free_port
from tests.flow.programs import ENVIRONMENT, get_json, python, running, until

DAYS = 14
SLEEPERS = 4
"""The lanes that wait by sleeping: two that measure, one that ships, the watchdog."""
KEPT_RESULTS = 150


class Simulated:
    """A clock that stands still while anything works, and jumps to the next waking when all lanes sleep."""

    def __init__(self, wall: float) -> None:
        self.began_at = wall
        self.now = 1_000.0
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._quiet = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(asyncio, name)

    def clock(self) -> Clock:
        return Clock("fortnight", lambda: self.began_at + self.now - 1_000.0, lambda: self.now)

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleeping, (self.now + seconds, next(self._order), woken))
        if len(self._sleeping) == SLEEPERS:
            self._quiet.set()
        await woken

    async def go_on(self, seconds: float) -> None:
        """Until so much has passed."""
        end = self.now + seconds
        while self.now < end:
            await self._quiet.wait()
            self._quiet.clear()
            self.now, _, woken = heapq.heappop(self._sleeping)
            woken.set_result(None)


def test_nothing_is_lost_without_being_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    state = tmp_path / "collector"
    began = datetime.now(UTC) - timedelta(days=DAYS, hours=2)
    monkeypatch.setitem(ENVIRONMENT, "CAMPUS_SERVER_LISTEN", f"127.0.0.1:{port}")
    token = new_token()
    store = open_store(state / "campus.db")
    store.tokens.issue(token_hash(token), Principal("s001", "s001"), "t01", began)
    store.close()
    (tmp_path / "token").write_text(token)
    (tmp_path / "token").chmod(0o600)
    file = tmp_path / "agent.toml"
    file.write_text(
        f"""
[agent]
school = "s001"
state_dir = "state"
[collector]
url = "http://127.0.0.1:{port}"
token_file = "token"
[spool]
max_results = {KEPT_RESULTS}
[cycle]
service_seconds = 7200
host_seconds = 86400
network_seconds = 0
latency_seconds = 86400
ship_seconds = 60
[[service]]
id = "web"
url = "http://127.0.0.1:{free_port()}/"
[timetable]
periods = ["08:00-08:45", "08:55-09:40"]
"""
    )
    simulated = Simulated(began.timestamp())
    monkeypatch.setattr("campus_agent.daemon.asyncio", simulated)
    monkeypatch.setattr("campus_agent.daemon.WATCHDOG_SECONDS", 600.0)
    config = load_config(file)

    async def live() -> tuple[int, int, int]:
        daemon = Daemon(config, spool, simulated.clock())
        lanes = [asyncio.ensure_future(lane) for lane in daemon.lanes()]
        try:
            await simulated.go_on(DAYS * 86_400)
            away = spool.status()
            with running(python("campus_collector", "serve", "--state-dir", str(state)), tmp_path / "log"):
                until(lambda: "listens" in (tmp_path / "log").read_text(), 60, "the collector is back")
                await simulated.go_on(3_600)
                assert spool.status().pending_results <= 1, "all of it is delivered within the hour"
                asked = f"http://127.0.0.1:{port}/v1/results?school=s001&kind=service&limit=5000"
                times = sorted(datetime.fromisoformat(result["started_at"]) for result in get_json(asked)["results"])
                gaps = [(after - before) / timedelta(hours=2) for before, after in itertools.pairwise(times)]
                assert len(gaps) >= KEPT_RESULTS - 2 * DAYS
                assert 0.7 < min(gaps) <= max(gaps) < 1.3, "as regular as ever, told by their true times"
            return away.put_total, away.pending_results, away.lost_total
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    real = time.monotonic()
    with open_spool(config.state_dir, config.spool) as spool:
        put, pending, lost = asyncio.run(live())
    print(f"{DAYS} days in {time.monotonic() - real:.0f} s: {put} results, {pending} kept, {lost} dropped")
    assert DAYS * 12 <= put <= DAYS * 14, "it went on measuring all the time"
    assert (pending, lost) == (KEPT_RESULTS, put - KEPT_RESULTS), (
        "within the bound nothing is lost, beyond it all is counted"
    )
    store = open_store(state / "campus.db")
    try:
        (agent,) = store.agents.all()
        stored = store.results.ingest_totals()["stored"]
    finally:
        store.close()
    assert agent.state is not None
    assert agent.state.spool_dropped_results_total == lost, "and the bureau is told"
    assert stored >= KEPT_RESULTS
