"""From sheets of text to an inventory: every mistake at once, each with sheet, row and column. Pure."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from campus_base.dates import LONGEST_BLACKOUT_DAYS, NotADay, parse_days
from campus_base.hosts import is_host
from campus_base.language import Language
from campus_base.messages import Message, bilingual, message, verbatim
from campus_base.terminal import escape_cell
from campus_collector.domain.days import days_in
from campus_collector.domain.inventory import (
    EMPTY,
    Classroom,
    Device,
    Inventory,
    InventorySchool,
    InventoryService,
    Timetable,
)
from campus_collector.inventory.cells import BEYOND_REPAIR, AnyCell, Cell, is_empty, text_of
from campus_collector.inventory.exemptions import is_none, lacks_a_reason
from campus_collector.inventory.headings import SHEETS, Column, Kind
from campus_collector.inventory.sources import RawSheet
from campus_wire.digits import NARROW, ascii_integer
from campus_wire.ids import is_id

YES = frozenset({"1", "是", "yes", "y", "true", "有", "√"})
NO = frozenset({"0", "否", "no", "n", "false", "无", "×", ""})
MAX_NAME = 100
MAX_PASSAGE, MAX_STATUSES = 200, 20
MAX_MISTAKES = 1000
MAX_SHOWN = 60
"""Characters of a wrong cell that a message repeats."""
FORMULA_STARTS = ("=", "+", "-", "@")
BY_VALUE: tuple[Kind, ...] = ("flag", "port", "days", "rate")
"""Kinds of which the number behind a cell counts, not how it is shown."""
IN_ANY_WIDTH: tuple[Kind, ...] = ("flag", "port", "host", "periods", "days", "statuses", "rate", "phone")
"""Kinds that are read alike from full-width letters and digits, as Chinese input methods type them."""
_SEPARATORS = re.compile(r"[\s;；,，、]+")
LEAST_RATE, MOST_RATE = 1_000_000, 1_000_000_000_000
"""Bits per second that a contract can promise."""
_RATE = re.compile(
    r"([0-9]{1,13}(?:\.[0-9]{1,3})?)\s*(?:([gm兆])\s*(?:bit/s|bits/s|bps|b/s|b|比特每秒)?|bit/s|bps)?", re.IGNORECASE
)
_RATE_UNITS = {"": 1, "m": 1_000_000, "兆": 1_000_000, "g": 1_000_000_000}
_RATE_IN_WORDS = {"百兆": "100M", "千兆": "1G", "万兆": "10G"}
_PHONE = re.compile(r"(?=(?:[^0-9]*[0-9]){3})[0-9()（）\s/、,，;；转-]{3,60}")
_SCIENTIFIC = re.compile(r"-?[0-9](\.[0-9]+)?E\+[0-9]+")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, and where: `row` as the spreadsheet counts (the heading is row 1), `column` its heading; both may be unknown."""

    place: str
    row: int | None
    column: str | None
    text: Message

    def in_(self, language: Language) -> str:
        row = message(" row {row}").in_(language, row=self.row) if self.row is not None else ""
        column = message(", column {column}").in_(language, column=self.column) if self.column else ""
        colon = message(": ").in_(language)
        return escape_cell(f"{self.place}{row}{column}{colon}{self.text.in_(language)}")


def read(sheets: Sequence[RawSheet], before: Inventory = EMPTY) -> tuple[Inventory, list[Mistake]]:
    """The inventory, and all mistakes; with any mistake the inventory must not be used.

    `before` is what holds for sheets that are not given: a classroom may refer to a school that is known already.
    """
    mistakes: list[Mistake] = []
    rows = {sheet.sheet.name: _Rows(sheet, mistakes) for sheet in sheets}
    inventory = Inventory(**{sheet.name: _records_of(rows.get(sheet.name)) for sheet in SHEETS})
    _refer(inventory.over(before), rows, mistakes)
    order = {sheet.place: number for number, sheet in enumerate(sheets)}
    mistakes.sort(key=lambda mistake: (order.get(mistake.place, 99), mistake.row or 0))
    return inventory, mistakes[:MAX_MISTAKES]


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    values: dict[str, Any]
    sound: bool


