"""When may something active be sent? A day is cut into windows: lessons, free time between them, blackout days. Pure.

Windows end at midnight at the latest, because the next day may be of another kind.
"""

from datetime import datetime, time, timedelta
from enum import StrEnum

import msgspec

from campus_agent.schedule.calendar import Calendar, Day


class State(StrEnum):
    """What may happen in a window?"""

    FREE = "free"
    LESSON = "lesson"
    BLACKOUT = "blackout"


class Window(msgspec.Struct, frozen=True):
    """A stretch of one day, aware local times, end not included."""

    state: State
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it is in real time."""
        return self.end.timestamp() - self.start.timestamp()

    def left_seconds(self, now: datetime) -> float:
        """How much real time of it is left."""
        return self.end.timestamp() - now.timestamp()


def windows(day: Day, zone: datetime) -> list[Window]:
    """All windows of a day in order, without gaps; `zone` is any aware time of the school's zone."""
    begin = datetime.combine(day.day, time(), zone.tzinfo)
    end = datetime.combine(day.day + timedelta(days=1), time(), zone.tzinfo)
    if day.blackout:
        return [Window(State.BLACKOUT, begin, end)]
    parts: list[Window] = []
    at = begin
    for lesson in day.lessons:
        start, stop = (datetime.combine(day.day, moment, zone.tzinfo) for moment in (lesson.start, lesson.end))
        if start > at:
            parts.append(Window(State.FREE, at, start))
        if stop > at:
            parts.append(Window(State.LESSON, max(start, at), stop))
            at = stop
    if end > at:
        parts.append(Window(State.FREE, at, end))
    return parts


def window_at(calendar: Calendar, local: datetime) -> Window:
    """In which window is this moment?"""
    for window in windows(calendar.day(local.date()), local):
        if local < window.end:
            return window
    raise AssertionError("the windows of a day reach to its end")


def seconds_free(calendar: Calendar, local: datetime) -> float:
    """Seconds until a lesson or a blackout day begins, of today and tomorrow morning; 0 in one."""
    window = window_at(calendar, local)
    if window.state is not State.FREE:
        return 0.0
    left = window.left_seconds(local)
    if window.end.date() == local.date():
        return left
    morning = window_at(calendar, window.end)
    return left + (morning.seconds if morning.state is State.FREE else 0.0)


def seconds_until_free(calendar: Calendar, local: datetime, needed_seconds: float) -> float | None:
    """In how many seconds free time of this length begins, today; 0 in one. None: not today any more."""
    for window in windows(calendar.day(local.date()), local):
        begins = max(window.start, local)
        if window.state is State.FREE and begins < window.end and seconds_free(calendar, begins) >= needed_seconds:
            return max(0.0, begins.timestamp() - local.timestamp())
    return None


def out_of_school_hours(day: Day, local: datetime, margin: timedelta = timedelta(minutes=30)) -> bool:
    """Is nobody at lessons, nor soon to come or just going?"""
    if not day.lessons:
        return True
    first = datetime.combine(day.day, day.lessons[0].start, local.tzinfo) - margin
    last = datetime.combine(day.day, day.lessons[-1].end, local.tzinfo) + margin
    return not first <= local < last
