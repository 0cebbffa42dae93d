"""Does a collector's memory stay as it is? Ten days of its life: each has less of everything, and each kind of work.

.venv/bin/python -m tests.bench.steady_memory                                 # a county: 100 schools
.venv/bin/python -m tests.bench.steady_memory --schools 1500 --keep DIR       # a prefecture, in the store that tests.bench.prefecture filled

The server is a process of its own, as `campus-collector serve` begins it; only its upkeep comes more often. A day is one of the last ten by
the start of its results: every school sends, Prometheus scrapes, people look at pages and fetch reports. Printed is what the server's process
holds after each day: all of it (PSS), and what is its own (anonymous), in MB.
"""

import argparse
import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from campus_collector.config import load_config
from campus_collector.domain.agents import Principal
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.service import open_service
from campus_wire.codec import compress
from tests.bench.prefecture import ROOMS, fill, name_of
from tests.collector.world import envelope, throughput

DAYS = 10
ROOMS_A_DAY = 4
"""So many classrooms of each school send a day, others each day."""
UPKEEP_SECONDS = 30
SERVE = (
    "import sys; from campus_collector.http import app; from campus_collector.cli.main import main;"
    f" app.UPKEEP_SECONDS = {UPKEEP_SECONDS}; sys.exit(main(['serve', '--state-dir', sys.argv[1]]))"
)
SENDERS = 4


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schools", type=int, default=100)
    parser.add_argument("--keep", type=Path, help="the folder of the store; it is filled when it is empty")
    parser.add_argument("--days", type=int, default=DAYS)
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        tokens, month = prepare(folder, arguments.schools)
        with serving(folder) as (process, port):
            print(f"{'':20} {'PSS':>8} {'anonymous':>10}")
            show("begun", process)
            for day in range(arguments.days):
                live_a_day(port, tokens, month, day, arguments.days)
                show(f"after day {day + 1}", process)


def prepare(folder: Path, schools: int) -> tuple[list[str], str]:
    """Each school's token, and this month."""
    service = open_service(load_config(None, folder, {}))
    if not service.store.schools.all():
        fill(service, schools, 2)
    tokens = [new_token() for _ in service.store.schools.all()]
    for number, token in enumerate(tokens):
        service.store.tokens.issue(token_hash(token), Principal(name_of(number), "bench"), None, datetime.now(UTC))
    month = str(service.verdicts.this_month())
    service.store.close()
    return tokens, month


def live_a_day(port: int, tokens: list[str], month: str, day: int, days: int) -> None:
    """Results of every school, scrapes, pages, a report, and time for the collector's upkeep."""
    began = time.monotonic()
    at = datetime.now(UTC) - timedelta(days=days - 1 - day, hours=1)

    def send(number: int) -> None:
        rooms = [f"c{(day * ROOMS_A_DAY + room) % ROOMS:03d}" for room in range(ROOMS_A_DAY)]
        results = [
            throughput(9.5e7 - day, 9.5e7, at=at + timedelta(seconds=number), subject=room, school=name_of(number))
            for room in rooms
        ]
        body = compress(envelope(*results, agent_id="bench", announcement=None))
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        ask(port, "POST", "/v1/results", tokens[number], body, headers)

    pages = [
        "/", f"/?month={month}", "/?page=2", "/problems", "/fleet", "/v1/schools", "/v1/problems", "/v1/config", "/metrics", "/monthly",
        *(f"/schools/{name_of(number)}" for number in range(0, len(tokens), max(1, len(tokens) // 5))),
        *(f"/v1/schools/{name_of(number)}" for number in range(0, len(tokens), max(1, len(tokens) // 5))),
    ]  # fmt: skip
    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(send, range(len(tokens))))
        list(senders.map(lambda path: ask(port, "GET", path, tokens[0]), pages))
    ask(port, "GET", f"/v1/monthly/{month}.html", tokens[0])
    time.sleep(max(0.0, began + UPKEEP_SECONDS - time.monotonic()))  # once at least


def ask(
    port: int, method: str, path: str, token: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> None:
    """One exchange, which must succeed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3600)
    connection.request(method, path, body, {"Authorization": f"Bearer {token}"} | (headers or {}))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {text[:300]!r}")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, int]]:
    """A server's process, and its port."""
    environ = os.environ | {"CAMPUS_SERVER_LISTEN": "127.0.0.1:0"}
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", SERVE, str(folder)], stderr=log, env=environ)
    port = None
    while port is None:
        if process.poll() is not None:
            raise SystemExit((folder / "serve.log").read_text())
        port = re.search(r'"port": (\d+)', (folder / "serve.log").read_text())
        time.sleep(0.1)
    try:
        yield process.pid, int(port[1])
    finally:
        process.terminate()
        process.wait()


def show(when: str, process: int) -> None:
    """What a process holds."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    pss, own = (re.search(rf"^{name}:\s+(\d+)", rollup, re.M) for name in ("Pss", "Pss_Anon"))
    assert pss is not None
    assert own is not None
    print(f"{when:20} {int(pss[1]) / 1024:8.1f} {int(own[1]) / 1024:10.1f}", flush=True)


if __name__ == "__main__":
    main()
