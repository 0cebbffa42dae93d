"""Days as people type them: 2026-09-01, 2026/9/1, 2026.9.1, 2026年9月1日, also with full-width digits. Anything else is refused, never guessed. Pure."""

import re
from datetime import date

from campus_base.messages import message
from campus_wire.digits import NARROW

FIRST_YEAR, LAST_YEAR = 2000, 2100
"""A day of another year is a slip of the keyboard."""
LONGEST_BLACKOUT_DAYS = 100
"""Of one span without tests: longer than a summer."""
_DAY = r"\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}|\d{4}\.\d{1,2}\.\d{1,2}|\d{4}年\d{1,2}月\d{1,2}[日号]?|\d{8}"
_DAYS = re.compile(rf"({_DAY})(?: ?(?:/|至|到|~) ?({_DAY}))?", re.ASCII)
MAX_TEXT = 60


class NotADay(ValueError):
    """What was typed is no day; `text` says so in both languages."""

    def __init__(self, given: str) -> None:
        shown = given[:MAX_TEXT]
        self.text = message(
            "must be a day like 2026-09-01 (or 2026/9/1, 2026年9月1日) between {first_year} and {last_year},"
            " not {shown!r}",
            first_year=FIRST_YEAR,
            last_year=LAST_YEAR,
            shown=shown,
        )
        super().__init__(self.text.en)


def parse_day(text: str) -> date:
    """One day. Raises NotADay."""
    first, last = _matched(text)
    if last is not None:
        raise NotADay(text)
    return first


def parse_days(text: str) -> tuple[date, date]:
    """One day, or from one to another, both included: 2026-06-07/2026-06-09, 2026年6月7日至2026年6月9日. Raises NotADay."""
    first, last = _matched(text)
    if last is not None and last < first:
        raise NotADay(text)
    return first, last or first


def _matched(text: str) -> tuple[date, date | None]:
    match = _DAYS.fullmatch(text.translate(NARROW).strip()) if len(text) <= MAX_TEXT else None
    if match is None:
        raise NotADay(text)
    first, last = (None if part is None else _day(part) for part in match.groups())
    if first is None or (match[2] is not None and last is None):
        raise NotADay(text)
    return first, last


def _day(text: str) -> date | None:
    numbers = [text[:4], text[4:6], text[6:]] if text.isdigit() else re.findall(r"\d+", text, re.ASCII)
    year, month, day = (int(number) for number in numbers)
    try:
        return date(year, month, day) if FIRST_YEAR <= year <= LAST_YEAR else None
    except ValueError:
        return None
