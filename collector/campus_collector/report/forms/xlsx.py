"""The report as a workbook: a sheet a table with numbers that can be computed with, headings frozen, filters, charts from the sheets' own cells."""

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook

from campus_base.messages import message
from campus_collector.report.document import Block, Chart, Document, Heading, Paragraph, Table, TableColumn, as_number

FORMATS = {
    "count": "#,##0",
    "share": "0.0%",
    "points": "+0.0;-0.0;0.0",
    "rate": "0.0",
    "seconds": "0",
    "ratio": "0.000",
}
SCALES = {"points": 100.0, "rate": 1e-6, "seconds": 1000.0}
"""Cells hold what their heading says: percentage points, Mbit/s, milliseconds."""
FONT = "SimSun"
WIDEST = 46


def as_xlsx(document: Document) -> bytes:
    """Deterministic: created on the day of issue."""
    buffer = io.BytesIO()
    workbook = Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    year, month, day = (int(part) for part in document.issued_on.split("-"))
    created = datetime(year, month, day)  # noqa: DTZ001  the format has no time zones
    workbook.set_properties({"title": document.title, "author": "CampusMeter", "created": created})
    workbook.formats[0].set_font_name(FONT)
    words = _Words(workbook)
    _summary(workbook, document, words)
    sheets: dict[str, tuple[str, Table]] = {}
    for table in (*document.tables, *document.workbook):
        if table.rows:
            sheet = _unique(table.name, [name for name, _ in sheets.values()])
            sheets[table.name] = (sheet, table)
            _sheet(workbook, sheet, table, words)
    for chart in (block for block in document.all_blocks if isinstance(block, Chart)):
        _chart(workbook, chart, sheets)
    workbook.close()
    return buffer.getvalue()


class _Words:
    """The formats of a workbook."""

    def __init__(self, workbook: Workbook) -> None:
        plain = {"font_name": FONT, "valign": "top"}
        self.title: Format = workbook.add_format(plain | {"bold": True, "font_size": 16})
        self.bold: Format = workbook.add_format(plain | {"bold": True})
        self.wrapped: Format = workbook.add_format(plain | {"text_wrap": True})
        self.head: Format = workbook.add_format(
            plain
            | {
                "bold": True,
                "bg_color": "#EEEEEE",
                "border": 1,
                "text_wrap": True,
                "align": "center",
                "valign": "vcenter",
            }
        )
        self.text: Format = workbook.add_format(plain | {"border": 1, "text_wrap": True})
        self.numbers = {
            kind: workbook.add_format(plain | {"border": 1, "num_format": number}) for kind, number in FORMATS.items()
        }

    def of(self, column: TableColumn) -> Format:
        return self.numbers.get(column.kind, self.text)


def _summary(workbook: Workbook, document: Document, words: _Words) -> None:
    sheet = workbook.add_worksheet(message("Summary").in_(document.language))
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 90)
    sheet.write_string(0, 0, document.title, words.title)
    row = 1
    if document.banner:
        sheet.write_string(row, 0, document.banner, words.bold)
        row += 1
    for heading, text in _texts(document):
        sheet.write_string(row, 0, heading, words.bold)
        sheet.write_string(row, 1, text, words.wrapped)
        row += 1
    sheet.fit_to_pages(1, 0)


def _texts(document: Document) -> Iterator[tuple[str, str]]:
    """What is no table, in the document's order: a heading, and the words beside it. At the end which sheet holds which table."""
    head, closing = document.letterhead, document.closing
    yield from (("", text) for text in (head.heading, head.number, head.signer, document.salutation) if text)
    yield from _blocks(document.blocks)
    if closing is not None:
        for place, title in enumerate(closing.annexes, start=1):
            yield closing.label if place == 1 else "", f"{place}. {title}"
        yield from (("", text) for text in (closing.issuer, closing.date) if text)
    for annex in document.annexes:
        yield annex.label, annex.title
        yield from _blocks(annex.blocks)
    imprint = document.imprint
    yield from (("", text) for text in (imprint.copies, f"{imprint.printed_by} {imprint.print_date}".strip()) if text)
    for table in (*document.tables, *document.workbook):
        if table.rows:
            yield table.name, " ".join(part for part in (table.title, table.unit, table.source) if part)


