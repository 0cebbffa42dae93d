"""The report as an official document: the page of GB/T 9704-2012 measured in the PDF, the order of a county office's circular, a short body."""

import ctypes
import io
import itertools
import re
from dataclasses import replace
from functools import cache

import msgspec
import pypdfium2
import pypdfium2.raw as raw
import pytest
from docx import Document as read_docx
from docx.oxml.ns import qn

from campus_base.language import Language
from campus_collector.report.compose import compose
from campus_collector.report.document import Document, Heading, Paragraph, Table
from campus_collector.report.figures import Figures, excerpt
from campus_collector.report.forms.pdf import fonts
from campus_collector.report.forms.pdf_fonts import ROLES, colophon, typefaces
from campus_collector.report.forms.render import render
from tests.collector.report.county import OFFICE, figures, large, nothing

MM = 72 / 25.4
"""Points."""
NOTO = ("Noto Serif CJK SC", "Noto Sans CJK SC")


pytestmark = pytest.mark.usefixtures("chinese_fonts")


@cache
def county() -> Figures:
    """100 schools, 4 000 rooms, with everything that an office can say."""
    return large(official=OFFICE)


@cache
def pdf(language: Language = "zh") -> pypdfium2.PdfDocument:
    return pypdfium2.PdfDocument(render(compose(county(), language), "pdf"))


@cache
def texts() -> list[str]:
    """Of each page."""
    return [page.get_textpage().get_text_range() for page in pdf()]


def body_pages(pages: list[str], first_annex: str = "附件1") -> int:
    return next(number for number, text in enumerate(pages) if text.startswith(first_annex))


def letters(page: pypdfium2.PdfPage) -> list[tuple[str, float, float, float, str]]:
    """Each letter with its origin (points from the left and from the top), its size, and its font."""
    words, found = page.get_textpage(), []
    for place in range(words.count_chars()):
        x, y, name = ctypes.c_double(), ctypes.c_double(), ctypes.create_string_buffer(100)
        raw.FPDFText_GetCharOrigin(words, place, x, y)
        raw.FPDFText_GetFontInfo(words, place, name, 100, None)
        size = raw.FPDFText_GetFontSize(words, place)
        letter = chr(raw.FPDFText_GetUnicode(words, place))
        if not letter.isspace():
            found.append((letter, x.value, page.get_height() - y.value, size, name.value.decode(errors="replace")))
    return found


def test_a_page_has_22_lines_of_28_letters_in_the_type_area() -> None:
    """A paragraph of nothing but Chinese letters fills two pages."""
    document = compose(figures(), "zh")
    letter = replace(document, blocks=(Paragraph("校" * 28 * 50),), annexes=(), closing=None)
    page = pypdfium2.PdfDocument(render(letter, "pdf"))[1]
    assert (page.get_width(), page.get_height()) == pytest.approx((210 * MM, 297 * MM), abs=0.5)
    lines: dict[float, list[float]] = {}
    for sign, x, y, size, _ in letters(page):
        if sign == "校":
            assert size == pytest.approx(16, abs=0.05)
            lines.setdefault(round(y, 1), []).append(x)
    assert len(lines) == 22
    assert {len(columns) for columns in lines.values()} == {28}
    tops = sorted(lines)
    assert [below - above for above, below in itertools.pairwise(tops)] == pytest.approx([225 * MM / 22] * 21, abs=0.15)
    first = lines[tops[0]]
    assert min(first) == pytest.approx(28 * MM, abs=0.5)
    assert max(first) + 156 * MM / 28 == pytest.approx(184 * MM, abs=1)
    assert tops[0] - 0.88 * 16 == pytest.approx(37 * MM, abs=0.5)
    assert tops[-1] + 0.12 * 16 <= 262 * MM


def test_page_numbers_stand_outside_below_the_type_area() -> None:
    for number, page in enumerate(pdf(), start=1):
        signs = [each for each in letters(page) if each[2] > 262 * MM]
        assert "".join(each[0] for each in signs) == f"—{number}—"
        assert {round(each[3], 1) for each in signs} == {14.0}
        dash = signs[0][2] - 0.38 * 14
        assert dash == pytest.approx((262 + 7) * MM, abs=1.5)
        if number % 2:
            assert signs[-1][1] + 14 + 156 * MM / 28 == pytest.approx(184 * MM, abs=2)
        else:
            assert signs[0][1] == pytest.approx(28 * MM + 156 * MM / 28, abs=2)


def test_title_heading_and_text_have_their_typefaces_and_sizes() -> None:
    """On this machine substitutes: serif for title and text, sans for headings."""
    first = letters(pdf()[0])
    title = [each for each in first if each[3] == pytest.approx(22, abs=0.05)]
    assert "".join(each[0] for each in title) == "示例县教育局关于2026年10月全县农村学校网络达标情况的通报"
    installed = fonts().families
    begins = next(
        place for place in range(len(first)) if "".join(e[0] for e in first[place : place + 6]) == "一、总体情况"
    )
    heading = first[begins]
    assert heading[3] == pytest.approx(16, abs=0.05)
    assert heading[1] == pytest.approx(28 * MM + 2 * 156 * MM / 28, abs=1), "two letters from the left"
    if installed["heading"][0] == "Noto Sans CJK SC":
        assert "Sans" in heading[4]
        assert "Serif" in title[0][4]


