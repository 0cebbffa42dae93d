"""What a small county's report says in each form, as text. `python -m tests.collector.report.golden` writes the files anew, after a change on purpose."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pypdfium2
from docx import Document as read_docx
from docx.table import Table
from docx.text.paragraph import Paragraph

from campus_base.language import Language
from campus_collector.report.compose import compose
from campus_collector.report.figures import Figures, excerpt
from campus_collector.report.forms.render import Form, render
from tests.collector.report.county import OFFICE, figures

FOLDER = Path(__file__).parent
LANGUAGES: tuple[Language, ...] = ("zh", "en")
FORMS: tuple[Form, ...] = ("html", "pdf", "xlsx", "docx")


def _html(octets: bytes) -> str:
    """Without the pictures: their numbers stand in tables."""
    text = re.sub(r"<svg.*?</svg>", "<svg/>", octets.decode(), flags=re.DOTALL)
    return re.sub(r"<style>.*?</style>\n", "", text, flags=re.DOTALL)


def _pdf(octets: bytes) -> str:
    pages = pypdfium2.PdfDocument(octets)
    return "\n".join(
        f"--- {number}\n" + page.get_textpage().get_text_range().replace("\r\n", "\n")
        for number, page in enumerate(pages, start=1)
    )


def _xlsx(octets: bytes) -> str:
    lines = []
    for sheet in openpyxl.load_workbook(io.BytesIO(octets)):
        lines.append(f"--- {sheet.title}")
        lines += ["\t".join("" if cell is None else str(cell) for cell in row) for row in sheet.values]
    return "\n".join(lines)


def _docx(octets: bytes) -> str:
    lines = []
    for part in read_docx(io.BytesIO(octets)).iter_inner_content():
        if isinstance(part, Paragraph):
            lines.append(f"[{part.style.name if part.style else ''}] {part.text}")
        elif isinstance(part, Table):
            lines += ["\t".join(cell.text for cell in row.cells) for row in part.rows]
    return "\n".join(lines)


READERS: dict[Form, Callable[[bytes], str]] = {"html": _html, "pdf": _pdf, "xlsx": _xlsx, "docx": _docx}


def text_of(name: str) -> str:
    """What a golden file of this name must hold: `county-zh.pdf.txt`, `school-zh.html.txt`."""
    scope, language, form = re.fullmatch(r"(\w+)-(zh|en)\.(\w+)\.txt", name).groups()  # type: ignore[union-attr]
    return READERS[form](render(compose(_figures(scope), language), form)) + "\n"


def _figures(scope: str) -> Figures:
    whole = figures(official=OFFICE)
    return whole if scope == "county" else excerpt(whole, school="s001")


NAMES = (*(f"county-{language}.{form}.txt" for language in LANGUAGES for form in FORMS), "school-zh.pdf.txt")
