"""The report as one HTML file that prints well: no script, nothing loaded from elsewhere."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from campus_collector.report.document import Block, Document, Heading, Paragraph, Table, shown


def as_html(document: Document) -> bytes:
    """One HTML page without scripts, as UTF-8."""
    text = _environment().get_template("report.html").render(document=document, plain=plain)
    return text.encode("utf-8")


def plain(block: Block) -> dict[str, Any]:
    """A block with its cells as people read them: (text, is it a number)."""
    if isinstance(block, Heading):
        return {"kind": "heading", "text": block.text}
    if isinstance(block, Paragraph):
        return {"kind": "paragraph", "text": block.text, "note": block.note, "lead": block.lead}
    if isinstance(block, Table):
        return {
            "kind": "table",
            "title": block.title,
            "unit": block.unit,
            "source": block.source,
            "columns": [column.title for column in block.columns],
            "widths": [column.width for column in block.columns],
            "rows": [
                [
                    (shown(cell, column.kind), column.kind != "text")
                    for cell, column in zip(row, block.columns, strict=True)
                ]
                for row in block.rows
            ],
            "empty": block.empty,
        }
    return {"kind": "chart", "title": block.title, "svg": block.svg}


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("campus_collector.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
