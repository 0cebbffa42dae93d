"""Which moments belong to a month? Local months: a result of 23:30 UTC on the 31st is of the next month in Shandong. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campus_base.messages import message


@dataclass(frozen=True, slots=True)
class Month:
    year: int
    number: int
    zone: ZoneInfo

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"

    @property
    def first_day(self) -> date:
        """The day whose policy judges the month."""
        return date(self.year, self.number, 1)

    @property
    def last_day(self) -> date:
        return self.next().first_day - timedelta(days=1)

    @property
    def days(self) -> int:
        return self.last_day.day

    def every_day(self) -> list[date]:
        return [self.first_day + timedelta(days=number) for number in range(self.days)]

    def before(self) -> "Month":
        return Month(self.year - (self.number == 1), (self.number - 2) % 12 + 1, self.zone)

    @property
    def start(self) -> datetime:
        """The month's first moment, in UTC."""
        return datetime(self.year, self.number, 1, tzinfo=self.zone).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it, UTC."""
        return self.next().start

    def next(self) -> "Month":
        return Month(self.year + self.number // 12, self.number % 12 + 1, self.zone)


def month_of(moment: datetime, zone: ZoneInfo) -> Month:
    return month_of_day(moment.astimezone(zone).date(), zone)


def month_of_day(day: date, zone: ZoneInfo) -> Month:
    return Month(day.year, day.month, zone)


def months_between(first: date, last: date, zone: ZoneInfo) -> Iterator[Month]:
    """The months from the first of some days to the last, both included."""
    month = month_of_day(first, zone)
    while month.first_day <= last:
        yield month
        month = month.next()


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day, UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


MONTH_RULE = message("is wrong: a month is written YYYY-MM, for example 2026-11, from 2000-01 to 2099-12")


def parse_month(text: str, zone: ZoneInfo) -> Month:
    """From YYYY-MM. Raises ValueError."""
    match = re.fullmatch(r"(\d{4})-(\d\d)", text, re.ASCII)
    if match is None or not 1 <= int(match[2]) <= 12 or not 2000 <= int(match[1]) <= 2099:
        raise ValueError(f"a month is written YYYY-MM, for example 2026-11, from 2000-01 to 2099-12, not {text[:40]!r}")
    return Month(int(match[1]), int(match[2]), zone)
