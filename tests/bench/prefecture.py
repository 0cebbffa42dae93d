"""What does each page cost at prefecture size? A store filled straight through its tables: schools, classrooms, 12 months of evidence, problems.

.venv/bin/python -m tests.bench.prefecture                       # 300 schools of 40 classrooms, 12 months
.venv/bin/python -m tests.bench.prefecture --schools 1500        # a prefecture: some minutes and several GB
.venv/bin/python -m tests.bench.prefecture --keep DIR            # fill once, measure again later

CPU seconds of the collector's threads for each page: the first time after a start, then the median of some rounds with nothing changed,
then after 0.2 % of the classrooms have a new result that is judged. At the end, with four readers at once: how long the event loop worked and
how late it was.
"""

import argparse
import asyncio
import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

import msgspec
import uvicorn

from campus_collector.config import load_config
from campus_collector.domain.agents import Principal
from campus_collector.domain.days import day_number
from campus_collector.domain.evidence import DayRow
from campus_collector.domain.problem import Event, Problem
from campus_collector.domain.results import AcceptedResult, Batch
from campus_collector.domain.schools import Subject
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.app import build, keep_at_hand
from campus_collector.http.service import Service, open_service
from campus_collector.judge.day import DayEvidence
from campus_collector.judge.month import Month, month_of_day
from campus_collector.judge.rules import TARGETS_OF
from campus_collector.store.tables.evidence import _put_days
from campus_wire.codec import encode_result
from campus_wire.records import AgentState, AnnouncedClassroom, Announcement
from tests.collector.world import throughput

ROOMS = 40
TOWN_OF = 12
"""So many schools in a town."""
DAYS_A_MONTH = 20
PROBLEMS_A_SCHOOL = 12
"""Two of them open."""
ROUNDS = 5
HELD_SECONDS = 0.002
"""So often the event loop is asked whether it is free."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schools", type=int, default=300)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--keep", type=Path, help="the folder of the store; it is filled when it is empty")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        service = open_service(load_config(None, folder, {}))
        began = time.perf_counter()
        if not service.store.schools.all():
            fill(service, arguments.schools, arguments.months)
        database = (folder / "campus.db").stat().st_size / 1e6
        print(f"{len(service.store.schools.all())} schools, {ROOMS} classrooms each; {database:.0f} MB", end="; ")
        print(f"filled in {time.perf_counter() - began:.0f} s", flush=True)
        count(service, arguments.months)
        service.store.close()
        service = open_service(load_config(None, folder, {}))  # nothing is in memory: as after a start
        measure(service)
        service.store.close()


def count(service: Service, months: int) -> None:
    """What upkeep keeps of each month, where it is not kept yet."""
    month = service.verdicts.this_month()
    for _ in range(months):
        began = time.process_time()
        service.verdicts.keep_tallies(month, 3600)
        print(f"{month} counted in {time.process_time() - began:.1f} s of CPU", flush=True)
        month = month.before()
    began = time.process_time()
    keep_at_hand(service)
    print(f"newest results looked at in {time.process_time() - began:.1f} s of CPU", flush=True)


def fill(service: Service, schools: int, months: int) -> None:
    """As ingest, judge and ledger would leave it."""
    rooms = [AnnouncedClassroom(f"c{number:03d}", f"{number}班", 1e8) for number in range(ROOMS)]
    today, now = service.today(), datetime.now(UTC)
    bodies = [msgspec.msgpack.encode(evidence) for evidence in (of_day(3, 3), of_day(3, 0), of_day(3, 2))]
    templates: dict[Month, list[tuple[str, str, str, list[int]]]] = {}
    for number in range(schools):
        school = name_of(number)
        announced = Announcement(f"t{number // TOWN_OF:03d}", rooms, [], True, 1e9)
        service.store.submit(new_results(school, now, ("uplink", *(room.id for room in rooms)), announced)).result()
        if not templates:
            know_longer(service)
            templates = days_of(service, school, today, months)
        rows = [
            DayRow(school, day, subject, target, fingerprint, bodies[(index + day) % 3 if number % 3 else 0])
            for of_month in templates.values()
            for index, (subject, target, fingerprint, days) in enumerate(of_month)
            for day in days
        ]
        put_days(service, rows)
        service.store.ledger.put(problems_of(school, announced.town or "", today))
    know_longer(service)
    service.verdicts.catch_up()
    service.store.ledger.finish(day_number(service.ledger.yesterday()))


def know_longer(service: Service) -> None:
    """All subjects are known since long before the first month."""
    service.store._database.write(lambda transaction: transaction.execute("UPDATE subject SET added_at = 1"))


def put_days(service: Service, rows: list[DayRow]) -> None:
    """As the judge keeps them."""
    service.store._database.write(lambda transaction: _put_days(transaction, rows))


def of_day(valid: int, passing: int) -> DayEvidence:
    """Some tests of a day, of which some pass."""
    failing = [5e7] * (valid - passing)
    return DayEvidence(valid=valid, passing=passing, values=failing + [9.5e7] * passing, failing_values=failing)


def days_of(
    service: Service, school: str, today: date, months: int
) -> dict[Month, list[tuple[str, str, str, list[int]]]]:
    """(subject, target, fingerprint of its rule, days) of a school, by month; all schools have the same."""
    subjects: list[Subject] = service.store.subjects.all(school)
    templates = {}
    month = month_of_day(today, service.verdicts.zone)
    for _ in range(months):
        days = [
            day_number(month.first_day + timedelta(days=day))
            for day in range(DAYS_A_MONTH)
            if month.first_day + timedelta(days=day) <= today
        ]
        templates[month] = [
            (subject.id, target, service.verdicts._rule_fingerprint(subject, target, month), days)
            for subject in subjects
            for target in TARGETS_OF[subject.kind]
        ]
        month = month.before()
    return templates


def problems_of(school: str, town: str, today: date) -> list[tuple[Problem, list[Event]]]:
    """Two open problems, the others struck off in the months before."""
    problems = []
    for number in range(PROBLEMS_A_SCHOOL):
        is_open, opened = number < 2, today - timedelta(days=20 + 25 * number)
        problem = Problem(
            school=school, town=town, target="classroom_bandwidth", subject=f"c{number:03d}", opened_on=opened,
            due_on=opened + timedelta(days=14), state="open" if is_open else "closed", diagnosis="", unit="school",
            failing_days=3, closed_on=None if is_open else opened + timedelta(days=9),
        )  # fmt: skip
        at = datetime.combine(opened, datetime.min.time(), UTC)
        problems.append((problem, [Event(at=at, who="measurements", what="opened", values={"day": str(opened)})]))
    return problems


def new_results(
    school: str, at: datetime, subjects: tuple[str, ...], announcement: Announcement | None = None
) -> Batch:
    """A test of each subject, as ingest stores it."""
    results = [throughput(9.5e7, 9.5e7, at=at, subject=subject, school=school) for subject in subjects]
    valid = tuple(AcceptedResult(result, encode_result(result)) for result in results)
    state = AgentState("0.3.0", "Debian GNU/Linux 12", 3, 0, 0.5, {})
    return Batch(Principal(school, school), at, "bench", valid, (), state, announcement)


def name_of(number: int) -> str:
    """A school's id."""
    return f"s{number:04d}"


