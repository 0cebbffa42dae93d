"""Reads the sheets of an XLSX workbook (ECMA-376, transitional and strict) as rows of cells, each as it is shown.

Part by part and cell by cell, so that nothing is held but what the cells say: sizes that the file claims (`dimension`, counts) are not
read, formats of empty cells neither. Namespaces are not looked at, so that both editions of the standard, and prefixes, read alike.
"""

import posixpath
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.parsers import expat

from campus_base.messages import message
from campus_collector.inventory.cells import A_DATE, UNCALCULATED, AnyCell, Cell, error_value, is_empty, tidy
from campus_collector.inventory.errors import Unreadable
from campus_collector.inventory.number_format import BUILT_IN, GENERAL, MAX_FORMAT_CHARACTERS, numeric_cell
from campus_collector.inventory.package import Package, damaged

MAX_ROWS = 300_000
MAX_COLUMNS = 200
MAX_CELLS = 2_000_000
MAX_STYLES = 65_536
"""Cell formats a workbook may define; spreadsheet programs stop there too."""
MAX_STRINGS = 1_000_000
MAX_TEXT_CHARACTERS = 64 * 1024 * 1024
MAX_RUN_CHARACTERS = 32_767
MAX_MERGED = 100_000
MAX_PART_BYTES = 8 * 1024 * 1024
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
Rows = list[list[AnyCell]]
_NO_CELLS: list[AnyCell] = []


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A sheet as the workbook names it, and where its cells are."""

    title: str
    hidden: bool
    part: str


class Workbook:
    """One workbook; `read` gives the cells of a sheet."""

    def __init__(self, package: Package) -> None:
        """Reads what all sheets share. Raises Unreadable."""
        self._package = package
        main = _target(_relations(package, "_rels/.rels"), "officedocument", "", "xl/workbook.xml")
        parts = _relations(
            package, posixpath.join(posixpath.dirname(main), "_rels", posixpath.basename(main) + ".rels")
        )
        folder = posixpath.dirname(main)
        workbook = _Workbook()
        _parse(package, main, workbook.start)
        self._epoch_1904, self._uncalculated = workbook.epoch_1904, workbook.recalculate
        self.sheets = [
            SheetPart(title, hidden, posixpath.join(folder, parts[key][1]))
            for title, hidden, key in workbook.sheets
            if key in parts and parts[key][0].endswith("worksheet")
        ]
        self._formats = self._read_styles(_target(parts, "styles", folder, posixpath.join(folder, "styles.xml")))
        self._strings = self._read_strings(
            _target(parts, "sharedstrings", folder, posixpath.join(folder, "sharedStrings.xml"))
        )

    def read(self, sheet: SheetPart) -> Rows:
        """Its rows, the first row first; a merged cell's text stands in each of its rows. Raises Unreadable."""
        cells = _Cells(self._package.name, sheet.title, self._value)
        _parse(self._package, sheet.part, cells.start, cells.end, cells.text)
        return cells.rows()

    def _read_styles(self, part: str) -> list[str]:
        styles = _Styles(self._package.name)
        if part in self._package:
            _parse(self._package, part, styles.start, styles.end)
        return [styles.codes.get(number, BUILT_IN.get(number, GENERAL)) for number in styles.formats]

    def _read_strings(self, part: str) -> list[str]:
        strings = _Strings(self._package.name)
        if part in self._package:
            _parse(self._package, part, strings.start, strings.end, strings.text)
        return strings.texts

    def _value(self, raw: "_RawCell") -> AnyCell:
        """What a cell holds. Raises ValueError, IndexError for what contradicts itself."""
        text = raw.text
        if raw.formula and (self._uncalculated or (not text and raw.kind not in ("str", "s", "inlineStr"))):
            return Cell(None, "", UNCALCULATED, broken=True)
        if raw.kind == "s":
            return self._checked(self._strings[_number(text.strip())]) if text else ""
        if raw.kind in ("inlineStr", "str"):
            return self._checked(tidy(unescaped(text)))
        if not text:
            return ""
        if raw.kind == "e":
            return error_value(text) or Cell(None, text[:20], message("is the error {text}", text=text[:20]), True)
        if raw.kind == "b":
            truth = text.strip() in ("1", "true")
            return Cell("TRUE" if truth else "FALSE", "1" if truth else "0")
        if raw.kind == "d":
            return Cell(
                None, text[:10] if text[10:] in ("", "T00:00:00", "T00:00:00Z", "T00:00:00.000Z") else text[:30], A_DATE
            )
        code = self._formats[raw.style] if 0 <= raw.style < len(self._formats) else GENERAL
        return numeric_cell(text, code, self._epoch_1904)

    @staticmethod
    def _checked(text: str) -> AnyCell:
        return error_value(text) or text


