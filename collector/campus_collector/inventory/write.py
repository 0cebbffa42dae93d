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
    return [sheet for sheet in SHEETS if not sheet.optional or getattr(inventory, sheet.name)]


def as_csv(inventory: Inventory, sheet: str, language: Language = "en") -> bytes:
    """One sheet: UTF-8 with BOM, so that spreadsheet programs see the Chinese."""
    columns = next(each for each in SHEETS if each.name == sheet).columns
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([column.chinese if language == "zh" else column.key for column in columns])
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
    from openpyxl import Workbook  # heavy: imported where it is used
    from openpyxl.styles import Font

    workbook = Workbook()
    for number, sheet in enumerate(written_of(inventory)):
        page = workbook.active if number == 0 else workbook.create_sheet()
        assert page is not None
        page.title = sheet.words.zh if language == "zh" else sheet.name
        page.append([column.chinese if language == "zh" else column.key for column in sheet.columns])
        for cell in page[1]:
            cell.font = Font(bold=True)
        page.freeze_panes = "A2"
        # rows are counted here: `max_row` would look through all cells for each row
        for place, row in enumerate(rows_of(inventory, sheet.name), 2):
            for column, text in enumerate(row, 1):
                page.cell(place, column, text).data_type = "s"
        for letter, width in zip("ABCDEFGHIJK", (14, 22, 14, 26, 14, 18, 16, 16, 18, 12, 18), strict=True):
            page.column_dimensions[letter].width = width
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _school(school: Any) -> tuple[str, ...]:
    return (
        school.town,
        school.town_name,
        school.id,
        school.name,
        _flag(school.town_seat),
        school.carrier,
        school.contract,
        "" if school.contract_bits_per_second is None else str(school.contract_bits_per_second),
        school.unit,
        school.contact,
        school.phone,
    )


def _classroom(classroom: Any) -> tuple[str, ...]:
    return (
        classroom.school,
        classroom.id,
        classroom.name,
        classroom.host,
        "" if classroom.port is None else str(classroom.port),
        classroom.exempt_reason,
    )


def _device(device: Any) -> tuple[str, ...]:
    return device.school, device.room, device.id, device.name, device.profile, device.host, _flag(device.required)


def _service(service: Any) -> tuple[str, ...]:
    return (
        service.id,
        service.name,
        service.url,
        service.town,
        ",".join(map(str, service.expect_status)),
        service.expect_text,
    )


def _timetable(timetable: Any) -> tuple[str, ...]:
    return timetable.school, " ".join(timetable.periods), " ".join(timetable.blackout)


def _flag(value: bool) -> str:
    return "1" if value else "0"