def measure(service: Service) -> None:
    """Each page: the first time, with nothing changed, after changes."""
    schools = len(service.store.schools.all())
    before = service.verdicts.this_month().before()
    token = new_token()
    service.store.tokens.issue(token_hash(token), Principal(name_of(1), "bench"), None, datetime.now(UTC))
    paths = [
        "/", f"/?month={before}", "/?page=2&lang=en", f"/schools/{name_of(1)}", f"/schools/{name_of(1)}?month={before}",
        "/problems", "/problems?page=5", "/problems?state=all", "/fleet", "/v1/schools", f"/v1/schools/{name_of(1)}",
        f"/v1/results?school={name_of(1)}", "/v1/config", "/v1/problems",
    ]  # fmt: skip
    with served(service) as (port, holds, works):
        print(f"{'':44} {'first':>8} {'again':>8} {'changed':>8} {'kB':>8}", flush=True)
        chance = Random(1)
        for path in paths:
            first, size = cost(port, path, token)
            again = median(cost(port, path, token)[0] for _ in range(ROUNDS))
            change(service, chance, schools)
            changed, _ = cost(port, path, token)
            print(f"{path:44} {first:8.3f} {again:8.3f} {changed:8.3f} {size / 1e3:8.0f}", flush=True)
        holds.clear()
        works.clear()
        under_load(port, paths, token)
        print(
            f"event loop under load, of {len(holds)} looks at most: {max(works) * 1e3:.0f} ms of work of its own",
            end="",
        )
        print(
            f", {max(holds) * 1e3:.0f} ms late (95 %: {sorted(holds)[len(holds) * 95 // 100] * 1e3:.0f} ms)", flush=True
        )


def change(service: Service, chance: Random, schools: int) -> None:
    """A minute's results: of 0.2 % of the classrooms, and judged."""
    rooms = chance.sample(range(schools * ROOMS), max(1, schools * ROOMS // 500))
    batches = (new_results(name_of(room // ROOMS), datetime.now(UTC), (f"c{room % ROOMS:03d}",)) for room in rooms)
    for future in [service.store.submit(batch) for batch in batches]:
        future.result()
    service.verdicts.catch_up()


def cost(port: int, path: str, token: str) -> tuple[float, int]:
    """CPU seconds of this process for a GET, and the bytes of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.process_time()
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    body = response.read()
    took = time.process_time() - began
    connection.close()
    if response.status != 200:
        raise SystemExit(f"{path}: {response.status} {body[:300]!r}")
    return took, len(body)


def under_load(port: int, paths: list[str], token: str) -> None:
    """Four readers at once, each page twice."""
    readers = [
        threading.Thread(target=lambda: [cost(port, path, token) for _ in range(2) for path in paths]) for _ in range(4)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()


@contextmanager
def served(service: Service) -> Iterator[tuple[int, list[float], list[float]]]:
    """A real server's port; by how much each look at its event loop came too late, and the loop's CPU between two looks, in seconds."""
    server = uvicorn.Server(uvicorn.Config(build(service), host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    holds: list[float] = [0.0]
    works: list[float] = [0.0]

    async def serve() -> None:
        looking = asyncio.create_task(look(holds, works))
        await server.serve()
        looking.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield server.servers[0].sockets[0].getsockname()[1], holds, works
    server.should_exit = True
    thread.join(30)


async def look(holds: list[float], works: list[float]) -> None:
    """Until it is cancelled. Other programs make it late, and threads that hold the interpreter; its CPU is what handlers do on the loop."""
    while True:
        began, worked = time.perf_counter(), time.thread_time()
        await asyncio.sleep(HELD_SECONDS)
        works.append(time.thread_time() - worked)
        holds.append(time.perf_counter() - began - HELD_SECONDS)


if __name__ == "__main__":
    main()
