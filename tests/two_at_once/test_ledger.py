"""The ledger while others work on it: nobody's change is written over, no problem is opened twice, no day counts twice."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from campus_collector.domain.people import Person
from campus_collector.domain.problem import Problem
from campus_collector.http.problem_requests import work_on
from campus_collector.http.service import Service, open_service
from campus_collector.store.errors import StoreBusy
from campus_collector.verify.database import verify
from tests.collector.ledger.test_service import MONDAY, evening, school, send, week
from tests.collector.world import World
from tests.flow.programs import ENVIRONMENT, python

__all__ = ["school"]

PERSON = Person("li", "admin", "")
ACTIONS = {
    "assign": {"responsible": "柳河运营商"},
    "due": {"due_on": (MONDAY + timedelta(days=60)).isoformat()},
    "measure": {"text": "更换网线"},
    "claim_fixed": {},
    "acknowledge": {},
}


def problem(world: World, subject: str = "c101") -> Problem:
    (found,) = [each for each in world.service.store.ledger.problems() if each.subject == subject and each.is_open]
    return found


def during_the_look(service: Service, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Do something once, after a school's problems were read and before what became of them is kept."""
    original, done = service.ledger._changes, []

    def changes(*values: object) -> object:
        worked_out = original(*values)  # type: ignore[arg-type]
        if not done:
            done.append(work())
        return worked_out

    monkeypatch.setattr(service.ledger, "_changes", changes)


