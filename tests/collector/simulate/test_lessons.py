"""The lesson stream of a simulated school: minutes of every school hour, and interruptions that its minutes show."""

from datetime import date
from zoneinfo import ZoneInfo

from campus_collector.config import shipped_policy
from campus_collector.judge.lesson_minutes import broken_limits
from campus_collector.judge.policy import MinuteLimits, load_policy
from campus_collector.simulate.lessons import LessonStream
from campus_wire.codec import decode_result, encode_result
from campus_wire.records import LessonStreamResult

HOURS = load_policy(shipped_policy()).school_hours
DAYS = [date(2026, 11, day) for day in range(2, 30)]


def stream() -> LessonStream:
    return LessonStream("s001", "test-server.example", 1, ZoneInfo("Asia/Shanghai"), HOURS)


def test_a_school_day_is_whole_and_the_same_for_the_same_seed() -> None:
    results = list(stream().day(DAYS[0], is_late=False))
    assert results == list(stream().day(DAYS[0], is_late=False))
    minutes = [minute.minute for result in results if result.record for minute in result.record.minutes]
    assert len(minutes) == len(set(minutes)) == 9 * 60
    assert all(isinstance(decode_result(encode_result(result)), LessonStreamResult) for result in results)


def test_what_is_interrupted_is_seen_in_its_minutes() -> None:
    limits, interrupted = MinuteLimits(), 0
    for day in DAYS:
        records = [result.record for result in stream().day(day, is_late=False) if result.record]
        bad = [minute.minute for record in records for minute in record.minutes if broken_limits(minute, limits)]
        uplink = [each for record in records for each in record.interruptions if each.where == "uplink"]
        interrupted += len(uplink)
        assert bool(bad) == bool(uplink)
        for each in uplink:
            assert each.began_at.replace(second=0, microsecond=0) in bad
    assert 3 <= interrupted <= 15


def test_a_late_line_is_bad_for_a_third_of_the_time() -> None:
    records = [result.record for result in stream().day(DAYS[0], is_late=True) if result.record]
    bad = sum(bool(broken_limits(minute, MinuteLimits())) for record in records for minute in record.minutes)
    assert 0.25 < bad / 540 < 0.42
