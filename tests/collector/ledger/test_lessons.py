"""Lessons that are disturbed day after day become a problem of the ledger that names where; lessons that are well again strike it off."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from campus_collector.domain.inventory import Inventory, InventorySchool, Timetable
from campus_collector.domain.problem import Problem
from campus_collector.inventory.changes import changes
from campus_collector.inventory.importer import activate
from campus_wire.records import Interruption
from tests.collector.lessons import FROZEN, lesson_policy, lesson_streams
from tests.collector.world import World, collector

MONDAY = datetime(2026, 11, 2, 0, 0, tzinfo=UTC)
"""08:00 in Shandong."""


@pytest.fixture
def school(tmp_path: Path) -> Iterator[World]:
    """One lesson a day, judged by its minutes."""
    policy = tmp_path / "policy.toml"
    policy.write_text(lesson_policy(), encoding="utf-8")
    with collector(tmp_path, {"CAMPUS_POLICY_FILE": str(policy)}) as world:
        rows = (InventorySchool("t01", "柳河镇", "s001", "柳河小学", False),)
        whole = Inventory(rows, (), (), (), (Timetable("", ("08:00-08:45",)),))
        since = datetime(2026, 10, 26, tzinfo=ZoneInfo("Asia/Shanghai"))
        activate(
            world.service.store, whole, changes(Inventory((), (), (), ()), whole), "test", datetime.now(UTC), since
        )
        yield world


def send(world: World, outcomes: str) -> None:
    """One letter a school day: + undisturbed, - the line stands still for ten minutes of the lesson, r the recorder is away."""
    for number, letter in enumerate(outcomes):
        begin = MONDAY + timedelta(days=number + number // 5 * 2)
        bad = dict.fromkeys(range(5, 15), FROZEN) if letter == "-" else {}
        away = Interruption(
            f"i-{number}", begin + timedelta(minutes=5), begin + timedelta(minutes=9), "both", "recorder", 240
        )
        world.send(*lesson_streams(begin, 45, bad, [away] if letter == "r" else []))


def live(world: World, day: date) -> list[Problem]:
    world.service.ledger.catch_up(day)
    return [problem for problem in world.service.store.ledger.problems() if problem.target == "live_class"]


def test_three_disturbed_days_open_a_problem_that_names_the_line(school: World) -> None:
    send(school, "---+++")
    assert live(school, date(2026, 11, 3)) == []
    (problem,) = live(school, date(2026, 11, 4))
    assert (problem.subject, problem.state, problem.diagnosis) == ("uplink", "open", "line_interrupted")
    (ended,) = live(school, date(2026, 11, 9))
    assert ended.state == "closed"


def test_a_recorder_that_is_away_is_a_problem_of_the_room_and_not_of_the_line(school: World) -> None:
    send(school, "rrr+++")
    assert live(school, date(2026, 11, 3)) == []
    (problem,) = live(school, date(2026, 11, 4))
    assert (problem.subject, problem.state, problem.diagnosis) == ("recording_room", "open", "recorder_interrupted")
    (ended,) = live(school, date(2026, 11, 9))
    assert (ended.subject, ended.state) == ("recording_room", "closed")
