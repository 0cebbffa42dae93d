"""What does it take to receive results? Gateways of many schools that catch up, through HTTP with gzip and tokens, on SQLite and on PostgreSQL.

.venv/bin/python -m tests.bench.ingest
.venv/bin/python -m tests.bench.ingest --rounds 40 --store postgres
.venv/bin/python -m tests.bench.ingest --store postgres --collectors 1 2    # first with one, then with two on one database
.venv/bin/python -m tests.bench.ingest --against FOLDER    # a checkout of another version, before this one

The CPU seconds are those of the collectors and of the database's server; the senders' are not counted. They say more than the rate where the
machine does other work as well.
"""

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from random import Random

import msgspec
import psutil
import psycopg

from campus_agent.ship.shipper import MAX_BATCH_RESULTS
from campus_collector.http.auth.agents import Body, unpack_body
from campus_collector.ingest.examine import examine
from campus_collector.store.packing import pack
from campus_wire.codec import MAX_BODY_BYTES, compress, decode_envelope, encode_envelope
from campus_wire.records import Envelope, kind_of
from tests.agent.measure.equipment.peers import free_port
from tests.dictionaries.samples import invented, result_id
from tests.flow.programs import get_json, stop, until
from tests.postgres_server import shared_server
from tests.stores import STORES, URL

