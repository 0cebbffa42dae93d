"""Spreadsheets as people make them: Chinese or English headings, three encodings, and every mistake told at once, where it is."""

import io
import zipfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campus_collector.domain.inventory import (
    EMPTY,
    Classroom,
    Device,
    Inventory,
    InventorySchool,
    InventoryService,
    subjects_of,
)
from campus_collector.inventory.cells import error_value, tidy
from campus_collector.inventory.changes import as_lines, changes, removals
from campus_collector.inventory.headings import SHEETS
from campus_collector.inventory.importer import read_file, read_upload
from campus_collector.inventory.read import read
from campus_collector.inventory.sample import sample
from campus_collector.inventory.sources import RawSheet, Unreadable, sheets_of_files
from campus_collector.inventory.worker import Request, examine
from campus_collector.inventory.write import as_csv, as_xlsx, write_folder

SCHOOLS = (
    "town_id,town,school_id,school,town_seat\nt01,柳河镇,s001,柳河镇中心小学,1\nt01,柳河镇,s002,柳河镇东庄小学,0\n"
)
CLASSROOMS = "school_id,classroom_id,classroom,host,port,exempt_reason\ns001,c101,一年级1班,10.0.1.2,5301,\ns002,c101,一年级1班,,,撤并\n"


def folder(path: Path, **sheets: str | bytes) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in sheets.items():
        (path / f"{name}.csv").write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return path


def test_a_folder_of_two_sheets(tmp_path: Path) -> None:
    actual, mistakes, _ = read_file(folder(tmp_path / "i", schools=SCHOOLS, classrooms=CLASSROOMS), EMPTY)
    assert mistakes == []
    assert actual.schools == (
        InventorySchool("t01", "柳河镇", "s001", "柳河镇中心小学", True),
        InventorySchool("t01", "柳河镇", "s002", "柳河镇东庄小学", False),
    )
    assert actual.classrooms == (
        Classroom("s001", "c101", "一年级1班", "10.0.1.2", 5301),
        Classroom("s002", "c101", "一年级1班", "", None, "撤并"),
    )
    kinds = [(each.school, each.kind, each.id) for each in subjects_of(actual)]
    assert ("s001", "recording_room", "recording_room") in kinds, "a town seat needs a recording room"
    assert ("s002", "recording_room", "recording_room") not in kinds
    assert ("s002", "uplink", "uplink") in kinds


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_chinese_headings_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    text = "镇街编号,镇街,学校编号,学校,镇驻地\r\nt01,䶮河镇,s001,中心小学𠮷,是\r\n"
    actual, mistakes, _ = read_file(folder(tmp_path / "i", schools=text.encode(encoding)), EMPTY)
    assert mistakes == []
    assert actual.schools == (InventorySchool("t01", "䶮河镇", "s001", "中心小学𠮷", True),)


def test_headings_with_their_translation_and_sheets_with_chinese_names(tmp_path: Path) -> None:
    text = "town_id (镇街编号),town（镇街）,school_id,学校名称,town_seat\nt01,柳河镇,s001,中心小学,√\n"
    actual, mistakes, _ = read_file(folder(tmp_path / "i", 学校=text), EMPTY)
    assert (mistakes, actual.schools) == ([], (InventorySchool("t01", "柳河镇", "s001", "中心小学", True),))


