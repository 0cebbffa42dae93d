"""The rows of a CSV file in UTF-8, UTF-16 or GB18030, cell by cell: a cell in another encoding than the rest is reported, never guessed. Pure."""

import csv
import io
import re
from collections.abc import Iterable, Iterator

from campus_base.encoding import UTF16_MARKS, chinese_encoding
from campus_base.messages import Message, message
from campus_collector.inventory.cells import BEYOND_REPAIR, AnyCell, Cell, error_value, is_empty, tidy
from campus_collector.inventory.errors import Unreadable
from campus_collector.inventory.workbook import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, Rows, too_much

_UTF8_MARK = b"\xef\xbb\xbf"
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_AS_TEXT = re.compile(r'="([^"]*)"')
"""How scripts keep a spreadsheet program from taking 001 for a number."""
_KANA = re.compile(r"[\u3041-\u30ff]")
OTHER_ENCODING = message(
    "is written in another encoding than the rest of the file ({encoding}): save the file again as UTF-8"
)
NO_ENCODING = message("is neither UTF-8 nor GB18030 text")


def is_text(content: bytes) -> bool:
    """Does it begin as text, in whatever encoding?"""
    begin = content[:4096]
    return begin.startswith(UTF16_MARKS) or (bool(begin) and _BINARY.search(begin) is None)


def csv_rows(name: str, content: bytes) -> Rows:
    """All rows up to the last that holds anything. Raises Unreadable."""
    if content.startswith(UTF16_MARKS):
        try:
            return _rows(name, content.decode("utf-16"))
        except UnicodeDecodeError:
            raise Unreadable(_encoding_words(name)) from None
    marked = content.startswith(_UTF8_MARK)
    while content.startswith(_UTF8_MARK):  # files that were joined have several
        content = content.removeprefix(_UTF8_MARK)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is not None and (marked or text.isascii() or chinese_encoding(content) == "utf-8"):
        return _rows(name, text)
    # No byte of a character of either encoding is a comma, a quote or a line's end: cells can be parted before they are decoded.
    rows = _rows(name, content.decode("latin-1"), raw=True)
    encodings = [_encoding(cell) for row in rows for cell in row if isinstance(cell, str) and not cell.isascii()]
    utf8, gb18030 = encodings.count("utf-8"), encodings.count("gb18030")
    if not utf8 and not gb18030:
        raise Unreadable(_encoding_words(name))
    most = "utf-8" if marked or utf8 > gb18030 else "gb18030"
    return [[_decoded(cell, most) for cell in row] for row in rows]


def _encoding_words(name: str) -> Message:
    return message("{name}: neither UTF-8 nor GB18030 text", name=name)


def _encoding(cell: str) -> str:
    return chinese_encoding(cell.encode("latin-1"))


def _decoded(cell: AnyCell, most: str) -> AnyCell:
    if not isinstance(cell, str) or cell.isascii():
        return _cleaned(cell) if isinstance(cell, str) else cell
    content, encoding = cell.encode("latin-1"), _encoding(cell)
    if encoding == "gb18030" and _reads_as_big5(content):
        encoding = ""
    if encoding == most:
        return _cleaned(content.decode(encoding))
    if not encoding:
        return Cell(None, content.decode("gb18030", "replace")[:60], NO_ENCODING, broken=True)
    text = OTHER_ENCODING.with_(encoding=encoding.upper())
    return Cell(None, content.decode(encoding)[:60], text, broken=True)


def _reads_as_big5(content: bytes) -> bool:
    """Big5 reads as GB18030 with Japanese letters in it: 中 is い. No Chinese name holds any."""
    if _KANA.search(content.decode("gb18030", "replace")) is None:
        return False
    try:
        content.decode("big5")
    except UnicodeDecodeError:
        return False
    return True


def _cleaned(text: str) -> AnyCell:
    text = tidy(text)
    literal = _AS_TEXT.fullmatch(text)
    if literal is not None:
        text = literal[1]
    if "\ufffd" in text or "锟斤拷" in text:
        return Cell(None, text, BEYOND_REPAIR, broken=True)
    return error_value(text) or text


def _rows(name: str, text: str, *, raw: bool = False) -> Rows:
    """All rows; the cells cleaned, or (`raw`) as they are. Raises Unreadable."""
    head = text[:10_000].lstrip("\ufeff\r\n ").split("\n", 1)[0]
    delimiter = max(",\t;", key=head.count)
    read: list[None] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return _bounded(name, _counted(reader, read), raw=raw)
    except csv.Error:
        row = len(read) + 1
        raise Unreadable(
            message(
                '{name}: row {row}: a quotation mark (") is not closed, or stands in the middle of a quoted cell',
                name=name,
                row=row,
            )
        ) from None


def _counted(rows: Iterable[list[str]], read: list[None]) -> Iterator[list[str]]:
    """The same rows; `read` grows by one with each, so that a row that cannot be read has a number."""
    for row in rows:
        read.append(None)
        yield row


def _bounded(name: str, rows: Iterable[list[str]], *, raw: bool) -> Rows:
    rows_read: Rows = []
    count = 0
    for number, row in enumerate(rows, 1):
        count += len(row)
        cells: list[AnyCell] = list(row) if raw else [_cleaned(cell) if cell else "" for cell in row]
        while cells and is_empty(cells[-1]):
            cells.pop()
        if number > MAX_ROWS or len(cells) > MAX_COLUMNS:
            raise Unreadable(
                message(
                    "{name}: more than {max_rows} rows or {max_columns} columns",
                    name=name,
                    max_rows=MAX_ROWS,
                    max_columns=MAX_COLUMNS,
                )
            )
        if count > 2 * MAX_CELLS:  # empty ones too: they cost time
            raise too_much(name)
        rows_read.append(cells)
    while rows_read and not any(rows_read[-1]):
        rows_read.pop()
    return rows_read
