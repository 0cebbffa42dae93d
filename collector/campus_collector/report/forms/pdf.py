"""The report as PDF, set by typst: the same figures and the same fonts give the same bytes. Also pictures of the charts."""

import json
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import typst

from campus_collector.report.document import Document
from campus_collector.report.forms.html import plain
from campus_collector.report.forms.pdf_fonts import FontMissing

SERIF = ("Noto Serif CJK SC", "Source Han Serif SC", "Noto Serif SC", "FangSong", "STFangsong", "SimSun")
SANS = ("Noto Sans CJK SC", "Source Han Sans SC", "Noto Sans SC", "SimHei", "Microsoft YaHei", "WenQuanYi Micro Hei")
CHART_PPI = 220
__all__ = ["FontMissing", "as_pdf", "as_png", "fonts"]


def as_pdf(document: Document) -> bytes:
    """The document as a PDF file. Raises FontMissing."""
    serif, sans = fonts()
    year, month, day = (int(part) for part in document.issued_on.split("-"))
    data = {
        "language": document.language,
        "title": document.title,
        "subtitle": document.subtitle,
        "facts": document.facts,
        "banner": document.banner,
        "blocks": [plain(block) for block in document.blocks],
        "date": [year, month, day],
        "serif": serif,
        "sans": sans,
    }
    return _set(
        _template(),
        "pdf",
        {"document": json.dumps(data, ensure_ascii=False)},
        timestamp=datetime(year, month, day, tzinfo=UTC),
    )


def as_png(svg: str) -> bytes:
    """A chart as a picture, for forms without SVG. Raises FontMissing."""
    fonts()
    page = '#set page(width: auto, height: auto, margin: 0pt)\n#image(bytes(sys.inputs.svg), format: "svg")\n'
    return _set(page.encode(), "png", {"svg": svg}, ppi=CHART_PPI)


def fonts() -> tuple[list[str], list[str]]:
    """The families that are there: for text, and for headings. Raises FontMissing."""
    installed = set(_fonts().families())
    serif = [name for name in SERIF if name in installed]
    sans = [name for name in SANS if name in installed]
    if not serif and not sans:
        raise FontMissing
    return serif or sans, sans or serif


def _set(source: bytes, form: Literal["pdf", "png"], inputs: dict[str, str], **how: Any) -> bytes:
    compiler = typst.Compiler(source, font_paths=_fonts(), sys_inputs=inputs)
    compiled = compiler.compile(format=form, **how)
    pages = compiled if isinstance(compiled, list) else [compiled]
    return bytes(pages[0] or b"")


@cache
def _fonts() -> typst.Fonts:
    """Looked for once in a process."""
    return typst.Fonts()


@cache
def _template() -> bytes:
    return (files("campus_collector.report") / "templates" / "report.typ").read_bytes()