def test_thirty_planted_mistakes_are_told_at_once(tmp_path: Path) -> None:
    schools = "\n".join(
        [
            "town_id,town,school_id,school,town_seat,colour",  # 1: unknown heading
            "t01,柳河镇,s001,中心小学,1,",
            "T02,青山镇,s002,青山小学,0,",  # 2: capital letter
            "t01,柳河,s003,东庄小学,0,",  # 3: another name for the same town
            "t01,柳河镇,s001,西庄小学,0,",  # 4: twice the same school
            "t01,柳河镇,,南庄小学,0,",  # 5: no id
            "t01,柳河镇,s005,,0,",  # 6: no name
            "t01,柳河镇,s006,北庄小学,也许,",  # 7: neither yes nor no
            f"t01,柳河镇,s007,{'长' * 101},0,",  # 8: too long
            "t01,柳河镇,s 08,上庄小学,0,",  # 9: a space in an id
            ",柳河镇,s009,下庄小学,0,",  # 10: no town
            "t01,柳河镇,s010,=1+1,0,",  # 11: a formula
            "t03,,s011,大庄小学,0,",  # 12: no town name
        ]
    )
    classrooms = "\n".join(
        [
            "school_id,classroom_id,classroom,host,port,exempt_reason",
            "s001,c101,一年级1班,10.0.1.2,5301,",
            "s001,c101,一年级2班,10.0.1.3,5301,",  # 13: twice
            "s999,c101,一年级1班,10.0.1.4,5301,",  # 14: no such school
            "s001,c103,一年级3班,10.0.1.256,5301,",  # 15: no address
            "s001,c104,一年级4班,10.0.1.5,99999,",  # 16: no port
            "s001,c105,一年级5班,10.0.1.6,5301.5,",  # 17: no port
            "s001,uplink,一年级6班,10.0.1.7,5301,",  # 18: reserved
            "s001,,一年级7班,10.0.1.8,5301,",  # 19: no id
            "s001,c108,,10.0.1.9,5301,",  # 20: no name
            ",c109,一年级9班,10.0.1.9,5301,",  # 21: no school
            "s001,C110,一年级10班,10.0.1.9,5301,",  # 22: capital
            "s001,c111,一年级11班,host name,5301,",  # 23: a space in a host
        ]
    )
    devices = "\n".join(
        [
            "school_id,room_id,device_id,device,profile,host,required",
            "s404,r1,rec-1,录播主机,recorder-generic,10.0.1.50,1",  # 24: no such school
            "s001,r1,rec-1,录播主机,recorder-generic,10.0.1.50,maybe",  # 25: flag
            "s001,,rec-2,录播主机,recorder-generic,10.0.1.51,1",  # 26: no room
            "s001,r1,rec-3,录播主机,,10.0.1.52,1",  # 27: no profile
        ]
    )
    services = "\n".join(
        [
            "service_id,service,url,town_id",
            "edu,平台,ftp://x.example/,",  # 28: not http
            "edu2,平台二,https://x.example/,t99",  # 29: no such town
            "edu3,平台三,,",  # 30: no address
        ]
    )
    path = folder(tmp_path / "i", schools=schools, classrooms=classrooms, devices=devices, services=services)
    _, mistakes, _ = read_file(path, EMPTY)
    places = [(mistake.place, mistake.row, mistake.column) for mistake in mistakes]
    assert len(mistakes) == 30, [mistake.in_("en") for mistake in mistakes]
    assert len(set(places)) == 30
    english, chinese = [mistake.in_("en") for mistake in mistakes], [mistake.in_("zh") for mistake in mistakes]
    assert "classrooms.csv row 5, column host: must be an IP address or a host name, not '10.0.1.256'" in english
    assert "classrooms.csv 第 3 行“classroom_id”列：“s001/c101”与第 2 行重复" in chinese
    assert "schools.csv 第 4 行“town”列：镇街“t01”在第 2 行名为“柳河镇”" in chinese
    assert all(
        not any("a" <= letter <= "z" for letter in each.split("：", 1)[1].split("“")[0]) for each in chinese[1:4]
    )


def test_a_missing_column_is_one_mistake_not_one_for_each_row(tmp_path: Path) -> None:
    text = "town_id,town,school_id,school\n" + "t01,柳河镇,s001,中心小学\n" * 50
    _, mistakes, _ = read_file(folder(tmp_path / "i", schools=text), EMPTY)
    assert [mistake.in_("zh") for mistake in mistakes] == ["schools.csv 第 1 行“是否镇中心校(town_seat)”列：缺少此列"]


def test_a_sheet_that_is_not_given_stays(tmp_path: Path) -> None:
    before, _, _ = read_file(folder(tmp_path / "a", schools=SCHOOLS, classrooms=CLASSROOMS), EMPTY)
    more = "school_id,room_id,device_id,device,profile\ns001,r1,rec-1,录播主机,recorder-generic\n"
    after, mistakes, _ = read_file(folder(tmp_path / "b", devices=more), before)
    assert mistakes == []
    assert after.classrooms == before.classrooms
    assert after.devices == (Device("s001", "r1", "rec-1", "录播主机", "recorder-generic", "", True),)
    assert [(change.sheet, change.what) for change in changes(before, after)] == [("devices", "added")]


def test_changes_name_what_was_before(tmp_path: Path) -> None:
    before = Inventory(
        (InventorySchool("t01", "柳河镇", "s001", "中心小学", True),), (Classroom("s001", "c101", "一班"),), (), ()
    )
    moved = Inventory(
        (InventorySchool("t02", "青山镇", "s001", "中心小学", False),), (Classroom("s001", "c102", "二班"),), (), ()
    )
    lines = as_lines(changes(before, moved), "zh")
    assert lines[0] == "学校：修改 1"
    assert "  ~ 学校 s001 中心小学  (town: t01 → t02; town_name: 柳河镇 → 青山镇; town_seat: 1 → 0)" in lines
    assert {"  + 班级 s001/c102 二班", "  - 班级 s001/c101 一班"} <= set(lines)
    assert as_lines([], "en") == ["No change."]