def test_the_body_has_at_most_five_pages() -> None:
    assert sum(target.count.judged for target in county().targets if target.target == "classroom_bandwidth") >= 4000
    assert body_pages(texts()) <= 5


def test_the_body_stays_short_where_there_are_more_towns_and_names_are_long() -> None:
    more = large(towns=25, official=OFFICE)
    pages = pypdfium2.PdfDocument(render(compose(more, "zh"), "pdf"))
    assert body_pages([page.get_textpage().get_text_range() for page in pages]) <= 5
    towns = next(table for table in compose(more, "zh").blocks if isinstance(table, Table) and "镇街" in table.title)
    assert len(towns.rows) == 12
    assert "共25个镇街，列前5名和后7名" in towns.title


def test_rooms_of_a_school_with_one_cause_are_one_row() -> None:
    document = compose(county(), "zh")
    failing = next(table for table in document.tables if "未达标清单" in table.title)
    assert [row[2] for row in failing.rows if row[1] == "柳山镇第1小学"] == ["45个班级"]
    keys = [(row[1], row[2] == "学校出口", row[7], row[8]) for row in failing.rows]
    assert len(keys) == len(set(keys)), "no row is repeated"
    for table in document.tables:
        assert len(set(table.rows)) == len(table.rows), table.title
    (rooms, *_) = document.workbook
    assert sum(row[2] == "柳山镇第1小学" for row in rooms.rows) == 45
    assert len(rooms.rows) == len(county().failing)


def leads(document: Document) -> list[str]:
    """Headings of both levels, and numbered paragraphs by their number."""
    found = []
    for block in document.blocks:
        if isinstance(block, Heading):
            found.append(block.text)
        elif isinstance(block, Paragraph) and block.lead:
            found.append(block.lead.rstrip("。"))
        elif isinstance(block, Paragraph) and (number := re.match(r"\d\. ", block.text)):
            found.append(number[0].strip())
    return found


