"""From files to sheets of cells: a folder (or ZIP) of CSV files, one CSV file, or one XLSX. What a file is, its content says; bounded.

What cannot be read is named in the words of the program that wrote it, with what to do.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from campus_base.file_kind import why_no_file
from campus_base.messages import Message, bilingual, message
from campus_base.system_errors import error_words
from campus_collector.inventory.cells import is_empty, text_of
from campus_collector.inventory.csv_text import csv_rows, is_text
from campus_collector.inventory.errors import Unreadable
from campus_collector.inventory.headings import SHEETS, Sheet
from campus_collector.inventory.package import Package, too_large
from campus_collector.inventory.workbook import Rows, Workbook

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_FILES = 100
MAX_ROWS_ABOVE = 20
"""So far down a sheet's headings are looked for: forms have titles above them."""
CSV_ENDINGS = (".csv", ".txt", ".tsv")
_OLD_BINARY = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NOTE = re.compile(r"(注|备注|说明|合计|总计|小计|共计|填表|制表|审核|审批|联系|note|total|remark)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RawSheet:
    """A sheet as rows of cells; `place` is what its writer calls it: a file or sheet name. The first row has number 1."""

    sheet: Sheet
    place: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table of a file before it is known which sheet it is; `rows` reads it. Raises Unreadable."""

    place: str
    rows: Callable[[], Rows]
    hidden: bool = False


def files_in(path: Path) -> list[tuple[str, bytes]]:
    """The files of an inventory by name: those of a folder, or the one. Raises Unreadable."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in CSV_ENDINGS)
        if not files:
            raise Unreadable(message("{path}: there is no CSV file in this folder", path=path))
        if len(files) > MAX_FILES:
            raise Unreadable(message("{path}: more than {max_files} files", path=path, max_files=MAX_FILES))
        return [(file.name, _content_of(file)) for file in files]
    if not path.exists():
        raise Unreadable(message("{path}: no such file or folder", path=path))
    return [(path.name, _content_of(path))]


def sheets_of_files(files: list[tuple[str, bytes]]) -> tuple[list[RawSheet], list[str]]:
    """The known sheets of these files, and the names of what was ignored. Raises Unreadable."""
    return _known_sheets([table for name, content in files for table in _tables(name, content)])


def _tables(name: str, content: bytes) -> list[FoundTable]:
    if len(content) > MAX_FILE_BYTES:
        raise too_large(name, MAX_FILE_BYTES)
    if content.startswith(_OLD_BINARY):
        raise _old_binary(name, content)
    if content.startswith(b"PK"):
        return _packed(name, content)
    start = content[:4096].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if start.startswith((b"<?xml", b"<html", b"<!doctype", b"<table", b"<meta", b"<head")):
        raise _save_as_xlsx(name, message("a web page or XML"))
    if start.startswith((b"%pdf", b"{\\rtf")):
        raise _save_as_xlsx(name, message("a document, not a spreadsheet"))
    if name.lower().endswith(CSV_ENDINGS):
        return [FoundTable(name, lambda: csv_rows(name, content))]
    ending = name.rpartition(".")[2].lower()
    if ending in ("xlsx", "xlsm"):
        if is_text(content):
            raise Unreadable(
                message(
                    "{name}: is not a readable XLSX file: it holds text (CSV); rename it to .csv, or save it as .xlsx",
                    name=name,
                )
            )
        raise Unreadable(message("{name}: is not a readable XLSX file", name=name))
    if ending == "zip":
        raise Unreadable(message("{name}: is not a ZIP file", name=name))
    raise Unreadable(message("{name}: neither .xlsx, .csv nor .zip; save an old .xls as .xlsx first", name=name))


def _old_binary(name: str, content: bytes) -> Unreadable:
    """The container of .xls, .et and of workbooks with a password (MS-CFB; names in it are UTF-16)."""
    if "EncryptedPackage".encode("utf-16-le") in content:
        return Unreadable(message("{name}: is protected by a password: save it without", name=name))
    return _save_as_xlsx(name, message("an old .xls (or .et) file, whatever its name"))


def _save_as_xlsx(name: str, what: Message) -> Unreadable:
    return Unreadable(
        message("{name}: is {what}: open it in the spreadsheet program and save as .xlsx", name=name, what=what)
    )


def _packed(name: str, content: bytes) -> list[FoundTable]:
    """A workbook, or a ZIP of CSV files."""
    package = Package(name, content)
    if "[Content_Types].xml" in package:
        if "xl/workbook.bin" in package:
            raise _save_as_xlsx(name, message("a binary .xlsb workbook"))
        if "word/document.xml" in package or "ppt/presentation.xml" in package:
            raise _save_as_xlsx(name, message("a document, not a spreadsheet"))
        workbook = Workbook(package)
        return [FoundTable(sheet.title, partial(workbook.read, sheet), sheet.hidden) for sheet in workbook.sheets]
    if "mimetype" in package and b"opendocument" in package.read("mimetype", 1000):
        raise _save_as_xlsx(name, message("an OpenDocument (.ods) file"))
    return list(_csv_entries(package))


def _csv_entries(package: Package) -> Iterator[FoundTable]:
    for place in package.entries:
        stem = place.rpartition("/")[2]
        if place.startswith("__MACOSX/") or stem.startswith("._"):
            continue
        if stem.lower().endswith((".xlsx", ".xls", ".xlsm", ".et", ".ods")):
            raise Unreadable(
                message("{name}: holds the workbook {stem}: unpack it and give that", name=package.name, stem=stem)
            )
        if stem.lower().endswith(CSV_ENDINGS):
            yield FoundTable(place, lambda place=place: csv_rows(place, package.read(place, MAX_FILE_BYTES)))  # type: ignore[misc]


def _known_sheets(tables: Iterable[FoundTable]) -> tuple[list[RawSheet], list[str]]:
    by_name = {name: sheet for sheet in SHEETS for name in (sheet.name, sheet.words.zh)}
    sheets: list[RawSheet] = []
    ignored = []
    for table in tables:
        stem = re.sub(r"\.(csv|txt|tsv)\Z", "", table.place.rpartition("/")[2], flags=re.IGNORECASE)
        sheet = by_name.get(stem.strip().lower())
        if sheet is None or table.hidden:
            ignored.append(f"{table.place} (hidden, 隐藏)" if sheet is not None else table.place)
        elif any(raw.sheet is sheet for raw in sheets):
            raise Unreadable(
                message(
                    "{place}: there are two sheets '{name}'",
                    place=table.place,
                    name=bilingual(sheet.name, sheet.words.zh),
                )
            )
        else:
            rows, notes = without_notes(sheet, table.rows())
            sheets.append(RawSheet(sheet, table.place, rows))
            ignored += [f"{table.place}: {note}" for note in notes]
    if not sheets:
        names = ", ".join(f"{sheet.name} ({sheet.words.zh})" for sheet in SHEETS)
        listed = ", ".join(ignored[:MAX_FILES]) or "—"
        raise Unreadable(message("none of the sheets {names} is here; found: {listed}", names=names, listed=listed))
    return sheets, ignored


def without_notes(sheet: Sheet, rows: Rows) -> tuple[Rows, list[str]]:
    """The rows with titles above the headings and notes below the data emptied, and what these said."""
    at = next(
        (
            index
            for index, row in enumerate(rows[:MAX_ROWS_ABOVE])
            if sum(_is_heading(sheet, text_of(cell)) for cell in row) > 1
        ),
        0,
    )
    notes = [(index, text) for index, row in enumerate(rows[:at]) if (text := _joined(row))]
    for index in range(at + 1, len(rows)):
        filled = [text_of(cell) for cell in rows[index] if not is_empty(cell)]
        if filled and len(set(filled)) <= 2 and _NOTE.match(filled[0]):
            notes.append((index, _joined(rows[index])))
    if not notes:
        return rows, []
    cleaned = list(rows)
    for index, _ in notes:
        cleaned[index] = []
    return cleaned, [f"{index + 1}: {text}" for index, text in notes]


def _joined(row: list) -> str:  # type: ignore[type-arg]
    return " ".join(dict.fromkeys(text_of(cell) for cell in row if not is_empty(cell)))[:60]


def _is_heading(sheet: Sheet, text: str) -> bool:
    return sheet.column_named(text) is not None


def _content_of(path: Path) -> bytes:
    try:
        why = why_no_file(path)
        if why is not None:
            raise Unreadable(why)
        if path.stat().st_size > MAX_FILE_BYTES:
            raise too_large(path.name, MAX_FILE_BYTES)
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(message("{path}: {reason}", path=path, reason=error_words(error))) from None