@pytest.mark.parametrize("action", ACTIONS)
def test_what_a_person_does_meanwhile_stays(school: World, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    send(school, c101="-----", c102="+++++")
    evening(school, 4)
    number, before = problem(school).id, problem(school)
    during_the_look(
        school.service, monkeypatch, lambda: work_on(school.service, number, action, ACTIONS[action], PERSON)
    )
    evening(school, 5)
    after = problem(school)
    assert after.failing_days == before.failing_days + 1, "the day counts, once"
    changed = {
        "assign": after.responsible, "due": str(after.due_on), "measure": after.measure, "acknowledge": after.state,
        "claim_fixed": after.state,
    }[action]  # fmt: skip
    wanted = next(
        iter(ACTIONS[action].values()), {"claim_fixed": "claimed_fixed", "acknowledge": "acknowledged"}.get(action)
    )
    assert changed == wanted
    assert len(school.service.store.ledger.events(number)) == len(
        {event.at for event in school.service.store.ledger.events(number)}
    )


def test_a_second_program_waits_and_then_finds_everything_done(school: World, other: Service) -> None:
    send(school, c101="-----", c102="-----")
    until = MONDAY + timedelta(days=4)
    with ThreadPoolExecutor(2) as both:
        counts = [
            each.result(120)
            for each in [both.submit(book.catch_up, until) for book in (school.service.ledger, other.ledger)]
        ]
    assert sorted(counts)[0] == 0 < sorted(counts)[1]
    assert problem(school).failing_days == 5
    with school.service.store.lease("ledger", 1.0), pytest.raises(StoreBusy):
        other.ledger.catch_up(until + timedelta(days=1), timeout_seconds=0.1)
    other.ledger.catch_up(until + timedelta(days=1), timeout_seconds=0.1)


@pytest.mark.sqlite_only("the database is changed by hand")
def test_two_that_pass_the_lease_open_nothing_twice(
    school: World, other: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that ran out, because a machine slept: the database itself decides."""
    send(school, c101="-----", c102="+++++")

    def behind_its_back() -> None:
        with sqlite3.connect(school.service.config.database) as database:
            database.execute("DELETE FROM lease")
        other.ledger.catch_up(MONDAY + timedelta(days=4))

    during_the_look(school.service, monkeypatch, behind_its_back)
    evening(school, 5)
    assert problem(school).failing_days == 5
    assert [each.subject for each in school.service.store.ledger.problems()].count("c101") == 1


def test_two_commands_at_once(school: World) -> None:
    send(school, c101="-----", c102="-----", c103="+++++")
    folder = str(school.service.config.database.parent)
    until = (MONDAY + timedelta(days=4)).isoformat()
    command = python("campus_collector", "ledger", "--until", until, "--json", "--state-dir", folder)
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) for _ in range(2)]
    answer = [msgspec.json.decode(each.communicate(timeout=120)[0])["problems"] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert answer[0] == answer[1]
    open_ones = [(each.target, each.subject) for each in school.service.store.ledger.problems()]
    assert len(open_ones) == len(set(open_ones)) > 0
    assert verify(school.service.store, school.service.verdicts).findings == ()


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from campus_collector.config import load_config
from campus_collector.http.service import open_service

service = open_service(load_config(None, Path(sys.argv[1])))
keep = service.store.ledger.put_days

def put_days(*values):
    done = keep(*values)
    os.kill(os.getpid(), signal.SIGKILL)
    return done

service.store.ledger.put_days = put_days
service.ledger.catch_up(date.fromisoformat(sys.argv[2]), timeout_seconds=90)
"""


@pytest.mark.sqlite_only("the database is changed by hand")
def test_a_run_that_is_killed_half_way_counts_no_day_twice(school: World) -> None:
    send(school, c101="-----", c102="+++++")
    folder, until = str(school.service.config.database.parent), (MONDAY + timedelta(days=4)).isoformat()
    killed = subprocess.run([sys.executable, "-c", KILLED, folder, until], env=ENVIRONMENT, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert school.service.store.ledger.high_water_mark() is None, "not all schools were looked at"
    with sqlite3.connect(school.service.config.database) as database:
        database.execute("UPDATE lease SET until = 0")  # a minute later
    evening(school, 5)
    assert problem(school).failing_days == 5
    assert [event.what for event in school.service.store.ledger.events(problem(school).id)].count("opened") == 1


@pytest.mark.sqlite_only("the database is changed by hand")
def test_problems_that_were_opened_twice_become_one(world: World, tmp_path: Path) -> None:
    """By 0.2.0: the one on which more was done stays open, the trail tells of the other."""
    base = Problem(
        school="s001", town="t01", target="classroom_bandwidth", subject="c101", state="open", opened_on=date(2026, 9, 9),
        due_on=date(2026, 9, 30), diagnosis="unknown", unit="school", failing_days=3,
    )  # fmt: skip
    ledger = world.service.store.ledger
    with sqlite3.connect(world.service.config.database) as database:
        database.execute("DROP INDEX problem_open_once")
        database.execute("DELETE FROM migration WHERE name = '0014_one_open_problem.sql'")
    (first,) = ledger.put([(base, [])])
    with sqlite3.connect(world.service.config.database) as database:
        row = ("s001", "classroom_bandwidth", "c101", "open", msgspec.json.encode(msgspec.structs.replace(base, id=2)))
        database.execute("INSERT INTO problem (school, target, subject, state, body) VALUES (?, ?, ?, ?, ?)", row)
    work_on(world.service, 2, "assign", {"responsible": "运营商"}, PERSON)
    again = open_service(world.service.config)
    try:
        actual = {each.id: each for each in again.store.ledger.problems()}
        assert (actual[first.id].state, actual[2].state, actual[2].responsible) == ("closed", "open", "运营商")
        assert [event.what for event in again.store.ledger.events(first.id)] == ["merged"]
        assert again.store.ledger.first_broken_event() is None
    finally:
        again.store.close()


def test_a_problem_struck_off_long_ago_and_another_of_the_same_subject_in_one_run(school: World) -> None:
    """A collector that was away for months looks at all days at once."""
    send(school, c101="-----")
    evening(school, 5)
    first = problem(school)
    school.send(*week("c101", "++++++++++", MONDAY + timedelta(days=5)))
    later = MONDAY + timedelta(days=65)
    school.send(*week("c101", "-----", later))
    school.service.ledger.catch_up(later + timedelta(days=4))
    actual = [each for each in school.service.store.ledger.problems() if each.subject == "c101"]
    assert [(each.state, each.id == first.id) for each in actual] == [("closed", True), ("open", False)]
