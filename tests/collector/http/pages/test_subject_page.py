"""The page of a classroom, an uplink or a platform: its figures are those that were sent, over a month, a term or a year."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from campus_collector.domain.inventory import EMPTY
from campus_collector.domain.people import Person
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.pages.paths import result_path
from campus_wire.encapsulation import Encapsulation
from campus_wire.failures import FailureKind, Validity
from campus_wire.ids import new_result_id
from campus_wire.records import AnnouncedClassroom, Announcement, PortRecord, PortResult
from tests.collector.http.pages.test_inspection import inspection
from tests.collector.http.pages.test_school_page import EVIL, SCHOOL, page_of, problem, words_of
from tests.collector.world import AT, World, collector, days, service, throughput

ROOM = "/schools/s001/subjects/c101?month=2026-11"
FACTOR = Encapsulation().wire_bytes / Encapsulation().mss_bytes


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A classroom that is slow on the first three of five days of November 2026, and was quick in October."""
    with collector(tmp_path_factory.mktemp("slow")) as world:
        rates = [59.93e6] * 6 + [99.9e6] * 4
        results = [
            throughput(rate, 88.01e6 if rate < 98e6 else 99.5e6, at=at)
            for rate, at in zip(rates, days(5, 2), strict=True)
        ]
        results += [throughput(99.9e6, 99.9e6, at=AT - timedelta(days=34))]
        results += [throughput(at=AT + timedelta(hours=1), failure=FailureKind.HOST_UNREACHABLE)]
        results += [throughput(940e6, 990e6, at=at, subject="uplink") for at in days(2, 2)]
        world.send(*results, *(service(0.25, at=at) for at in days(2, 2)))
        world.service.verdicts.catch_up()
        yield world


def test_payload_rate_factor_and_line_rate_stand_beside_each_other(slow: World) -> None:
    text = words_of(page_of(slow, ROOM))
    assert (
        f"下行 {59.93 / FACTOR:.1f} Mbps 上行 {88.01 / FACTOR:.1f} Mbps 1538/1448=1.0622 下行 59.9 Mbps 上行 88.0 Mbps 1.0 毫秒 / 9.0 毫秒 ✗ 不合格"
        in text
    )
    assert "测量失败，不计入" in text


def test_each_point_of_the_chart_opens_its_result(slow: World) -> None:
    page = page_of(slow, ROOM)
    chart = page[page.index('<svg class="trend"') : page.index("</svg>", page.index('<svg class="trend"'))]
    links = re.findall(r'<a href="([^"]+)"><title>([^<]+)</title>', chart)
    assert len(links) == 10
    assert links[0][1] == "11-09 10:00 ↓59.9 Mbps ↑88.0 Mbps"
    for path, _ in links[:2]:
        assert slow.get(path, Accept="text/html").status == 200
    assert chart.count('class="bad"') == 6
    assert "11-09 2 0 59.9 Mbps 59.9 Mbps 88.0 Mbps" in words_of(page), "the same as a table"


def test_a_longer_span_reaches_back_to_its_beginning(slow: World) -> None:
    for span, tests in (("month", 10), ("term", 11), ("year", 11)):
        page = page_of(slow, f"{ROOM}&span={span}")
        assert f"：{tests} 次测量的线路速率，要求 100 Mbps" in page, span
    text = words_of(page_of(slow, f"{ROOM}&span=term"))
    assert "2026-11 10 4 59.9 Mbps" in text
    assert "2026-10 1 1 99.9 Mbps" in text
    assert slow.get(f"{ROOM}&span=week", Accept="text/html").status == 400


def test_the_month_is_shown_day_by_day_with_its_verdict(slow: World) -> None:
    page = page_of(slow, ROOM)
    text = words_of(page)
    assert "达标 2 天、未达标 3 天、无测量 25 天" in text
    assert page.count('class="cell not_met"') == 3
    assert "合格 0/2 2026-11-09" in page
    assert "未达标" in text
    for path in ("explain", "evidence"):
        assert f'href="/{path}/classroom_bandwidth/s001/c101?month=2026-11"' in page
        assert slow.get(f"/{path}/classroom_bandwidth/s001/c101?month=2026-11", Accept="text/html").status == 200
    english = words_of(page_of(slow, ROOM, "en"))
    assert "met 2 d, not met 3 d, no test 25 d" in english


