"""The report as a document that staff go on editing in WPS or Word: the page of GB/T 9704-2012, real styles, real tables, headings that repeat, page number fields."""

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from docx import Document as new_document
from docx.document import Document as WordDocument
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING, WD_TAB_ALIGNMENT
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Length, Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph as WordParagraph

from campus_collector.report.document import (
    Annex,
    Block,
    Closing,
    Document,
    Heading,
    Imprint,
    Letterhead,
    Paragraph,
    Table,
    shown,
)
from campus_collector.report.forms.pdf import as_png, with_note
from campus_collector.report.forms.pdf_fonts import DOCX_BODY as BODY
from campus_collector.report.forms.pdf_fonts import DOCX_HEADING as BLACK
from campus_collector.report.forms.pdf_fonts import DOCX_PAGE as SONG
from campus_collector.report.forms.pdf_fonts import DOCX_SUBHEADING as KAI
from campus_collector.report.forms.pdf_fonts import DOCX_TITLE as TITLE
from campus_collector.report.forms.pdf_fonts import docx_fonts

LATIN = "Times New Roman"
SIZE = 16.0
"""Size 3, in points."""
LINES, CHARACTERS = 22, 28
TYPE_WIDTH, TYPE_HEIGHT = Mm(156), Mm(225)
LINE = int(TYPE_HEIGHT / LINES / 635) * 635
"""The distance of lines, in whole twentieths of a point: what the format holds."""
CHARACTER = int(TYPE_WIDTH / CHARACTERS)
CLOSER = (CHARACTER - int(SIZE * 12700)) // 635
"""Letters of the body stand so much closer than their size, in twentieths of a point, that 28 fill a line. Not by a grid of characters: some programs
give a letter that is wider than its cell two cells."""
RED = RGBColor(0xD0, 0x02, 0x1B)
EMU_PER_TWENTIETH = 635
"""Twentieths of a point are what tables are measured in."""
FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
CENTER, RIGHT, LEFT = WD_ALIGN_PARAGRAPH.CENTER, WD_ALIGN_PARAGRAPH.RIGHT, WD_ALIGN_PARAGRAPH.LEFT


def as_docx(document: Document, font_files: Sequence[Path] = ()) -> bytes:
    """Deterministic. Raises FontMissing for the charts' pictures."""
    return _Writer(with_note(document, docx_fonts(document.language)), font_files).content()


