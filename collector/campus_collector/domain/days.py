"""The first and last day that people may type, and the longest span: beyond them the year is mistyped; days as numbers. Pure."""

from datetime import UTC, date, datetime, timedelta

from campus_base.dates import LAST_YEAR, parse_day
from campus_base.messages import Message, message

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(LAST_YEAR, 12, 31)
MAX_PLANNED_DAYS = 300
"""Of planned work and of what holds for every school."""
MAX_EXEMPTION_DAYS = 5 * 366
"""Of one exemption of one school: rebuilding takes years; what takes longer is written again."""
A_DAY = message("must be a day like 2026-09-01, from {first} to {last}")


def day_number(day: date) -> int:
    """Days since 1970, as days stand in the database."""
    return (day - FIRST_DAY).days


def day_of(number: int) -> date:
    """The day of so many days since 1970."""
    return FIRST_DAY + timedelta(days=number)


def days_in(first: date, last: date) -> int:
    """How many days, both included."""
    return (last - first).days + 1


def day_words(first: date = FIRST_DAY, last: date = LAST_DAY) -> Message:
    """What a day must be, for a message."""
    return A_DAY.with_(first=first, last=last)


def importable(today: date) -> tuple[date, date]:
    """From which day to which an inventory may come into force: a year ahead, five back."""
    return today - timedelta(days=5 * 366), today + timedelta(days=366)


def parse_moment(text: str) -> datetime:
    """An ISO 8601 time, with or without a zone, or a day as people write it: its beginning. Raises ValueError, also beyond the bounds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        day = parse_day(text)
        moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001  (the caller says in which zone)
    if not FIRST_DAY < moment.date() < LAST_DAY:
        raise ValueError(f"{text[:40]!r} is not within {FIRST_DAY} to {LAST_DAY}")
    return moment
