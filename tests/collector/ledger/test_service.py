"""The ledger over a real store: weeks of results of a school, evening by evening."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from campus_collector.domain.inventory import Classroom, Inventory, InventorySchool
from campus_collector.domain.problem import Problem
from campus_collector.inventory.changes import changes
from campus_collector.inventory.importer import activate
from campus_collector.ledger.actions import NotPossible, act
from campus_wire.failures import FailureKind, Validity
from campus_wire.records import AnyResult
from tests.collector.world import World, throughput

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = date(2026, 9, 7)
ROOMS = ("c101", "c102", "c103", "c104", "c105")


@pytest.fixture
def school(world: World) -> World:
    """Five classrooms, in force since the week before."""
    rooms = tuple(Classroom("s001", room, room) for room in ROOMS)
    whole = Inventory((InventorySchool("t01", "柳河镇", "s001", "柳河小学", False),), rooms, (), ())
    since = datetime(2026, 8, 31, tzinfo=ZONE)
    activate(world.service.store, whole, changes(Inventory((), (), (), ()), whole), "test", datetime.now(UTC), since)
    return world


def week(room: str, outcomes: str, first: date = MONDAY, **failing: object) -> list[AnyResult]:
    """One letter a day: + passes, - fails, . nothing; two tests a day."""
    made: list[AnyResult] = []
    for number, letter in enumerate(outcomes):
        day = first + timedelta(days=number)
        for hour in (2, 6):
            at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
            if letter == "+":
                made.append(throughput(at=at, subject=room))
            elif letter == "-":
                made.append(throughput(**({"down": 10e6, "up": 10e6} | failing), at=at, subject=room))
    return made


def send(world: World, **outcomes: str) -> None:
    results = [each for room, text in outcomes.items() for each in week(room, text)]
    results += [throughput(1e9, 1e9, at=each.started_at, subject="uplink") for each in week("uplink", "+" * 14)]
    world.send(*results)


def evening(world: World, number: int) -> dict[str, Problem]:
    """What the ledger says after so many days."""
    world.service.ledger.catch_up(MONDAY + timedelta(days=number - 1))
    return {problem.subject: problem for problem in world.service.store.ledger.problems()}


def history(world: World, problem: Problem) -> list[str]:
    return [event.what for event in world.service.store.ledger.events(problem.id)]


def test_from_opening_to_striking_off(school: World) -> None:
    send(school, c101="----+.....+++", c102="+++++", c103="+++++", c104="+++++", c105="+++++")
    assert evening(school, 2) == {}
    opened = evening(school, 3)["c101"]
    assert (opened.state, opened.diagnosis, opened.opened_on) == ("open", "port_speed_10", date(2026, 9, 9))
    assert (opened.town, opened.school) == ("t01", "s001")
    assert evening(school, 5)["c101"].passing_days == 1
    assert set(evening(school, 5)) == {"c101"}
    closed = evening(school, 13)["c101"]
    assert (closed.state, closed.closed_on) == ("closed", date(2026, 9, 18))
    assert history(school, closed) == ["opened", "closed"]


def test_looking_twice_changes_nothing(school: World) -> None:
    send(school, c101="-----", c102="+++++", c103="+++++", c104="+++++", c105="+++++")
    before = evening(school, 5)
    assert school.service.ledger.catch_up(MONDAY + timedelta(days=4)) == 0
    assert evening(school, 5) == before


def test_forty_classrooms_behind_one_silent_gateway_are_one_problem(school: World) -> None:
    school.send(throughput(at=datetime(2026, 9, 4, 2, tzinfo=UTC)))
    problems = evening(school, 5)
    assert set(problems) == {""}
    whole = problems[""]
    assert (whole.diagnosis, whole.severity, whole.covers) == ("agent_silent", "silent", list(ROOMS))
    send(school, **dict.fromkeys(ROOMS, "......." + "+++++"))
    later = evening(school, 12)
    assert (later[""].state, set(later)) == ("closed", {""})


def test_one_slow_line_for_all_is_one_problem_and_takes_in_those_that_were_there(school: World) -> None:
    outcomes = {"c101": "------------", **dict.fromkeys(ROOMS[1:], "+++++..-----")}
    results = [each for room, text in outcomes.items() for each in week(room, text, down=60e6, up=60e6)]
    results += [throughput(1e9, 1e9, at=each.started_at, subject="uplink") for each in week("uplink", "+" * 12)]
    school.send(*results)
    assert set(evening(school, 5)) == {"c101"}
    problems = evening(school, 12)
    whole = problems[""]
    assert (whole.diagnosis, whole.covers, whole.unit) == ("shared_bottleneck", list(ROOMS), "integrator")
    assert {name: problem.state for name, problem in problems.items() if name} == {"c101": "closed"}
    assert history(school, problems["c101"]) == ["opened", "merged"]


def test_the_uplink_is_named_when_it_is_the_bottleneck(school: World) -> None:
    results = [each for room in ROOMS for each in week(room, "-----", down=60e6, up=60e6)]
    results += [throughput(60e6, 60e6, at=each.started_at, subject="uplink") for each in week("uplink", "-----")]
    school.send(*results)
    problems = evening(school, 5)
    assert problems[""].diagnosis == "uplink_bottleneck"
    assert problems["uplink"].target == "uplink_bandwidth"
    assert set(problems) == {"", "uplink"}


def test_a_machine_that_is_off_is_a_problem_of_its_own(school: World) -> None:
    send(school, **dict.fromkeys(ROOMS[1:], "++++++++"))
    off = [
        throughput(at=datetime(2026, 9, day, 2, tzinfo=UTC), subject="c101", failure=FailureKind.TIMEOUT)
        for day in range(7, 13)
    ]
    school.send(*off)
    problems = evening(school, 5)
    assert {name: (problem.severity, problem.diagnosis) for name, problem in problems.items()} == {
        "c101": ("silent", "endpoint_off")
    }


def test_what_failed_stays_a_problem_when_the_gateway_falls_silent(school: World) -> None:
    send(school, c101="-----", **dict.fromkeys(ROOMS[1:], "+++++"))
    world_results = week("c101", "")
    assert world_results == []
    problems = evening(school, 14)
    assert problems["c101"].is_open, "silence is no repair"
    assert history(school, problems["c101"]) == ["opened"]


def test_a_removed_classroom_has_no_open_problem(school: World) -> None:
    send(school, c101="-----", **dict.fromkeys(ROOMS[1:], "++++++++"))
    assert evening(school, 5)["c101"].is_open
    store = school.service.store
    before = store.inventory.current()
    whole = Inventory(before.schools, (before.classrooms or ())[1:], (), ())
    activate(store, whole, changes(before, whole), "test", datetime.now(UTC), datetime(2026, 9, 12, tzinfo=ZONE))
    gone = evening(school, 8)["c101"]
    assert (gone.state, history(school, gone)) == ("closed", ["opened", "withdrawn"])


def test_late_results_are_seen_from_then_on(school: World) -> None:
    send(school, **dict.fromkeys(ROOMS, "+++++++++++++"))
    assert evening(school, 5) == {}
    school.send(*week("c101", "---", MONDAY + timedelta(days=2)))
    assert evening(school, 5) == {}, "an evening that was looked at is not looked at again"
    school.send(*week("c101", "-----", MONDAY + timedelta(days=7), down=10e6, up=10e6))
    assert "c101" in evening(school, 9)


def test_unsound_results_open_nothing(school: World) -> None:
    send(school, **dict.fromkeys(ROOMS, "+++++"))
    school.send(
        *(
            throughput(10e6, 10e6, at=each.started_at, subject="c101", validity=Validity.CROSS_TRAFFIC)
            for each in week("c101", "-----")
        )
    )
    assert evening(school, 5) == {}


@pytest.mark.sqlite_only("the database is changed by hand")
def test_the_trail_is_only_added_to(school: World) -> None:
    send(school, c101="-----", **dict.fromkeys(ROOMS[1:], "+++++"))
    problem = evening(school, 5)["c101"]
    ledger = school.service.store.ledger
    now = datetime.now(UTC)
    ledger.change(
        problem.id, lambda entry: act(entry, "assign", {"responsible": "县网络中心"}, "张三", now, now.date())
    )
    with pytest.raises(NotPossible, match="say which measure"):
        ledger.change(problem.id, lambda entry: act(entry, "measure", {}, "张三", now, now.date()))
    assert ledger.first_broken_event() is None
    import sqlite3

    database = sqlite3.connect(school.service.config.database)
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        database.execute("UPDATE audit SET who = 'nobody'")
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        database.execute("DELETE FROM audit")
    database.execute("DROP TRIGGER audit_is_not_changed")
    database.execute("UPDATE audit SET body = replace(body, '张三', '李四') WHERE who = '张三'")
    database.commit()
    broken = database.execute("SELECT sequence FROM audit WHERE who = '张三'").fetchone()[0]
    database.close()
    assert ledger.first_broken_event() == broken
