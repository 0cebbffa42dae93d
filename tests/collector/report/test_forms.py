"""Four forms, two languages, one set of figures: each form is read back by another program, and says the same."""

import io
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pypdfium2
import pytest
from docx import Document as read_docx

from campus_base.language import Language
from campus_collector.judge.explanations import EXPLANATIONS
from campus_collector.report.compose import compose
from campus_collector.report.document import Chart, Document, Paragraph, shown
from campus_collector.report.figures import Count, Figures, Forecast, TargetFigures, excerpt
from campus_collector.report.forms import pdf
from campus_collector.report.forms.html import as_html
from campus_collector.report.forms.pdf import FontMissing, as_pdf
from campus_collector.report.forms.render import FORMS, render
from campus_collector.report.forms.xlsx import SCALES
from tests.collector.report.county import failing, figures, nothing, school

LANGUAGES: tuple[Language, ...] = ("zh", "en")
RARE = "䶮𠮷镇㙍峪小学"
LONG = "柳河镇中心小学附属黄河滩区迁建安置社区第二实验分校（东校区）暨教师发展基地"
ALLOWED = {"iperf", "SHA", "Mbit", "Mbps", "s", "Excel", "CampusMeter"}
"""Names and units; everything else in Chinese documents is Chinese."""


pytestmark = pytest.mark.usefixtures("chinese_fonts")


