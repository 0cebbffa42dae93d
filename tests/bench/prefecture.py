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
import faulthandler
import gc
import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from campus_collector.http.app import build, freeze_kept, keep_at_hand
from campus_collector.http.service import Service, open_service
from campus_collector.judge.day import DayEvidence
from campus_collector.judge.month import Month, month_of_day
from campus_collector.judge.rules import TARGETS_OF
from campus_collector.store.tables.evidence import _put_days
from campus_wire.codec import encode_result
from campus_wire.records import AgentState, AnnouncedClassroom, Announcement, Interval
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
    parser.add_argument("--only-load", action="store_true", help="the event loop under load, and not each page alone")
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
        measure(service, arguments.only_load)
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


def add_year(service: Service, school: str, room: str) -> None:
    """Four tests a day of one room, each with 30 slices both ways, as our engine records them."""
    slices = [Interval(number * 0.1, 0.1, 1_187_500 + number) for number in range(30)]
    now = datetime.now(UTC)
    for day in range(365):
        results = []
        for hour in range(4):
            test = throughput(9.5e7, 9.5e7, at=now - timedelta(days=day, hours=hour), subject=room, school=school)
            assert test.record is not None
            assert test.record.down is not None
            direction = msgspec.structs.replace(test.record.down, intervals=slices)
            results.append(
                msgspec.structs.replace(test, record=msgspec.structs.replace(test.record, down=direction, up=direction))
            )
        valid = tuple(AcceptedResult(result, encode_result(result)) for result in results)
        state = AgentState("0.3.0", "Debian GNU/Linux 12", 3, 0, 0.5, {})
        service.store.submit(Batch(Principal(school, school), now, "bench", valid, (), state, None)).result()
    service.verdicts.catch_up()


def name_of(number: int) -> str:
    """A school's id."""
    return f"s{number:04d}"


def measure(service: Service, only_load: bool) -> None:
    """Each page: the first time, with nothing changed, after changes."""
    schools = len(service.store.schools.all())
    before = service.verdicts.this_month().before()
    token = new_token()
    service.store.tokens.issue(token_hash(token), Principal(name_of(1), "bench"), None, datetime.now(UTC))
    paths = [
        "/", f"/?month={before}", "/?page=2&lang=en", f"/schools/{name_of(1)}", f"/schools/{name_of(1)}?month={before}",
        "/problems", "/problems?page=5", "/problems?state=all", "/fleet", "/v1/schools", f"/v1/schools/{name_of(1)}",
        f"/v1/results?school={name_of(1)}", "/v1/config", "/v1/problems", f"/towns/{service.store.schools.all()[1].town}", "/carriers", "/unmeasured", "/fleet/classrooms", "/wall", "/search?q=c001",
        *(f"/schools/{name_of(1)}/subjects/c000?span={span}" for span in ("month", "term", "year")),
        f"/explain/classroom_bandwidth/{name_of(1)}/c000", f"/evidence/classroom_bandwidth/{name_of(1)}/c000",
    ]  # fmt: skip
    add_year(service, name_of(1), "c000")
    with served(service) as (port, looks):
        print(f"{'':44} {'first':>8} {'again':>8} {'changed':>8} {'kB':>8}", flush=True)
        chance = Random(1)
        for path in [] if only_load else paths:
            first, size = cost(port, path, token)
            again = median(cost(port, path, token)[0] for _ in range(ROUNDS))
            change(service, chance, schools)
            changed, _ = cost(port, path, token)
            print(f"{path:44} {first:8.3f} {again:8.3f} {changed:8.3f} {size / 1e3:8.0f}", flush=True)
        if only_load:
            service.metrics.refresh()
        freeze_kept()  # as upkeep does after it has read what is kept
        looks.late.clear(), looks.own.clear(), looks.process.clear()
        pauses: list[float] = []
        gc.callbacks.append(lambda phase, info: pauses.append(time.thread_time() * (1 if phase == "stop" else -1)))
        under_load(service, port, [*paths, "/metrics"], token)
        looks.show()
        longest = max(map(sum, zip(pauses[::2], pauses[1::2], strict=False)), default=0.0)
        print(f"garbage collections: {len(pauses) // 2}, at most {longest * 1e3:.0f} ms", flush=True)


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


READERS = """
import http.client, sys, threading
port, token, *paths = sys.argv[1:]
def read():
    for path in paths * 2:
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=3600)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        connection.getresponse().read()
        connection.close()
readers = [threading.Thread(target=read) for _ in range(4)]
for reader in readers: reader.start()
for reader in readers: reader.join()
"""
"""Four readers at once, each page twice; a process of their own, so that they do not hold the server's interpreter."""


def under_load(service: Service, port: int, paths: list[str], token: str) -> None:
    """While results come in and are judged."""
    readers = subprocess.Popen([sys.executable, "-c", READERS, str(port), token, *paths])
    chance, schools = Random(2), len(service.store.schools.all())
    while readers.poll() is None:
        change(service, chance, schools)
        time.sleep(0.5)


@dataclass(slots=True)
class Looks:
    """What each look at the event loop saw, in seconds: how late it was, the loop's own CPU since the last one, the process's CPU in that time."""

    late: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    process: list[float] = field(default_factory=list)

    def held(self) -> list[float]:
        """By how much the process itself made it late, at most: no longer than it used the processor; sorted."""
        return sorted(map(min, self.late, self.process))

    def show(self) -> None:
        held, late = self.held(), sorted(self.late)
        print(
            f"event loop under load, {len(held)} looks: its own work at most {max(self.own) * 1e3:.0f} ms; held by this process at",
            end=" ",
        )
        print(
            f"most {held[-1] * 1e3:.0f} ms (99.9 %: {held[len(held) * 999 // 1000] * 1e3:.0f} ms), {sum(each > 0.05 for each in held)} times",
            end=" ",
        )
        print(
            f"above 50 ms; late at most {late[-1] * 1e3:.0f} ms (95 %: {late[len(late) * 95 // 100] * 1e3:.0f} ms), this machine's business included",
            flush=True,
        )


@contextmanager
def served(service: Service) -> Iterator[tuple[int, Looks]]:
    """A real server's port, and looks at its event loop."""
    server = uvicorn.Server(uvicorn.Config(build(service), host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    looks = Looks()

    async def serve() -> None:
        looking = asyncio.create_task(look(looks))
        await server.serve()
        looking.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield server.servers[0].sockets[0].getsockname()[1], looks
    server.should_exit = True
    thread.join(30)


HELD_FILE = os.environ.get("HELD_FILE")
"""Where to write what every thread does when the loop is not free for 50 ms."""


async def look(looks: Looks) -> None:
    """Until it is cancelled. Other programs make it late, and threads that hold the interpreter; its CPU is what handlers do on the loop."""
    file = Path(HELD_FILE).open("w") if HELD_FILE else None  # noqa: SIM115, ASYNC230
    while True:
        began, worked, used = time.perf_counter(), time.thread_time(), time.process_time()
        if file:
            faulthandler.dump_traceback_later(0.05 + HELD_SECONDS, file=file)
        await asyncio.sleep(HELD_SECONDS)
        looks.own.append(time.thread_time() - worked)
        looks.process.append(time.process_time() - used)
        looks.late.append(time.perf_counter() - began - HELD_SECONDS)
        if file and looks.process[-1] > 0.05:
            file.write(f"--- {looks.late[-1]:.3f} s late, {looks.process[-1]:.3f} s of CPU\n")
            file.flush()


if __name__ == "__main__":
    main()
