"""Every way to write the same county is read as the same county; what cannot be read as it is shown is a mistake with its place."""

import io
import zipfile
from pathlib import Path

import pytest

from campus_collector.domain.inventory import EMPTY, Classroom, Inventory, InventorySchool
from campus_collector.inventory.errors import Unreadable
from campus_collector.inventory.importer import read_file
from campus_collector.inventory.read import Mistake
from campus_collector.inventory.worker import Request, examine
from tests.office_files.files import (
    CLASSROOMS,
    MAIN,
    PACKAGE,
    RELATIONS,
    SCHOOL,
    SCHOOLS,
    STRICT,
    Raw,
    formula,
    number,
    packed,
    parts_of,
    sheet_xml,
    styles_xml,
    windows_zip,
    xlsx,
)

KNOWN = Inventory((InventorySchool("t01", "柳河镇", "s001", "中心小学", True),), (), (), (), ())
COUNTY = {"学校": [SCHOOLS, SCHOOL], "班级": [CLASSROOMS, ["s001", "c101", "一班", "10.0.1.2", "5301", ""]]}


def look(octets: bytes, name: str = "县.xlsx", before: Inventory = KNOWN) -> tuple[Inventory, list[Mistake], list[str]]:
    """What a file says; an unreadable one fails the test."""
    answer = examine(Request([(name, octets)], before))
    assert answer.refusal is None, answer.refusal
    return answer.inventory, list(answer.mistakes), list(answer.ignored)


def refused(octets: bytes, name: str = "县.xlsx") -> str:
    """Both languages of a refusal."""
    answer = examine(Request([(name, octets)], KNOWN))
    assert answer.refusal is not None
    return f"{answer.refusal.en} | {answer.refusal.zh}"


def rooms(*rows: list[str], **more: object) -> tuple[tuple[Classroom, ...], list[Mistake]]:
    """Classrooms of a sheet with these rows."""
    found, mistakes, _ = look(xlsx({"班级": [CLASSROOMS, *rows]}, **more))
    return found.classrooms or (), mistakes


def other_case() -> bytes:
    names = {
        "xl/workbook.xml": "xl/Workbook.xml",
        "xl/worksheets/sheet1.xml": "xl/worksheets/Sheet1.XML",
        "[Content_Types].xml": "[content_types].xml",
    }
    return packed({names.get(name, name): text for name, text in parts_of(COUNTY).items()})


def strict() -> bytes:
    def changed(text: str) -> str:
        for old, new in STRICT.items():
            text = text.replace(old, new)
        return text

    return packed({name: changed(text) for name, text in parts_of(COUNTY).items()})


def prefixed() -> bytes:
    """Every element with a prefix, as some libraries of .NET write."""
    parts = parts_of(COUNTY)
    for name in parts:
        if name.startswith("xl/w") and name.endswith(".xml"):
            text = parts[name].replace(f'xmlns="{MAIN}"', f'xmlns:x="{MAIN}"')
            for element in (
                "worksheet",
                "workbook",
                "sheets",
                "sheet",
                "sheetData",
                "row",
                "dimension",
                "c",
                "is",
                "t",
                "v",
            ):
                text = (
                    text.replace(f"<{element} ", f"<x:{element} ")
                    .replace(f"<{element}>", f"<x:{element}>")
                    .replace(f"</{element}>", f"</x:{element}>")
                )
            parts[name] = text
    return packed(parts)


def shared_strings(first: int = 0) -> bytes:
    """As Excel and WPS write: strings apart, in runs, with phonetic guides."""
    texts = [*SCHOOLS, *SCHOOL]
    items = "".join(f"<si><t>{text}</t></si>" for text in texts[:-2])
    items += "<si><r><t>中心</t></r><r><rPr><b/></rPr><t>小学</t></r><rPh sb='0' eb='1'><t>zhong xin</t></rPh></si><si><t>1</t></si>"
    cells = [[Raw(f't="s"|<v>{first + row * 5 + column}</v>') for column in range(5)] for row in range(2)]
    parts = parts_of({"学校": cells, "班级": COUNTY["班级"]})
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{items}</sst>'
    relations = parts["xl/_rels/workbook.xml.rels"]
    parts["xl/_rels/workbook.xml.rels"] = relations.replace(
        "</Relationships>",
        f'<Relationship Id="rIdT" Type="{RELATIONS}/sharedStrings" Target="/xl/sharedStrings.xml"/></Relationships>',
    )
    return packed(parts)


