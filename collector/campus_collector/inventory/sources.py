"""From files to sheets of text: a folder (or ZIP) of CSV files, one CSV file, or one XLSX. UTF-8 or GB18030; bounded."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from campus_collector.inventory.headings import SHEETS, Sheet
from campus_wire.language import Language, Text

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_ROWS = 1_000_000
MAX_COLUMNS = 200
MAX_CELL = 2_000


class Unreadable(Exception):
    """The file as a whole cannot be read; the words say why."""

    def __init__(self, text: Text) -> None:
        """In both languages."""
        super().__init__(text.en)
        self.text = text

    def in_(self, language: Language) -> str:
        """In one."""
        return self.text.in_(language)


@dataclass(frozen=True, slots=True)
class RawSheet:
    """A sheet as rows of text; `place` is what its writer calls it: a file or sheet name. The first row has number 1."""

    sheet: Sheet
    place: str
    rows: list[list[str]]


def sheets_in(path: Path) -> tuple[list[RawSheet], list[str]]:
    """The known sheets of a folder or file, and the names of what was left aside. Raises Unreadable."""
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix.lower() == ".csv")
        if not files:
            raise Unreadable(Text(f"{path}: there is no CSV file in this folder", f"{path}：文件夹中没有 CSV 文件"))
        return _sorted_out((one.name, _csv_rows(one.name, _octets(one))) for one in files)
    if not path.is_file():
        raise Unreadable(Text(f"{path}: no such file or folder", f"{path}：文件或文件夹不存在"))
    return sheets_of(path.name, _octets(path))


def sheets_of(name: str, octets: bytes) -> tuple[list[RawSheet], list[str]]:
    """The same of one uploaded file: `.xlsx`, `.csv`, or `.zip` of CSV files. Raises Unreadable."""
    if len(octets) > MAX_FILE_BYTES:
        raise _too_large(name)
    ending = name.rpartition(".")[2].lower()
    if ending == "xlsx":
        return _sorted_out(_xlsx(name, octets))
    if ending == "csv":
        return _sorted_out([(name, _csv_rows(name, octets))])
    if ending == "zip":
        return _sorted_out(_zip(name, octets))
    raise Unreadable(
        Text(
            f"{name}: neither .xlsx, .csv nor .zip; save an old .xls as .xlsx first",
            f"{name}：不是 .xlsx、.csv 或 .zip 文件；旧的 .xls 请先另存为 .xlsx",
        )
    )


def _sorted_out(found: Iterable[tuple[str, list[list[str]]]]) -> tuple[list[RawSheet], list[str]]:
    by_name = {name: sheet for sheet in SHEETS for name in (sheet.name, sheet.words.zh)}
    known: list[RawSheet] = []
    aside = []
    for place, rows in found:
        stem = place.rpartition("/")[2]
        stem = stem[:-4] if stem.lower().endswith(".csv") else stem
        sheet = by_name.get(stem.strip().lower())
        if sheet is None:
            aside.append(place)
        elif any(one.sheet is sheet for one in known):
            raise Unreadable(
                Text(f"{place}: there are two sheets '{sheet.name}'", f"{place}：有两个“{sheet.words.zh}”表")
            )
        else:
            known.append(RawSheet(sheet, place, rows))
    if not known:
        names = ", ".join(f"{sheet.name} ({sheet.words.zh})" for sheet in SHEETS)
        listed = ", ".join(aside) or "—"
        raise Unreadable(
            Text(
                f"none of the sheets {names} is here; found: {listed}",
                f"没有找到 {names} 中的任何一个表；现有：{listed}",
            )
        )
    return known, aside


def _octets(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _too_large(path.name)
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unreadable(Text(f"{path}: {reason}", f"{path}：无法读取（{reason}）")) from None


def _too_large(name: str) -> Unreadable:
    megabytes = MAX_FILE_BYTES // 1_000_000
    return Unreadable(Text(f"{name}: larger than {megabytes} MB", f"{name}：超过 {megabytes} MB"))


def _csv_rows(name: str, octets: bytes) -> list[list[str]]:
    text = _decoded(name, octets)
    delimiter = "\t" if "\t" in text.split("\n", 1)[0] and "," not in text.split("\n", 1)[0] else ","
    try:
        return _bounded(name, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise Unreadable(Text(f"{name}: is not CSV: {error}", f"{name}：不是有效的 CSV：{error}")) from None


def _decoded(name: str, octets: bytes) -> str:
    """UTF-8, with or without BOM; else GB18030, which spreadsheet programs write on Chinese machines."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return octets.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unreadable(Text(f"{name}: neither UTF-8 nor GB18030 text", f"{name}：文字编码既不是 UTF-8 也不是 GB18030"))


def _zip(name: str, octets: bytes) -> Iterator[tuple[str, list[list[str]]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            inside = [one for one in archive.infolist() if one.filename.lower().endswith(".csv")]
            _refuse_bomb(name, archive)
            for one in inside:
                yield one.filename, _csv_rows(one.filename, archive.read(one))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise Unreadable(Text(f"{name}: is not a ZIP file: {error}", f"{name}：不是有效的 ZIP 文件：{error}")) from None


def _xlsx(name: str, octets: bytes) -> Iterator[tuple[str, list[list[str]]]]:
    from openpyxl import load_workbook  # heavy; only an import needs it

    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            _refuse_bomb(name, archive)
        book = load_workbook(io.BytesIO(octets), read_only=True, data_only=True)
        found = [
            (sheet.title, _bounded(name, ([_cell(one) for one in row] for row in sheet.iter_rows(values_only=True))))
            for sheet in book.worksheets
        ]
        book.close()
    except Unreadable:
        raise
    except Exception as error:  # openpyxl raises whatever a damaged file makes it stumble over
        raise Unreadable(
            Text(f"{name}: is not a readable XLSX file: {error}", f"{name}：不是可读取的 XLSX 文件：{error}")
        ) from None
    yield from found


def _refuse_bomb(name: str, archive: zipfile.ZipFile) -> None:
    if sum(one.file_size for one in archive.infolist()) > 8 * MAX_FILE_BYTES:
        raise _too_large(name)


def _bounded(name: str, rows: Iterable[list[str]]) -> list[list[str]]:
    """Without empty rows at the end. Raises Unreadable for more than a sheet can sensibly hold."""
    kept: list[list[str]] = []
    for number, row in enumerate(rows, 1):
        if number > MAX_ROWS or len(row) > MAX_COLUMNS:
            raise Unreadable(
                Text(
                    f"{name}: more than {MAX_ROWS} rows or {MAX_COLUMNS} columns",
                    f"{name}：超过 {MAX_ROWS} 行或 {MAX_COLUMNS} 列",
                )
            )
        kept.append([cell.strip()[:MAX_CELL] for cell in row])
    while kept and not any(kept[-1]):
        kept.pop()
    return kept


def _cell(value: object) -> str:
    """A cell as its writer sees it: 5301.0 is 5301."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