class _Rows:
    """The rows of one sheet, cell by cell; what is wrong is noted on the way."""

    def __init__(self, raw: RawSheet, mistakes: list[Mistake]) -> None:
        self.sheet, self.place = raw.sheet, raw.place
        self._mistakes = mistakes
        self.headings: dict[str, str] = {}
        self.rows: list[_Row] = []
        if not raw.rows:
            self._wrong(None, None, message("the sheet is empty: it needs at least its headings"))
            return
        self._top = next((number for number, cells in enumerate(raw.rows, 1) if any(cells)), 1)
        places = self._columns([text_of(cell) for cell in raw.rows[self._top - 1]])
        if places is None:
            return
        for number, cells in enumerate(raw.rows[self._top :], self._top + 1):
            if any(cells):
                self.rows.append(self._row(number, cells, places))
        self._refuse_twins()

    def wrong(self, row: int | None, key: str | None, text: Message) -> None:
        """Note a mistake at a column's key."""
        self._wrong(row, self.headings.get(key, key) if key else None, text)

    def _wrong(self, row: int | None, heading: str | None, text: Message) -> None:
        self._mistakes.append(Mistake(self.place, row, heading, text))

    def _columns(self, cells: list[str]) -> dict[str, int] | None:
        """Where each column is; None when one that is needed is missing."""
        places: dict[str, int] = {}
        self._headed = {index for index, cell in enumerate(cells) if cell}
        for index, cell in enumerate(cells):
            column = self.sheet.column_named(cell)
            if column is None:
                if cell:
                    listed = "、".join(f"{column.chinese}({column.key})" for column in self.sheet.columns)
                    self._wrong(
                        self._top,
                        cell[:MAX_SHOWN],
                        message("unknown heading; known: {listed}", listed=listed),
                    )
            elif column.key in places:
                self._wrong(self._top, cell, message("this heading stands twice"))
            else:
                places[column.key] = index
                self.headings[column.key] = cell
        missing = [column for column in self.sheet.columns if column.needed and column.key not in places]
        for column in missing:
            self._wrong(self._top, f"{column.chinese}({column.key})", message("this column is missing"))
        return None if missing else places

    def _row(self, number: int, cells: list[AnyCell], places: dict[str, int]) -> _Row:
        values: dict[str, Any] = {}
        before = len(self._mistakes)
        self._refuse_cells_without_heading(number, cells)
        for column in self.sheet.columns:
            index = places.get(column.key)
            cell = cells[index] if index is not None and index < len(cells) else ""
            if not cell and column.needed and column.kind != "flag":
                self.wrong(number, column.key, message("must be filled in"))
                values[column.key] = None
                continue
            values[column.key] = self._value(number, column, cell)
        return _Row(number, values, len(self._mistakes) == before)

    def _refuse_cells_without_heading(self, number: int, cells: list[AnyCell]) -> None:
        """A comma too many moves the cells behind it to the right: what has no heading above it is never left aside. The first is named."""
        for index, cell in enumerate(cells):
            if index not in self._headed and not is_empty(cell):
                shown = text_of(cell)[:MAX_SHOWN]
                words = message(
                    "{shown!r} in column {index} has no heading above it: is there a comma or cell too many in this"
                    " row?",
                    shown=shown,
                    index=index + 1,
                )
                self._wrong(number, None, words)
                return

    def _value(self, number: int, column: Column, cell: AnyCell) -> Any:
        if isinstance(cell, Cell) and cell.problem.en and _is_wrong(cell, column):
            text = text_of(cell)[:MAX_SHOWN]
            shown = message(" ({text!r})", text=text) if text else verbatim("")
            self.wrong(number, column.key, bilingual(cell.problem.en + shown.en, cell.problem.zh + shown.zh))
            return None
        text = cell.value if isinstance(cell, Cell) and column.kind in BY_VALUE else text_of(cell)
        if column.kind in IN_ANY_WIDTH:
            text = text.translate(NARROW).strip()
        problem, value = READERS[column.kind](text)
        if problem is not None:
            text = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
            self.wrong(number, column.key, message("{problem}, not {text!r}", problem=problem, text=text))
        if column.key == "required" and not text:
            return True
        return value

    def _refuse_twins(self) -> None:
        first_rows: dict[tuple[Any, ...], int] = {}
        for row in self.rows:
            key = tuple(row.values[name] for name in self.sheet.keys)
            if None in key:
                continue
            if key in first_rows:
                named = "/".join(str(part) for part in key if part)
                self.wrong(
                    row.number,
                    self.sheet.keys[-1] if self.sheet.name != "services" else "service_id",
                    message("'{named}' stands in row {seen} already", named=named, seen=first_rows[key]),
                )
            else:
                first_rows[key] = row.number


