"""The report as a document that staff go on editing in WPS or Word: real styles, real tables, headings that repeat, a page number field."""

import io
import zipfile
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from docx import Document as new_document
from docx.document import Document as WordDocument
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph as WordParagraph

from campus_base.messages import message
from campus_collector.report.document import Block, Document, Heading, Paragraph, Table, shown
from campus_collector.report.forms.pdf import as_png

BODY, BLACK, TITLE, LATIN = "仿宋", "黑体", "方正小标宋简体", "Times New Roman"
"""The fonts of official documents; WPS and Word put SimSun where one is missing."""
EMU_PER_TWENTIETH = 635
"""Twentieths of a point are what tables are measured in."""
FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def as_docx(document: Document) -> bytes:
    """Deterministic. Raises FontMissing for the charts' pictures."""
    word = new_document()
    _page(word)
    _styles(word)
    if document.banner:
        banner = word.add_paragraph(document.banner, style="Banner")
        banner.alignment = WD_ALIGN_PARAGRAPH.CENTER
    word.add_paragraph(document.title, style="Title").alignment = WD_ALIGN_PARAGRAPH.CENTER
    word.add_paragraph(document.subtitle, style="Subtitle").alignment = WD_ALIGN_PARAGRAPH.CENTER
    colon = message(": ").in_(document.language)
    facts = word.add_paragraph("　".join(f"{name}{colon}{value}" for name, value in document.facts), style="Note")
    facts.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for block in document.blocks:
        _block(word, block, document.language == "zh")
    _footer(word)
    year, month, day = (int(part) for part in document.issued_on.split("-"))
    issued = datetime(year, month, day, tzinfo=UTC).replace(tzinfo=None)
    core = word.core_properties
    core.title, core.author, core.last_modified_by = (
        f"{document.title} {document.subtitle}",
        "CampusMeter",
        "CampusMeter",
    )
    core.created = core.modified = core.last_printed = issued
    core.comments, core.revision = document.hash, 1
    buffer = io.BytesIO()
    word.save(buffer)
    return _steady(buffer.getvalue())


def _block(word: WordDocument, block: Block, indent: bool) -> None:
    if isinstance(block, Heading):
        word.add_heading(block.text, level=block.level)
    elif isinstance(block, Paragraph):
        paragraph = word.add_paragraph(block.text, style="Note" if block.note else "Normal")
        if indent and not block.note:
            paragraph.paragraph_format.first_line_indent = Pt(24)
    elif isinstance(block, Table):
        if block.rows:
            _table(word, block)
        elif block.empty:
            word.add_paragraph(block.empty)
    else:
        word.add_picture(io.BytesIO(as_png(block.svg)), width=Mm(155))
        word.paragraphs[-1].alignment = WD_ALIGN_PARAGRAPH.CENTER
        _describe(word, block.title)
        word.add_paragraph(block.title, style="Caption").alignment = WD_ALIGN_PARAGRAPH.CENTER


