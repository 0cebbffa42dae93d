"""For how long does one callback hold the collector's event loop? A county's gateways catch up while Prometheus scrapes, people look and reports are made.

.venv/bin/python -m tests.bench.event_loop
.venv/bin/python -m tests.bench.event_loop --schools 100 --rounds 20 --keep DIR    # in the store that tests.bench.prefecture filled

Counted is the CPU of the loop's own thread in each callback, so that the machine's other work does not matter; asked are 50 ms at most. What other
threads of the process make it wait for the interpreter is in `tests.bench.prefecture --only-load`.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from campus_agent.ship.shipper import MAX_BATCH_RESULTS
from campus_collector.config import load_config
from campus_collector.http.app import freeze_kept, keep_at_hand
from campus_collector.http.service import open_service
from tests.bench.ingest import Bodies, make_bodies, send_all
from tests.bench.prefecture import READERS, fill, name_of
from tests.collector.world import World, collector

HELD_SECONDS = 0.05
SHOWN = 5
MONTHS = 2


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schools", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        service = open_service(load_config(None, folder, {}))
        if not service.store.schools.all():
            fill(service, arguments.schools, MONTHS)
        service.store.close()
        bodies = make_bodies(arguments.schools, arguments.rounds, MAX_BATCH_RESULTS)
        with collector(folder) as world, timed_callbacks() as seconds:
            keep_at_hand(world.service)
            freeze_kept()
            stored = work(world, bodies)
        show(seconds, stored)


def work(world: World, bodies: Bodies) -> int:
    """All at once, and upkeep's judging; how many results were stored."""
    tokens = [world.issue_token(f"s{number:03}") for number in range(len(bodies))]
    month = str(world.service.verdicts.this_month())
    paths = ["/", "/metrics", f"/schools/{name_of(1)}", "/problems", "/fleet", "/v1/schools", "/v1/config", "/metrics"]
    paths.append(f"/v1/monthly/{month}.html")
    readers = subprocess.Popen([sys.executable, "-c", READERS, str(world.port), tokens[0], *paths])
    with get_context("spawn").Pool(1) as senders, ThreadPoolExecutor(1) as judge:
        sending = senders.apply_async(send_all, ([(world.port, token) for token in tokens], bodies))
        while not sending.ready():
            judge.submit(world.service.verdicts.catch_up).result()
            judge.submit(world.service.metrics.refresh).result()
            time.sleep(0.2)
        readers.wait()
        return sending.get()


@contextmanager
def timed_callbacks() -> Iterator[dict[str, list[float]]]:
    """CPU seconds of each callback of every event loop of this process, by what it is."""
    seconds: dict[str, list[float]] = {}
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        name = _name(handle)
        began = time.thread_time()
        run(handle)
        seconds.setdefault(name, []).append(time.thread_time() - began)

    asyncio.Handle._run = timed  # type: ignore[method-assign]
    try:
        yield seconds
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]


def _name(handle: asyncio.Handle) -> str:
    """Of a task's step the coroutine, with the path of a request; else the function."""
    callback = handle._callback  # type: ignore[attr-defined]
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        coroutine: Any = task.get_coro()
        cycle = coroutine.cr_frame.f_locals.get("self") if coroutine.cr_frame is not None else None
        path = getattr(cycle, "scope", {}).get("path", "")
        return f"{coroutine.__qualname__} {path}"
    return str(getattr(callback, "__qualname__", callback))


def show(seconds: dict[str, list[float]], stored: int) -> None:
    """The longest of all, and the kinds of callbacks that took longest."""
    every = sorted(each for of_kind in seconds.values() for each in of_kind)
    print(
        f"{stored} results stored meanwhile; {len(every)} callbacks, {sum(every):.1f} s of CPU: longest {every[-1] * 1e3:.1f} ms,"
        f" 99.9 % {every[len(every) * 999 // 1000] * 1e3:.1f} ms; above {HELD_SECONDS * 1e3:.0f} ms: {sum(each > HELD_SECONDS for each in every)}"
    )
    for name, of_kind in sorted(seconds.items(), key=lambda item: -max(item[1]))[:SHOWN]:
        print(f"  {name}: {len(of_kind)}, longest {max(of_kind) * 1e3:.1f} ms, together {sum(of_kind):.2f} s")


if __name__ == "__main__":
    main()
