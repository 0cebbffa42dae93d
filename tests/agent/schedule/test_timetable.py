"""A day is cut into windows without gaps; each moment lies in exactly one."""

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.config.model import Timetable
from campus_agent.config.values import DayRange, Period
from campus_agent.schedule.calendar import Calendar, Day, DayKind
from campus_agent.schedule.timetable import State, out_of_school_hours, window_at, windows

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar(
    Timetable(
        periods=(Period(time(8, 0), time(8, 45)), Period(time(8, 55), time(9, 40))),
        blackout=(DayRange(date(2026, 6, 7), date(2026, 6, 9)),),
    )
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("moment", "state", "ends"),
    [
        ("2026-11-23T07:59:59", State.FREE, "2026-11-23T08:00:00"),
        ("2026-11-23T08:00:00", State.LESSON, "2026-11-23T08:45:00"),
        ("2026-11-23T08:44:59", State.LESSON, "2026-11-23T08:45:00"),
        ("2026-11-23T08:45:00", State.FREE, "2026-11-23T08:55:00"),
        ("2026-11-23T12:00:00", State.FREE, "2026-11-24T00:00:00"),
        ("2026-11-22T08:10:00", State.FREE, "2026-11-23T00:00:00"),  # a Sunday
        ("2026-06-08T07:00:00", State.BLACKOUT, "2026-06-09T00:00:00"),
        ("2026-06-09T23:59:59", State.BLACKOUT, "2026-06-10T00:00:00"),
        ("2026-06-10T00:00:00", State.FREE, "2026-06-10T08:00:00"),
    ],
)
def test_windows(moment: str, state: State, ends: str) -> None:
    window = window_at(CALENDAR, at(moment))
    assert (window.state, window.end) == (state, at(ends))
    assert window.start <= at(moment) < window.end


def test_time_left_is_real_time_where_clocks_change() -> None:
    """In Paris the last Sunday of October has 25 hours."""
    paris = ZoneInfo("Europe/Paris")
    window = window_at(Calendar(Timetable()), datetime(2026, 10, 25, 0, 0, tzinfo=paris))
    assert window.seconds == 25 * 3600


@pytest.mark.parametrize(
    ("moment", "outside"),
    [("07:29", True), ("07:30", False), ("08:50", False), ("10:09", False), ("10:10", True)],
)
def test_school_hours_with_a_margin(moment: str, outside: bool) -> None:
    local = at(f"2026-11-23T{moment}:00")
    assert out_of_school_hours(CALENDAR.day(local.date()), local) is outside


minutes = st.integers(0, 24 * 60 - 1)


@given(st.lists(st.tuples(minutes, minutes), max_size=8), st.integers(0, 86_399))
def test_no_gaps_and_no_overlaps_whatever_the_lessons(lessons: list[tuple[int, int]], second: int) -> None:
    periods = tuple(
        sorted(
            (Period(time(a // 60, a % 60), time(b // 60, b % 60)) for a, b in lessons if a < b), key=lambda p: p.start
        )
    )
    midnight = at("2026-11-23T00:00:00")
    actual = windows(Day(midnight.date(), DayKind.SCHOOL, lessons=periods), midnight)
    assert actual[0].start == midnight
    assert actual[-1].end == midnight + timedelta(days=1)
    assert all(before.end == after.start for before, after in pairwise(actual))
    moment = midnight + timedelta(seconds=second)
    (inside,) = [window for window in actual if window.start <= moment < window.end]
    in_lesson = any(period.start <= moment.time() < period.end for period in periods)
    assert (inside.state is State.LESSON) is in_lesson
