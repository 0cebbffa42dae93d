"""The ledger's figures are of the days that were measured, whenever somebody looked; they balance, and can be worked out again from the trail."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from campus_base.messages import bilingual
from campus_collector.domain.problem import Event, Problem
from campus_collector.judge.explanations import EXPLANATIONS
from campus_collector.judge.month import Month
from campus_collector.ledger.actions import act
from campus_collector.ledger.named_cause import statuses_in, with_named_causes
from campus_collector.ledger.status import balance_of, status_on
from campus_collector.report.figures import Figures, LedgerFigures, content_hash, encoded_figures, figures_of
from campus_wire.bandwidth import Verdict
from tests.collector.report.county import figures as county
from tests.collector.world import World, collector, throughput

ZONE = ZoneInfo("Asia/Shanghai")
AUGUST, SEPTEMBER, OCTOBER = (Month(2026, number, ZONE) for number in (8, 9, 10))
NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
OUTCOMES = {
    "c101": "-----.................+++",
    "c102": "+++++-----",
    "c103": "-" * 30,
    "c104": "-" * 5 + "+++" + "-" * 5,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """From the 20th of August on, looked at in November only: everything is late."""
    with collector(tmp_path_factory.mktemp("collector")) as running:
        start = datetime(2026, 8, 20, 2, tzinfo=UTC)
        running.send(
            *(
                throughput(at=start + timedelta(days=day), subject=room, down=(50e6 if mark == "-" else 100e6))
                for room, marks in OUTCOMES.items()
                for day, mark in enumerate(marks)
                if mark != "."
            )
        )
        running.service.ledger.catch_up(date(2026, 9, 30))
        running.service.ledger.catch_up(date(2026, 11, 19))
        yield running


def report(world: World, month: Month) -> Figures:
    return world.service.reports.figures(month, NOW)


def recomputed(path: Path, month: Month) -> tuple[int, int, int, int, int]:
    """By hand: opened before, opened in, struck off in, ended otherwise in, open at the end."""
    first, last = month.first_day.isoformat(), month.last_day.isoformat()
    before = opened = struck = otherwise = 0
    for (body,) in sqlite3.connect(path).execute("SELECT body FROM audit WHERE problem IS NOT NULL"):
        event = msgspec.json.decode(body)
        day, what = event.get("values", {}).get("day", ""), event["what"]
        step = 1 if what in ("opened", "reopened") else -1 if what in ("closed", "merged", "withdrawn") else 0
        if day < first:
            before += step
        elif day <= last:
            opened += step == 1
            struck += what == "closed"
            otherwise += what in ("merged", "withdrawn")
    return before, opened, struck, otherwise, before + opened - struck - otherwise


@pytest.mark.sqlite_only("the database is changed by hand")
@pytest.mark.parametrize("month", [AUGUST, SEPTEMBER, OCTOBER], ids=str)
def test_the_figures_are_those_of_the_trail_and_balance(world: World, month: Month) -> None:
    found = report(world, month).ledger
    actual = (found.opening, found.opened, found.struck_off, found.ended_otherwise, found.open)
    assert actual == recomputed(world.service.config.database, month)
    assert sum(found.by_unit.values()) == found.open


def test_what_was_measured_in_august_was_opened_in_august(world: World) -> None:
    assert (report(world, AUGUST).ledger.opened > 0, report(world, AUGUST).ledger.opening) == (True, 0)
    assert report(world, OCTOBER).ledger.opening == report(world, SEPTEMBER).ledger.open


@pytest.mark.parametrize("month", [AUGUST, SEPTEMBER], ids=str)
def test_report_and_ledger_name_the_same_cause_and_the_same_unit(world: World, month: Month) -> None:
    status = {
        (entry.problem.target, room): entry
        for entry in statuses_in(world.service.store, world.service.verdicts, month)
        if entry.is_open
        for room in [entry.problem.subject, *entry.problem.covers]
    }
    rows = [entry for entry in report(world, month).failing if (entry.target, entry.subject) in status]
    assert rows
    for row in rows:
        entry = status[row.target, row.subject]
        assert (row.cause, row.unit) == (entry.cause, entry.unit)


def test_what_a_person_assigned_stands_in_the_report(world: World) -> None:
    (problem, *_) = [
        problem
        for problem in world.service.store.ledger.problems()
        if problem.is_open and problem.subject and problem.target == "classroom_bandwidth"
    ]
    at = datetime(2026, 10, 1, tzinfo=UTC)
    values = {"responsible": "县网络中心"}
    world.service.store.ledger.change(problem.id, lambda entry: act(entry, "assign", values, "王", at, at.date()))
    verdicts = world.service.verdicts.subjects(OCTOBER)
    judged = [
        entry
        for entry in with_named_causes(world.service.store, world.service.verdicts, OCTOBER, verdicts)
        if entry.target == problem.target and entry.subject == problem.subject and entry.verdict is not Verdict.MET
    ]
    assert {(entry.unit, entry.problem) for entry in judged} == {("县网络中心", problem.id)}
    before = [
        entry
        for entry in statuses_in(world.service.store, world.service.verdicts, AUGUST)
        if entry.problem.id == problem.id
    ]
    assert [each.unit for each in before] == [EXPLANATIONS[each.cause].unit for each in before]


PROBLEM = Problem(
    id=3, school="s001", town="t01", target="classroom_bandwidth", subject="c101", state="open", opened_on=date(2026, 9, 1),
    due_on=date(2026, 12, 1), diagnosis="shaped", evidence=bilingual("e", "证"), unit="carrier", failing_days=3,
)  # fmt: skip
LATE = datetime(2026, 11, 20, 2, tzinfo=UTC)


def measured(what: str, day: str, **values: str) -> Event:
    return Event(at=LATE, who="measurements", what=what, values={"day": day} | values)  # type: ignore[arg-type]


def by_a_person(what: str, day: int, **values: str) -> Event:
    return Event(at=datetime(2026, 9, day, 2, tzinfo=UTC), who="王", what=what, values=values)  # type: ignore[arg-type]


TRAIL = [
    measured("opened", "2026-09-01", cause="flat_rate"),
    by_a_person("due_changed", 20, due_on="2026-09-30", before="2026-09-16"),
    measured("changed", "2026-09-10", cause="cable_errors"),
    measured("closed", "2026-09-25"),
    measured("reopened", "2026-10-05", cause="shaped"),
]


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (date(2026, 8, 31), None),
        (date(2026, 9, 1), (True, "flat_rate", date(2026, 9, 16))),
        (date(2026, 9, 10), (True, "cable_errors", date(2026, 9, 16))),
        (date(2026, 9, 24), (True, "cable_errors", date(2026, 9, 30))),
        (date(2026, 9, 25), (False, "cable_errors", date(2026, 9, 30))),
        (date(2026, 10, 5), (True, "shaped", date(2026, 12, 1))),
    ],
)
def test_a_problem_on_the_evening_of_a_day(day: date, told: tuple[bool, str, date] | None) -> None:
    actual = status_on(PROBLEM, TRAIL, day, ZONE, 15)
    assert (None if actual is None else (actual.is_open, actual.cause, actual.due_on)) == told


def test_a_problem_that_opened_ended_and_opened_again_in_one_month_counts_twice() -> None:
    counts = balance_of(TRAIL, date(2026, 9, 1), date(2026, 10, 31), ZONE)
    assert (counts.before, counts.opened, counts.struck_off, counts.ended_otherwise, counts.at_the_end) == (
        0,
        2,
        1,
        0,
        1,
    )


def test_figures_that_an_earlier_version_closed_keep_their_hash() -> None:
    plain = county()
    assert b"opening" not in encoded_figures(plain)
    assert content_hash(figures_of(encoded_figures(plain))) == content_hash(plain)
    fuller = msgspec.structs.replace(plain, ledger=LedgerFigures(opening=4, ended_otherwise=0))
    assert figures_of(encoded_figures(fuller)).ledger.opening == 4