class _Writer:
    def __init__(self, document: Document, font_files: Sequence[Path]) -> None:
        self._document, self._font_files = document, font_files
        self._chinese = document.language == "zh"
        self._word = new_document()
        self._small = False
        """Tables of annexes and excerpts are set smaller than those of the body."""

    def content(self) -> bytes:
        document, word = self._document, self._word
        _page(word)
        _styles(word)
        if document.banner:
            self._banner(document.banner)
        if document.letterhead.heading:
            self._letterhead(document.letterhead)
        self._add(document.title, "Title", CENTER)
        if not document.one_page:
            self._empty_line()
        if document.salutation:
            self._add(document.salutation)
        self._small = document.one_page
        for block in document.blocks:
            self._block(block)
        if document.closing is not None:
            self._closing(document.closing)
        self._small = True
        for annex in document.annexes:
            self._annex(annex)
        self._imprint(document.imprint)
        _footers(word)
        return _steady(self._saved())

    def _saved(self) -> bytes:
        document, core = self._document, self._word.core_properties
        year, month, day = (int(part) for part in document.issued_on.split("-"))
        issued = datetime(year, month, day, tzinfo=UTC).replace(tzinfo=None)
        core.title, core.author, core.last_modified_by = document.title, "CampusMeter", "CampusMeter"
        core.created = core.modified = core.last_printed = issued
        core.comments, core.revision = document.hash, 1
        buffer = io.BytesIO()
        self._word.save(buffer)
        return buffer.getvalue()

    def _add(self, text: str, style: str = "Normal", side: WD_ALIGN_PARAGRAPH | None = None) -> WordParagraph:
        paragraph = self._word.add_paragraph(text, style=style)
        if side is not None:
            paragraph.alignment = side
        return paragraph

    def _empty_line(self) -> None:
        self._add("")

    def _banner(self, words: str) -> None:
        """On every page, also the even ones."""
        section = self._word.sections[0]
        for header in (section.header, section.even_page_header):
            header.is_linked_to_previous = False
            paragraph = header.paragraphs[0]
            paragraph.text, paragraph.style, paragraph.alignment = words, self._word.styles["Banner"], CENTER

    def _letterhead(self, head: Letterhead) -> None:
        heading = self._add(head.heading, "Letterhead", CENTER)
        heading.paragraph_format.space_before = Mm(35)
        heading.runs[0].font.size = Pt(min(40, 430 // max(1, len(head.heading))))
        self._empty_line()
        if head.signer:
            line = self._add(f"{head.number}\t{head.signer}")
            line.paragraph_format.left_indent = line.paragraph_format.right_indent = Length(CHARACTER)
            line.paragraph_format.tab_stops.add_tab_stop(Length(TYPE_WIDTH - CHARACTER), WD_TAB_ALIGNMENT.RIGHT)
        else:
            line = self._add(head.number, side=CENTER)
        rule = self._add("", "Source")
        borders = f'<w:pBdr {nsdecls("w")}><w:bottom w:val="single" w:sz="12" w:space="0" w:color="D0021B"/></w:pBdr>'
        rule._p.get_or_add_pPr().append(parse_xml(borders))
        self._empty_line()

    def _block(self, block: Block) -> None:
        if isinstance(block, Heading):
            heading = self._word.add_heading(block.text, level=1)
            self._indent(heading)
        elif isinstance(block, Paragraph):
            self._paragraph(block)
        elif isinstance(block, Table):
            if block.rows:
                self._table(block)
            elif block.empty:
                self._indent(self._add(block.empty))
        else:
            self._word.add_picture(io.BytesIO(as_png(block.svg, self._font_files)), width=TYPE_WIDTH)
            picture = self._word.paragraphs[-1]
            picture.style, picture.alignment = self._word.styles["Note"], CENTER
            picture.paragraph_format.keep_with_next = True
            _describe(picture, block.title)
            self._add(block.title, "Note", CENTER)

    def _paragraph(self, block: Paragraph) -> None:
        paragraph = self._add("", self._style_of(block))
        if block.lead:
            run = paragraph.add_run(block.lead)
            _east_asian(run._r.get_or_add_rPr().get_or_add_rFonts(), KAI)
            if not self._chinese and block.text:
                paragraph.add_run(" ")
        paragraph.add_run(block.text)
        if not block.note:
            self._indent(paragraph)

    def _style_of(self, block: Paragraph) -> str:
        if self._document.one_page:
            return "Small Note" if block.note else "Compact"
        return "Note" if block.note else "Normal"

    def _indent(self, paragraph: WordParagraph) -> None:
        """Two characters before a Chinese paragraph."""
        if self._chinese:
            paragraph.paragraph_format.first_line_indent = Length(2 * CHARACTER)

    def _closing(self, closing: Closing) -> None:
        if closing.annexes:
            self._empty_line()
            label = 5 * CHARACTER if self._chinese else int(Mm(22))
            for place, title in enumerate(closing.annexes, start=1):
                number = f"{place}. " if len(closing.annexes) > 1 else ""
                first = place == 1 and self._chinese  # the label fills the place before the numbers
                paragraph = self._add(f"{closing.label if first else ''}{number}{title}")
                if place == 1 and not first:
                    paragraph.runs[0].text = f"{closing.label}\t{number}{title}"
                form = paragraph.paragraph_format
                form.left_indent = Length(label)
                if place == 1:
                    form.first_line_indent = Length((2 * CHARACTER if self._chinese else 0) - label)
        if self._document.one_page:
            self._add(f"{closing.issuer}　{closing.date}" if closing.issuer else closing.date, "Compact", RIGHT)
            return
        self._empty_line()
        right = 4.0
        if closing.issuer:
            shift = (_width(closing.date) - _width(closing.issuer)) / 2
            self._signed(closing.issuer, max(0.0, right + shift)).paragraph_format.keep_with_next = True
        self._signed(closing.date, right)

    def _signed(self, text: str, characters_from_right: float) -> WordParagraph:
        paragraph = self._add(text, side=RIGHT)
        paragraph.paragraph_format.right_indent = Length(int(characters_from_right * CHARACTER))
        return paragraph

    def _annex(self, annex: Annex) -> None:
        label = self._add(annex.label, "Annex Label")
        label.paragraph_format.page_break_before = True
        self._empty_line()
        self._add(annex.title, "Annex Title", CENTER)
        for block in annex.blocks:
            self._block(block)

    def _imprint(self, imprint: Imprint) -> None:
        """A table that stands at the foot of the last page, between two thick lines."""
        rows = [(imprint.copies, "")] if imprint.copies else []
        if imprint.printed_by:
            rows.append((imprint.printed_by, imprint.print_date))
        if not rows:
            return
        half = _twentieths(TYPE_WIDTH) // 2
        lines = []
        for left, right in rows:
            if right:
                lines.append(
                    f"<w:tr>{_cell(left, half, 'Imprint', 'left')}{_cell(right, half, 'Imprint', 'right')}</w:tr>"
                )
            else:
                cell = _cell(left, 2 * half, "Imprint", "left").replace(
                    'w:type="dxa"/>', 'w:type="dxa"/><w:gridSpan w:val="2"/>', 1
                )
                lines.append(f"<w:tr>{cell}</w:tr>")
        element = parse_xml(
            f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblpPr w:vertAnchor="margin" w:horzAnchor="margin" w:tblpXSpec="left"'
            f' w:tblpYSpec="bottom"/><w:tblW w:w="{2 * half}" w:type="dxa"/><w:tblBorders><w:top w:val="single" w:sz="8"/>'
            f'<w:bottom w:val="single" w:sz="8"/><w:insideH w:val="single" w:sz="6"/></w:tblBorders><w:tblLayout w:type="fixed"/>'
            f'</w:tblPr><w:tblGrid><w:gridCol w:w="{half}"/><w:gridCol w:w="{half}"/></w:tblGrid>{"".join(lines)}</w:tbl>'
        )
        self._add("", "Source")._p.addprevious(element)

    def _table(self, table: Table) -> None:
        """Written as XML in one piece: a county's table has ten thousand cells."""
        self._caption(table)
        size = "Small" if self._small else "Text"
        weight = sum(column.width for column in table.columns)
        widths = [int(TYPE_WIDTH * column.width / weight / EMU_PER_TWENTIETH) for column in table.columns]
        grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
        head = "".join(
            _cell(column.title, width, f"TableHeading{size}", "center", shaded=True)
            for column, width in zip(table.columns, widths, strict=True)
        )
        rows = [f"<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>{head}</w:tr>"]
        for row in table.rows:
            cells = "".join(
                _cell(shown(cell, column.kind), width, f"Table{size}", "left" if column.kind == "text" else "right")
                for cell, column, width in zip(row, table.columns, widths, strict=True)
            )
            rows.append(f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{cells}</w:tr>")
        element = parse_xml(
            f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblStyle w:val="TableGrid"/><w:tblW w:w="{sum(widths)}" w:type="dxa"/>'
            f'<w:jc w:val="center"/><w:tblLayout w:type="fixed"/><w:tblCellMar><w:left w:w="50" w:type="dxa"/>'
            f'<w:right w:w="50" w:type="dxa"/></w:tblCellMar></w:tblPr><w:tblGrid>{grid}</w:tblGrid>{"".join(rows)}</w:tbl>'
        )
        self._add(table.source, "Source")._p.addprevious(element)

    def _caption(self, table: Table) -> None:
        """The title in the middle and the unit at the right, on one line where both have a place."""
        room = TYPE_WIDTH / 12700 / 2
        if _width(table.title) * 11 / 2 + _width(table.unit) * 9 > room - 9:
            self._add(table.title, "Caption", CENTER).paragraph_format.keep_with_next = True
            self._add(table.unit, "Unit", RIGHT).paragraph_format.keep_with_next = True
            return
        caption = self._add(f"\t{table.title}\t", "Caption")
        caption.add_run(table.unit, style=self._word.styles["Unit Letters"])
        form = caption.paragraph_format
        form.keep_with_next = True
        form.tab_stops.add_tab_stop(Length(TYPE_WIDTH // 2), WD_TAB_ALIGNMENT.CENTER)
        form.tab_stops.add_tab_stop(TYPE_WIDTH, WD_TAB_ALIGNMENT.RIGHT)


def _cell(words: str, width: int, style: str, side: str, *, shaded: bool = False) -> str:
    shade = '<w:shd w:val="clear" w:color="auto" w:fill="EEEEEE"/>' if shaded else ""
    return (
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{shade}<w:vAlign w:val="center"/></w:tcPr><w:p><w:pPr>'
        f'<w:pStyle w:val="{style}"/><w:jc w:val="{side}"/></w:pPr><w:r><w:t xml:space="preserve">{escape(words)}</w:t></w:r></w:p></w:tc>'
    )


def _page(word: WordDocument) -> None:
    """A4; the type area with its grid of lines and characters."""
    section = word.sections[0]
    section.orientation = WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(37), Mm(35)
    section.left_margin, section.right_margin = Mm(28), Mm(26)
    section.header_distance = Mm(22)
    section.footer_distance = Mm(24.8)  # the dash of the page number stands 7 mm below the type area
    properties = section._sectPr
    for grid in properties.findall(qn("w:docGrid")):
        properties.remove(grid)
    properties.append(
        parse_xml(f'<w:docGrid {nsdecls("w")} w:type="lines" w:linePitch="{LINE // EMU_PER_TWENTIETH}"/>')
    )


def _styles(word: WordDocument) -> None:
    _style(word, "Normal", BODY, SIZE, line=LINE)
    word.styles["Normal"].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.JUSTIFY
    for name in ("w:autoSpaceDE", "w:autoSpaceDN"):  # no space of the program's own between Chinese and figures
        word.styles["Normal"].element.get_or_add_pPr().insert_element_before(
            parse_xml(f'<{name} {nsdecls("w")} w:val="0"/>'), "w:spacing", "w:ind", "w:jc"
        )
    _style(word, "Title", TITLE, 22, line=Pt(35))
    for border in list(word.styles["Title"].element.iter(qn("w:pBdr"))):  # the library's template underlines it in blue
        border.getparent().remove(border)
    _style(word, "Heading 1", BLACK, SIZE, line=LINE)
    _style(word, "Caption", BLACK, 11, line=Pt(17))
    for name, font, size, line in (
        ("Letterhead", TITLE, 40, None),
        ("Annex Label", BLACK, SIZE, LINE),
        ("Annex Title", TITLE, 22, Pt(35)),
        ("Compact", BODY, 12, Pt(17)),
        ("Small Note", BODY, 9, None),
        ("Note", BODY, 10.5, None),
        ("Unit", BODY, 9, Pt(12)),
        ("Source", BODY, 8, Pt(12)),
        ("Table Text", BODY, 10.5, None),
        ("Table Heading Text", BLACK, 10.5, None),
        ("Table Small", BODY, 9, None),
        ("Table Heading Small", BLACK, 9, None),
        ("Banner", BLACK, 10.5, None),
        ("Imprint", BODY, 14, Pt(24)),
    ):
        word.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH).base_style = word.styles["Normal"]
        _style(word, name, font, size, line=line)
    letters = word.styles.add_style("Unit Letters", WD_STYLE_TYPE.CHARACTER)
    letters.font.size = Pt(9)
    _east_asian(letters.element.get_or_add_rPr().get_or_add_rFonts(), BODY)
    for name in ("Note", "Small Note", "Source"):
        word.styles[name].paragraph_format.alignment = LEFT
    word.styles["Letterhead"].font.color.rgb = RED
    word.styles["Imprint"].paragraph_format.left_indent = Length(CHARACTER)
    word.styles["Imprint"].paragraph_format.right_indent = Length(CHARACTER)


def _style(word: WordDocument, style: str, font: str, size: float, *, line: Length | int | None) -> None:
    """Without a `line` the distance of lines is the font's own, and the grid does not matter."""
    word_style = word.styles[style]
    word_style.font.name, word_style.font.size, word_style.font.bold = LATIN, Pt(size), False
    word_style.font.italic = False
    word_style.font.color.rgb = RGBColor(0, 0, 0)
    fonts = word_style.element.get_or_add_rPr().get_or_add_rFonts()
    for name in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
        fonts.attrib.pop(qn(name), None)
    for name in ("w:ascii", "w:hAnsi"):
        fonts.set(qn(name), LATIN)
    _east_asian(fonts, font)
    properties = word_style.element.get_or_add_rPr()
    for spacing in properties.findall(qn("w:spacing")):
        properties.remove(spacing)
    properties.insert_element_before(
        parse_xml(f'<w:spacing {nsdecls("w")} w:val="{CLOSER if size == SIZE else 0}"/>'),
        "w:w", "w:kern", "w:position", "w:sz", "w:szCs", "w:highlight", "w:u", "w:lang",
    )  # fmt: skip
    form = word_style.paragraph_format
    form.space_before = form.space_after = Pt(0)
    if line is None:
        form.line_spacing_rule = WD_LINE_SPACING.SINGLE
    else:
        form.line_spacing = Length(line)
        form.line_spacing_rule = WD_LINE_SPACING.EXACTLY
    if style != "Normal" and (line is None or line != LINE):
        word_style.element.get_or_add_pPr().insert_element_before(
            parse_xml(f'<w:snapToGrid {nsdecls("w")} w:val="0"/>'), "w:spacing", "w:ind", "w:jc", "w:outlineLvl"
        )


def _east_asian(fonts, font: str) -> None:  # type: ignore[no-untyped-def]
    """Name the font of Chinese letters in a w:rFonts element."""
    fonts.set(qn("w:eastAsia"), font)


def _footers(word: WordDocument) -> None:
    """The page number outside: at the right of odd pages, at the left of even ones, one character from the edge."""
    word.settings.odd_and_even_pages_header_footer = True
    section = word.sections[0]
    for footer, side in ((section.footer, RIGHT), (section.even_page_footer, LEFT)):
        footer.is_linked_to_previous = False
        paragraph = footer.paragraphs[0]
        paragraph.alignment = side
        form = paragraph.paragraph_format
        form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(18)
        if side == RIGHT:
            form.right_indent = Length(CHARACTER)
        else:
            form.left_indent = Length(CHARACTER)
        paragraph.add_run("— ")
        _field(paragraph, "PAGE")
        paragraph.add_run(" —")
        for run in paragraph.runs:
            run.font.size = Pt(14)
            fonts = run._r.get_or_add_rPr().get_or_add_rFonts()
            for name in ("w:ascii", "w:hAnsi", "w:eastAsia"):
                fonts.set(qn(name), SONG)


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


def _describe(picture: WordParagraph, words: str) -> None:
    """What a picture shows, for those who do not see it."""
    for properties in picture._p.iter(qn("wp:docPr")):
        properties.set("descr", words)


def _width(text: str) -> float:
    """In Chinese characters; another letter is half as wide."""
    return sum(1.0 if ord(letter) > 0x2E80 else 0.5 for letter in text)


def _twentieths(length: int) -> int:
    return length // EMU_PER_TWENTIETH


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
