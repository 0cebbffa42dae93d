"""The inventory as a folder of CSV files or one XLSX: what `import` reads back without a change."""

import csv
import io
from pathlib import Path
from typing import Any

from campus_base.language import Language
from campus_base.text import printable_line
from campus_collector.domain.inventory import Inventory
from campus_collector.inventory.headings import SHEETS, Sheet


def rows_of(inventory: Inventory, sheet: str) -> list[tuple[str, ...]]:
    """The rows of one sheet, in the order of its columns; each cell is on one line, and a workbook can hold it."""
    make = {
        "schools": _school,
        "classrooms": _classroom,
        "devices": _device,
        "services": _service,
        "timetables": _timetable,
    }[sheet]
    return [tuple(map(printable_line, make(row))) for row in getattr(inventory, sheet) or ()]


def written_of(inventory: Inventory) -> list[Sheet]:
    """The sheets that are written: an optional one only while it has rows."""
    return [one for one in SHEETS if not one.optional or getattr(inventory, one.name)]


def as_csv(inventory: Inventory, sheet: str, language: Language = "en") -> bytes:
    """One sheet: UTF-8 with BOM, so that spreadsheet programs see the Chinese."""
    columns = next(one for one in SHEETS if one.name == sheet).columns
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([one.chinese if language == "zh" else one.key for one in columns])
    writer.writerows(rows_of(inventory, sheet))
    return text.getvalue().encode("utf-8-sig")


def write_folder(inventory: Inventory, folder: Path, language: Language = "en") -> list[Path]:
    """A CSV file for each sheet. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for sheet in written_of(inventory):
        path = folder / f"{sheet.name}.csv"
        path.write_bytes(as_csv(inventory, sheet.name, language))
        written.append(path)
    return written


def as_xlsx(inventory: Inventory, language: Language = "zh") -> bytes:
    """One workbook; every cell is text, so that no id loses its zeros and no name becomes a formula."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    for number, sheet in enumerate(written_of(inventory)):
        page = book.active if number == 0 else book.create_sheet()
        assert page is not None
        page.title = sheet.words.zh if language == "zh" else sheet.name
        page.append([one.chinese if language == "zh" else one.key for one in sheet.columns])
        for cell in page[1]:
            cell.font = Font(bold=True)
        page.freeze_panes = "A2"
        for place, row in enumerate(
            rows_of(inventory, sheet.name), 2
        ):  # `max_row` would look through all cells for each row
            for column, text in enumerate(row, 1):
                page.cell(place, column, text).data_type = "s"
        for letter, width in zip("ABCDEFG", (14, 22, 14, 26, 14, 18, 10), strict=True):
            page.column_dimensions[letter].width = width
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _school(one: Any) -> tuple[str, ...]:
    return one.town, one.town_name, one.id, one.name, _flag(one.town_seat)


def _classroom(one: Any) -> tuple[str, ...]:
    return one.school, one.id, one.name, one.host, "" if one.port is None else str(one.port), one.exempt_reason


def _device(one: Any) -> tuple[str, ...]:
    return one.school, one.room, one.id, one.name, one.profile, one.host, _flag(one.required)


def _service(one: Any) -> tuple[str, ...]:
    return one.id, one.name, one.url, one.town, ",".join(map(str, one.expect_status)), one.expect_text


def _timetable(one: Any) -> tuple[str, ...]:
    return one.school, " ".join(one.periods), " ".join(one.blackout)


def _flag(value: bool) -> str:
    return "1" if value else "0"
