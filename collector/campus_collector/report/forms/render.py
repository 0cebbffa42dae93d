"""A document in one of the four forms. The libraries are loaded only when a form is asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from campus_collector.report.document import Document

Form = Literal["html", "pdf", "xlsx", "docx"]
FORMS: tuple[Form, ...] = ("html", "pdf", "xlsx", "docx")
MEDIA_TYPES: dict[Form, str] = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


def render(document: Document, form: Form, font_files: Sequence[Path] = ()) -> bytes:
    """`font_files` are used beside the fonts that are installed. Raises FontMissing (pdf, docx)."""
    if form == "html":
        from campus_collector.report.forms.html import as_html

        return as_html(document)
    if form == "pdf":
        from campus_collector.report.forms.pdf import as_pdf

        return as_pdf(document, font_files)
    if form == "xlsx":
        from campus_collector.report.forms.xlsx import as_xlsx

        return as_xlsx(document)
    from campus_collector.report.forms.docx import as_docx

    return as_docx(document, font_files)