def _id(text: str) -> tuple[Message | None, str]:
    if not text or is_id(text):
        return None, text
    return message("must be lower-case letters, digits, '-' or '_' (64 at most)"), text


def _is_wrong(cell: Cell, column: Column) -> bool:
    """Can this cell not be taken in this column? A date is a day where days are asked for, a number a number where its value counts."""
    return cell.broken or (cell.shown is None and column.kind not in BY_VALUE)


def _text(text: str, most: int = MAX_NAME) -> tuple[Message | None, str]:
    if len(text) > most:
        return message("must be at most {most} characters", most=most), text
    if text[:1] in FORMULA_STARTS:  # a spreadsheet program would calculate it
        return message("must not begin with = + - @"), text
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        return message("must hold no control characters"), text
    if "\ufffd" in text or (len(text) > 1 and not text.strip("?？")):
        return BEYOND_REPAIR, text
    if _SCIENTIFIC.fullmatch(text):
        return message("is a number that a spreadsheet program shortened"), text
    return None, text


def _reason(text: str) -> tuple[Message | None, str]:
    """Why a classroom is exempt; words for none are none."""
    if is_none(text):
        return None, ""
    if lacks_a_reason(text):
        return message("must say why, for example 撤并"), text
    return _text(text)


def _flag(text: str) -> tuple[Message | None, bool]:
    word = text.lower()
    if word in YES or word in NO:
        return None, word in YES
    return message("must be 1 or 0"), False


def _port(text: str) -> tuple[Message | None, int | None]:
    if not text:
        return None, None
    if number := ascii_integer(text, 65_535):
        return None, number
    return message("must be a port from 1 to 65535"), None


def _host(text: str) -> tuple[Message | None, str]:
    if text and not is_host(text):
        return message("must be an IP address or a host name"), text
    return None, text


def _url(text: str) -> tuple[Message | None, str]:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and parts.port != 0 and not parts.username
        # the agent refuses what a resolver would take for another machine; names beyond ASCII are a resolver's matter
        sound = sound and (is_host(parts.hostname or "") or not (parts.hostname or "").isascii())
    except ValueError:
        sound = False
    return (None if sound and len(text) <= 500 else message("must be a http(s) address")), text


def _periods(text: str) -> tuple[Message | None, tuple[str, ...]]:
    """Lessons like 08:00-08:45, in the order of the day, none in another."""
    periods = []
    for part in _SEPARATORS.split(text.replace("：", ":").replace("—", "-").replace("–", "-")):
        match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)[-~]([01]?\d|2[0-3]):([0-5]\d)", part) if part else None
        if part and match is None:
            return message("must be lessons like 08:00-08:45 08:55-09:40"), ()
        if match is not None:
            periods.append(f"{int(match[1]):02d}:{match[2]}-{int(match[3]):02d}:{match[4]}")
    periods.sort()
    if any(period[:5] >= period[6:] for period in periods) or any(
        before[6:] > after[:5] for before, after in pairwise(periods)
    ):
        return message("each lesson must end after it began, and before the next begins"), ()
    return None, tuple(periods)


def _days(text: str) -> tuple[Message | None, tuple[str, ...]]:
    """Days like 2026-06-07 or 2026-06-07/2026-06-09, each span bounded."""
    days = []
    for part in _SEPARATORS.split(text):
        if not part:
            continue
        try:
            first, last = parse_days(part)
        except NotADay as error:
            return error.text, ()
        if days_in(first, last) > LONGEST_BLACKOUT_DAYS:
            return message(
                "spans {first} days without tests, more than {longest_blackout_days}; is the year right?",
                first=days_in(first, last),
                longest_blackout_days=LONGEST_BLACKOUT_DAYS,
            ), ()
        days.append(f"{first}/{last}" if last > first else f"{first}")
    return None, tuple(sorted(days))


def _statuses(text: str) -> tuple[Message | None, tuple[int, ...]]:
    """HTTP statuses like 200 or 200,412."""
    parts = [part for part in _SEPARATORS.split(text) if part]
    sound = all(re.fullmatch(r"[1-5][0-9][0-9]", part) for part in parts) and len(parts) <= MAX_STATUSES
    if not sound:
        hint = message("must be HTTP statuses like 200 or 200,412")
        return hint, ()
    return None, tuple(dict.fromkeys(int(part) for part in parts))