def test_a_platform_may_stand_for_several_towns() -> None:
    towns = (InventorySchool("t01", "甲镇", "s1", "一", False), InventorySchool("t02", "乙镇", "s2", "二", False))
    services = (
        InventoryService("edu", "平台", "https://a.example/", "t01"),
        InventoryService("edu", "平台", "https://b.example/", "t02"),
    )
    whole = Inventory(towns, (), (), services)
    assert [(each.school, each.id) for each in subjects_of(whole) if each.kind == "service"] == [
        ("s1", "edu"),
        ("s2", "edu"),
    ]
    assert len(changes(EMPTY, whole)) == 4


SERVICE_COLUMNS = "平台编号,平台,网址,镇街编号,期望状态码,期望内容\n"


@pytest.mark.parametrize(
    ("cells", "status", "text"),
    [
        (",", (), ""),
        ("200,", (200,), ""),
        ('"200,412",智慧教育', (200, 412), "智慧教育"),
        ("200、412；200,", (200, 412), ""),
        ("２００，４１２,", (200, 412), ""),
        (f",{'字' * 200}", (), "字" * 200),
    ],
)
def test_what_a_platform_answers_may_be_expected(
    tmp_path: Path, cells: str, status: tuple[int, ...], text: str
) -> None:
    rows = f"{SERVICE_COLUMNS}edu,平台,https://a.example/,,{cells}\n"
    actual, mistakes, _ = read_file(folder(tmp_path / "i", services=rows), EMPTY)
    assert mistakes == []
    assert actual.services == (InventoryService("edu", "平台", "https://a.example/", "", status, text),)


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ("ok,", "期望状态码"),
        ("20,", "期望状态码"),
        ("999,", "期望状态码"),
        ("²00,", "期望状态码"),
        ("200.0,", "期望状态码"),
        (f",{'字' * 201}", "期望内容"),
        (",=1+1", "期望内容"),
    ],
)
def test_an_expectation_that_cannot_be_is_a_mistake_at_its_place(tmp_path: Path, cells: str, column: str) -> None:
    rows = f"{SERVICE_COLUMNS}edu,平台,https://a.example/,,{cells}\n"
    _, mistakes, _ = read_file(folder(tmp_path / "i", services=rows), EMPTY)
    assert [(mistake.row, mistake.column) for mistake in mistakes] == [(2, column)]


@pytest.mark.parametrize(
    ("port", "wrong"), [("５３０１", False), ("　5301", False), ("5³01", True), ("①", True), ("५३०१", True)]
)
def test_a_port_is_read_from_full_width_digits_and_from_no_other(tmp_path: Path, port: str, wrong: bool) -> None:
    rooms = f"学校编号,班级编号,班级,地址,端口\ns001,c1,一班,10.0.0.1,{port}\n"
    _, mistakes, _ = read_file(folder(tmp_path / "i", schools=SCHOOLS, classrooms=rooms), EMPTY)
    assert [mistake.column for mistake in mistakes] == (["端口"] if wrong else [])


@pytest.mark.parametrize("host", ["0.0.0.0", "224.0.0.1", "0x0a000008", "010.0.0.8", "10.0.1", "10.0.0.1:80"])
def test_a_host_that_the_gateways_would_refuse_is_a_mistake(tmp_path: Path, host: str) -> None:
    """One such row would make a gateway refuse the whole configuration from the collector."""
    rooms = f"学校编号,班级编号,班级,地址,端口\ns001,c1,一班,{host},\n"
    services = f"service_id,service,url,town_id\nedu,平台,http://{host.partition(':')[0]}/,\n"
    _, mistakes, _ = read_file(folder(tmp_path / "i", schools=SCHOOLS, classrooms=rooms, services=services), EMPTY)
    expected = ["地址"] if ":" in host else ["地址", "url"]
    assert [mistake.column for mistake in mistakes] == expected


def test_a_new_expectation_stands_in_the_preview() -> None:
    before = Inventory((), (), (), (InventoryService("edu", "平台", "https://a.example/"),))
    after = Inventory((), (), (), (InventoryService("edu", "平台", "https://a.example/", "", (200, 412), "教育"),))
    assert "expect_status: — → 200 412; expect_text: — → 教育" in as_lines(changes(before, after), "zh")[1]