SENDERS = 24
SUBJECTS = {"throughput": 8, "service": 3, "port": 10, "device": 6, "host": 1}
"""Of one school; a round is one result of each."""
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
ROUND = timedelta(minutes=15)
Doors = list[tuple[int, str]]
"""Port and token, by school."""
Bodies = list[list[bytes]]
"""Compressed, by school, in the order in which its gateway sends them."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=STORES, action="append")
    parser.add_argument("--schools", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument(
        "--batch", type=int, default=MAX_BATCH_RESULTS, help="as many as a gateway sends that catches up"
    )
    parser.add_argument("--collectors", type=int, nargs="+", default=[1])
    parser.add_argument("--against", type=Path)
    arguments = parser.parse_args()
    for store in arguments.store or list(STORES):
        for collectors in arguments.collectors if store == "postgres" else [1]:
            for code in [None] if arguments.against is None else [arguments.against.resolve(), None]:
                measure(store, make_bodies(arguments.schools, arguments.rounds, arguments.batch), collectors, code)


def make_bodies(schools: int, rounds: int, batch: int) -> Bodies:
    """Results of invented figures; each with an id of its own."""
    random = Random(11)
    by_kind: dict[str, list[dict[str, object]]] = {}
    for kind, raw in invented(random, 200):
        by_kind.setdefault(kind, []).append(msgspec.json.decode(raw))
    bodies: Bodies = []
    for number in range(schools):
        school = f"s{number:03}"
        raws = []
        for round_ in range(rounds):
            at = BEGIN + round_ * ROUND
            for kind, count in SUBJECTS.items():
                for index in range(count):
                    at += timedelta(seconds=7, microseconds=random.randrange(1_000_000))
                    result = random.choice(by_kind[kind])
                    changed = {
                        "id": result_id(at, random),
                        "subject": f"{kind}-{index}",
                        "started_at": at,
                        "school": school,
                    }
                    raws.append(msgspec.Raw(msgspec.json.encode(result | changed)))
        envelopes = [
            Envelope(
                schema_version=1,
                agent_id=school,
                boot_id=f"boot-{number}",
                sent_at=BEGIN,
                results=raws[first : first + batch],
            )
            for first in range(0, len(raws), batch)
        ]
        bodies.append([compress(encode_envelope(each)) for each in envelopes])
    return bodies


def measure(store: str, bodies: Bodies, collectors: int, code: Path | None) -> None:
    """Print the figures of one store; of several collectors each school's gateway sends to one. `code` None: this checkout's."""
    print("this one:" if code is None else f"{code}:", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        if store == "postgres":
            os.environ[URL] = shared_server().new_database()
        with ExitStack() as stack:
            running = [stack.enter_context(Collector(Path(folder, str(number)), code)) for number in range(collectors)]
            of_school = [running[number % collectors] for number in range(len(bodies))]
            doors = [(collector.port, collector.token(f"s{number:03}")) for number, collector in enumerate(of_school)]
            before, wall = _cpu(store, running), time.perf_counter()
            stored = _sent(doors, bodies)
            wall = time.perf_counter() - wall
            of_collector, of_server = (after - first for after, first in zip(_cpu(store, running), before, strict=True))
            size = _sizes(store, Path(folder, "0"), stored)
        os.environ.pop(URL, None)
    print(
        f"{store}, collectors: {collectors}: {stored} results, {stored / wall:.0f} a second; CPU a result:"
        f" collectors {of_collector / stored * 1e6:.1f} us, database's server {of_server / stored * 1e6:.1f} us"
    )
    print(f"  octets a result: {size}", flush=True)
    if store == "sqlite" and code is None:
        _print_stages([body for of_school in bodies for body in of_school])


class Collector:
    """One as its command starts it, of this code or of another checkout."""

    def __init__(self, folder: Path, code: Path | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.port = free_port()
        settings = f'[server]\nlisten = "127.0.0.1:{self.port}"\n'
        if URL not in os.environ:
            settings += f'[store]\nurl = "sqlite://{folder / "campus.db"}"\n'
        (folder / "collector.toml").write_text(settings, encoding="utf-8")
        paths = [] if code is None else [code / "collector", code / "agent"]
        self._environment = os.environ | {"PYTHONPATH": ":".join(map(str, paths)), "CAMPUS_LANG": "en"}
        self._where = ("--config", str(folder / "collector.toml"))

    def __enter__(self) -> "Collector":
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command("serve"), env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(lambda: get_json(f"http://127.0.0.1:{self.port}/readyz"), 120, "the collector is ready")
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._process)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "campus_collector", *arguments, *self._where]

    def token(self, school: str) -> str:
        """A new one of a school's gateway."""
        done = subprocess.run(
            self._command("agent-token", school, "--town", "t01"),
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def cpu_seconds(self) -> float:
        """Used since its start."""
        spent = psutil.Process(self._process.pid).cpu_times()
        return float(spent.user + spent.system)


def _print_stages(bodies: Iterable[bytes]) -> None:
    """What the collector does before it stores, one after the other."""
    seconds: Counter[str] = Counter()
    count = 0
    for body in bodies:
        moments = [time.thread_time()]
        plain = unpack_body(Body(body, "gzip"), MAX_BODY_BYTES)
        moments.append(time.thread_time())
        envelope = decode_envelope(plain)
        moments.append(time.thread_time())
        valid, _, _ = examine(envelope.results, envelope.agent_id, datetime.now(UTC))
        moments.append(time.thread_time())
        for accepted in valid:
            pack(kind_of(accepted.result), accepted.raw)
        moments.append(time.thread_time())
        for stage, (began, ended) in zip(("unpack", "envelope", "examine", "pack"), pairwise(moments), strict=True):
            seconds[stage] += ended - began
        count += len(valid)
    print("  of it, us:", ", ".join(f"{stage} {spent / count * 1e6:.1f}" for stage, spent in seconds.items()))


def _sent(doors: Doors, bodies: Bodies) -> int:
    """How many results were stored, when all are."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(send_all, (doors, bodies))


def send_all(doors: Doors, bodies: Bodies) -> int:
    """Every school's batches, one after the other, several schools at once; in a process of its own."""
    with ThreadPoolExecutor(SENDERS) as pool:
        return sum(pool.map(lambda pair: _send_school(*pair[0], pair[1]), zip(doors, bodies, strict=True)))


def _send_school(port: int, token: str, bodies: list[bytes]) -> int:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Content-Encoding": "gzip"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    stored = 0
    for body in bodies:
        connection.request("POST", "/v1/results", body, headers)
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, answer
        stored += msgspec.json.decode(answer)["stored"]
    connection.close()
    return stored


def _cpu(store: str, collectors: list[Collector]) -> tuple[float, float]:
    """Seconds of the collectors, and of the processes of the database's server."""
    spent = sum(collector.cpu_seconds() for collector in collectors)
    return spent, _server_cpu() if store == "postgres" else 0.0


def _server_cpu() -> float:
    parent, ticks = shared_server().process.pid, 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent or path.parent.name == str(parent):
            ticks += sum(map(int, fields[11:13]))
            if path.parent.name == str(parent):
                ticks += sum(map(int, fields[13:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _sizes(store: str, folder: Path, results: int) -> str:
    if store == "sqlite":
        return f"{sum(file.stat().st_size for file in folder.glob('campus.db*')) / results:.0f}"
    with psycopg.connect(os.environ[URL], autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        rows = connection.execute(
            "SELECT relname, pg_relation_size(oid) FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i') ORDER BY 2 DESC"
        ).fetchall()
    parts = ", ".join(f"{name} {size / results:.0f}" for name, size in rows[:8])
    return f"{sum(size for _, size in rows) / results:.0f} ({parts})"


if __name__ == "__main__":
    main()