def test_the_uplink_has_both_its_targets_and_says_what_is_not_recorded(slow: World) -> None:
    page = page_of(slow, "/schools/s001/subjects/uplink?month=2026-11")
    text = words_of(page)
    assert "千兆进校" in text
    assert "三个课堂" in text
    assert "测速服务器 未记录" in text
    assert 'class="trend delays"' in page
    assert "虚线为“三个课堂”的限值" in text


def test_every_page_of_an_uplink_s_verdict_names_its_test_server(tmp_path: Path) -> None:
    config = tmp_path / "collector.toml"
    config.write_text(
        '[[test_server]]\nhost = "198.51.100.10"\nname = "县教育局测速服务器"\nplace = "信息中心机房"\n',
        encoding="utf-8",
    )
    with collector(tmp_path, config=config) as world:
        tests = [throughput(940e6, 990e6, at=at, subject="uplink", server="198.51.100.10") for at in days(2, 2)]
        world.send(*tests, throughput(at=days(1)[0]))
        paths = ("/schools/s001/subjects/uplink", "/explain/uplink_bandwidth/s001/uplink",
                 "/explain/live_class/s001/uplink", "/evidence/uplink_bandwidth/s001/uplink", "/schools/s001")  # fmt: skip
        for path in paths:
            text = words_of(page_of(world, f"{path}?month=2026-11"))
            assert "县教育局测速服务器，信息中心机房（198.51.100.10）" in text, path
        assert "测速服务器" not in words_of(page_of(world, "/explain/classroom_bandwidth/s001/c101?month=2026-11"))
        world.send(*(throughput(940e6, 990e6, at=at, subject="uplink", server="other.example") for at in days(1)))
        assert "other.example（名称和位置尚未登记" in words_of(page_of(world, f"{paths[0]}?month=2026-11"))


def test_a_platform_has_a_page_too(slow: World) -> None:
    text = words_of(page_of(slow, "/schools/s001/services/smartedu-cn?month=2026-11"))
    assert "国家智慧教育平台" in text
    assert "响应时间 0.250 秒" in text or "0.250" in text


def test_the_links_to_raw_results_give_those_of_the_span(slow: World) -> None:
    page = page_of(slow, ROOM)
    paths = dict(re.findall(r'<a href="(/v1/results[^"]+)">(CSV|JSON)</a>', page))
    by_form = {form: path for path, form in paths.items()}
    assert len(slow.get(by_form["JSON"]).json["results"]) == 11
    rows = slow.get(by_form["CSV"]).body.decode("utf-8-sig").splitlines()
    assert len(rows) == 12
    assert "下行线路速率（bit/s）" in rows[0]


def test_port_inspection_and_problems_of_a_room(world: World) -> None:
    now = datetime.now(UTC)
    record = PortRecord("sw-1", "Gi0/7", "lldp", True, 1e8, "half")
    port = PortResult(
        id=new_result_id(7), subject="c101", started_at=now, boot_id="b", monotonic_seconds=1.0, duration_seconds=1.0,
        validity="ok", school="s001", record=record,
    )  # fmt: skip
    world.send(throughput(at=now), inspection(50e6, 49e6), msgspec.convert(msgspec.to_builtins(port), PortResult))
    world.service.store.inventory.apply(
        msgspec.structs.replace(
            EMPTY, schools=(SCHOOL,), classrooms=None, devices=None, services=None, timetables=None
        ),
        {},
        "test",
        now,
        now,
    )
    world.service.store.ledger.put(
        [(problem(), []), (problem(subject="c102"), []), (problem(subject="", covers=["c101", "c102"]), [])]
    )
    text = words_of(page_of(world, "/schools/s001/subjects/c101"))
    assert "sw-1" in text
    assert "半双工" in text
    assert "现场浏览器检测（不计入考核）" in text
    assert "下行 50 Mbps" in text
    assert text.count("已 9 天") >= 2
    assert "王老师" in text
    assert "一年级2班" not in text, "another room's problem is on its own page"