def without_references() -> bytes:
    """Rows and cells without `r`, as scripts write them."""
    parts = parts_of(COUNTY)
    rows = ("".join(f'<c t="str"><v>{cell}</v></c>' for cell in row) for row in COUNTY["学校"])
    body = "".join(f"<row>{cells}</row>" for cells in rows)
    parts["xl/worksheets/sheet1.xml"] = f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'
    return packed(parts)


def backslashes() -> bytes:
    return packed({name.replace("/", "\\"): text for name, text in parts_of(COUNTY).items()})


def by_a_script() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for title, rows in COUNTY.items():
        page = book.create_sheet(title)
        for row in rows:
            page.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def by_another_script() -> bytes:
    import xlsxwriter

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    for title, rows in COUNTY.items():
        page = book.add_worksheet(title)
        for index, row in enumerate(rows):
            page.write_row(index, 0, row)
        page.autofilter(0, 0, len(rows), 5)
        page.freeze_panes(1, 0)
    book.close()
    return out.getvalue()


def with_sheet(text: str, **more: object) -> bytes:
    return xlsx({"学校": text, "班级": COUNTY["班级"]}, **more)


STYLED_CORNER = '<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>'
SAME = {
    "as it is": xlsx(COUNTY),
    "other case of part names": other_case(),
    "strict": strict(),
    "prefixes": prefixed(),
    "shared strings in runs": shared_strings(),
    "no references": without_references(),
    "backslashes in part names": backslashes(),
    "openpyxl": by_a_script(),
    "xlsxwriter": by_another_script(),
    "stored, not deflated": packed(parts_of(COUNTY), method=zipfile.ZIP_STORED),
    "an empty fill": xlsx(COUNTY, styles=styles_xml(fills="<fill/><fill></fill>")),
    "dimension of one cell": with_sheet(sheet_xml(COUNTY["学校"], dimension="A1")),
    "dimension of everything": with_sheet(sheet_xml(COUNTY["学校"], dimension="A1:XFD1048576")),
    "dimension of nonsense": with_sheet(sheet_xml(COUNTY["学校"], dimension="#REF!")),
    "one styled cell in the last corner": with_sheet(sheet_xml(COUNTY["学校"]).replace("</sheetData>", STYLED_CORNER), styles=styles_xml("000")),
    "one styled cell in XFD1": with_sheet(sheet_xml(COUNTY["学校"]).replace("</row><row", '<c r="XFD1" s="1"/></row><row', 1)),
    "a filter that hides the row": with_sheet(
        sheet_xml(COUNTY["学校"], after='<autoFilter ref="A1:E2"/>').replace('<row r="2">', '<row r="2" hidden="1">')
    ),
    "sheets of the program": xlsx(COUNTY | {"WpsReserved_CellImgList": [["x"]], "Sheet3": []}, states={"WpsReserved_CellImgList": "veryHidden"}),
    "an old hidden copy": xlsx(COUNTY | {"schools": [SCHOOLS, ["t09", "旧镇", "s900", "旧校", "0"]]}, states={"schools": "hidden"}),
    "ends of cells": xlsx({"学校": [[f"{school}_x000D_\n" for school in SCHOOLS], [f"\u200b{each}\u00a0\ufeff" for each in SCHOOL]], "班级": COUNTY["班级"]}),
    "blank rows": xlsx({"学校": [[], SCHOOLS, [], SCHOOL, []], "班级": COUNTY["班级"]}),
    "a title above": xlsx({"学校": [["柳河县学校基本信息表"], ["2026 年 9 月"], SCHOOLS, SCHOOL], "班级": COUNTY["班级"]}),
    "notes below": xlsx({"学校": [SCHOOLS, SCHOOL, [], ["注：截至 9 月"], ["填表人：张三"], ["合计", "", "", "1"]], "班级": COUNTY["班级"]}),
    "numbers and truth": xlsx(
        {"学校": [SCHOOLS, [*SCHOOL[:4], Raw('t="b"|<v>1</v>')]], "班级": [CLASSROOMS, ["s001", "c101", "一班", "10.0.1.2", number("5301.0")]]}
    ),
    "full-width": xlsx({"学校": [SCHOOLS, [*SCHOOL[:4], "１"]], "班级": [CLASSROOMS, ["s001", "c101", "一班", "１０．０．１．２", "５３０１"]]}),
    "thousands in a port": xlsx({"学校": COUNTY["学校"], "班级": [CLASSROOMS, ["s001", "c101", "一班", "10.0.1.2", number(5301, 1)]]}, styles=styles_xml("#,##0")),
    "formulas with results": xlsx(
        {"学校": [SCHOOLS, [*SCHOOL[:3], formula('"中心"&"小学"', "中心小学", "str"), formula("1", "1")]], "班级": COUNTY["班级"]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", SAME)
def test_the_same_county(how: str) -> None:
    actual, mistakes, _ = look(SAME[how], before=EMPTY)
    assert [mistake.in_("zh") for mistake in mistakes] == []
    assert actual.schools == KNOWN.schools
    assert actual.classrooms == (Classroom("s001", "c101", "一班", "10.0.1.2", 5301),)


def test_what_was_left_aside_is_told() -> None:
    assert look(SAME["notes below"])[2] == ["学校: 4: 注：截至 9 月", "学校: 5: 填表人：张三", "学校: 6: 合计 1"]
    assert look(SAME["a title above"])[2] == ["学校: 1: 柳河县学校基本信息表", "学校: 2: 2026 年 9 月"]
    assert look(SAME["an old hidden copy"])[2] == ["schools (hidden, 隐藏)"]


def test_a_merged_cell_stands_in_each_of_its_rows() -> None:
    rows = [SCHOOLS, SCHOOL, ["", "", "s002", "东庄小学", "0"], ["", "", "s003", "西庄小学", "0"]]
    merged = '<mergeCells><mergeCell ref="A2:A4"/><mergeCell ref="B2:B4"/><mergeCell ref="A5:E9"/></mergeCells>'
    actual, mistakes, _ = look(xlsx({"学校": sheet_xml(rows, after=merged)}))
    assert mistakes == []
    assert [(school.town, school.town_name, school.id) for school in actual.schools or ()] == [
        ("t01", "柳河镇", f"s00{n}") for n in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("000", "1", "001"),
        ("000", "1.0", "001"),
        ("0000", "12345", "12345"),
        ('"s"000', "1", "s001"),
        ("\\s000", "7", "s007"),
        ('"c"0', "101", "c101"),
        ("0", "101", "101"),
        ("General", "101", "101"),
        ("G/通用格式", "101", "101"),
        ("@", "101", "101"),
        ("00-00", "101", "01-01"),
        ("[$-804]000", "5", "005"),
        ("000;-000", "5", "005"),
        ("000_ ", "5", "005"),
        ("??0", "5", "5"),
    ],
)
def test_an_id_is_what_is_shown(code: str, value: str, shown: str) -> None:
    actual, mistakes = rooms(["s001", number(value, 1), "一班"], styles=styles_xml(code))
    assert [mistake.in_("zh") for mistake in mistakes] == []
    assert [each.id for each in actual] == [shown]


@pytest.mark.parametrize(
    ("code", "value", "words"),
    [
        ("General", "370102199001011234", "超过 15 位"),
        ("0", "3.70102199001011E+17", "超过 15 位"),
        ("000000000000000000", "370102199001011234", "超过 15 位"),
        ("0.00E+00", "12345", "特殊数字格式"),
        ("[>100]000;00", "5", "特殊数字格式"),
        ("[DBNum1]0", "5", "特殊数字格式"),
        ("# ?/?", "0.5", "特殊数字格式"),
        ("yyyy-mm-dd", "45000", "识别为日期"),
        ('m"月"d"日"', "45000", "识别为日期"),
        ("[h]:mm", "1.5", "识别为日期"),
        (";;;", "5", "特殊数字格式"),
        ("0.0", "5", "只能用小写字母"),
        ("0", "1e999", "特殊数字格式"),
        ("0", "NaN", "特殊数字格式"),
    ],
)
def test_or_a_mistake(code: str, value: str, words: str) -> None:
    _, mistakes = rooms(["s001", number(value, 1), "一班"], styles=styles_xml(code))
    assert [(mistake.place, mistake.row, mistake.column) for mistake in mistakes] == [("班级", 2, "班级编号")]
    assert words in mistakes[0].in_("zh")
    assert mistakes[0].in_("en").isascii() or "'" in mistakes[0].in_("en")


@pytest.mark.parametrize(
    "error", ["#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#n/a"]
)
@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("column", range(6))
def test_an_error_is_a_mistake_in_every_column(error: str, as_text: bool, column: int) -> None:
    row: list[str] = ["s001", "c101", "一班", "10.0.1.2", "5301", "撤并"]
    row[column] = error if as_text else Raw(f't="e"|<v>{error}</v>')
    _, mistakes = rooms(row)
    assert [(mistake.place, mistake.row, mistake.column) for mistake in mistakes] == [("班级", 2, CLASSROOMS[column])]
    assert f"公式错误值 {error}" in mistakes[0].in_("zh")
    assert f"is the error {error} of a formula" in mistakes[0].in_("en")


@pytest.mark.parametrize("error", ["Err:502", "#名称?", "#值！", "#BEZUG!", "########"])
def test_an_error_as_another_program_shows_it_is_the_same_mistake(error: str) -> None:
    _, mistakes, _ = look(f"镇街编号,镇街,学校编号,学校,镇驻地\nt01,柳河镇,s001,{error},1\n".encode(), "schools.csv")
    assert [mistake.in_("zh") for mistake in mistakes] == [
        f"schools.csv 第 2 行“学校”列：为公式错误值 {error}（“{error}”）"
    ]


@pytest.mark.parametrize("name", ["#1楼", "一班#", "#", "Err:5", "#3!"])
def test_a_name_with_a_number_sign_is_one(name: str) -> None:
    county, mistakes, _ = look(
        f"镇街编号,镇街,学校编号,学校,镇驻地\nt01,柳河镇,s001,{name},1\n".encode(), "schools.csv"
    )
    assert not mistakes
    assert county.schools[0].name == name


def test_an_error_in_a_csv_is_the_same_mistake() -> None:
    _, mistakes, _ = look(
        ("镇街编号,镇街,学校编号,学校,镇驻地\nt01,柳河镇,s001,#REF!,1\n").encode("gbk"), "schools.csv"
    )
    assert [mistake.in_("zh") for mistake in mistakes] == ["schools.csv 第 2 行“学校”列：为公式错误值 #REF!（“#REF!”）"]


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize(
    "cell", [formula('"x"', None), formula('"x"', ""), Raw("|<f>A1</f><v/>"), Raw("|<f t='shared' si='0'/>")]
)
def test_a_formula_without_its_result_is_a_mistake(column: int, cell: Raw) -> None:
    row: list[str] = ["s001", "c101", "一班", "10.0.1.2", "5301", "撤并"]
    row[column] = cell
    _, mistakes = rooms(row)
    assert [(mistake.row, mistake.column) for mistake in mistakes] == [(2, CLASSROOMS[column])]
    assert "没有保存计算结果" in mistakes[0].in_("zh")


def test_results_of_formulas_that_wait_to_be_calculated_are_not_believed() -> None:
    """Scripts write 0 for a result and ask the next program to calculate."""
    book = '<calcPr calcId="124519" fullCalcOnLoad="1"/>'
    _, mistakes = rooms(["s001", "c101", "一班", formula("B1", "0"), "5301"], book=book)
    assert [mistake.column for mistake in mistakes] == ["地址"]
    actual, mistakes = rooms(["s001", "c101", "一班", formula('""', "", "str"), "5301"])
    assert (mistakes, actual[0].host) == ([], "")


@pytest.mark.parametrize("first", [-1, 1])
def test_a_shared_string_that_is_not_there_is_no_other(first: int) -> None:
    refusal = examine(Request([("县.xlsx", shared_strings(first))], KNOWN)).refusal
    assert refusal is not None
    assert "文件已损坏" in refusal.zh


NONE = ["", "无", "否", "/", "-", "—", "——", "没有", "不免", "none", "None", "NO", "no", "n/a", "N/A.", "0", "／", "－", "Ｎ／Ａ", "ｎｏ", "０", "无。",
        "（无）", "　无　", "\u200b无", "暂无", "不免考核", "\\", "--", "×", "。", "false", "无特殊情况", "无特殊原因", "没有原因", "无备注", "未申请",
        "不予免考", "无免考核原因", "不存在免考情形", "不需要免考", "暂不免考核", "不属于免考核范围", "正常参加考核", "纳入考核", "正常使用",
        "not applicable", "Not exempt", "no reason"]  # fmt: skip


@pytest.mark.parametrize("text", NONE)
def test_a_word_for_none_is_no_exemption(text: str) -> None:
    actual, mistakes = rooms(["s001", "c101", "一班", "", "", text])
    if text == "#N/A":
        return
    assert [mistake.in_("zh") for mistake in mistakes] == []
    assert [each.exempt_reason for each in actual] == [""]


def test_a_long_reason_is_not_judged_by_its_beginning() -> None:
    reason = "正常" * 20 + "，因拆迁未建成"
    assert [room.exempt_reason for room in rooms(["s001", "c101", "一班", "", "", reason])[0]] == [reason]


@pytest.mark.parametrize("cell", [number(0), Raw('t="b"|<v>0</v>')])
def test_nor_is_a_zero(cell: Raw) -> None:
    assert [each.exempt_reason for each in rooms(["s001", "c101", "一班", "", "", cell])[0]] == [""]


@pytest.mark.parametrize(
    "cell",
    [
        "是",
        "1",
        "√",
        "yes",
        "免",
        number(1),
        Raw('t="b"|<v>1</v>'),
        "12",
        "同上",
        "〃",
        "待定",
        "不详",
        "不考核",
        "无需考核",
        "免检",
        "tbd",
    ],
)
def test_a_bare_yes_is_no_reason(cell: str) -> None:
    _, mistakes = rooms(["s001", "c101", "一班", "", "", cell])
    assert [(mistake.row, mistake.column, "须写明原因" in mistake.in_("zh")) for mistake in mistakes] == [
        (2, "免考核原因", True)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "撤并",
        "无网络（2026 年装修）",
        "校舍重建",
        "no longer used",
        "非教学用房",
        "无网络",
        "未建成",
        "不再使用",
        "没有电脑",
        "无学生",
        "参加外校考核",
        "not yet built",
    ],
)
def test_a_reason_is_one(text: str) -> None:
    assert [each.exempt_reason for each in rooms(["s001", "c101", "一班", "", "", text])[0]] == [text]


def test_dates_where_days_are_asked_for() -> None:
    rows = [
        ["学校编号", "节次", "停测日期"],
        ["", "08:00-08:45", number(46180, 1)],
        ["s001", "", Raw('t="d"|<v>2026-06-07T00:00:00</v>')],
    ]
    actual, mistakes, _ = look(xlsx({"课表": rows}, styles=styles_xml("yyyy/m/d")))
    assert mistakes == []
    assert [timetable.blackout for timetable in actual.timetables or ()] == [("2026-06-07",), ("2026-06-07",)]
    actual, _, _ = look(
        xlsx({"课表": rows[:2]}, styles=styles_xml('yyyy"年"m"月"d"日"'), book='<workbookPr date1904="1"/>')
    )
    assert [timetable.blackout for timetable in actual.timetables or ()] == [("2030-06-08",)]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("2026/6/7", ("2026-06-07",)),
        ("2026年6月7日至2026年6月9日", ("2026-06-07/2026-06-09",)),
        ("2026-06-07~2026-06-09；2026.6.20", ("2026-06-07/2026-06-09", "2026-06-20")),
        ("2026/6/7/2026/6/9", ("2026-06-07/2026-06-09",)),
        ("20260607", ("2026-06-07",)),
        ("0001-01-01/9999-12-31", None),
        ("2026-06-07/2027-06-09", None),
        ("2026-06-07/2062-06-09", None),
        ("0026-06-07", None),
        ("2126-06-07", None),
        ("2026-06-09/2026-06-07", None),
        ("2026-13-01", None),
        ("6月7日", None),
    ],
)
def test_days_without_tests_are_bounded(typed: str, read: tuple[str, ...] | None) -> None:
    actual, mistakes, _ = look(xlsx({"课表": [["学校编号", "停测日期"], ["s001", typed]]}))
    if read is None:
        assert [(mistake.row, mistake.column) for mistake in mistakes] == [(2, "停测日期")]
    else:
        assert [timetable.blackout for timetable in actual.timetables or ()] == [read]