class _Cells(HTMLParser):
    """Tables of a page: rows of words."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.words: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.tables[-1][-1][-1] += data


def expected(document: Document) -> list[list[list[str]]]:
    """Every table with rows, as words."""
    return [
        [
            [column.title for column in table.columns],
            *(
                [shown(cell, column.kind) for cell, column in zip(row, table.columns, strict=True)]
                for row in table.rows
            ),
        ]
        for table in document.tables
        if table.rows
    ]


def paragraphs(document: Document) -> list[str]:
    """Every sentence of body and annexes, with the heading that it follows."""
    between = "" if document.language == "zh" else " "
    return [
        between.join(part for part in (block.lead, block.text) if part)
        for block in document.all_blocks
        if isinstance(block, Paragraph)
    ]


def text_of_pdf(octets: bytes) -> str:
    """All words of all pages, without spaces and line ends."""
    pages = pypdfium2.PdfDocument(octets)
    return "".join(re.sub(r"[\s\u200b\ufffe\u00ad]", "", page.get_textpage().get_text_range()) for page in pages)


@pytest.mark.parametrize("language", LANGUAGES)
def test_html_and_docx_hold_the_same_cells(language: Language) -> None:
    document = compose(figures(), language)
    page = _Cells()
    page.feed(render(document, "html").decode())
    assert page.tables == expected(document)
    word = read_docx(io.BytesIO(render(document, "docx")))
    assert [[[cell.text for cell in row.cells] for row in table.rows] for table in word.tables] == expected(document)
    actual = [paragraph.text for paragraph in word.paragraphs]
    for words in paragraphs(document):
        assert words in actual


@pytest.mark.parametrize("language", LANGUAGES)
def test_pdf_holds_every_cell_and_sentence(language: Language) -> None:
    document = compose(figures(), language)
    text = text_of_pdf(render(document, "pdf"))
    for table in expected(document):
        for row in table:
            for words in row:
                assert re.sub(r"\s", "", words) in text, words
    for words in paragraphs(document):
        assert re.sub(r"\s", "", words) in text, words


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_workbook_computes_with_the_same_numbers(language: Language) -> None:
    document = compose(figures(), language)
    book = openpyxl.load_workbook(io.BytesIO(render(document, "xlsx")))
    sheets = [book[name] for name in book.sheetnames[1:]]
    tables = [table for table in (*document.tables, *document.workbook) if table.rows]
    assert len(sheets) == len(tables)
    for sheet, table in zip(sheets, tables, strict=True):
        assert [cell.value for cell in sheet[1]] == [column.title for column in table.columns]
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref
        for row, cells in zip(table.rows, sheet.iter_rows(min_row=2), strict=False):
            for value, column, cell in zip(row, table.columns, cells, strict=True):
                if isinstance(value, str) or value is None:
                    assert cell.value == value
                else:
                    assert cell.value == pytest.approx(value * SCALES.get(column.kind, 1), abs=1e-9)
                    if column.kind == "share":
                        assert cell.number_format == "0.0%"
    assert (
        sum(len(sheet._charts) for sheet in sheets)
        == sum(isinstance(block, Chart) for block in document.all_blocks) - 1
    )


def test_both_languages_have_the_same_numbers() -> None:
    pair = [compose(figures(), language) for language in LANGUAGES]
    numbers = [
        [[cell for cell in row if not isinstance(cell, str)] for table in each.tables for row in table.rows]
        for each in pair
    ]
    assert numbers[0] == numbers[1]
    assert len(pair[0].all_blocks) == len(pair[1].all_blocks)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_figures_are_the_same_octets(form: str, language: Language) -> None:
    made = [render(compose(figures(), language), form) for _ in range(2)]  # type: ignore[arg-type]
    assert made[0] == made[1]


EDGES: dict[str, Figures] = {
    "nothing": nothing(),
    "one_school": figures(
        schools=[school(1, "柳河", "柳河镇中心小学", 1, 0)], towns=figures().towns[1:], schools_total=1
    ),
    "all_met": figures(
        targets=[TargetFigures("classroom_bandwidth", Count(40), 1.0, 1.0)], failing=[], rooms=[], ledger_lines=[]
    ),
    "none_met": figures(targets=[TargetFigures("classroom_bandwidth", Count(0, 40), 0.0, 0.0)]),
    "february": figures(month="2024-02", issued_on="2024-03-05"),
    "in_progress": figures(closed=False, complete=False, simulated=True),
    "rules_change": figures(rules_changed=["classroom_bandwidth"]),
    "rare_names": figures(
        county=RARE, schools=[school(1, "柳河", RARE, 3, 1)], failing=[failing("㐂班𠮷", RARE)], corrections=[]
    ),
    "long_names": figures(schools=[school(1, "柳河", LONG, 3, 1)], failing=[failing(LONG, LONG)]),
    "hostile_names": figures(failing=[failing("<script>alert(1)</script> #set *x* $y$ \\", '=HYPERLINK("x") & "q"')]),
    "silent": figures(data=type(figures().data)(0, 0, 0, 0, 0, {}, ["柳河镇中心小学", "青石镇小学"])),
    "town_excerpt": excerpt(figures(), town="柳河"),
    "school_excerpt": excerpt(figures(), school="s001"),
}


@pytest.mark.parametrize("name", EDGES)
def test_edge_months_in_every_form(name: str) -> None:
    for language in LANGUAGES:
        document = compose(EDGES[name], language)
        page = _Cells()
        page.feed(render(document, "html").decode())
        assert page.tables == expected(document)
        text = text_of_pdf(render(document, "pdf"))
        for table in expected(document):
            for words in (cell for row in table for cell in row):
                assert re.sub(r"\s", "", words) in text, words
        word = read_docx(io.BytesIO(render(document, "docx")))
        assert [[[cell.text for cell in row.cells] for row in table.rows] for table in word.tables] == expected(
            document
        )
        book = openpyxl.load_workbook(io.BytesIO(render(document, "xlsx")))
        workbook = [table for table in document.workbook if table.rows]
        assert len(book.sheetnames) == 1 + len(expected(document)) + len(workbook)


def test_what_an_empty_and_an_unclosed_month_say() -> None:
    empty = compose(nothing(), "zh")
    assert any(isinstance(block, Paragraph) and "没有考核对象" in block.text for block in empty.all_blocks)
    open_month = compose(EDGES["in_progress"], "zh")
    assert "未定稿" in open_month.banner
    assert "演示数据" in open_month.banner
    assert "未定稿" in render(open_month, "html").decode()
    assert "未定稿" in text_of_pdf(render(open_month, "pdf"))
    assert compose(figures(closed=False), "zh").banner == "未定稿：数据仍可能变化"
    assert compose(figures(), "zh").banner == ""


def test_an_excerpt_is_one_page() -> None:
    for each in (EDGES["town_excerpt"], EDGES["school_excerpt"]):
        assert len(pypdfium2.PdfDocument(render(compose(each, "zh"), "pdf"))) == 1


def test_chinese_documents_are_chinese() -> None:
    """No English word but names and units, in words of ours: all causes, all reasons, all tables."""
    every = [failing(cause=cause, unit=told.unit) for cause, told in EXPLANATIONS.items() if cause]
    document = compose(figures(failing=every), "zh")
    names = {head.head for head in figures().heads} | {figures().policy_version, document.hash}
    names |= {each.id for each in figures().schools} | {each.school for each in every}
    words: list[str] = [document.title, document.banner, document.footer, *paragraphs(document)]
    for table in (*document.tables, *document.workbook):
        words += [table.name, table.title, table.unit, table.empty, *(column.title for column in table.columns)]
        words += [cell for row in table.rows for cell in row if isinstance(cell, str) and cell not in names]
    text = "\n".join(words)
    for name in names:
        text = text.replace(name, "")
    assert set(re.findall(r"[A-Za-z]+", text)) <= ALLOWED


def test_fonts_are_in_the_file_and_pages_are_a4() -> None:
    octets = render(compose(figures(), "zh"), "pdf")
    pages = pypdfium2.PdfDocument(octets)
    assert {(round(page.get_width()), round(page.get_height())) for page in pages} == {(595, 842)}
    assert octets.count(b"/FontFile") >= 2
    assert b"NotoSerifCJK" in octets or b"SourceHanSerif" in octets or b"FontDescriptor" in octets


def test_nothing_stands_outside_the_margins(tmp_path: Path) -> None:
    """Pages as pictures: ink only within the text area, header and footer."""
    octets = render(compose(EDGES["long_names"], "zh"), "pdf")
    for page in pypdfium2.PdfDocument(octets):
        picture = page.render(scale=1).to_pil().convert("L")
        left, _, right, _ = picture.point(lambda value: 255 if value < 200 else 0).getbbox()
        assert left >= 79, "28 mm at the left"
        assert right <= 595 - 72, "26 mm at the right"


def test_without_a_font_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    class None_:
        def families(self) -> list[str]:
            return ["Libertinus Serif"]

    monkeypatch.setattr(pdf, "_fonts", lambda _: None_())
    with pytest.raises(FontMissing, match="fonts-noto-cjk") as raised:
        as_pdf(compose(figures(), "zh"))
    assert "fonts-noto-cjk" in raised.value.words.zh
    assert as_html(compose(figures(), "zh"))


def test_libreoffice_opens_the_document_and_loses_nothing(tmp_path: Path) -> None:
    if shutil.which("soffice") is None:
        assert not os.environ.get("CI"), "libreoffice-writer-nogui must be there under CI"
        pytest.skip("NO LIBREOFFICE: install the package libreoffice-writer-nogui")
    document = compose(figures(), "zh")
    (tmp_path / "report.docx").write_bytes(render(document, "docx"))
    command = [
        "soffice",
        f"-env:UserInstallation=file://{tmp_path}/profile",
        "--headless",
        "--convert-to",
        "pdf",
        "report.docx",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=180)
    text = re.sub(r"—\d+—|[“”]", "", text_of_pdf((tmp_path / "report.pdf").read_bytes()))
    for table in expected(document):
        for words in (cell for row in table for cell in row):
            assert re.sub(r"[\s“”]", "", words) in text, words
    for words in paragraphs(document):
        assert re.sub(r"[\s“”]", "", words) in text, words


@pytest.mark.parametrize("schools", range(80, 88))
def test_no_row_of_a_table_is_left_alone_on_a_page(schools: int) -> None:
    own = [school(number, "柳河", f"第{number}小学尾", 1, 0) for number in range(1, schools)]
    pages = pypdfium2.PdfDocument(render(compose(figures(schools=own, heads=[]), "zh"), "pdf"))
    rows = [page.get_textpage().get_text_range().count("小学尾") for page in pages]
    assert sum(rows) == schools - 1
    assert min(row for row in rows if row) >= 3
    for page, number in zip(pages, rows, strict=True):
        if number:
            assert "云平台" in page.get_textpage().get_text_range(), "the heading is repeated"


def test_the_outlook_is_drawn_with_its_limits() -> None:
    actual = compose(figures(), "zh")
    chart = [block for block in actual.all_blocks if isinstance(block, Chart)][-1]
    assert "推算" in chart.title
    assert chart.labels[-1] == "27-01"
    assert 'id="cone"' in chart.svg
    silent = compose(figures(forecasts=[Forecast("classroom_bandwidth", "not_falling", 10)]), "zh")
    chart = [block for block in silent.all_blocks if isinstance(block, Chart)][-1]
    assert chart.labels[-1] == "26-10"
    assert "cone" not in chart.svg
    open_end = compose(figures(forecasts=[Forecast("classroom_bandwidth", "given", 10, "2027-03")]), "zh")
    assert [block for block in open_end.all_blocks if isinstance(block, Chart)][-1].labels[-1] == "27-09"
