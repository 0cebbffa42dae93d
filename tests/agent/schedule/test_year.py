"""A year of a school, simulated: the real planner, no sleeping. Forty classrooms whose machines are on only in lessons and breaks."""

from collections import Counter, defaultdict
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from campus_agent.cli.schedule import in_use
from campus_agent.config.model import AgentConfig
from campus_agent.config.read import load_config
from campus_agent.measure.plan import costs, jobs_of, typical
from campus_agent.schedule.calendar import Calendar, calendar_of
from campus_agent.schedule.jobs import Job
from campus_agent.schedule.planner import Planner
from campus_agent.schedule.simulation import Assumptions, Event, midnight, simulate
from campus_agent.schedule.timetable import State, window_at
from campus_wire.failures import SkipReason

ZONE = ZoneInfo("Asia/Shanghai")
YEAR = (date(2026, 1, 1), date(2027, 1, 1))
TERMS = """
[[term]]
name = "2025-2026 一"
days = "2025-09-01/2026-01-30"
[[term]]
name = "2025-2026 二"
days = "2026-03-02/2026-07-10"
[[term]]
name = "2026-2027 一"
days = "2026-09-01/2027-01-29"
"""
AGENT = """
[agent]
school = "s001"
[timetable]
periods = ["08:00-08:45", "08:55-09:40", "10:00-10:45", "10:55-11:40", "14:00-14:45", "14:55-15:40", "15:50-16:35"]
holidays_file = "terms.toml"
blackout = ["2026-06-07/2026-06-10", "2026-06-24/2026-06-26"]
[uplink]
host = "198.51.100.10"
"""
DAILY_BYTES = 2_000_000_000


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> AgentConfig:
    folder = tmp_path_factory.mktemp("year")
    rooms = "".join(f'[[classroom]]\nid = "c{n:02d}"\nhost = "10.0.1.{n}"\n' for n in range(1, 41))
    (folder / "terms.toml").write_text(TERMS, encoding="utf-8")
    (folder / "agent.toml").write_text(AGENT + rooms, encoding="utf-8")
    return load_config(folder / "agent.toml")


@pytest.fixture(scope="module")
def calendar(config: AgentConfig) -> Calendar:
    return calendar_of(config)


@pytest.fixture(scope="module")
def year(config: AgentConfig, calendar: Calendar) -> list[Event]:
    """One test in ten says nothing (a busy line, a machine that was just switched off); one machine in twenty stays off for a day."""
    rng = Random(1)
    own = cache(lambda day: calendar.day(day))

    @cache
    def absent(subject: str, day: date) -> bool:
        return rng.random() < 0.05

    def on(subject: str, at: datetime) -> bool:
        assert own(at.date()).day == at.date()
        return in_use(calendar, at) and not absent(subject, at.date())

    def works(job: Job, at: datetime) -> bool:
        return rng.random() < 0.9

    jobs = tuple(job for job in jobs_of(config) if job.heavy)
    planner = Planner(jobs, calendar, costs(config), config.school, now=0.0)
    assumed = Assumptions(DAILY_BYTES, typical(config), on, works)
    like = datetime(2026, 1, 1, tzinfo=ZONE)
    return list(simulate(planner, assumed, midnight(YEAR[0], like), midnight(YEAR[1], like)))


def done_in(year: list[Event]) -> list[Event]:
    return [event for event in year if event.reason is None]


def test_no_test_in_a_lesson_or_on_a_blackout_day(year: list[Event], calendar: Calendar) -> None:
    for event in done_in(year):
        first, last = event.at, event.at + timedelta(seconds=event.seconds)
        window = window_at(calendar, first)
        assert window.state is State.FREE, event
        assert last <= window.end, event


def test_not_even_a_test_that_takes_as_long_as_it_may(
    year: list[Event], calendar: Calendar, config: AgentConfig
) -> None:
    longest = costs(config).seconds
    for event in done_in(year):
        assert event.at + timedelta(seconds=longest(event.job)) <= window_at(calendar, event.at).end, event


def test_never_two_on_a_segment_and_never_beyond_the_budget(year: list[Event]) -> None:
    done = done_in(year)
    assert all(before.at + timedelta(seconds=before.seconds) <= after.at for before, after in pairwise(done))
    spent: Counter[date] = Counter()
    for event in done:
        spent[event.at.date()] += event.test_bytes
    assert max(spent.values()) <= DAILY_BYTES


def test_every_classroom_has_its_month(year: list[Event], calendar: Calendar) -> None:
    """8 valid results on 4 days in each month that has at least 4 days of lessons: vacations are nobody's fault."""
    valid: dict[tuple[str, int], list[date]] = defaultdict(list)
    for event in done_in(year):
        if event.job.kind == "throughput" and event.succeeded:
            valid[event.job.subject, event.at.month].append(event.at.date())
    day, school_days = YEAR[0], Counter[int]()
    while day < YEAR[1]:
        school_days[day.month] += bool(calendar.day(day).lessons) and not calendar.day(day).blackout
        day += timedelta(days=1)
    months = [month for month in range(1, 13) if school_days[month] >= 4]
    assert len(months) == 10
    for month in months:
        for room in range(1, 41):
            days = valid[f"c{room:02d}", month]
            assert len(days) >= 8, (month, room, len(days), school_days[month])
            assert len(set(days)) >= 4, (month, room)
        assert len(valid["uplink", month]) >= 4


def test_a_whole_round_fits_into_one_break(config: AgentConfig, calendar: Calendar) -> None:
    jobs = tuple(job for job in jobs_of(config) if job.heavy)
    planner = Planner(jobs, calendar, costs(config), config.school, now=0.0)
    bell = datetime.combine(date(2026, 11, 23), time(8, 45), ZONE)
    assumed = Assumptions(DAILY_BYTES, typical(config))
    events = list(simulate(planner, assumed, bell, bell + timedelta(minutes=10)))
    measured = {event.job.subject for event in events if event.reason is None}
    assert len(measured) == 41
    last = max(event.at + timedelta(seconds=event.seconds) for event in events if event.reason is None)
    assert last < bell + timedelta(minutes=3)


def test_opportunities_that_were_not_used_are_told_but_not_drummed(year: list[Event]) -> None:
    actual = Counter(event.reason for event in year if event.reason is not None)
    assert actual[SkipReason.BLACKOUT] == 41 * 7
    assert actual[SkipReason.ENDPOINT_OFF] > 0
    assert sum(actual.values()) < 41 * 365 * 6, actual
    windows = Counter((event.job, event.reason, event.at.date(), event.at.hour) for event in year if event.reason)
    assert max(windows.values()) <= 2


def test_references_come_about_once_a_month_for_the_rooms_that_can_be_reached(year: list[Event]) -> None:
    """These machines are off when nobody is at lessons, so only the uplink could have one: it needs more octets than a day has."""
    assert not [event for event in done_in(year) if event.job.kind == "reference"]


def test_references_of_a_school_that_leaves_its_machines_on(config: AgentConfig, calendar: Calendar) -> None:
    planner = Planner(tuple(job for job in jobs_of(config) if job.heavy), calendar, costs(config), "s001", now=0.0)
    like = datetime(2026, 10, 1, tzinfo=ZONE)
    assumed = Assumptions(8_000_000_000, typical(config))
    events = list(simulate(planner, assumed, midnight(date(2026, 10, 1), like), midnight(date(2026, 11, 30), like)))
    references = Counter(
        event.job.subject for event in events if event.reason is None and event.job.kind == "reference"
    )
    assert len(references) == 41
    assert set(references.values()) <= {2, 3}, references
