"""The report as PDF, set by typst: the same figures and the same fonts give the same bytes. Also pictures of the charts."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import typst

from campus_collector.report.document import Document, Paragraph
from campus_collector.report.forms.html import plain
from campus_collector.report.forms.pdf_fonts import FontMissing, Typefaces, colophon, typefaces

CHART_PPI = 220
__all__ = ["FontMissing", "as_pdf", "as_png", "fonts", "with_note"]


def as_pdf(document: Document, font_files: Sequence[Path] = ()) -> bytes:
    """The document as a PDF file. Raises FontMissing."""
    chosen = fonts(font_files)
    document = with_note(document, colophon(chosen.substitutes, document.language))
    year, month, day = (int(part) for part in document.issued_on.split("-"))
    data = {
        "language": document.language,
        "title": document.title,
        "banner": document.banner,
        "letterhead": asdict(document.letterhead),
        "salutation": document.salutation,
        "blocks": [plain(block) for block in document.blocks],
        "closing": asdict(document.closing) if document.closing else None,
        "annexes": [
            {"label": annex.label, "title": annex.title, "blocks": [plain(block) for block in annex.blocks]}
            for annex in document.annexes
        ],
        "imprint": asdict(document.imprint),
        "one_page": document.one_page,
        "date": [year, month, day],
        "fonts": chosen.families,
    }
    return _set(
        _template(),
        "pdf",
        {"document": json.dumps(data, ensure_ascii=False)},
        font_files,
        timestamp=datetime(year, month, day, tzinfo=UTC),
    )


def with_note(document: Document, note: str) -> Document:
    """The document with a note at its end, before the imprint."""
    if not note:
        return document
    paragraph = Paragraph(note, note=True)
    if not document.annexes:
        return replace(document, blocks=(*document.blocks, paragraph))
    last = document.annexes[-1]
    return replace(document, annexes=(*document.annexes[:-1], replace(last, blocks=(*last.blocks, paragraph))))


def as_png(svg: str, font_files: Sequence[Path] = ()) -> bytes:
    """A chart as a picture, for forms without SVG. Raises FontMissing."""
    fonts(font_files)
    page = '#set page(width: auto, height: auto, margin: 0pt)\n#image(bytes(sys.inputs.svg), format: "svg")\n'
    return _set(page.encode(), "png", {"svg": svg}, font_files, ppi=CHART_PPI)


def fonts(font_files: Sequence[Path] = ()) -> Typefaces:
    """The families that are there for each part of a document. Raises FontMissing."""
    return typefaces(set(_fonts(tuple(font_files)).families()))


def _set(
    source: bytes, form: Literal["pdf", "png"], inputs: dict[str, str], font_files: Sequence[Path], **how: Any
) -> bytes:
    compiler = typst.Compiler(source, font_paths=_fonts(tuple(font_files)), sys_inputs=inputs)
    compiled = compiler.compile(format=form, **how)
    pages = compiled if isinstance(compiled, list) else [compiled]
    return bytes(pages[0] or b"")


@cache
def _fonts(font_files: tuple[Path, ...]) -> typst.Fonts:
    """Looked for once in a process."""
    return typst.Fonts(font_paths=[str(file) for file in font_files])


@cache
def _template() -> bytes:
    return (files("campus_collector.report") / "templates" / "report.typ").read_bytes()
