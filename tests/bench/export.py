"""What does a scrape cost? A made-up prefecture in a real store: our page against the same series through prometheus-client.

.venv/bin/python -m tests.bench.export                          # 50 000 series
.venv/bin/python -m tests.bench.export --series 500000 --prometheus   # a prefecture, scraped by a real Prometheus; some minutes

CPU seconds of this process, all threads. prometheus-client's custom Collector has every value in memory already and only makes its
families and text of them; our page also reads what changed from the database. Judging what arrived is counted apart.
"""

import argparse
import asyncio
import http.client
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from campus_collector.config import load_config
from campus_collector.domain.agents import Principal
from campus_collector.domain.results import AcceptedResult, Batch
from campus_collector.http.app import build
from campus_collector.http.service import Service, open_service
from campus_wire.codec import encode_result
from campus_wire.failures import Validity
from campus_wire.records import (
    AgentState,
    AnnouncedClassroom,
    AnnouncedService,
    Announcement,
    AnyResult,
    PortRecord,
    PortResult,
)
from tests.collector.world import service as platform
from tests.collector.world import throughput

ROOMS = 40
SERIES_OF_A_SCHOOL = 553
"""About: 40 classrooms of 14 series each, the uplink, three platforms, the agent."""
ROUNDS = 5


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=50_000)
    parser.add_argument("--prometheus", action="store_true", help="let a real Prometheus scrape it as well")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    schools = max(1, round(arguments.series / SERIES_OF_A_SCHOOL))
    if arguments.fill:
        fill(arguments.fill, schools)
        return
    with tempfile.TemporaryDirectory() as folder:
        filling = ["-m", "tests.bench.export", "--series", str(arguments.series), "--fill", folder]
        subprocess.run([sys.executable, *filling], check=True)  # its memory is not the collector's
        service = open_service(load_config(None, Path(folder), {}))
        print(f"{schools} schools, {schools * ROOMS} classrooms; resident at start {resident():.0f} MB", flush=True)
        page, took = timed(service.metrics.render)
        octets = sum(map(len, page))
        series = sum(part.count(b"\n") - 2 * part.startswith(b"# HELP") for part in page)
        print(
            f"first page: {series} series, {octets / 1e6:.1f} MB, {took:.2f} s CPU; resident {resident():.0f} MB",
            flush=True,
        )
        del page
        ours = changed_pages(service, schools)
        with served(service) as port:
            over_http(port)
            print(f"resident with all that: {resident():.0f} MB, at most {peak():.0f} MB", flush=True)
            if arguments.prometheus:
                by_prometheus(port, Path(folder))
        theirs = peer(b"".join(service.metrics.render()).decode())
        service.store.close()
    print(f"ratio: prometheus-client needs {theirs / ours:.1f} times the CPU of ours with 1 % changed")


def fill(folder: Path, schools: int) -> None:
    """Every school's newest results, straight into the store, and judged."""
    service = open_service(load_config(None, folder, {}))
    futures = []
    rooms = [AnnouncedClassroom(f"c{number:03d}", f"{number}班", 1e8) for number in range(ROOMS)]
    services = [AnnouncedService(f"platform-{number}", f"平台{number}") for number in range(3)]
    for number in range(schools):
        school = name_of(number)
        announced = Announcement(f"t{number % 120:03d}", rooms, services, True, 1e9)
        results: list[AnyResult] = [each for room in rooms for each in of_room(school, room.id, 100e6)]
        results += [throughput(950e6, 940e6, subject="uplink", school=school, at=datetime.now(UTC))]
        results += [platform(subject=service.id, school=school, at=datetime.now(UTC)) for service in services]
        futures.append(service.store.submit(batch(school, results, announced)))
    for future in futures:
        future.result()
    service.verdicts.catch_up()
    service.store.close()


def of_room(school: str, room: str, rate: float) -> list[AnyResult]:
    """A classroom's newest test and port reading."""
    now = datetime.now(UTC)
    test = throughput(rate, rate, subject=room, school=school, at=now)
    port = PortRecord("sw1", room, "lldp", True, 1e9, "full", 60.0, 10**6, 10**6, 10**4, 0, 0, 0, 0, 0.1)
    common = {"boot_id": "b", "monotonic_seconds": 1.0, "duration_seconds": 0.1, "validity": Validity.OK}
    return [test, PortResult(id=f"port-{test.id}", subject=room, school=school, started_at=now, record=port, **common)]


