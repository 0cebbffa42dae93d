"""Single values of a configuration that are more than a number or a text: files, hosts, addresses, lessons and days.

Each reader takes a table, a key and its default, notes what is wrong in the table, and returns something of the type all the same.
"""

import re
from datetime import date, time
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from campus_base.dates import LONGEST_BLACKOUT_DAYS, NotADay, parse_days
from campus_base.file_kind import NOT_A_FILE, is_special
from campus_base.hosts import is_host
from campus_base.messages import Message, message, verbatim
from campus_base.settings import Mistake, Table
from campus_base.typed_tables import Pattern
from campus_wire.digits import NARROW

PATH = Pattern(r"[^\x00]+", message("a path, not empty"))
HOST_HINT = message("a host name or an IP address")
MAX_URL_CHARACTERS = 2000
MOST_BLACKOUTS = 100


class Period(msgspec.Struct, frozen=True):
    """One lesson of the day, local time, end not included."""

    start: time
    end: time

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


class DayRange(msgspec.Struct, frozen=True):
    """Days from first to last, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


def read_file(table: Table, key: str, default: Any) -> Path | None:
    """The file that a key names; None without one. It may come later, but it must not be a folder, a device or a pipe."""
    name: str | None = table.string(key, default, pattern=PATH.expression, hint=PATH.hint)
    if not name:
        return None
    file = table.folder / name
    if is_special(file):
        table.wrong(key, verbatim(f"{file} {NOT_A_FILE.en}"))
    return file


def read_host(table: Table, key: str, default: Any) -> str:
    """A machine's name or address; what a resolver would take for another machine is a mistake."""
    host: str = table.string(key, default) or ""
    if host and not is_host(host):
        table.wrong(key, message("must be {host_hint}, not {host!r}", host_hint=HOST_HINT, host=host[:60]))
    return host


def read_url(schemes: tuple[str, ...], table: Table, key: str, default: Any) -> str:
    """An address without user name and password."""
    url: str | None = table.string(key, default)
    if url is None:
        return ""
    try:
        parts = urlsplit(url)
        valid = _is_address(url, parts, schemes)
    except ValueError:
        valid = False
    if not valid:
        listed = " / ".join(f"{scheme}://" for scheme in schemes)
        table.wrong(key, message("must be a URL with {listed}, not {url!r}", listed=listed, url=url))
    elif parts.username is not None:
        table.wrong(key, message("must not carry a user name or password"))
    return url


def _is_address(url: str, parts: SplitResult, schemes: tuple[str, ...]) -> bool:
    """Raises ValueError for a port that is none."""
    host = parts.hostname or ""
    return (
        parts.scheme in schemes
        and parts.port != 0
        and len(url) <= MAX_URL_CHARACTERS
        and re.search(r"[\x00-\x20\x7f]", url) is None
        and bool(host)
        and (not host.isascii() or is_host(host))
    )


def read_periods(table: Table, key: str = "periods", default: Any = ()) -> tuple[Period, ...]:
    """Lessons, in order of time; overlaps are mistakes."""
    periods = []
    for index, text in enumerate(table.strings(key, default)):
        period = _period(text)
        if period is None:
            hint = message("a period like 08:00-08:45")
            _wrong_item(table, key, index, text, hint)
        else:
            periods.append(period)
    periods.sort(key=lambda period: period.start)
    for before, after in pairwise(periods):
        if after.start < before.end:
            table.wrong(key, message("{before} and {after} overlap", before=before, after=after))
    return tuple(periods)


def _period(text: str) -> Period | None:
    match = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)", text.translate(NARROW).strip(), re.ASCII)
    if match is None:
        return None
    try:
        period = Period(time.fromisoformat(match[1]), time.fromisoformat(match[2]))
    except ValueError:
        return None
    return period if period.start < period.end else None


def read_blackout(table: Table, key: str, default: Any) -> tuple[DayRange, ...]:
    blackout = []
    for index, text in enumerate(table.strings(key, default)):
        days = parse_day_range(text)
        if days is None:
            hint = message("days like 2026-06-07/2026-06-09 or 2026-06-07")
            _wrong_item(table, key, index, text, hint)
        elif (days.last - days.first).days >= LONGEST_BLACKOUT_DAYS:
            table.wrong(
                f"{key}[{index}]",
                message(
                    "spans more than {longest_blackout_days} days without any test: {text}",
                    longest_blackout_days=LONGEST_BLACKOUT_DAYS,
                    text=text,
                ),
            )
        else:
            blackout.append(days)
    if len(blackout) > MOST_BLACKOUTS:
        table.wrong(key, message("more than {most_blackouts} entries", most_blackouts=MOST_BLACKOUTS))
    return tuple(blackout)


def parse_day_range(text: str) -> DayRange | None:
    """Days written as 2026-06-07/2026-06-09, or one day; None when they are not, or in a year that can only be a slip."""
    try:
        return DayRange(*parse_days(text))
    except NotADay:
        return None


def _wrong_item(table: Table, key: str, index: int, value: str, hint: Message) -> None:
    text = message("must be {hint}, not {value!r}", hint=hint, value=value)
    table.mistakes.append(Mistake(f"{table.place(key)}[{index}]", text))