def _rate(text: str) -> tuple[Message | None, int | None]:
    """Bits per second: of a number alone, or with a unit as contracts write it (1000M, 1 Gbit/s, 1000兆, 千兆)."""
    if not text:
        return None, None
    match = _RATE.fullmatch(_RATE_IN_WORDS.get(text, text).replace(",", ""))
    if match is not None:
        rate = round(Decimal(match[1]) * _RATE_UNITS[(match[2] or "").lower()])
        # a number alone that is this small was meant in another unit
        if LEAST_RATE <= rate <= MOST_RATE:
            return None, rate
    return message("must be a rate with its unit, such as 1000M or 1G"), None


def _phone(text: str) -> tuple[Message | None, str]:
    """Numbers of telephones as people write them; a leading + would make a spreadsheet program calculate, and China's prefix is left out."""
    text = re.sub(r"\A(?:\+|00)86[\s-]*(?=[0-9])", "", text)
    if text and not _PHONE.fullmatch(text):
        return message("must be a telephone number"), text
    return None, text


READERS: dict[str, Callable[[str], tuple[Message | None, Any]]] = {
    "id": _id,
    "text": _text,
    "reason": _reason,
    "flag": _flag,
    "port": _port,
    "host": _host,
    "url": _url,
    "periods": _periods,
    "days": _days,
    "statuses": _statuses,
    "passage": partial(_text, most=MAX_PASSAGE),
    "rate": _rate,
    "phone": _phone,
}


def _records_of(rows: _Rows | None) -> Any:
    if rows is None:
        return None
    make = {
        "schools": _school,
        "classrooms": _classroom,
        "devices": _device,
        "services": _service,
        "timetables": _timetable,
    }[rows.sheet.name]
    return tuple(make(row.values) for row in rows.rows if row.sound)


def _school(row: dict[str, Any]) -> InventorySchool:
    return InventorySchool(
        row["town_id"],
        row["town"],
        row["school_id"],
        row["school"],
        row["town_seat"],
        row["carrier"],
        row["contract"],
        row["contract_bits_per_second"],
        row["unit"],
        row["contact"],
        row["phone"],
    )


def _classroom(row: dict[str, Any]) -> Classroom:
    return Classroom(
        row["school_id"], row["classroom_id"], row["classroom"], row["host"], row["port"], row["exempt_reason"]
    )


def _device(row: dict[str, Any]) -> Device:
    return Device(
        row["school_id"], row["room_id"], row["device_id"], row["device"], row["profile"], row["host"], row["required"]
    )


def _service(row: dict[str, Any]) -> InventoryService:
    return InventoryService(
        row["service_id"], row["service"], row["url"], row["town_id"], row["expect_status"], row["expect_text"]
    )


def _timetable(row: dict[str, Any]) -> Timetable:
    return Timetable(row["school_id"], row["periods"], row["blackout"])


def _refer(whole: Inventory, rows: dict[str, _Rows], mistakes: list[Mistake]) -> None:
    """What rows say of each other: schools that exist, towns with one name, ids that are taken."""
    schools_given = rows.get("schools")
    known = {school.id for school in whole.schools or ()}
    if schools_given is not None:  # a school whose own row is wrong is known all the same: one mistake, not forty
        known |= {row.values["school_id"] for row in schools_given.rows}
        _refer_towns(schools_given)
    for name in ("classrooms", "devices", "timetables"):
        given = rows.get(name)
        for row in given.rows if given else ():
            school = row.values["school_id"]
            if given and school and school not in known and is_id(school):
                given.wrong(row.number, "school_id", message("there is no school '{school}'", school=school))
    classrooms = rows.get("classrooms")
    for row in classrooms.rows if classrooms else ():
        if classrooms and row.values["classroom_id"] in ("uplink", "gateway", "recording_room"):
            word = row.values["classroom_id"]
            classrooms.wrong(row.number, "classroom_id", message("'{word}' is a reserved word", word=word))
    services = rows.get("services")
    towns = {school.town for school in whole.schools or ()} | (
        {row.values["town_id"] for row in schools_given.rows} if schools_given else set()
    )
    for row in services.rows if services else ():
        town = row.values["town_id"]
        if services and town and is_id(town) and town not in towns:
            services.wrong(row.number, "town_id", message("there is no town '{town}'", town=town))


def _refer_towns(schools: _Rows) -> None:
    names: dict[str, tuple[str, int]] = {}
    for row in schools.rows:
        town, name = row.values["town_id"], row.values["town"]
        if not town or not name:
            continue
        first = names.setdefault(town, (name, row.number))
        if first[0] != name:
            schools.wrong(
                row.number,
                "town",
                message("town '{town}' is called '{name}' in row {row}", town=town, name=first[0], row=first[1]),
            )