def unescaped(text: str) -> str:
    """`_x000D_` is how these files write a character XML cannot hold (ECMA-376 part 1, 22.9.2.19)."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


@dataclass(slots=True)
class _RawCell:
    column: int
    kind: str
    style: int
    text: str = ""
    formula: bool = False


class _Workbook:
    """The workbook part: sheets in their order, and how its numbers are meant."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, bool, str]] = []
        self.epoch_1904 = False
        self.recalculate = False

    def start(self, name: str, values: Mapping[str, str]) -> None:
        if name == "sheet":
            key = next((value for key, value in values.items() if key.endswith(":id")), "")
            self.sheets.append((tidy(values.get("name", "")), values.get("state", "visible") != "visible", key))
        elif name == "workbookPr":
            self.epoch_1904 = values.get("date1904") in ("1", "true", "on")
        elif name == "calcPr":
            self.recalculate = values.get("fullCalcOnLoad") in ("1", "true", "on")


class _Styles:
    """The number format of each cell format."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inside = False
        self.codes: dict[int, str] = {}
        self.formats: list[int] = []
        self._elements = 0

    def start(self, name: str, values: Mapping[str, str]) -> None:
        self._elements += 1
        if self._elements > 16 * MAX_STYLES or len(self.formats) > MAX_STYLES or len(self.codes) > MAX_STYLES:
            raise Unreadable(
                message(
                    "{name}: defines more than {max_styles} cell formats; copy the cells into a new workbook, as"
                    " values",
                    name=self._name,
                    max_styles=MAX_STYLES,
                )
            )
        if name == "cellXfs":
            self._inside = True
        elif name == "xf" and self._inside:
            self.formats.append(int(values.get("numFmtId", "0") or 0))
        elif name == "numFmt":
            self.codes[int(values.get("numFmtId", "0"))] = values.get("formatCode", GENERAL)[:MAX_FORMAT_CHARACTERS]

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._inside = False


class _Text:
    """Gathers the runs of one string; phonetic guides (rPh) are not part of what is shown as the text."""

    def __init__(self) -> None:
        self._runs: list[str] = []
        self._length = 0
        self._open = False
        self._phonetic = False

    def start(self, name: str) -> None:
        if name == "rPh":
            self._phonetic = True
        elif name == "t":
            self._open = not self._phonetic

    def end(self, name: str) -> None:
        if name == "rPh":
            self._phonetic = False
        elif name == "t":
            self._open = False

    def add(self, text: str) -> None:
        if self._open and self._length < MAX_RUN_CHARACTERS:
            self._runs.append(text)
            self._length += len(text)

    def take(self) -> str:
        text = "".join(self._runs)
        self._runs.clear()
        self._length = 0
        return text


class _Strings:
    """The strings that cells share."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._string = _Text()
        self._characters = 0
        self.texts: list[str] = []

    def start(self, name: str, _values: Mapping[str, str]) -> None:
        self._string.start(name)

    def text(self, text: str) -> None:
        self._string.add(text)

    def end(self, name: str) -> None:
        self._string.end(name)
        if name == "si":
            self.texts.append(tidy(unescaped(self._string.take())))
            self._characters += len(self.texts[-1])
            if len(self.texts) > MAX_STRINGS or self._characters > MAX_TEXT_CHARACTERS:
                raise too_much(self._name)