def test_the_sample_county_is_a_county() -> None:
    county = sample()
    assert county.schools is not None
    assert county.classrooms is not None
    assert (len(county.schools), len(county.classrooms)) == (100, 4000)
    assert len({school.town for school in county.schools}) == 12
    assert sum(school.town_seat for school in county.schools) == 9
    assert len({school.name for school in county.schools}) == 100
    assert sample(seed=2) != county == sample(seed=1)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_written_is_read_back_the_same(tmp_path: Path, language) -> None:
    county = sample(20)
    write_folder(county, tmp_path / "out", language)
    assert read_file(tmp_path / "out", EMPTY) == (county, [], [])
    book = as_xlsx(county, language)
    assert read_upload("县.xlsx", book, EMPTY) == (county, [], [])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for sheet in SHEETS:
            archive.writestr(f"folder/{sheet.name}.csv", as_csv(county, sheet.name, language))
    assert read_upload("县.zip", packed.getvalue(), EMPTY)[0] == county


ids = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)
names = st.text(
    st.characters(
        min_codepoint=0x20,
        max_codepoint=0x2FA1F,
        exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Cf"),
        exclude_characters="\ufffd",
    ),
    min_size=1,
    max_size=20,
).filter(lambda text: text[0] not in "=+-@" and text == tidy(text) and text.strip("?？") and error_value(text) is None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ids, names), unique_by=lambda pair: pair[0], max_size=8))
def test_any_name_survives_the_round_trip(rooms: list[tuple[str, str]]) -> None:
    school = InventorySchool("t1", "镇", "s1", "校", False)
    whole = Inventory((school,), tuple(Classroom("s1", f"c{key}", name) for key, name in rooms), (), ())
    answer = examine(Request([("classrooms.csv", as_csv(whole, "classrooms"))], whole))
    assert (answer.mistakes, answer.inventory.classrooms) == ((), whole.classrooms)


@settings(max_examples=80)
@given(st.binary(max_size=300))
def test_no_octets_break_the_reader(octets: bytes) -> None:
    for name in ("schools.csv", "a.xlsx", "a.zip"):
        answer = examine(Request([(name, octets)], EMPTY))
        assert answer.refusal is None or (answer.refusal.en and answer.refusal.zh)


