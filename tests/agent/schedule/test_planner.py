"""What is to be done next: presence first, who was tried longest ago, and one reason for each opportunity that is not used."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from campus_agent.config.model import Timetable
from campus_agent.config.values import DayRange, Period
from campus_agent.schedule.calendar import Calendar
from campus_agent.schedule.history import History
from campus_agent.schedule.jobs import Job, share
from campus_agent.schedule.planner import (
    CHECK_AGAIN_SECONDS,
    RETRY_FAILED_SECONDS,
    UPLINK_SPREAD_SECONDS,
    CheckPresence,
    Costs,
    Moment,
    Planner,
    Skip,
    Step,
    Try,
    Wait,
)
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar(
    Timetable(
        periods=(Period(time(8, 0), time(8, 45)), Period(time(8, 55), time(9, 40))),
        blackout=(DayRange(date(2026, 6, 7), date(2026, 6, 9)),),
    )
)
OFF = Failure(Operation.CONNECT, FailureKind.TIMEOUT)
ROOMS = tuple(Job("throughput", f"c{n}", 21_600.0, "load", heavy=True) for n in range(3))
UPLINK = Job("throughput", "uplink", 21_600.0, "load", heavy=True)
LATENCY = Job("latency", "c0", 900.0, "load")
HOST, WEB = Job("host", "gateway", 300.0, on_blackout="measure"), Job("service", "web", 300.0)
COSTS = Costs(lambda job: 20.0 if job.heavy else 2.0, lambda job: 10_000_000 if job.heavy else 0)
PLENTY = 10**10


class Day:
    """A planner and a moment that the test moves."""

    def __init__(self, *jobs: Job, at: str = "2026-11-23T08:45:00", history: History | None = None) -> None:
        self.planner = Planner(jobs, CALENDAR, COSTS, "s001", history, now=0.0)
        self.start = datetime.fromisoformat(at).replace(tzinfo=ZONE)
        self.now = 0.0

    @property
    def moment(self) -> Moment:
        return Moment(self.now, self.start + timedelta(seconds=self.now))

    def next(self, left: int = PLENTY, lane: str = "load") -> Step:
        return self.planner.next(lane, self.moment, left)  # type: ignore[arg-type]

    def on(self, **failures: Failure | None) -> None:
        for subject, failure in failures.items():
            self.planner.record_presence(subject, failure, self.now)


def test_in_a_break_endpoints_are_looked_at_first_and_the_present_ones_measured_in_order() -> None:
    day = Day(*ROOMS)
    assert day.next() == CheckPresence(ROOMS)
    day.on(c0=None, c1=OFF, c2=None)
    assert day.next() == Skip(ROOMS[1], SkipReason.ENDPOINT_OFF, failure=OFF)
    assert day.next() == Try(ROOMS[0]), "an endpoint that is off is told once"
    day.now = 3.0
    day.planner.record_measured(ROOMS[0], day.moment, succeeded=True)
    assert day.next() == Try(ROOMS[2])
    day.now = 6.0
    day.planner.record_measured(ROOMS[2], day.moment, succeeded=True)
    assert day.next() == Wait(CHECK_AGAIN_SECONDS - 6.0), "until c1 may have been switched on"
    day.now = CHECK_AGAIN_SECONDS
    assert day.next() == CheckPresence((ROOMS[1],))


def test_who_was_tried_longest_ago_goes_first() -> None:
    epoch = datetime(2026, 11, 20, tzinfo=ZONE).timestamp()
    history = History(tried={"throughput/c0": epoch + 2, "throughput/c1": epoch + 1})
    day = Day(*ROOMS, history=history)
    day.next()
    day.on(c0=None, c1=None, c2=None)
    order = []
    for _ in ROOMS:
        step = day.next()
        assert isinstance(step, Try)
        order.append(step.job.subject)
        day.now += 2
        day.planner.record_measured(step.job, day.moment, succeeded=True)
    assert order == ["c2", "c1", "c0"]


def test_in_a_lesson_only_what_is_light() -> None:
    day = Day(*ROOMS, LATENCY, at="2026-11-23T08:10:00")
    assert day.next() == Try(LATENCY)
    day.planner.record_measured(LATENCY, day.moment, succeeded=True)
    step = day.next()
    assert isinstance(step, Wait)
    assert step.seconds <= 35 * 60


def test_what_does_not_fit_before_the_lesson_is_told_once() -> None:
    day = Day(ROOMS[0], at="2026-11-23T08:54:45")
    assert day.next() == Skip(ROOMS[0], SkipReason.LESSON)
    assert day.next() == Wait(15.0)


def test_on_a_blackout_day_nothing_active_is_sent() -> None:
    day = Day(ROOMS[0], LATENCY, HOST, WEB, at="2026-06-08T12:00:00")
    assert {day.next(), day.next()} == {Skip(ROOMS[0], SkipReason.BLACKOUT), Skip(LATENCY, SkipReason.BLACKOUT)}
    assert isinstance(day.next(), Wait)
    assert day.next(lane="light") == Skip(WEB, SkipReason.BLACKOUT)
    assert day.next(lane="light") == Try(HOST)


def test_spent_octets_are_told_once_a_day_not_once_a_break() -> None:
    day = Day(ROOMS[0])
    assert day.next(left=1) == Skip(ROOMS[0], SkipReason.BYTE_BUDGET)
    day.now = 56 * 60  # the next break
    assert isinstance(day.next(left=1), Wait)
    assert isinstance(day.next(), CheckPresence), "another day's octets"


def test_a_busy_line_is_asked_again_in_a_minute_and_told_once() -> None:
    day = Day(ROOMS[0])
    day.next()
    day.on(c0=None)
    assert day.planner.postpone(ROOMS[0], SkipReason.CROSS_TRAFFIC, day.moment, "60 Mbit/s") == Skip(
        ROOMS[0], SkipReason.CROSS_TRAFFIC, "60 Mbit/s"
    )
    assert day.next() == Wait(60.0)
    day.now = 60.0
    day.on(c0=None)
    assert isinstance(day.next(), Try)
    assert day.planner.postpone(ROOMS[0], SkipReason.CROSS_TRAFFIC, day.moment) is None


def test_a_test_that_said_nothing_is_due_soon_again() -> None:
    day = Day(ROOMS[0])
    day.planner.record_measured(ROOMS[0], day.moment, succeeded=False)
    assert day.planner.due(ROOMS[0]) == RETRY_FAILED_SECONDS
    day.planner.record_measured(ROOMS[0], day.moment, succeeded=True)
    assert 21_600 <= day.planner.due(ROOMS[0]) <= 21_600 * 1.05


def test_an_uplink_waits_a_while_of_its_own_after_the_bell_but_the_first_test_does_not() -> None:
    assert Day(UPLINK).next() == Try(UPLINK)
    yesterday = datetime(2026, 11, 22, tzinfo=ZONE).timestamp()
    day = Day(UPLINK, history=History(tried={"throughput/uplink": yesterday}))
    spread = min(UPLINK_SPREAD_SECONDS, 300) * share("s001")
    assert day.next() == Wait(pytest.approx(spread))  # type: ignore[arg-type]
    day.now = spread + 0.001
    assert isinstance(day.next(), Try)


def test_a_restart_does_not_repeat_a_round() -> None:
    planner = Planner(ROOMS, CALENDAR, COSTS, "s001", None, {"throughput/c0": 40.0, "throughput/c1": -30_000.0}, 50.0)
    assert [planner.due(job) for job in ROOMS] == [21_640.0, 50.0, 50.0]


REFERENCE = Job("reference", "c0", 30 * 86_400.0, "load", heavy=True, on_blackout="omit")


@pytest.mark.parametrize(
    ("at", "subject", "allowed"),
    [
        ("2026-11-23T09:45:00", "c0", False),  # five minutes after the last lesson
        ("2026-11-23T10:30:00", "c0", True),
        ("2026-11-22T12:00:00", "c0", True),  # a Sunday
        ("2026-11-23T10:30:00", "uplink", False),
        ("2026-11-23T23:00:00", "uplink", True),
        ("2026-11-23T05:59:00", "uplink", True),
        ("2026-11-23T06:00:00", "uplink", False),
    ],
)
def test_a_reference_waits_for_a_quiet_hour(at: str, subject: str, allowed: bool) -> None:
    job = Job("reference", subject, 30 * 86_400.0, "load", heavy=True, on_blackout="omit")
    day = Day(job, at=at)
    day.on(**{subject: None})
    assert isinstance(day.next(), Try) is allowed


def test_a_reference_comes_once_in_its_stretch_of_days_and_leaves_octets_for_quick_tests() -> None:
    day = Day(*ROOMS, REFERENCE, at="2026-11-23T10:30:00")
    for room in ROOMS:
        day.planner.record_measured(room, day.moment, succeeded=True)
    day.on(c0=None)
    assert isinstance(day.next(left=35_000_000), Wait), (
        "three rooms, four times a day, a quarter of 10 MB each, and its own 10"
    )
    day.on(c0=None)
    assert day.next() == Try(REFERENCE)
    day.planner.record_measured(REFERENCE, day.moment, succeeded=True)
    tries = 0
    for _ in range(90):
        day.now += 86_400
        for room in ROOMS:
            day.planner.record_measured(room, day.moment, succeeded=True)
        day.on(c0=None)
        step = day.next()
        if isinstance(step, Try) and step.job == REFERENCE:
            tries += 1
            day.planner.record_measured(REFERENCE, day.moment, succeeded=True)
    assert tries == 3


def test_a_clock_that_was_in_the_future_does_not_silence_the_reference() -> None:
    future = datetime(2036, 1, 1, tzinfo=ZONE).timestamp()
    day = Day(REFERENCE, at="2026-11-23T10:30:00", history=History(succeeded={"reference/c0": future}))
    day.on(c0=None)
    assert isinstance(day.next(), Try)


def test_history_forgets_what_is_no_longer_configured() -> None:
    history = History(tried={"throughput/c0": 1.0, "throughput/gone": 1.0})
    Day(*ROOMS, history=history)
    assert history.tried == {"throughput/c0": 1.0}


def test_the_school_s_own_links_are_looked_at_some_time_after_the_start() -> None:
    job = Job("network", "lan", 86_400.0, first_seconds=600.0)
    day = Day(job)
    first = day.next(lane="light")
    assert isinstance(first, Wait)
    day.now = 599.0
    assert isinstance(day.next(lane="light"), Wait)
    day.now = 601.0
    assert day.next(lane="light") == Try(job)
