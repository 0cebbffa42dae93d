"""The school's own year: terms, days off, moved school days (`holidays_file`); every mistake is reported at once.

It outranks the public calendar. Days are written `2026-09-01/2027-01-22` or `2026-10-10`, lessons `08:00-08:45`, as in agent.toml.
"""

from datetime import date
from itertools import pairwise
from pathlib import Path

import msgspec

from campus_agent.config.model import AgentConfig
from campus_agent.config.values import DayRange, Period, parse_day_range, read_periods
from campus_base.messages import message
from campus_base.settings import ConfigurationError, Mistake, Table, load

PUBLIC_CALENDARS = ("china", "none")
LONGEST_SPAN_DAYS = 366
"""A term or holiday of more than a year is a slip of the pen, and would silence the lessons of a year."""
_DAYS_HINT = message("days like 2026-09-01/2027-01-22 or 2026-10-10")
_DAY_HINT = message("a day like 2026-10-10")
_NOWHERE = DayRange(date.min, date.min)


class Term(msgspec.Struct, frozen=True):
    """A term; `periods` are its own lessons (winter hours, summer hours), None: those of agent.toml."""

    name: str
    days: DayRange
    periods: tuple[Period, ...] | None = None


class DaysOff(msgspec.Struct, frozen=True):
    """Days without lessons that stand in no public calendar."""

    name: str
    days: DayRange


class ExtraDay(msgspec.Struct, frozen=True):
    """A school day against the calendar; `periods` are its own lessons, None: those of any school day."""

    name: str
    day: date
    periods: tuple[Period, ...] | None = None


class Terms(msgspec.Struct, frozen=True):
    """All of the file. Without terms every day of the year is term time."""

    terms: tuple[Term, ...] = ()
    off: tuple[DaysOff, ...] = ()
    extra: tuple[ExtraDay, ...] = ()
    public_calendar: str = "china"


NO_TERMS = Terms()


def terms_of(config: AgentConfig) -> Terms:
    """The file that a configuration names, or nothing. Raises ConfigurationError."""
    file = config.timetable.holidays_file
    return load_terms(file) if file else NO_TERMS


def load_terms(path: Path) -> Terms:
    """The year in a file. Raises ConfigurationError with every mistake in it."""
    top = load(path, {}, ())
    terms = Terms(
        terms=tuple(sorted((_term(table) for table in top.tables("term")), key=lambda term: term.days.first)),
        off=tuple(_off(table) for table in top.tables("holiday")),
        extra=tuple(_extra(table) for table in top.tables("school_day")),
        public_calendar=top.string("public_holidays", "china", choices=PUBLIC_CALENDARS),
    )
    top.done()
    _refuse_contradictions(terms, top.mistakes)
    if top.mistakes:
        raise ConfigurationError(str(path), top.mistakes)
    return terms


def _term(table: Table) -> Term:
    term = Term(table.string("name", ""), _days(table), _own_periods(table))
    table.done()
    return term


def _off(table: Table) -> DaysOff:
    off = DaysOff(table.string("name", ""), _days(table))
    table.done()
    return off


def _extra(table: Table) -> ExtraDay:
    text = table.string("day") or ""
    days = parse_day_range(text)
    if text and (days is None or days.first != days.last):
        table.wrong("day", message("must be {day_hint}, not {text!r}", day_hint=_DAY_HINT, text=text))
    extra = ExtraDay(table.string("name", ""), (days or _NOWHERE).first, _own_periods(table))
    table.done()
    return extra


def _days(table: Table) -> DayRange:
    text = table.string("days") or ""
    days = parse_day_range(text)
    if not text:
        return _NOWHERE
    if days is None:
        table.wrong("days", message("must be {days_hint}, not {text!r}", days_hint=_DAYS_HINT, text=text))
        return _NOWHERE
    if (days.last - days.first).days > LONGEST_SPAN_DAYS:
        table.wrong("days", message("spans more than a year: {text}", text=text))
    return days


def _own_periods(table: Table) -> tuple[Period, ...] | None:
    periods = read_periods(table)
    return periods if "periods" in table else None


def _refuse_contradictions(terms: Terms, mistakes: list[Mistake]) -> None:
    """Two terms at once, or a day that is both off and a school day, cannot both be meant."""
    for before, after in pairwise(term for term in terms.terms if term.days is not _NOWHERE):
        if after.days.first <= before.days.last:
            text = message("'{name}' begins before '{before_name}' ends", name=after.name, before_name=before.name)
            mistakes.append(Mistake("term", text))
    for extra in terms.extra:
        clash = next((off for off in terms.off if extra.day in off.days), None)
        if clash is not None:
            text = message("{day} is a school day and lies in the holiday '{name}'", day=extra.day, name=clash.name)
            mistakes.append(Mistake("school_day", text))