def batch(school: str, results: list[AnyResult], announced: Announcement | None = None) -> Batch:
    """As ingest makes it."""
    valid = tuple(AcceptedResult(result, encode_result(result)) for result in results)
    state = AgentState("0.1.0", "Debian GNU/Linux 12", 3, 0, 0.5, {"classroom": 1000, "uplink": 5000})
    return Batch(Principal(school, school), datetime.now(UTC), "bench", valid, (), state, announced)


def name_of(number: int) -> str:
    """A school's id."""
    return f"s{number:04d}"


def changed_pages(service: Service, schools: int) -> float:
    """CPU seconds of a page after 1 % of the classrooms have a new result: the median of some rounds."""
    chance = Random(1)
    taken, judged = [], []
    for number in range(ROUNDS):
        rooms = chance.sample(range(schools * ROOMS), max(1, schools * ROOMS // 100))
        futures = [
            service.store.submit(
                batch(name_of(room // ROOMS), of_room(name_of(room // ROOMS), f"c{room % ROOMS:03d}", 60e6 + number))
            )
            for room in rooms
        ]
        for future in futures:
            future.result()
        judged.append(timed(service.verdicts.catch_up)[1])
        began = time.perf_counter()
        page, took = timed(service.metrics.render)
        wall = time.perf_counter() - began
        taken.append(took)
        del page
    print(
        f"1 % changed ({len(rooms)} classrooms): page {median(taken):.3f} s CPU, {wall:.3f} s wall; judging them {median(judged):.2f} s CPU"
    )
    print(f"nothing changed: page {timed(service.metrics.render)[1]:.3f} s CPU", flush=True)
    return median(taken)


@contextmanager
def served(service: Service) -> Iterator[int]:
    """A real server's port."""
    server = uvicorn.Server(uvicorn.Config(build(service), host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(30)


def over_http(port: int) -> None:
    """What a client waits for, plain and packed."""
    for name, headers in (("plain", {}), ("gzip", {"Accept-Encoding": "gzip"})):
        waits = []
        for _ in range(ROUNDS):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            began = time.perf_counter()
            connection.request("GET", "/metrics", headers=headers)
            response, octets = connection.getresponse(), 0
            while piece := response.read(1 << 20):
                octets += len(piece)
            waits.append(time.perf_counter() - began)
            connection.close()
        print(f"GET /metrics, {name}: {median(waits):.2f} s wall, {octets / 1e6:.2f} MB", flush=True)


def by_prometheus(port: int, folder: Path) -> None:
    """A real Prometheus with our own configuration: does a scrape come through, and how long does it take?"""
    shutil.copytree(Path(__file__).parents[2] / "deploy" / "prometheus", folder / "prometheus")
    file = folder / "prometheus" / "prometheus.yml"
    file.write_text(file.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
    listen = "127.0.0.1:19093"
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={listen}",
    ]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        time.sleep(150)
        for query in (
            "up",
            "scrape_duration_seconds",
            "scrape_samples_scraped",
            "max_over_time(scrape_duration_seconds[2m])",
            "min_over_time(up[2m])",
        ):
            url = f"http://{listen}/api/v1/query?" + urllib.parse.urlencode({"query": query})
            with urllib.request.urlopen(url, timeout=30) as answer:
                result = json.load(answer)["data"]["result"]
            print(f"Prometheus: {query} = {result[0]['value'][1] if result else 'nothing'}", flush=True)
    finally:
        process.terminate()
        process.wait(30)


def peer(text: str) -> float:
    """The same series through a custom Collector of prometheus-client, as its documentation shows it: CPU seconds of one page."""
    families = [
        (family.name, family.documentation, family.type, [(sample.labels, sample.value) for sample in family.samples])
        for family in text_string_to_metric_families(text)
        if family.type in ("gauge", "counter") and family.samples
    ]

    class Custom:
        def collect(self) -> Iterator[Family]:
            for name, help_, kind, samples in families:
                make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
                names = tuple(samples[0][0])
                family = make(name, help_, labels=names)
                for labels, value in samples:
                    family.add_metric(tuple(labels.values()), value)
                yield family

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Custom())  # type: ignore[arg-type]
    _, took = timed(lambda: generate_latest(registry))
    print(f"prometheus-client, custom Collector, the same series: {took:.2f} s CPU", flush=True)
    return took


def timed(work: Callable[[], object]) -> tuple[object, float]:
    """What it gives, and its CPU seconds."""
    began = time.process_time()
    return work(), time.process_time() - began


def resident() -> float:
    """MB now."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def peak() -> float:
    """MB at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
