"""Days and spans of days as people type them, within years that can be meant. Pure."""

import re
from datetime import date, datetime, timedelta

from campus_wire.language import Text

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)
"""Beyond these a date is a slip of the pen, and time zones and the database reach their ends."""
MAX_BLACKOUT_DAYS = 92
"""Of one span without tests: longer than any examination or vacation, shorter than a slip in the year."""
MAX_PLANNED_DAYS = 300
"""Of planned work and of what holds for every school, for the same reason."""
MAX_EXEMPTION_DAYS = 5 * 366
"""Of one exemption of one school: rebuilding takes years; what takes longer is written again."""
_DAY = r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?|(\d{4})(\d{2})(\d{2})"
_ONE_DAY = re.compile(_DAY, re.ASCII)
A_DAY = Text(
    "must be a day like 2026-09-01, from {first} to {last}", "应为形如 2026-09-01 的日期，且在 {first} 至 {last} 之间"
)


def parse_day(text: str, first: date = FIRST_DAY, last: date = LAST_DAY) -> date:
    """From 2026-09-01, 2026/9/1, 2026.9.1, 2026年9月1日 or 20260901. Raises ValueError for anything else, or beyond the bounds."""
    match = _ONE_DAY.fullmatch(text.strip()) if len(text) <= 40 else None
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a day like 2026-09-01")
    year, month, day = match.groups()[:3] if match[1] else match.groups()[3:]
    found = date(int(year), int(month), int(day))
    if not first <= found <= last:
        raise ValueError(f"{found} is not within {first} to {last}")
    return found


def parse_span(text: str) -> tuple[date, date]:
    """From one day, or two with `/`, `~` or 至 between; both included. Raises ValueError."""
    for number, letter in enumerate(text):
        if letter in "/~～至到—–":
            try:
                first, last = parse_day(text[:number]), parse_day(text[number + 1 :])
            except ValueError:
                continue
            if last < first:
                raise ValueError(f"{last} is before {first}")
            return first, last
    return parse_day(text), parse_day(text)


def days_in(first: date, last: date) -> int:
    """How many days, both included."""
    return (last - first).days + 1


def day_words(first: date = FIRST_DAY, last: date = LAST_DAY) -> Text:
    """What a day must be, for a message."""
    return Text(A_DAY.en.format(first=first, last=last), A_DAY.zh.format(first=first, last=last))


def importable(today: date) -> tuple[date, date]:
    """From which day to which an inventory may come into force: a year ahead, five back."""
    return today - timedelta(days=5 * 366), today + timedelta(days=366)


def parse_moment(text: str) -> datetime:
    """An ISO 8601 date or time, with or without a zone. Raises ValueError, also beyond the bounds."""
    moment = datetime.fromisoformat(text)
    if not FIRST_DAY < moment.date() < LAST_DAY:
        raise ValueError(f"{text[:40]!r} is not within {FIRST_DAY} to {LAST_DAY}")
    return moment
