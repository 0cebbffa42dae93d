"""What is due next, and what forbids it."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.config import DayRange, Period, Timetable
from campus_agent.schedule.cycle import Cycle, Job, spread
from campus_agent.schedule.timetable import forbidden, forbidden_until, free_seconds, lesson_end
from campus_wire.failures import SkipReason

ZONE = ZoneInfo("Asia/Shanghai")
LESSONS = Timetable(
    periods=(Period(time(8, 0), time(8, 45)), Period(time(8, 55), time(9, 40))),
    blackout=(DayRange(date(2026, 6, 7), date(2026, 6, 9)),),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("moment", "heavy", "reason"),
    [
        ("2026-11-23T07:59:59", True, None),
        ("2026-11-23T08:00:00", True, SkipReason.LESSON),
        ("2026-11-23T08:00:00", False, None),
        ("2026-11-23T08:44:59", True, SkipReason.LESSON),
        ("2026-11-23T08:45:00", True, None),
        ("2026-11-22T08:10:00", True, None),  # a Sunday
        ("2026-06-08T07:00:00", False, SkipReason.BLACKOUT),
        ("2026-06-09T23:59:59", True, SkipReason.BLACKOUT),
        ("2026-06-10T00:00:00", True, None),
    ],
)
def test_what_forbids_a_test(moment: str, heavy: bool, reason: SkipReason | None) -> None:
    assert forbidden(LESSONS, at(moment), heavy) is reason


def test_without_periods_any_time_is_free() -> None:
    assert forbidden(Timetable(), at("2026-11-23T08:10:00"), True) is None
    assert free_seconds(Timetable(), at("2026-11-23T08:10:00")) == float("inf")


def test_until_when() -> None:
    assert lesson_end(LESSONS, at("2026-11-23T08:10:00")) == at("2026-11-23T08:45:00")
    assert free_seconds(LESSONS, at("2026-11-23T08:45:00")) == 600
    assert free_seconds(LESSONS, at("2026-11-23T08:10:00")) == 0
    assert forbidden_until(LESSONS, at("2026-11-23T08:10:00"), SkipReason.LESSON) == at("2026-11-23T08:45:00")
    assert forbidden_until(LESSONS, at("2026-06-08T08:10:00"), SkipReason.BLACKOUT) == at("2026-06-09T00:00:00")


ROOMS = tuple(Job("throughput", f"c{n}", 100.0) for n in range(3))


def test_the_first_round_is_at_once_and_in_order_then_each_cycle() -> None:
    cycle = Cycle(ROOMS, 0.0, {})
    order = []
    for now in range(3):
        job, _ = cycle.next("load", float(now))
        assert job is not None
        order.append(job.subject)
        cycle.done(job, float(now))
    assert order == ["c0", "c1", "c2"]
    job, wait = cycle.next("load", 3.0)
    assert job is None
    assert 97 <= wait <= 97 + 5
    assert cycle.next("light", 3.0) == (None, float("inf"))


def test_a_restart_does_not_repeat_a_round() -> None:
    cycle = Cycle(ROOMS, 50.0, {("throughput", "c0"): 40.0, ("throughput", "c1"): -200.0})
    assert cycle.due(ROOMS[0]) == 140.0
    assert cycle.due(ROOMS[1]) == 50.0
    assert cycle.next("load", 50.0)[0] == ROOMS[1]


@given(st.lists(st.floats(0, 1000, allow_nan=False), min_size=1, max_size=30))
def test_nothing_starves(steps: list[float]) -> None:
    cycle, now = Cycle(ROOMS, 0.0, {}), 0.0
    for step in steps:
        now += step
        job, wait = cycle.next("load", now)
        longest_overdue = min(cycle.due(room) for room in ROOMS)
        if job is None:
            assert wait == longest_overdue - now > 0
        else:
            assert cycle.due(job) == longest_overdue <= now
            cycle.done(job, now)
            assert cycle.due(job) >= now + job.every_seconds


def test_jobs_spread_by_a_stable_share() -> None:
    shares = {spread(Job("throughput", f"c{n}", 1.0)) for n in range(40)}
    assert len(shares) == 40
    assert all(0 <= share < 0.05 for share in shares)