def test_the_order_is_that_of_a_circular() -> None:
    document = compose(county(), "zh")
    assert leads(document) == [
        "一、总体情况", "（一）各项指标情况", "（二）各镇街情况", "（三）较上月变化", "（四）进度预测",
        "二、存在问题", "（一）未达标班级较多的学校", "（二）学校出口和合同速率", "（三）“三个课堂”、录播室和云平台", "1.", "2.", "3.",
        "（四）问题台账办理", "（五）数据上报", "三、有关要求", "（一）按期完成整改", "（二）抓紧办理逾期问题", "（三）保证数据上报",
    ]  # fmt: skip
    closing = document.closing
    assert closing is not None
    assert (closing.label, closing.issuer, closing.date) == ("附件：", "示例县教育局", "2026年11月5日")
    assert closing.annexes == tuple(annex.title for annex in document.annexes)
    assert [annex.label for annex in document.annexes] == [f"附件{number}" for number in range(1, 8)]
    english = compose(county(), "en")
    assert [len(block.rows) for block in english.tables] == [len(block.rows) for block in document.tables]
    assert [lead[:3] for lead in leads(english)][:3] == ["1. ", "1.1", "1.2"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_table_has_its_number_and_unit(language: Language) -> None:
    document = compose(county(), language)
    numbered = [table for table in (*document.tables, *document.workbook) if table.rows]
    begins = "表{}　" if language == "zh" else "Table {}. "
    for number, table in enumerate(numbered, start=1):
        assert table.title.startswith(begins.format(number))
        assert table.unit
        assert "https://campus.example/" in table.source
    assert "单位：" in texts()[1] or "达标率为%" in texts()[1]


def test_what_the_office_says_stands_where_it_belongs() -> None:
    first, last = texts()[0], texts()[-1]
    for words in ("示例县教育局文件", "示教电〔2026〕10号", "签发人：张三", "各镇街中心校、县直各学校："):
        assert words in first
    for words in ("抄送：县政府办公室、市教育局。", "示例县教育局办公室", "2026年11月5日印发"):
        assert words in last
    red = letters(pdf()[0])[0]
    assert red[2] - 0.88 * red[3] == pytest.approx((37 + 35) * MM, abs=3), "35 mm below the type area's edge"


def test_without_the_office_nothing_is_invented() -> None:
    document = compose(figures(), "zh")
    pages = pypdfium2.PdfDocument(render(document, "pdf"))
    text = "".join(page.get_textpage().get_text_range() for page in pages)
    for words in ("教育局文件", "签发人", "抄送", "印发", "核验页面", "https"):
        assert words not in text
    assert document.title == "关于2026年10月全县农村学校网络达标情况的通报"
    assert document.closing is not None
    assert document.closing.issuer == ""


def test_which_limits_are_the_policys_own_is_said() -> None:
    text = "".join(compose_text(compose(county(), "zh")))
    assert "不是国家标准的数值" in text
    assert "限值均为本规则自定" in str(compose(county(), "zh").annexes[-1].blocks[0])


def compose_text(document: Document) -> list[str]:
    return [block.text for block in document.all_blocks if isinstance(block, Paragraph)]


def test_every_school_has_the_way_to_its_proof() -> None:
    document = compose(county(), "zh")
    heads = next(table for table in document.tables if "校验码" in table.title)
    assert {row[0] for row in heads.rows} == {school.id for school in county().schools}
    assert any("https://campus.example/schools/学校编号?month=2026-10" in text for text in compose_text(document))
    assert document.workbook[0].rows[0][-1].endswith("/explain/classroom_bandwidth/s001/c101?month=2026-10")  # type: ignore[union-attr]


@pytest.mark.parametrize("area", [{"town": "t01"}, {"school": "s001"}, {"school": "s008"}])
def test_an_excerpt_is_one_page_with_its_year(area: dict[str, str]) -> None:
    document = compose(excerpt(county(), **area), "zh")
    pages = pypdfium2.PdfDocument(render(document, "pdf"))
    assert len(pages) == 1
    text = pages[0].get_textpage().get_text_range()
    for words in ("25-11", "26-10", "各月达标率", "数据校验码"):
        assert words in text


def test_a_months_without_anything_has_its_method() -> None:
    document = compose(nothing(), "zh")
    assert [annex.title for annex in document.annexes] == ["判定方法和数据核验"]


def test_a_substitute_is_never_silent() -> None:
    """The document says which typeface it lacks and what stands for it."""
    chosen = typefaces(NOTO)
    assert [each.role for each in chosen.substitutes] == list(ROLES.values())
    words = colophon(chosen.substitutes, "zh")
    assert words == (
        "字体说明：生成本文件的计算机没有安装仿宋、黑体、楷体、小标宋、宋体，本文件以Noto Serif CJK SC代替仿宋、楷体、小标宋、宋体，"
        "Noto Sans CJK SC代替黑体。"
    )
    if set(fonts().substitutes) == set(chosen.substitutes):
        assert re.sub(r"\s", "", words) in re.sub(r"\s", "", texts()[-1])


def test_the_proper_typefaces_come_first() -> None:
    proper = ("FangSong_GB2312", "SimHei", "KaiTi", "方正小标宋简体", "SimSun")
    chosen = typefaces((*NOTO, *proper))
    assert chosen.substitutes == ()
    assert colophon(chosen.substitutes, "zh") == ""
    assert [families[0] for families in chosen.families.values()] == [
        proper[0],
        proper[1],
        proper[2],
        proper[3],
        proper[4],
    ]
    assert chosen.families["body"][1] == "Noto Serif CJK SC", "for letters that the first lacks"
    some = typefaces((*NOTO, "FangSong"))
    assert "仿宋" not in colophon(some.substitutes, "zh").partition("，")[0]


def test_the_word_file_has_the_same_page() -> None:
    word = read_docx(io.BytesIO(render(compose(county(), "zh"), "docx")))
    section = word.sections[0]
    sizes = (section.page_width, section.page_height, section.top_margin, section.left_margin)
    assert [round(length.mm) for length in sizes if length] == [210, 297, 37, 28]
    assert round(section.page_height.mm - section.top_margin.mm - section.bottom_margin.mm) == 225  # type: ignore[union-attr]
    assert round(section.page_width.mm - section.left_margin.mm - section.right_margin.mm) == 156  # type: ignore[union-attr]
    normal = word.styles["Normal"]
    assert normal.font.size.pt == 16
    pitch = normal.paragraph_format.line_spacing.pt
    assert int(225 * MM / pitch) == 22
    closer = int(normal.element.rPr.find(qn("w:spacing")).get(qn("w:val"))) / 20
    assert int(156 * MM / (16 + closer)) == 28
    east = {
        name: word.styles[name].element.rPr.rFonts.get(qn("w:eastAsia")) for name in ("Normal", "Title", "Heading 1")
    }
    assert east == {"Normal": "仿宋_GB2312", "Title": "方正小标宋简体", "Heading 1": "黑体"}
    assert word.settings.odd_and_even_pages_header_footer
    text = "\n".join(paragraph.text for paragraph in word.paragraphs)
    assert "打开本文件的计算机没有安装其中某种字体的" in text
    assert "附件：1. 各学校达标情况" in text


def test_figures_that_version_02_closed_still_make_a_report() -> None:
    """Without changes, lines, trends of areas, the office: nothing is said of them, or that there are none."""
    old = figures()
    assert {old.changes, old.lines, old.area_trends, old.official, old.layout} == {msgspec.UNSET}
    text = "".join(compose_text(compose(old, "zh")))
    assert "没有上月数据，暂不比较" in text
    assert compose(excerpt(old, school="s001"), "zh").one_page
    assert excerpt(old, school="s001").trend == [], "the check sum of an excerpt that was printed stays"
