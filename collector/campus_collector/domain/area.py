"""Upward reporting: months that a county sends to the level above, and what that level keeps of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from campus_base.messages import Message

Level = Literal["county", "prefecture", "province"]
LEVELS: tuple[Level, ...] = ("county", "prefecture", "province")
SchoolDetail = Literal["none", "summary", "verdicts"]
DETAILS: tuple[SchoolDetail, ...] = ("none", "summary", "verdicts")
"""What a county lets the level above see of a school: nothing, its counts by target, or the verdict of each subject."""
OVERDUE_AFTER_DAYS = 1
"""A month is awaited on the day it is closed below, and missing this many days later."""


Subjects = Annotated[int, Meta(ge=0, le=10**9)]


class VerdictTotals(msgspec.Struct, frozen=True):
    """How many subjects of a target have which verdict."""

    met: Subjects = 0
    not_met: Subjects = 0
    insufficient: Subjects = 0
    exempt: Subjects = 0

    @property
    def judged(self) -> int:
        """All that count: what is insufficient counts as not met."""
        return self.met + self.not_met + self.insufficient

    @property
    def ratio(self) -> float | None:
        """Met / (all - exempt); None when nothing is to be judged."""
        return self.met / self.judged if self.judged else None

    def __add__(self, other: "VerdictTotals") -> "VerdictTotals":
        return VerdictTotals(
            self.met + other.met,
            self.not_met + other.not_met,
            self.insufficient + other.insufficient,
            self.exempt + other.exempt,
        )


TargetTotals = dict[str, VerdictTotals]
"""By target."""


def summed(parts: Iterable[TargetTotals]) -> TargetTotals:
    """All parts together."""
    together: TargetTotals = {}
    for part in parts:
        for target, totals in part.items():
            together[target] = together.get(target, VerdictTotals()) + totals
    return together


class MonthSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """What pages, metrics and reports show of a bundle: kept beside it, so that a year of a province is not decoded for each page."""

    name: str
    schools: int
    totals: TargetTotals
    report_hash: str
    policy_version: str
    program_version: str
    problems_open: int = 0
    problems_overdue: int = 0
    simulated: bool = False
    reported_in: str = ""
    """Of a correction: the month whose report names what has changed."""
    changed: int = 0
    """Of a correction: how many verdicts have changed."""


@dataclass(frozen=True, slots=True)
class ReceivedMonth:
    """A bundle as it was received; `sender` is who handed it in: the county, or the prefecture that it belongs to.

    `series` grows when the county is enrolled again, `number` is 0 of the month as it was closed and n of its nth correction. `sha256` is the hash
    of the signed octets (hex), `public_key` is the county's.
    """

    sender: str
    county: str
    series: int
    month: str
    number: int
    received_at: datetime
    sha256: str
    public_key: bytes
    summary: MonthSummary

    @property
    def label(self) -> str:
        """The county in pages and metrics: its id, with the prefecture before it where that handed it in."""
        return label_of(self.sender, self.county)


def label_of(sender: str, county: str) -> str:
    """A county's id in pages and metrics. No id has a dot."""
    return county if sender == county else f"{sender}.{county}"


@dataclass(frozen=True, slots=True)
class AreaMember:
    """Who may hand in months here: a county, or a prefecture with those of its counties."""

    id: str
    name: str
    level: Level
    public_key: bytes
    series: int
    enrolled_at: datetime
    revoked_at: datetime | None = None

    @property
    def given_name(self) -> str:
        """What this level called it when it gave the code; "" where it gave no name but the id."""
        return "" if self.name == self.id else self.name


@dataclass(frozen=True, slots=True)
class Upstream:
    """Under which id this collector is enrolled at the level above."""

    id: str
    url: str
    enrolled_at: datetime


@dataclass(frozen=True, slots=True)
class OutgoingMonth:
    """A bundle that goes up, and how far it has come. `county` is "" of this collector's own months."""

    county: str
    series: int
    month: str
    number: int
    made_at: datetime
    sha256: str
    attempts: int = 0
    attempted_at: datetime | None = None
    answer: Message | None = None
    """Why it was not acknowledged at the last attempt."""
    acknowledged_at: datetime | None = None


def month_after(month: str) -> str:
    """The next of a month YYYY-MM."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


def months_from(first: str, last: str) -> list[str]:
    """All months from the first to the last, both included; none where the last comes before the first."""
    months = []
    while first <= last:
        months.append(first)
        first = month_after(first)
    return months


def missing_since(month: str, close_day: int) -> date:
    """From which day on a month is missing that did not arrive; `close_day` (1 to 28) is the day of the next month on which it is closed below."""
    after = month_after(month)
    year, number = int(after[:4]), int(after[5:])
    return date(year, number, close_day) + timedelta(days=OVERDUE_AFTER_DAYS)


def missing_months(received: Iterable[str], first: str, today: date, close_day: int) -> list[str]:
    """The months from `first` on that should be here by `today` and are not."""
    there = set(received)
    due = months_from(first, f"{today.year:04d}-{today.month:02d}")
    return [month for month in due if month not in there and missing_since(month, close_day) <= today]


def in_force(months: Iterable[ReceivedMonth]) -> dict[tuple[str, str], ReceivedMonth]:
    """Of each county (by label) and month what counts: the last correction of the newest series."""
    newest: dict[tuple[str, str], ReceivedMonth] = {}
    for month in months:
        key = (month.label, month.month)
        known = newest.get(key)
        if known is None or (known.series, known.number) < (month.series, month.number):
            newest[key] = month
    return newest
