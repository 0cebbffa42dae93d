"""Which days have lessons: the school's own file, the public calendar, the weekday; and every mistake in the file at once."""

from datetime import date, time
from pathlib import Path

import pytest

from campus_agent.config.model import Timetable
from campus_agent.config.values import DayRange, Period
from campus_agent.schedule.calendar import Calendar, DayKind
from campus_agent.schedule.terms import NO_TERMS, load_terms
from campus_base.settings import ConfigurationError

USUAL = (Period(time(8), time(8, 45)), Period(time(8, 55), time(9, 40)))
TIMETABLE = Timetable(USUAL, None, (DayRange(date(2026, 6, 7), date(2026, 6, 9)),))
OWN_YEAR = """
[[term]]
name = "第一学期"
days = "2026-09-01/2027-01-22"

[[term]]
name = "第二学期"
days = "2026-03-02/2026-07-03"
periods = ["08:10-08:50"]

[[holiday]]
name = "运动会"
days = "2026-10-22/2026-10-23"

[[school_day]]
name = "补课"
day = "2026-10-31"

[[school_day]]
name = "半天"
day = "2026-11-01"
periods = ["09:00-10:00"]
"""


@pytest.mark.parametrize(
    ("day", "kind", "name"),
    [
        ("2026-11-23", DayKind.SCHOOL, ""),
        ("2026-11-22", DayKind.WEEKEND, ""),
        ("2026-10-01", DayKind.HOLIDAY, "国庆节"),
        ("2026-10-10", DayKind.MOVED, "国庆节"),  # a Saturday on which the Wednesday is made up
        ("2026-02-17", DayKind.HOLIDAY, "春节"),
        ("2026-02-14", DayKind.MOVED, "春节"),
        ("2026-09-25", DayKind.HOLIDAY, "中秋节"),
    ],
)
def test_the_public_calendar(day: str, kind: DayKind, name: str) -> None:
    actual = Calendar(TIMETABLE, NO_TERMS).day(date.fromisoformat(day))
    assert (actual.kind, actual.name) == (kind, name)
    assert bool(actual.lessons) == (kind in (DayKind.SCHOOL, DayKind.MOVED))


def test_a_year_without_a_notice_knows_only_weekends_and_says_so() -> None:
    calendar = Calendar(TIMETABLE, NO_TERMS)
    assert calendar.covers(2026)
    assert not calendar.covers(2126)
    assert calendar.day(date(2126, 10, 1)).kind is DayKind.SCHOOL  # a Tuesday


@pytest.mark.parametrize(
    ("day", "kind", "lessons"),
    [
        ("2026-09-01", DayKind.SCHOOL, USUAL),
        ("2026-08-31", DayKind.VACATION, ()),
        ("2026-03-02", DayKind.SCHOOL, (Period(time(8, 10), time(8, 50)),)),
        ("2026-10-22", DayKind.HOLIDAY, ()),
        ("2026-10-31", DayKind.MOVED, USUAL),
        ("2026-11-01", DayKind.MOVED, (Period(time(9), time(10)),)),
        ("2026-10-01", DayKind.HOLIDAY, ()),
    ],
)
def test_the_schools_own_year_outranks_it(tmp_path: Path, day: str, kind: DayKind, lessons: tuple[Period, ...]) -> None:
    (tmp_path / "terms.toml").write_text(OWN_YEAR, encoding="utf-8")
    actual = Calendar(TIMETABLE, load_terms(tmp_path / "terms.toml")).day(date.fromisoformat(day))
    assert (actual.kind, actual.lessons) == (kind, lessons)


def test_a_blackout_day_keeps_its_lessons_and_is_marked() -> None:
    actual = Calendar(TIMETABLE).day(date(2026, 6, 8))
    assert actual.blackout
    assert actual.lessons == USUAL


def test_public_holidays_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "terms.toml").write_text('public_holidays = "none"')
    calendar = Calendar(TIMETABLE, load_terms(tmp_path / "terms.toml"))
    assert calendar.day(date(2026, 10, 1)).kind is DayKind.SCHOOL
    assert calendar.covers(2126)


BROKEN = """
public_holiday = "china"
[[term]]
name = "a"
days = "2026-09-01/2027-01-22"
[[term]]
name = "b"
days = "2027-01-20/2027-07-01"
[[term]]
days = "2026-13-01"
[[term]]
name = "c"
[[term]]
name = "d"
days = "2030-01-01/2032-01-01"
[[holiday]]
days = "2026-10-20/2026-10-25"
name = "h"
[[school_day]]
day = "2026-10-22"
[[school_day]]
day = "2026-10-26/2026-10-27"
periods = ["8-9", "10:00-11:00", "10:30-11:30"]
"""


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "terms.toml").write_text(BROKEN)
    with pytest.raises(ConfigurationError) as raised:
        load_terms(tmp_path / "terms.toml")
    text = raised.value.in_("en")
    for part in (
        "public_holiday: unknown key; did you mean 'public_holidays'?",
        "'b' begins before 'a' ends",
        "term[2].days: must be days like 2026-09-01/2027-01-22 or 2026-10-10, not '2026-13-01'",
        "term[3].days: is missing",
        "term[4].days: spans more than a year",
        "2026-10-22 is a school day and lies in the holiday 'h'",
        "school_day[1].day: must be a day like 2026-10-10, not '2026-10-26/2026-10-27'",
        "school_day[1].periods[0]: must be a period like 08:00-08:45, not '8-9'",
        "10:00-11:00 and 10:30-11:30 overlap",
    ):
        assert part in text, text
    assert "学期" in raised.value.in_("zh") or "开始" in raised.value.in_("zh")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_terms(tmp_path / "nowhere.toml")


def test_the_sample_loads() -> None:
    terms = load_terms(Path(__file__).parents[3] / "deploy" / "terms.sample.toml")
    assert [len(terms.terms), len(terms.off), len(terms.extra)] == [2, 1, 1]
