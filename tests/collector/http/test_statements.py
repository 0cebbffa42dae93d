"""A page reads in so many statements, however many schools there are, and never all of a large table."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from campus_collector.domain.agents import Principal
from campus_collector.domain.days import day_number
from campus_collector.domain.problem import Event, Problem
from campus_collector.domain.results import AcceptedResult, Batch, RejectedResult
from campus_collector.http.service import Service
from campus_collector.store.sqlite import SqliteConnection
from campus_wire.codec import encode_result
from campus_wire.records import AgentState, AnnouncedClassroom, Announcement, AnyResult
from tests.collector.export.test_devices import device
from tests.collector.world import World, collector, throughput

pytestmark = pytest.mark.sqlite_only("its plans are of SQLite")
LARGE = (
    "result",
    "seen",
    "day_evidence",
    "audit",
    "latest",
    "subject",
    "problem",
    "intake",
    "receipt",
    "unjudged",
    "school_tally",
)
ROOMS = Announcement("t01", [AnnouncedClassroom(f"c{room}", f"{room}班", 1e8) for room in range(6)], [], True, 1e9)
PAGES = (
    "/",
    "/?page=1&lang=en",
    "/?month={before}",
    "/schools/s000",
    "/schools/s000?month={before}",
    "/schools/s000/subjects/c1",
    "/schools/s000/subjects/c1?month={before}&span=year",
    "/schools/s000/subjects/uplink?span=term",
    "/schools/s000/devices/rec-1",
    "/schools/s000/subjects/c1/results/r-1?kind=throughput&at=2026-11-09T02:00:00Z",
    "/evidence/classroom_bandwidth/s000/c1",
    "/problems",
    "/problems?state=all",
    "/fleet",
    "/fleet.csv",
    "/fleet/classrooms",
    "/unmeasured",
    "/quarantine",
    "/monthly",
    "/v1/schools",
    "/v1/schools/s000",
    "/v1/results?school=s000",
    "/v1/results.csv?school=s000",
    "/v1/problems",
    "/v1/config",
)
READS_ALL_PROBLEMS = ("/problems?state=all",)
"""What was struck off is in the list too."""
OPEN_PROBLEMS = "SCAN problem USING INDEX problem_open_once"
"""Of the open problems only: an index that holds no others."""


class Statements:
    """What SQLite's readers were asked: each statement with its parameters."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def shapes(self) -> list[str]:
        """Without the number of parameters in a list."""
        lists = (re.sub(r"\((:\w+, )*:\w+\d+\)", "(...)", sql) for sql, _ in self.asked)
        return sorted(re.sub(r"\(\.\.\.\)(, \(\.\.\.\))+", "(...)", sql) for sql in lists)

    def scans(self, database: Path) -> list[str]:
        """The steps that read all of a large table."""
        connection = sqlite3.connect(database)
        steps = {
            f"{detail}: {sql}"
            for sql, key in self.asked
            for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {sql}", key)
            if re.match(rf"SCAN ({'|'.join(LARGE)})\b", detail) and detail != OPEN_PROBLEMS
        }
        connection.close()
        return sorted(steps)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Statements]:
    statements = Statements()
    with monkeypatch.context() as patch:
        for name in ("read", "first", "stream"):
            original = getattr(SqliteConnection, name)

            def spy(self: Any, sql: str, params: Any = (), original: Any = original) -> Any:
                if sql.lstrip().startswith(("SELECT", "WITH")):
                    statements.asked.append((sql, params))
                return original(self, sql, params)

            patch.setattr(SqliteConnection, name, spy)
        yield statements


def fill(service: Service, schools: range) -> None:
    """Schools with a test of each classroom in this month and the one before, and an open problem each."""
    now = datetime.now(UTC)
    for number in schools:
        school = f"s{number:03d}"
        results: list[AnyResult] = [
            throughput(9e7, 9e7, at=at, subject=subject, school=school)
            for at in (now, now - timedelta(days=35))
            for subject in ("uplink", *(room.id for room in ROOMS.classrooms))
        ]
        results += [throughput(id="r-1", subject="c1", school=school), device(now, school=school)]
        send(service, school, results)
        reject(service, school)
        opened = (now - timedelta(days=40)).date()
        problem = Problem(
            school=school, town="t01", target="classroom_bandwidth", subject="c0", opened_on=opened, due_on=opened,
            diagnosis="", unit="school", state="open", failing_days=3,
        )  # fmt: skip
        service.store.ledger.put([(problem, [Event(at=now - timedelta(days=40), who="measurements", what="opened")])])
    service.store.ledger.finish(day_number(service.ledger.yesterday()))


def send(service: Service, school: str, results: list[AnyResult]) -> None:
    valid = tuple(AcceptedResult(result, encode_result(result)) for result in results)
    state = AgentState("0.1.0", "Debian GNU/Linux 12", 3, 0, 0.5, {})
    batch = Batch(Principal(school, school), datetime.now(UTC), "boot", valid, (), state, ROOMS)
    service.store.submit(batch).result(30)


def reject(service: Service, school: str) -> None:
    rejected = (RejectedResult(None, "not understood", b"{"),)
    service.store.submit(Batch(Principal(school, school), datetime.now(UTC), "boot", (), rejected)).result(30)


def asked_by(world: World, monkeypatch: pytest.MonkeyPatch, path: str) -> Statements:
    with counted(monkeypatch) as statements:
        answer = world.get(path, Authorization=f"Bearer {world.token}")
    assert answer.status == 200, (path, answer.body)
    return statements


@pytest.fixture
def few_and_many(tmp_path: Path) -> Iterator[tuple[World, World]]:
    with collector(tmp_path / "few") as few, collector(tmp_path / "many") as many:
        for world, schools in ((few, 3), (many, 30)):
            fill(world.service, range(schools))
            world.token = world.issue_token("s000")
            world.service.verdicts.catch_up()
        yield few, many


def paths(world: World) -> list[str]:
    return [path.format(before=world.service.verdicts.this_month().before()) for path in PAGES]


def test_ten_times_as_many_schools_take_as_many_statements(
    few_and_many: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time, when nothing is kept in memory, and the second time."""
    few, many = few_and_many
    for time in ("first", "second"):
        for path in paths(few):
            with_few, with_many = asked_by(few, monkeypatch, path), asked_by(many, monkeypatch, path)
            assert with_many.shapes() == with_few.shapes(), (time, path)
            if path not in READS_ALL_PROBLEMS:
                assert with_many.scans(many.service.config.database) == [], (time, path)


def test_what_has_arrived_in_many_schools_is_read_in_as_many_statements(
    few_and_many: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new result in every school between two looks."""
    few, many = few_and_many
    for world, schools in ((few, 3), (many, 30)):
        world.get("/")
        for number in range(schools):
            school = f"s{number:03d}"
            send(world.service, school, [throughput(at=datetime.now(UTC), subject="c1", school=school)])
        world.service.verdicts.catch_up()
    with_few, with_many = asked_by(few, monkeypatch, "/"), asked_by(many, monkeypatch, "/")
    assert with_many.shapes() == with_few.shapes()
    assert with_many.scans(many.service.config.database) == []