def _blocks(blocks: Sequence[Block]) -> Iterator[tuple[str, str]]:
    for block in blocks:
        if isinstance(block, Heading):
            yield block.text, ""
        elif isinstance(block, Paragraph):
            yield block.lead, block.text
        elif isinstance(block, Table) and not block.rows and block.empty:
            yield "", block.empty


def _sheet(workbook: Workbook, name: str, table: Table, words: _Words) -> None:
    sheet = workbook.add_worksheet(name)
    for index, column in enumerate(table.columns):
        sheet.write_string(0, index, column.title, words.head)
        longest = max((len(str(row[index])) for row in table.rows if isinstance(row[index], str)), default=4)
        sheet.set_column(index, index, min(WIDEST, max(9, 2 * len(column.title) + 2, 2 * longest + 2)))
    for number, row in enumerate(table.rows, start=1):
        for index, (cell, column) in enumerate(zip(row, table.columns, strict=True)):
            if cell is None:
                sheet.write_blank(number, index, None, words.of(column))
            elif isinstance(cell, str):
                sheet.write_string(number, index, cell, words.text)
            else:
                sheet.write_number(
                    number, index, round(as_number(cell, column.kind) * SCALES.get(column.kind, 1), 9), words.of(column)
                )
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)
    sheet.repeat_rows(0)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)


def _chart(workbook: Workbook, chart: Chart, sheets: dict[str, tuple[str, Table]]) -> None:
    """Drawn by the workbook from the cells of the table that has the same columns; a chart without a series is none."""
    if not chart.series:
        return
    source = next(
        (
            (sheet, table)
            for sheet, table in sheets.values()
            if all(part.values == _column(table, part.name) for part in chart.series)
        ),
        None,
    )
    if source is None:
        return
    name, table = source
    titles = [column.title for column in table.columns]
    labels = next(index for index, column in enumerate(table.columns) if column.kind == "text")
    drawn = workbook.add_chart({"type": "line" if chart.kind == "lines" else "bar"})
    dashes = ("solid", "dash", "round_dot", "long_dash", "dash_dot")
    for number, series in enumerate(chart.series):
        index = titles.index(series.name)
        options: dict[str, Any] = {
            "name": series.name,
            "categories": [name, 1, labels, len(table.rows), labels],
            "values": [name, 1, index, len(table.rows), index],
        }
        if chart.kind == "lines":
            options |= {
                "line": {"color": "#1A1A1A", "width": 1.5, "dash_type": dashes[number % 5]},
                "marker": {"type": "automatic"},
            }
        else:
            options |= {"fill": {"color": "#8C8C8C"}, "border": {"color": "#1A1A1A"}}
        drawn.add_series(options)
    drawn.set_title({"name": chart.title})
    drawn.set_y_axis({"num_format": "0%", "min": 0, "max": 1} if chart.kind == "lines" else {"reverse": True})
    drawn.set_size({"width": 760, "height": 380})
    sheet = workbook.get_worksheet_by_name(name)
    sheet.insert_chart(len(table.rows) + 2, 0, drawn)


def _column(table: Table, title: str) -> tuple[Any, ...] | None:
    """What stands below a heading; None when there is no such."""
    indexes = [index for index, column in enumerate(table.columns) if column.title == title]
    return tuple(row[indexes[0]] for row in table.rows) if indexes else None


def _unique(name: str, used: list[str]) -> str:
    """Sheet names have at most 31 characters, some of them forbidden."""
    clean = "".join("_" if letter in "[]:*?/\\" else letter for letter in name)[:28]
    number, free = 2, clean
    while free in used:
        free, number = f"{clean}{number}", number + 1
    return free