def _table(word: WordDocument, table: Table) -> None:
    """Written as XML in one piece: a county's table has ten thousand cells."""
    title = word.add_paragraph(table.title, style="Caption")
    title.paragraph_format.keep_with_next = True
    section = word.sections[0]
    whole = int(section.page_width or 0) - int(section.left_margin or 0) - int(section.right_margin or 0)
    weight = sum(column.width for column in table.columns)
    widths = [int(whole * column.width / weight / EMU_PER_TWENTIETH) for column in table.columns]
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    head = "".join(
        _cell(column.title, width, "TableHeading", "center", shaded=True)
        for column, width in zip(table.columns, widths, strict=True)
    )
    rows = [f"<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>{head}</w:tr>"]
    for row in table.rows:
        cells = "".join(
            _cell(shown(cell, column.kind), width, "TableText", "left" if column.kind == "text" else "right")
            for cell, column, width in zip(row, table.columns, widths, strict=True)
        )
        rows.append(f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{cells}</w:tr>")
    element = parse_xml(
        f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblStyle w:val="TableGrid"/><w:tblW w:w="{sum(widths)}" w:type="dxa"/>'
        f'<w:jc w:val="center"/><w:tblLayout w:type="fixed"/></w:tblPr><w:tblGrid>{grid}</w:tblGrid>{"".join(rows)}</w:tbl>'
    )
    after = word.add_paragraph(style="Note")
    after._p.addprevious(element)


def _cell(words: str, width: int, style: str, side: str, *, shaded: bool = False) -> str:
    shade = '<w:shd w:val="clear" w:color="auto" w:fill="EEEEEE"/>' if shaded else ""
    return (
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{shade}<w:vAlign w:val="center"/></w:tcPr><w:p><w:pPr>'
        f'<w:pStyle w:val="{style}"/><w:jc w:val="{side}"/></w:pPr><w:r><w:t xml:space="preserve">{escape(words)}</w:t></w:r></w:p></w:tc>'
    )


def _page(word: WordDocument) -> None:
    section = word.sections[0]
    section.orientation = WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(30), Mm(28)
    section.left_margin, section.right_margin = Mm(24), Mm(22)


def _styles(word: WordDocument) -> None:
    _font(word, "Normal", BODY, 12)
    _font(word, "Title", TITLE, 20)
    _font(word, "Subtitle", BODY, 14)
    for border in list(word.styles["Title"].element.iter(qn("w:pBdr"))):  # the library's template underlines it in blue
        border.getparent().remove(border)
    _font(word, "Heading 1", BLACK, 14, bold=True)
    _font(word, "Heading 2", BLACK, 12, bold=True)
    _font(word, "Caption", BLACK, 10, bold=True)
    for name, font, size in (
        ("Note", BODY, 9.5),
        ("Table Text", BODY, 8.5),
        ("Table Heading", BLACK, 8.5),
        ("Banner", BLACK, 11),
    ):
        word_style = word.styles.add_style(name, 1)
        word_style.base_style = word.styles["Normal"]
        _font(word, name, font, size, bold=name in ("Table Heading", "Banner"))
    for name in ("Table Text", "Table Heading"):
        form = word.styles[name].paragraph_format
        form.space_after = form.space_before = Pt(1)
        form.line_spacing = 1.0


def _font(word: WordDocument, style: str, font: str, size: float, *, bold: bool = False) -> None:
    word_style = word.styles[style]
    word_style.font.name, word_style.font.size, word_style.font.bold = LATIN, Pt(size), bold
    word_style.font.italic = False
    word_style.font.color.rgb = RGBColor(0, 0, 0)
    fonts = word_style.element.get_or_add_rPr().get_or_add_rFonts()
    for name in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
        fonts.attrib.pop(qn(name), None)
    for name in ("w:ascii", "w:hAnsi"):
        fonts.set(qn(name), LATIN)
    fonts.set(qn("w:eastAsia"), font)


def _footer(word: WordDocument) -> None:
    paragraph = word.sections[0].footer.paragraphs[0]
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paragraph.add_run("— ")
    _field(paragraph, "PAGE")
    paragraph.add_run(" —")


def _field(paragraph: WordParagraph, code: str) -> None:
    """A field that Word fills: begin, its code, end."""
    for kind, text in (("begin", ""), ("", code), ("end", "")):
        run = paragraph.add_run()
        if kind:
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
        else:
            mark = OxmlElement("w:instrText")
            mark.set(qn("xml:space"), "preserve")
            mark.text = text
        run._r.append(mark)


def _describe(word: WordDocument, words: str) -> None:
    """What a picture shows, for those who do not see it."""
    for properties in word.paragraphs[-1]._p.iter(qn("wp:docPr")):
        properties.set("descr", words)


def _steady(package: bytes) -> bytes:
    """The same parts with the same dates: the format's container would note the time of writing."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as read, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as write:
        for name in read.namelist():
            entry = zipfile.ZipInfo(name, FIRST_ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            write.writestr(entry, read.read(name))
    return buffer.getvalue()
