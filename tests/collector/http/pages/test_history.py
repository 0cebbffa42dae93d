"""Which tests of a span are drawn, what they come to, and the states of a day."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from campus_collector.http.pages.history import (
    MOST_POINTS,
    Run,
    buckets,
    drawn,
    runs_of_day,
    sound_tests,
    span_to,
)
from campus_collector.judge.month import Month, parse_month
from campus_wire.failures import FailureKind, Validity
from tests.collector.world import AT, throughput

ZONE = ZoneInfo("Asia/Shanghai")
NOVEMBER = Month(2026, 11, ZONE)


@pytest.mark.parametrize(
    ("name", "month", "first"),
    [
        ("month", "2026-11", "2026-11"),
        ("term", "2026-11", "2026-09"),
        ("term", "2026-09", "2026-09"),
        ("term", "2026-08", "2026-02"),
        ("term", "2026-02", "2026-02"),
        ("term", "2026-01", "2025-09"),
        ("year", "2026-11", "2025-12"),
        ("year", "2026-12", "2026-01"),
    ],
)
def test_a_span_ends_with_its_month(name: str, month: str, first: str) -> None:
    span = span_to(name, parse_month(month, ZONE))
    assert (str(span.first), str(span.last)) == (first, month)
    assert span.start == parse_month(first, ZONE).start
    assert span.end == parse_month(month, ZONE).end


def test_only_sound_tests_are_drawn_in_order_of_time() -> None:
    results = [
        throughput(50e6, 60e6, at=AT + timedelta(hours=1)),
        throughput(99e6, 98e6, at=AT),
        throughput(at=AT, failure=FailureKind.TIMEOUT),
        throughput(at=AT, validity=Validity.CROSS_TRAFFIC),
    ]
    tests = sound_tests(results, NOVEMBER)
    assert [(round(test.down or 0), round(test.up or 0)) for test in tests] == [
        (99_000_000, 98_000_000),
        (50_000_000, 60_000_000),
    ]
    assert tests[0].at.utcoffset() == timedelta(hours=8)
    assert (tests[0].idle, tests[0].loaded) == (0.001, 0.009)


def test_many_tests_are_drawn_as_the_middle_one_of_each_day() -> None:
    rates = (10e6, 90e6, 50e6)
    results = [
        throughput(rate, rate, at=AT + timedelta(days=day, hours=hour))
        for day in range(100)
        for hour, rate in enumerate(rates)
    ]
    tests = sound_tests(results, NOVEMBER)
    assert len(tests) == 300 > MOST_POINTS
    shown, days = drawn(tests)
    assert days == 1
    assert [round(test.smaller) for test in shown] == [50_000_000] * 100
    few, days = drawn(tests[:MOST_POINTS])
    assert (len(few), days) == (MOST_POINTS, 0)


def test_of_a_year_the_middle_one_of_every_other_day_is_drawn() -> None:
    results = [throughput(at=AT + timedelta(days=day)) for day in range(365)]
    shown, days = drawn(sound_tests(results, NOVEMBER))
    assert days == 2
    assert 182 <= len(shown) <= 184


def test_days_and_months_add_up() -> None:
    results = [throughput(rate, 100e6, at=AT + timedelta(days=day)) for day, rate in ((0, 40e6), (0, 98e6), (1, 99e6))]
    tests = sound_tests(results, NOVEMBER)
    by_day = buckets(tests, span_to("month", NOVEMBER), 1e8, 0.98)
    assert [(each.label, each.tests, each.reached, round(each.lowest), round(each.down or 0)) for each in by_day] == [
        ("11-10", 1, 1, 99_000_000, 99_000_000),
        ("11-09", 2, 1, 40_000_000, 69_000_000),
    ]
    (month,) = buckets(tests, span_to("year", NOVEMBER), 1e8, 0.98)
    assert (month.label, month.tests, month.reached) == ("2026-11", 3, 2)


def test_a_quarter_of_an_hour_is_down_when_any_poll_of_it_was() -> None:
    midnight = datetime(2026, 11, 9, tzinfo=UTC)
    polls = [
        (midnight + timedelta(minutes=minute), up)
        for minute, up in ((0, True), (5, True), (16, True), (20, False), (46, True), (47, None))
    ]
    assert runs_of_day(polls) == [Run(0, 1, True), Run(1, 2, False), Run(3, 4, True)]
    assert runs_of_day([(midnight, None)]) == []
