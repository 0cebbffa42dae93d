"""Tables as CSV for a spreadsheet program: UTF-8 with BOM, no cell begins like a formula."""

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import Response

from campus_base.language import Language
from campus_base.text import printable
from campus_collector.http.responses import download
from campus_collector.ledger.table import escape_formula

BOM = b"\xef\xbb\xbf"
Cell = str | int | float | bool | None


def csv_row(cells: Iterable[Cell]) -> bytes:
    """One line, with its end."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow([_safe(cell) for cell in cells])
    return out.getvalue().encode()


def csv_file(name: str, headings: Sequence[str], rows: Iterable[Sequence[Cell]], language: Language) -> Response:
    """A file of that name to be downloaded."""
    body = BOM + b"".join(csv_row(row) for row in (headings, *rows))
    return download(body, "text/csv; charset=utf-8", name, language=language)


def _safe(cell: Cell) -> Cell:
    """Figures stay figures; a text is never calculated, and stays on its line."""
    return escape_formula(printable(cell).replace("\n", " ")) if isinstance(cell, str) else cell
