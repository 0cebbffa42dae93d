"""May an active test run at this moment? Lessons and blackout days say no. Pure; local time of the school."""

from datetime import datetime, timedelta

from campus_agent.config import Timetable
from campus_wire.failures import SkipReason

WEEKEND = (5, 6)


def forbidden(timetable: Timetable, local: datetime, heavy: bool) -> SkipReason | None:
    """Why a test must not start now; None when it may.

    On a blackout day (national examinations) nothing active is sent at all. A `heavy` test (throughput) never starts in a lesson;
    lessons are Monday to Friday.
    """
    if any(local.date() in days for days in timetable.blackout):
        return SkipReason.BLACKOUT
    if heavy and lesson_end(timetable, local) is not None:
        return SkipReason.LESSON
    return None


def lesson_end(timetable: Timetable, local: datetime) -> datetime | None:
    """When does the lesson that is going on end? None outside lessons."""
    if local.weekday() in WEEKEND:
        return None
    now = local.time()
    for period in timetable.periods:
        if period.start <= now < period.end:
            return local.replace(hour=period.end.hour, minute=period.end.minute, second=0, microsecond=0)
    return None


def free_seconds(timetable: Timetable, local: datetime) -> float:
    """How long until the next lesson begins? Infinity without one today; 0 within a lesson."""
    if lesson_end(timetable, local) is not None:
        return 0.0
    if local.weekday() in WEEKEND:
        return float("inf")
    starts = [
        local.replace(hour=p.start.hour, minute=p.start.minute, second=0, microsecond=0)
        for p in timetable.periods
        if p.start > local.time()
    ]
    return min(((start - local).total_seconds() for start in starts), default=float("inf"))


def forbidden_until(timetable: Timetable, local: datetime, reason: SkipReason) -> datetime:
    """When is it worth asking again?"""
    if reason is SkipReason.BLACKOUT:
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=1)
    return lesson_end(timetable, local) or local + timedelta(minutes=5)
