"""1 500 gateways wait for commands: what does that cost a collector, and how soon does a command reach its gateway?

    PYTHONPATH=. python -m tests.bench.commands [--gateways 1500] [--seconds 120] [--folder DIR]

Real connections on loopback from as many addresses as gateways have, held as the agent holds them, to a real collector process without TLS.
Memory is the process's resident size before and while they wait; the processor's time is that of the collector alone, as a share of one core.
"""

import argparse
import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil

from campus_collector.domain.agents import Principal
from campus_collector.domain.commands import Wanted
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.store.open import open_store
from campus_wire.commands import MAX_HOLD_SECONDS
from tests.agent.measure.equipment.peers import free_port
from tests.flow.programs import ENVIRONMENT, get_json, python, running, until

ASKED = 20


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateways", type=int, default=1500)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        asyncio.run(measure(Path(folder), options.gateways, options.seconds))


async def measure(folder: Path, count: int, seconds: int) -> None:
    """A collector with nobody waiting, then with all of them."""
    port, state = free_port(), folder / "collector"
    ENVIRONMENT["CAMPUS_SERVER_LISTEN"] = f"127.0.0.1:{port}"
    store = open_store(state / "campus.db")
    tokens = {f"s{number:04d}": new_token() for number in range(count)}
    for school, token in tokens.items():
        store.tokens.issue(token_hash(token), Principal(school, school), "t01", datetime.now(UTC))
    with running(python("campus_collector", "serve", "--state-dir", str(state)), folder / "log") as process:
        await asyncio.to_thread(until, lambda: get_json(f"http://127.0.0.1:{port}/healthz"), 60, "the collector is up")
        collector = psutil.Process(process.pid)
        await asyncio.sleep(10)
        before, idle = collector.memory_info().rss, await _share(collector, seconds)
        gateways = [Gateway(school, token, port, number) for number, (school, token) in enumerate(tokens.items())]
        waiting = [asyncio.create_task(gateway.run()) for gateway in gateways]
        await asyncio.to_thread(until, lambda: all(gateway.holds for gateway in gateways), 120, "all wait")
        await asyncio.sleep(5)
        during, busy = collector.memory_info().rss, await _share(collector, seconds)
        delays = []
        for gateway in gateways[:: max(1, count // ASKED)][:ASKED]:
            asked_at = time.monotonic()
            await asyncio.to_thread(store.commands.ask, gateway.school, Wanted("doctor"), "bench")
            await asyncio.wait_for(gateway.got.wait(), 30)
            delays.append(gateway.got_at - asked_at)
        print(f"{count} gateways wait, each request held for {MAX_HOLD_SECONDS:.0f} s; {seconds} s watched")
        print(
            f"memory: {before / 1e6:.1f} MB before, {during / 1e6:.1f} MB then: {(during - before) / 1e6:.1f} MB more"
        )
        print(f"processor: {idle:.2%} of a core before, {busy:.2%} then")
        print(f"a command reaches its gateway within {median(delays):.2f} s (median), {max(delays):.2f} s (worst)")
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    store.close()
    del ENVIRONMENT["CAMPUS_SERVER_LISTEN"]


async def _share(process: psutil.Process, seconds: float) -> float:
    def spent() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    before = spent()
    await asyncio.sleep(seconds)
    return (spent() - before) / seconds


class Gateway:
    """Holds requests one after another, from an address of its own."""

    def __init__(self, school: str, token: str, port: int, number: int) -> None:
        self.school, self._token, self._port = school, token, port
        self._address = f"127.1.{number // 200}.{number % 200 + 1}"
        self.holds = False
        self.got, self.got_at = asyncio.Event(), 0.0

    async def run(self) -> None:
        """For ever."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(self._address, 0))
        tag = '"0"'
        while True:
            writer.write(
                f"GET /v1/commands?wait={MAX_HOLD_SECONDS:.0f} HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n"
                f"Authorization: Bearer {self._token}\r\nIf-None-Match: {tag}\r\n\r\n".encode()
            )
            self.holds = True
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
            await reader.readexactly(length)
            tag = head.partition("etag: ")[2].partition("\r\n")[0]
            if head.startswith("http/1.1 200"):
                self.got_at = time.monotonic()
                self.got.set()


if __name__ == "__main__":
    main()