@pytest.mark.parametrize(
    ("name", "octets", "words"),
    [
        ("a.xls", b"", "save an old .xls as .xlsx first"),
        ("a.xlsx", b"no zip", "is not a readable XLSX file"),
        ("a.zip", b"no zip", "is not a ZIP file"),
        ("rooms.csv", b"a,b\n", "none of the sheets"),
        ("schools.csv", b"\x80\x81\xff\xff", "neither UTF-8 nor GB18030"),
    ],
)
def test_files_that_are_none(name: str, octets: bytes, words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        sheets_of_files([(name, octets)])
    assert words in caught.value.in_("en")
    assert caught.value.in_("zh") != caught.value.in_("en")


def test_a_zip_bomb_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schools.csv", b"0" * 600_000_000)
    assert len(packed.getvalue()) < 1_000_000
    with pytest.raises(Unreadable, match="larger than"):
        sheets_of_files([("bomb.zip", packed.getvalue())])


def test_every_removal_is_counted() -> None:
    county = sample(20)
    fewer = msgspec.structs.replace(county, classrooms=(county.classrooms or ())[1:])
    assert removals(county, changes(county, fewer)) == [("classrooms", 1, 800)]
    assert removals(county, changes(county, county)) == []


@pytest.mark.parametrize(
    ("periods", "blackout", "said"),
    [
        ("8:00-8:45；08:55—09:40", "2026-06-07/2026-06-09 2026-06-20", None),
        ("", "", None),
        ("08:55-09:40 08:00-08:45", "", None),
        ("08:00-08:45 08:40-09:20", "", "重叠"),
        ("09:00-08:00", "", "先始后终"),
        ("08:00", "", "应为节次"),
        ("25:00-26:00", "", "应为节次"),
        ("", "2026-02-30", "年间的日期"),
        ("", "2026-06-09/2026-06-07", "年间的日期"),
    ],
)
def test_timetables(periods: str, blackout: str, said: str | None) -> None:
    sheet = next(sheet for sheet in SHEETS if sheet.name == "timetables")
    actual, mistakes = read([RawSheet(sheet, "课表", [["学校编号", "节次", "停测日期"], ["", periods, blackout]])])
    assert [said in mistake.in_("zh") for mistake in mistakes if said] == ([True] if said else [])
    if said is None and actual.timetables is not None:
        assert mistakes == []
        if periods.startswith("8:00"):
            assert actual.timetables[0].periods == ("08:00-08:45", "08:55-09:40")
            assert actual.timetables[0].blackout == ("2026-06-07/2026-06-09", "2026-06-20")


def test_a_timetable_of_an_unknown_school_is_a_mistake() -> None:
    sheet = next(sheet for sheet in SHEETS if sheet.name == "timetables")
    _, mistakes = read([RawSheet(sheet, "课表", [["学校编号", "节次"], ["s999", "08:00-08:45"]])])
    assert ["学校“s999”不存在" in mistake.in_("zh") for mistake in mistakes] == [True]


def test_a_sheet_that_may_be_left_out_is_not_written_empty(tmp_path: Path) -> None:
    """Design section 10 names four files: whoever uses no timetables sees four."""
    whole = sample(3)
    four = msgspec.structs.replace(whole, timetables=())
    assert {each.name for each in write_folder(four, tmp_path / "four")} == {
        "schools.csv", "classrooms.csv", "devices.csv", "services.csv",
    }  # fmt: skip
    assert len(write_folder(whole, tmp_path / "five")) == 5
    assert len(sheets_of_files([("x.xlsx", as_xlsx(four))])[0]) == 4


CARRIED = "town_id,town,school_id,school,town_seat,运营商,合同编号,合同速率,运维单位,联系人,联系电话\n"


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("1000M", 1_000_000_000),
        ("1 Gbit/s", 1_000_000_000),
        ("1000兆", 1_000_000_000),
        ("１０００Ｍｂｐｓ", 1_000_000_000),
        ("千兆", 1_000_000_000),
        ("1000000000", 1_000_000_000),
        ("2.5G", 2_500_000_000),
        ("", None),
        ("1000", "rate"),
        ("很快", "rate"),
        ("9999G", "rate"),
        ("1e9", "rate"),
    ],
)
def test_what_the_contract_promises(tmp_path: Path, rate: str, expected: int | str | None) -> None:
    row = f"t01,柳河镇,s001,中心小学,1,甲通信公司,JY-1,{rate},乙公司,王老师,000-0000 0001\n"
    actual, mistakes, _ = read_file(folder(tmp_path / "i", schools=CARRIED + row), EMPTY)
    if expected == "rate":
        assert [(each.row, each.column) for each in mistakes] == [(2, "合同速率")]
        return
    assert mistakes == []
    assert actual.schools is not None
    school = actual.schools[0]
    assert school.contract_bits_per_second == expected
    assert (school.carrier, school.contract, school.unit, school.contact) == ("甲通信公司", "JY-1", "乙公司", "王老师")


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("13800001234", "13800001234"),
        ("+86 138-0000-1234", "138-0000-1234"),
        ("0086 531 8888 0000", "531 8888 0000"),
        ("(0531)88880000转8012", "(0531)88880000转8012"),
        ("88880000、88880001", "88880000、88880001"),
        ("０５３１－８８８８", "0531-8888"),
        ("", ""),
        ("+1 555 0100", None),
        ("=1+1", None),
        ("没有", None),
        ("12", None),
    ],
)
def test_a_telephone_number(tmp_path: Path, phone: str, expected: str | None) -> None:
    row = f"t01,柳河镇,s001,中心小学,1,,,,,,{phone}\n"
    actual, mistakes, _ = read_file(folder(tmp_path / "i", schools=CARRIED + row), EMPTY)
    if expected is None:
        assert [(each.row, each.column) for each in mistakes] == [(2, "联系电话")]
    else:
        assert mistakes == []
        assert actual.schools is not None
        assert actual.schools[0].phone == expected


def test_a_rate_as_a_spreadsheet_shows_a_large_number(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    page = book.active
    assert page is not None
    page.title = "schools"
    page.append(["town_id", "town", "school_id", "school", "town_seat", "contract_bits_per_second"])
    page.append(["t01", "柳河镇", "s001", "中心小学", 1, 1_000_000_000])
    page["F2"].number_format = "0.00E+00"
    path = tmp_path / "i.xlsx"
    book.save(path)
    actual, mistakes, _ = read_file(path, EMPTY)
    assert mistakes == []
    assert actual.schools is not None
    assert actual.schools[0].contract_bits_per_second == 1_000_000_000