class _Cells:
    """The cells of one sheet that hold anything."""

    def __init__(self, name: str, title: str, value: Callable[[_RawCell], AnyCell]) -> None:
        self._name, self._title, self._value = name, title, value
        self._row, self._column, self._count, self._characters = 0, -1, 0, 0
        self._cell: _RawCell | None = None
        self._in_value = False
        self._string = _Text()
        self._merged: list[tuple[int, int, int]] = []
        self._filled: dict[int, list[AnyCell]] = {}

    def start(self, name: str, values: Mapping[str, str]) -> None:
        if name == "row":
            given = values.get("r")
            self._row = self._row + 1 if given is None else _number(given)
            self._column = -1
        elif name == "c":
            place = _REFERENCE.fullmatch(values.get("r", ""))
            self._column = self._column + 1 if place is None else _column_number(place[1])
            self._cell = _RawCell(self._column, values.get("t", "n"), _number(values.get("s") or "0"))
        elif name == "mergeCell":
            self._merge(values.get("ref", ""))
        elif self._cell is None:
            return
        elif name == "v":
            self._in_value = True
        elif name == "f":
            self._cell.formula = True
        else:
            self._string.start(name)

    def text(self, text: str) -> None:
        if self._cell is None:
            return
        if self._in_value:
            if len(self._cell.text) < MAX_RUN_CHARACTERS:
                self._cell.text += text
        else:
            self._string.add(text)

    def end(self, name: str) -> None:
        if self._cell is None:
            return
        if name == "v":
            self._in_value = False
        elif name == "is":
            self._cell.text = self._string.take()
        elif name == "c":
            cell, self._cell = self._cell, None
            self._append(cell)
        else:
            self._string.end(name)

    def _append(self, raw: _RawCell) -> None:
        value = self._value(raw)
        if is_empty(value):
            return
        if not 1 <= self._row <= MAX_ROWS or raw.column >= MAX_COLUMNS:
            place = f"{column_letters(raw.column)}{self._row}"
            raise Unreadable(
                message(
                    "{title}: cell {place} lies beyond {max_rows} rows and {max_columns} columns; empty it",
                    title=self._title,
                    place=place,
                    max_rows=MAX_ROWS,
                    max_columns=MAX_COLUMNS,
                )
            )
        self._count += 1
        self._characters += len(value) if isinstance(value, str) and raw.kind != "s" else 0
        if self._count > MAX_CELLS or self._characters > MAX_TEXT_CHARACTERS:
            raise too_much(self._name)
        _place(self._filled.setdefault(self._row, []), raw.column, value)

    def _merge(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        begin, end = _REFERENCE.fullmatch(first), _REFERENCE.fullmatch(last)
        if begin is None or end is None or len(self._merged) >= MAX_MERGED:
            return
        self._merged.append((_column_number(begin[1]), int(begin[2]), int(end[2])))

    def rows(self) -> Rows:
        """All rows up to the last that holds anything."""
        self._fill_merged()
        last = max(self._filled, default=0)
        return [self._filled.get(number, _NO_CELLS) for number in range(1, last + 1)]

    def _fill_merged(self) -> None:
        """Rows that hold nothing else are left alone: a merged cell reaching over them is no row of its own."""
        numbers = sorted(self._filled)
        steps = 0
        for column, first, last in self._merged:
            cells = self._filled.get(first, _NO_CELLS)
            value = cells[column] if column < len(cells) else ""
            if is_empty(value) or last <= first:
                continue
            for number in _between(numbers, first, last):
                steps += 1
                if steps > MAX_CELLS:
                    raise too_much(self._name)
                row = self._filled[number]
                if column >= len(row) or is_empty(row[column]):
                    _place(row, column, value)


def _between(numbers: list[int], first: int, last: int) -> Iterable[int]:
    """Those after `first`, up to `last`."""
    return numbers[bisect_right(numbers, first) : bisect_right(numbers, last)]


def _place(row: list[AnyCell], column: int, value: AnyCell) -> None:
    if column >= len(row):
        row.extend([""] * (column + 1 - len(row)))
    row[column] = value


def too_much(name: str) -> Unreadable:
    """For more cells or text than an inventory can sensibly hold."""
    return Unreadable(
        message(
            "{name}: holds more than {max_cells} cells or {max_text_characters} million characters",
            name=name,
            max_cells=MAX_CELLS,
            max_text_characters=MAX_TEXT_CHARACTERS // 1_000_000,
        )
    )


def column_letters(column: int) -> str:
    """A for 0, Z for 25, AA for 26."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(f"{text[:20]!r} is not a number")
    return int(text)


def _relations(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """Type (in lower case) and target by id; empty without the part."""
    relations: dict[str, tuple[str, str]] = {}

    def start(name: str, values: Mapping[str, str]) -> None:
        if name == "Relationship" and values.get("TargetMode", "").lower() != "external":
            relations[values.get("Id", "")] = (
                values.get("Type", "").lower(),
                values.get("Target", "").replace("\\", "/"),
            )

    if part in package:
        _parse(package, part, start)
    return relations


def _target(relations: Mapping[str, tuple[str, str]], kind: str, folder: str, otherwise: str) -> str:
    """Where the part of this kind is; a leading slash counts from the package's root."""
    target = next((target for type_, target in relations.values() if type_.endswith(kind)), None)
    return otherwise if target is None else posixpath.join(folder, target)


def _parse(
    package: Package,
    part: str,
    start: Callable[[str, Mapping[str, str]], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """One part through a streaming parser; names without their prefix. Raises Unreadable."""
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def begin(name: str, values: dict[str, str]) -> None:
        start(name.rpartition(":")[2], values)

    def refuse(*_: object) -> None:
        raise ValueError("a document type is not allowed")

    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = refuse
    if end is not None:
        finish = end
        parser.EndElementHandler = lambda name: finish(name.rpartition(":")[2])
    if text is not None:
        parser.CharacterDataHandler = text
    try:
        _feed(parser, package.chunks(part))
    except (expat.ExpatError, ValueError, IndexError) as error:
        raise damaged(package.name, f"{part}: {error}") from None


def _feed(parser: expat.XMLParserType, chunks: Iterator[bytes]) -> None:
    for chunk in chunks:
        parser.Parse(chunk, False)
    parser.Parse(b"", True)
