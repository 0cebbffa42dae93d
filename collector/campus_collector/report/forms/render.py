"""A document in one of the four forms. The libraries are loaded only when a form is asked for."""

from collections.abc import Callable
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


def render(document: Document, form: Form) -> bytes:
    """Raises FontMissing (pdf, docx)."""
    return _writer(form)(document)


def _writer(form: Form) -> Callable[[Document], bytes]:
    if form == "html":
        from campus_collector.report.forms.html import as_html

        return as_html
    if form == "pdf":
        from campus_collector.report.forms.pdf import as_pdf

        return as_pdf
    if form == "xlsx":
        from campus_collector.report.forms.xlsx import as_xlsx

        return as_xlsx
    from campus_collector.report.forms.docx import as_docx

    return as_docx