def test_names_are_only_text(world: World) -> None:
    rooms = [AnnouncedClassroom("c101", EVIL[:100], 1e8)]
    now = datetime.now(UTC)
    world.send(throughput(at=now), announcement=Announcement(town="t01", classrooms=rooms))
    for path in ("/schools/s001/subjects/c101", "/evidence/classroom_bandwidth/s001/c101"):
        answer = world.get(path, Accept="text/html")
        assert answer.status == 200
        assert b"<script>document" not in answer.body
        assert b"<img" not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        "/schools/s001/subjects/c999",
        "/schools/s001/subjects/smartedu-cn",
        "/schools/s001/services/c101",
        "/schools/s001/devices/none",
        "/schools/s001/devices/%ff",
        "/schools/s999/subjects/c101",
        "/schools/s001/subjects/c101/results/none",
        "/schools/s001/subjects/c101/results/none?kind=throughput&at=2026-11-09T02:00:00Z",
        "/schools/s001/subjects/c101/results/none?kind=nonsense&at=yesterday",
        "/evidence/nonsense/s001/c101",
        "/evidence/classroom_bandwidth/s001/c999",
        "/evidence/classroom_bandwidth/s999/c101",
        "/schools/%00/subjects/%00",
    ],
)
def test_what_is_not_known_is_named_in_a_sentence(slow: World, path: str) -> None:
    answer = slow.get(path, Accept="text/html", Accept_Language="zh")
    assert answer.status == 404
    assert re.search(r"没有|未列入", words_of(answer.body.decode()))


def test_a_town_s_reader_sees_its_own_only(world: World) -> None:
    world.send(throughput(id="r-1"))
    tokens = {}
    for town in ("t01", "t02"):
        tokens[town] = new_token()
        world.service.store.people.put(
            Person(f"viewer {town}", "viewer", town), datetime.now(UTC), "console", token_hash(tokens[town])
        )
    for path in (
        ROOM,
        "/schools/s001/subjects/c101/results/r-1?kind=throughput&at=2026-11-09T02:00:00Z",
        "/evidence/classroom_bandwidth/s001/c101?month=2026-11",
        "/v1/results.csv?school=s001",
    ):
        statuses = {town: world.get(path, Authorization=f"Bearer {token}").status for town, token in tokens.items()}
        assert statuses == {"t01": 200, "t02": 404}, path


@pytest.mark.parametrize(
    ("measured", "shown"), [(None, "56.42×1538/1448=59.93"), (59.93e6, "56.42×1538/1448=59.93"), (61.24e6, "56.42×1538/1448→61.24")]
)  # fmt: skip
def test_everything_that_shows_a_judged_rate_shows_payload_factor_and_line_rate(
    world: World, measured: float | None, shown: str
) -> None:
    test = throughput(59.93e6, 88.01e6, at=AT, validity=Validity.OK)
    assert test.record is not None
    assert test.record.down is not None
    down = msgspec.structs.replace(test.record.down, line_rate_bits_per_second=measured)
    test = msgspec.structs.replace(test, record=msgspec.structs.replace(test.record, down=down))
    world.send(test, announcement=Announcement(town="t01", classrooms=[AnnouncedClassroom("c101", "班", 1e8)]))
    payload, line = "56.4", shown[-5:-1]
    explained = words_of(page_of(world, "/explain/classroom_bandwidth/s001/c101?month=2026-11"))
    assert f"↓ {shown} " in explained
    assert "有效数据速率 × 系数" in explained
    for path in (
        "/schools/s001/subjects/c101?month=2026-11",
        "/evidence/classroom_bandwidth/s001/c101?month=2026-11",
        result_path("s001", test),
    ):
        text = words_of(page_of(world, path))
        assert payload in text, path
        assert line in text, path
        assert "1538/1448=1.0622" in text, path


def test_whom_somebody_named_has_to_act(world: World) -> None:
    """A name that is no unit of ours: the classroom's page, its sheet and its derivation show it."""
    world.send(*(throughput(59.93e6, 88.01e6, at=at) for at in days(5, 2)))
    world.service.verdicts.catch_up()
    named = problem(opened_on="2026-11-20", due_on="2027-11-20", responsible="甲<b>网络公司", id=0)
    world.service.store.ledger.put([(named, [])])
    for path in (
        ROOM,
        "/evidence/classroom_bandwidth/s001/c101?month=2026-11",
        "/explain/classroom_bandwidth/s001/c101?month=2026-11",
    ):
        answer = world.get(path, Accept="text/html")
        assert answer.status == 200, path
        assert "甲&lt;b&gt;网络公司" in answer.body.decode() or "explain" in path, path
