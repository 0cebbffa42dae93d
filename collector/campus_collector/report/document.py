"""A report as a document without a file format: headings, paragraphs, tables with typed columns, charts. Every form writes the same cells. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

from campus_base.figures import megabits_short, percent, rounded
from campus_base.language import Language
from campus_base.text import printable

Kind = Literal["text", "count", "share", "points", "rate", "seconds", "ratio"]
"""What a column holds: words, a number of things, a share 0-1 (shown in %), a difference of shares (in percentage points), bits per second
(in Mbit/s), seconds (in ms), a plain ratio."""
Cell = str | int | float | None
NOTHING = "—"


@dataclass(frozen=True, slots=True)
class TableColumn:
    """Its heading, what it holds, and its share of the table's width."""

    title: str
    kind: Kind = "text"
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Heading:
    """Level 1 or 2."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words; a `note` is smaller."""

    text: str
    note: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; `name` is short and names a sheet, `title` stands above it. `total` rows at the end are sums."""

    name: str
    title: str
    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""
    """What is said instead of a table without rows."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line or a set of bars; None is a gap. `band` marks the two limits of what is foretold."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over months or bars over towns, shares 0-1; `svg` is drawn by `charts`. `table` names the sheet its numbers stand in."""

    title: str
    kind: Literal["lines", "bars"]
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    svg: str


Block = Heading | Paragraph | Table | Chart


@dataclass(frozen=True, slots=True)
class Document:
    """The whole report in one language. `banner` warns of what is not closed, or invented."""

    language: Language
    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    banner: str
    blocks: tuple[Block, ...]
    footer: str
    issued_on: str
    hash: str

    @property
    def tables(self) -> list[Table]:
        return [block for block in self.blocks if isinstance(block, Table)]


def writable(document: Document) -> Document:
    """The same with texts that every form can hold, whatever schools, classrooms and devices are called."""
    return replace(
        document,
        title=printable(document.title),
        subtitle=printable(document.subtitle),
        facts=tuple((printable(name), printable(value)) for name, value in document.facts),
        banner=printable(document.banner),
        blocks=tuple(_writable_block(block) for block in document.blocks),
        footer=printable(document.footer),
    )


def _writable_block(block: Block) -> Block:
    if isinstance(block, Table):
        return replace(
            block,
            title=printable(block.title),
            columns=tuple(replace(column, title=printable(column.title)) for column in block.columns),
            rows=tuple(tuple(printable(cell) if isinstance(cell, str) else cell for cell in row) for row in block.rows),
            empty=printable(block.empty),
        )
    if isinstance(block, Chart):  # its picture is drawn from such texts already
        series = tuple(replace(line, name=printable(line.name)) for line in block.series)
        return replace(block, title=printable(block.title), labels=tuple(map(printable, block.labels)), series=series)
    return replace(block, text=printable(block.text))


def shown(cell: Cell, kind: Kind) -> str:
    if cell is None:
        return NOTHING
    if isinstance(cell, str):
        return cell
    if kind == "share":
        return percent(cell)
    if kind == "points":
        points = round(cell * 100 + 0.0, 1) + 0.0
        return "0.0" if points == 0 else f"{points:+.1f}"
    if kind == "rate":
        return megabits_short(cell)
    if kind == "seconds":
        return f"{_milliseconds(cell)}"
    if kind == "ratio":
        return f"{cell:.3f}"
    return f"{cell:d}" if isinstance(cell, int) else f"{cell:g}"


def as_number(cell: float, kind: Kind) -> float:
    """A cell of a workbook, which rounds what it shows: changed only where it would show something else than `shown` writes."""
    if kind == "rate" and f"{cell / 1e6:.1f}" != megabits_short(cell):
        return float(megabits_short(cell)) * 1e6
    if kind == "seconds" and round(cell * 1000) != _milliseconds(cell):
        return _milliseconds(cell) / 1000
    return float(rounded(cell * 100, 1, [100])) / 100 if kind == "share" and not 0.0005 < cell < 0.9995 else cell


def _milliseconds(seconds: float) -> int:
    """Whole milliseconds, but never a round figure that it is not: limits are round."""
    exact = seconds * 1000
    whole = round(exact)
    if whole % 100 or abs(whole - exact) < 1e-6:
        return whole
    return whole + 1 if exact > whole else whole - 1
