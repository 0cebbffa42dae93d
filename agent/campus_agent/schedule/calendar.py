"""Which days have lessons, and which lessons? The school's own file, then China's public holidays and moved workdays, then the weekday. Pure.

The public calendar is that of the State Council's notices, as `chinesecalendar` carries them: it knows a year once its notice is out.
For later years only weekends are known, and `covers` says so.
"""

import sys
from datetime import date
from enum import StrEnum
from functools import lru_cache

import msgspec

from campus_agent.config.model import AgentConfig, Timetable
from campus_agent.config.values import Period
from campus_agent.schedule.terms import NO_TERMS, Terms, terms_of
from campus_base.messages import Message, message

_SATURDAY = 5


class DayKind(StrEnum):
    """What sort of day is it for the school?"""

    SCHOOL = "school"
    MOVED = "moved"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    VACATION = "vacation"


DAY_WORDS: dict[DayKind, Message] = {
    DayKind.SCHOOL: message("school day"),
    DayKind.MOVED: message("school day (moved)"),
    DayKind.WEEKEND: message("weekend"),
    DayKind.HOLIDAY: message("holiday"),
    DayKind.VACATION: message("vacation"),
}


class Day(msgspec.Struct, frozen=True):
    """One day: what it is, by which name, its lessons in order. On a blackout day nothing active is sent."""

    day: date
    kind: DayKind
    name: str = ""
    lessons: tuple[Period, ...] = ()
    blackout: bool = False


class Calendar:
    """A school's days."""

    def __init__(self, timetable: Timetable, terms: Terms = NO_TERMS) -> None:
        """Nothing is read here; see `calendar_of`."""
        self._timetable = timetable
        self._terms = terms
        self._latest = self._read(date.min)

    def day(self, day: date) -> Day:
        if self._latest.day != day:  # asked for the same day again and again
            self._latest = self._read(day)
        return self._latest

    def _read(self, day: date) -> Day:
        kind, name, periods = self._kind_of(day)
        lessons = periods if kind in (DayKind.SCHOOL, DayKind.MOVED) else ()
        return Day(day, kind, name, lessons, is_blackout(self._timetable, day))

    def covers(self, year: int) -> bool:
        """Are this year's public holidays known?"""
        return self._terms.public_calendar != "china" or _public_days(year) is not None

    @property
    def has_lessons(self) -> bool:
        """Did anybody write down lessons at all?"""
        terms = self._terms
        return bool(
            self._timetable.periods
            or any(term.periods for term in terms.terms)
            or any(extra.periods for extra in terms.extra)
        )

    def _kind_of(self, day: date) -> tuple[DayKind, str, tuple[Period, ...]]:
        extra = next((extra for extra in self._terms.extra if extra.day == day), None)
        term = next((term for term in self._terms.terms if day in term.days), None)
        periods = self._timetable.periods if term is None or term.periods is None else term.periods
        if extra is not None:
            return DayKind.MOVED, extra.name, periods if extra.periods is None else extra.periods
        off = next((off for off in self._terms.off if day in off.days), None)
        if off is not None:
            return DayKind.HOLIDAY, off.name, ()
        if self._terms.terms and term is None:
            return DayKind.VACATION, "", ()
        weekend = day.weekday() >= _SATURDAY
        special = (_public_days(day.year) or {}).get(day) if self._terms.public_calendar == "china" else None
        if special is not None:
            return special[0], special[1], periods
        return (DayKind.WEEKEND, "", ()) if weekend else (DayKind.SCHOOL, term.name if term else "", periods)


def is_blackout(timetable: Timetable, day: date) -> bool:
    """Is nothing active to be sent on this day?"""
    return any(day in days for days in timetable.blackout)


def calendar_of(config: AgentConfig) -> Calendar:
    """The calendar that a configuration describes. Raises ConfigurationError for its `holidays_file`."""
    return Calendar(config.timetable, terms_of(config))


_HOLIDAY_NAMES = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Tomb-sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "National Day": "国庆节",
    "Mid-autumn Festival": "中秋节",
    "Anti-Fascist 70th Day": "抗战胜利纪念日",
}


@lru_cache(maxsize=2)
def _public_days(year: int) -> dict[date, tuple[DayKind, str]] | None:
    """The holidays and moved workdays of a year, by day; None when no notice for it is known.

    The table of twenty years is let go again: the resident agent needs this year's forty days.
    """
    import chinese_calendar

    names = [name for name in sys.modules if name.partition(".")[0] == "chinese_calendar"]
    try:
        days = chinese_calendar.get_dates(date(year, 1, 1), date(year, 12, 31))
        details = [(day, *chinese_calendar.get_holiday_detail(day)) for day in days]
    except NotImplementedError:
        return None
    finally:
        for name in names:
            del sys.modules[name]
    return {
        day: (DayKind.HOLIDAY if free else DayKind.MOVED, _HOLIDAY_NAMES.get(name, name))
        for day, free, name in details
        if name
    }