@pytest.mark.parametrize("text", ["一班\x07", "一\x1b[31m班", "一班�", "锟斤拷", "??????", "3.70102E+17"])
def test_names_that_cannot_be_meant(text: str) -> None:
    octets = f'school_id,classroom_id,classroom\ns001,c101,"{text}"\n'.encode()
    _, mistakes, _ = look(octets, "classrooms.csv")
    assert [(mistake.row, mistake.column) for mistake in mistakes] == [(2, "classroom")]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("一年级\n1班", "一年级 1班"),
        ("一_x000D_\n班", "一 班"),
        ("e\u0301", "é"),
        ("一\u200d班", "一班"),
        ("_x005F_x0041_", "_x0041_"),
    ],
)
def test_names_are_read_as_they_are_seen(text: str, read: str) -> None:
    actual, mistakes = rooms(["s001", "c101", text])
    assert (mistakes, [each.name for each in actual]) == ([], [read])


CSV = {
    "学校.csv": ",".join(SCHOOLS) + "\r\n" + ",".join(SCHOOL) + "\r\n",
    "班级.csv": ",".join(CLASSROOMS) + "\r\ns001,c101,一班,10.0.1.2,5301,\r\n",
}


@pytest.mark.parametrize("names", ["gbk", "utf-8"])
@pytest.mark.parametrize("text", ["gb18030", "utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("folder", ["", "基础信息/", "基础信息\\"])
def test_a_zip_of_windows(names: str, text: str, folder: str) -> None:
    files = {folder + name: rows.encode(text) for name, rows in CSV.items()} | {"__MACOSX/._学校.csv": b"\0\5\x16\7"}
    actual, mistakes, ignored = look(windows_zip(files, names), "县.zip", EMPTY)
    assert (mistakes, ignored) == ([], [])
    assert actual.schools == KNOWN.schools
    assert actual.classrooms == (Classroom("s001", "c101", "一班", "10.0.1.2", 5301),)


def test_marks_of_utf8_wherever_they_stand() -> None:
    mark = b"\xef\xbb\xbf"
    schools = ",".join(SCHOOLS).encode() + b"\n" + mark + ",".join(SCHOOL).encode()
    assert (
        look(mark + mark + b'"' + schools.replace(b",", b'","', 4).replace(b"\n", b'"\n'), "schools.csv")[0].schools
        == KNOWN.schools
    )


def test_ids_that_scripts_keep_from_being_numbers() -> None:
    actual, mistakes, _ = look(b'school_id,classroom_id,classroom\ns001,="001",a\n', "classrooms.csv")
    assert (mistakes, [classroom.id for classroom in actual.classrooms or ()]) == ([], ["001"])


@pytest.mark.parametrize(
    ("pieces", "rows"),
    [
        ([("gbk", "t01,柳河镇,s001,中心小学,1\n"), ("gbk", "t01,柳河镇,s002,东庄小学,0\n"), ("utf-8", "t01,柳河镇,s003,西庄小学,0\n")], {4}),
        ([("utf-8", "t01,柳河镇,s001,中心小学,1\n"), ("utf-8", "t01,柳河镇,s002,东庄小学,0\n"), ("gbk", "t01,柳河镇,s003,西庄小学,0\n")], {4}),
        ([("utf-8-sig", "t01,柳河镇,s001,中心小学,1\n"), ("gbk", "t01,柳河镇,s002,东庄小学,0\nt01,柳河镇,s003,西庄小学,0\n")], {3, 4}),
    ],
)  # fmt: skip
def test_two_encodings_in_one_file(pieces: list[tuple[str, str]], rows: set[int]) -> None:
    head = "town_id,town,school_id,school,town_seat\n"
    octets = (
        b"\xef\xbb\xbf" * (pieces[0][0] == "utf-8-sig")
        + head.encode()
        + b"".join(text.encode(name.removesuffix("-sig")) for name, text in pieces)
    )
    _, mistakes, _ = look(octets, "schools.csv")
    assert {(mistake.row, mistake.column) for mistake in mistakes} == {
        (row, column) for row in rows for column in ("town", "school")
    }
    assert all("编码不同" in mistake.in_("zh") for mistake in mistakes)


def test_big5_is_not_read_as_another_name() -> None:
    text = "town_id,town,school_id,school,town_seat\nt01,柳河鎮,s001,中心小學,1\nt01,柳河鎮,s002,第二小學,0\n"
    _, mistakes, _ = look(text.encode("big5"), "schools.csv")
    named = [mistake for mistake in mistakes if "既不是 UTF-8 也不是 GB18030" in mistake.in_("zh")]
    assert (named[0].row, named[0].column) == (2, "school")


def test_two_encodings_in_one_line() -> None:
    octets = (
        b"town_id,town,school_id,school,town_seat\nt01,"
        + "柳河镇".encode()
        + b",s001,"
        + "中心小学".encode("gbk")
        + b",1\n"
    )
    octets += b"t01," + "柳河镇".encode() + b",s002," + "东庄小学".encode() + b",1\n"
    _, mistakes, _ = look(octets, "schools.csv")
    assert [(mistake.row, mistake.column) for mistake in mistakes] == [(2, "school")]


OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def protected_zip() -> bytes:
    octets = bytearray(packed({"schools.csv": "x" * 50}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        octets[octets.index(signature) + offset] |= 1
    return bytes(octets)


@pytest.mark.parametrize(
    ("name", "octets", "words"),
    [
        ("县.xlsx", OLE2, "另存为 .xlsx"),
        ("县.xls", OLE2, "save as .xlsx"),
        ("县.csv", OLE2, "另存为 .xlsx"),
        ("县.xlsx", OLE2 + "EncryptedPackage".encode("utf-16-le"), "密码"),
        ("县.zip", protected_zip(), "密码"),
        (
            "县.xlsx",
            packed({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<x/>"}),
            ".ods",
        ),
        ("县.xlsx", packed({"[Content_Types].xml": "<x/>", "xl/workbook.bin": b"x"}), ".xlsb"),
        ("县.xlsx", packed({"[Content_Types].xml": "<x/>", "word/document.xml": "<x/>"}), "not a spreadsheet"),
        ("县.xls", b"<html><table><tr><td>x</td></tr></table></html>", "网页"),
        ("县.xlsx", b'\xef\xbb\xbf<?xml version="1.0"?><Workbook/>', "XML"),
        ("县.zip", packed({"县.xlsx": xlsx(COUNTY)}), "解压"),
        ("县.zip", packed({}), "没有找到"),
        ("县.pdf", b"%PDF-1.7", "另存为 .xlsx"),
        ("县.xlsx", b"", "不是可读取的 XLSX"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, octets: bytes, words: str) -> None:
    assert words in refused(octets, name)


def test_a_cell_far_out_is_named() -> None:
    text = sheet_xml(COUNTY["学校"]).replace(
        "</row><row", '<c r="XFD1" t="inlineStr"><is><t>x</t></is></c></row><row', 1
    )
    assert "XFD1" in refused(xlsx({"学校": text}))


def test_package_without_names_of_its_own() -> None:
    parts = parts_of(COUNTY)
    del parts["_rels/.rels"], parts["xl/styles.xml"]
    assert look(packed(parts))[1] == []
    assert PACKAGE in parts["[Content_Types].xml"]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('town_id,town,school_id,school,town_seat\r\nt01,A,s001,"x,1\r\n', 2),
        ('town_id,town,school_id,school,town_seat\r\nt01,A,s001,x,1\r\nt01,A,s002,"y"z,1\r\nt01,A,s003,w,1\r\n', 3),
    ],
)
def test_a_quotation_that_does_not_end_is_a_mistake_at_its_row(tmp_path: Path, text: str, row: int) -> None:
    """Else the rest of the row, or of the file, would become one cell."""
    (tmp_path / "schools.csv").write_bytes(text.encode())
    with pytest.raises(Unreadable) as caught:
        read_file(tmp_path, EMPTY)
    assert f"row {row}:" in caught.value.in_("en")
    assert f"第 {row} 行" in caught.value.in_("zh")
