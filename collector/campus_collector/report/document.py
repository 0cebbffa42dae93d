"""A report as a document without a file format: headings, paragraphs, numbered tables with typed columns, charts, annexes. Every form writes the same cells. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

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
    """Of the first level; the text begins with its number."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words; a `note` is smaller. `lead` is a heading of the second level, with its number, that the words follow on the same line."""

    text: str
    note: bool = False
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; `name` is short and names a sheet, `title` (which begins with the number) stands above it with the `unit`.

    `source` says where the figures can be looked up.
    """

    name: str
    title: str
    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""
    """What is said instead of a table without rows."""
    unit: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A line or a set of bars; None is a gap."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over months, bars over towns, shares 0-1, or strips of minutes, which have no series; `svg` is drawn by `charts`."""

    title: str
    kind: Literal["lines", "bars", "strips"]
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    svg: str


Block = Heading | Paragraph | Table | Chart


@dataclass(frozen=True, slots=True)
class Annex:
    """Begins on a page of its own. `label` is 附件1, Annex 1."""

    label: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What stands above the red line of the first page; without a heading there is none."""

    heading: str = ""
    number: str = ""
    signer: str = ""
    """With its label: 签发人：张三."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What ends the body: the list of annexes with its label, who issues the report, and the date in words."""

    label: str
    annexes: tuple[str, ...]
    issuer: str
    date: str


@dataclass(frozen=True, slots=True)
class Imprint:
    """The last lines of the last page: copies with their label, who printed it and when. Empty without a printing office and copies."""

    copies: str = ""
    printed_by: str = ""
    print_date: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """The whole report in one language. `banner` warns of what is not closed, or invented. An excerpt is `one_page`."""

    language: Language
    title: str
    banner: str
    blocks: tuple[Block, ...]
    footer: str
    issued_on: str
    hash: str
    annexes: tuple[Annex, ...] = ()
    letterhead: Letterhead = Letterhead()
    salutation: str = ""
    closing: Closing | None = None
    imprint: Imprint = Imprint()
    one_page: bool = False
    workbook: tuple[Table, ...] = field(default=())
    """Tables that only the workbook holds."""

    @property
    def all_blocks(self) -> list[Block]:
        """Of body and annexes, in their order."""
        return [*self.blocks, *(block for annex in self.annexes for block in annex.blocks)]

    @property
    def tables(self) -> list[Table]:
        """Of body and annexes, in their order, without those of the workbook."""
        return [block for block in self.all_blocks if isinstance(block, Table)]


def writable(document: Document) -> Document:
    """The same with texts that every form can hold, whatever schools, classrooms and devices are called."""
    closing = document.closing
    if closing is not None:
        annexes = tuple(map(printable, closing.annexes))
        closing = replace(_with_texts(closing, ("label", "issuer", "date")), annexes=annexes)
    return replace(
        _with_texts(document, ("title", "banner", "footer", "salutation")),
        blocks=_writable_blocks(document.blocks),
        annexes=tuple(
            replace(_with_texts(annex, ("label", "title")), blocks=_writable_blocks(annex.blocks))
            for annex in document.annexes
        ),
        letterhead=_with_texts(document.letterhead, ("heading", "number", "signer")),
        closing=closing,
        imprint=_with_texts(document.imprint, ("copies", "printed_by", "print_date")),
        workbook=tuple(_writable_table(table) for table in document.workbook),
    )


Part = TypeVar("Part", Document, Annex, Letterhead, Closing, Imprint)


def _with_texts(part: Part, names: Iterable[str]) -> Part:
    changed: dict[str, str] = {name: printable(getattr(part, name)) for name in names}
    return replace(part, **changed)  # type: ignore[arg-type]


def _writable_blocks(blocks: Iterable[Block]) -> tuple[Block, ...]:
    return tuple(_writable_block(block) for block in blocks)


def _writable_block(block: Block) -> Block:
    if isinstance(block, Table):
        return _writable_table(block)
    if isinstance(block, Chart):  # its picture is drawn from such texts already
        series = tuple(replace(line, name=printable(line.name)) for line in block.series)
        return replace(block, title=printable(block.title), labels=tuple(map(printable, block.labels)), series=series)
    if isinstance(block, Paragraph):
        return replace(block, text=printable(block.text), lead=printable(block.lead))
    return replace(block, text=printable(block.text))


def _writable_table(table: Table) -> Table:
    return replace(
        table,
        title=printable(table.title),
        columns=tuple(replace(column, title=printable(column.title)) for column in table.columns),
        rows=tuple(tuple(printable(cell) if isinstance(cell, str) else cell for cell in row) for row in table.rows),
        empty=printable(table.empty),
        source=printable(table.source),
    )


def shown(cell: Cell, kind: Kind) -> str:
    """A cell as people read it, without the unit that its heading names (a share has its %)."""
    if cell is None:
        return NOTHING
    if isinstance(cell, str):
        return cell
    if kind == "share":
        return "100%" if cell == 1 else percent(cell)
    if kind == "points":
        points = round(cell * 100 + 0.0, 1) + 0.0
        return "0.0" if points == 0 else f"{'↑' if points > 0 else '↓'}{abs(points):.1f}"
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
