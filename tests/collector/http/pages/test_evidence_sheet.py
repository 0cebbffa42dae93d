"""The evidence sheet: what an inspector is shown is what the judge found, with the way to its proof."""

from datetime import UTC, datetime
from html import unescape

import msgspec

from campus_collector.domain.inventory import EMPTY
from tests.collector.http.pages.test_school_page import SCHOOL, page_of, words_of
from tests.collector.world import World, collector, days, service, throughput

SHEET = "/evidence/classroom_bandwidth/s001/c101?month=2026-11"


def test_a_sheet_has_everything_of_a_verdict(world: World) -> None:
    rates = [float(rate) * 1e6 for rate in range(50, 60)]
    sent = [throughput(rate, 99e6, at=at) for rate, at in zip(rates, days(5, 2), strict=True)]
    world.send(*sent)
    now = datetime.now(UTC)
    inventory = msgspec.structs.replace(
        EMPTY, schools=(SCHOOL,), classrooms=None, devices=None, services=None, timetables=None
    )
    world.service.store.inventory.apply(inventory, {}, "test", now, now)
    page = page_of(world, SHEET)
    text = words_of(page)
    for words in (
        "学校网络达标情况证据单", "2026年11月", "柳河镇 · 柳河镇中心小学 · 一年级1班", "百兆进班 — ✗ 未达标",
        "依据文件 百兆进班 ；自 2023-01-01 起执行", "允许测量误差 2%", "未达标 5 天、无测量 25 天",
        "有效结果（次） 10 其中合格（次） 0 有效结果天数 5", "线路速率中位（上下行取小） 54.5 Mbps", "最低线路速率 50 Mbps",
        "47.1 Mbps / 93.2 Mbps 1538/1448=1.0622 50 Mbps / 99 Mbps", "甲通信公司", "学校（盖章）", "教育主管部门（盖章）", "运营商（盖章）",
    ):  # fmt: skip
        assert words in text, words
    assert [result.id in page for result in sent] == [True] * 6 + [False] * 4, "the lowest results are listed"
    checkpoint = world.service.store.chain.last_checkpoint("s001")
    assert checkpoint is not None
    assert checkpoint.head.hex() in text
    assert f"第 {checkpoint.last_sequence} 条" in text
    assert f"http://127.0.0.1:{world.port}{SHEET}" in text


def test_other_targets_have_one_too(world: World) -> None:
    world.send(*(service(3.0, at=at) for at in days(2, 2)), *(throughput(at=at, subject="uplink") for at in days(2, 2)))
    page = words_of(page_of(world, "/evidence/platform_access/s001/smartedu-cn?month=2026-11", "en"))
    assert "The newest results that fail" in page
    assert "first byte 3.000 s" in page
    assert "Median time to the first byte" in page
    assert "Median round trip under load" in words_of(
        page_of(world, "/evidence/live_class/s001/uplink?month=2026-11", "en")
    )


def test_a_month_without_results_has_a_sheet(world: World) -> None:
    world.send(throughput(at=days(1)[0]))
    text = words_of(page_of(world, "/evidence/uplink_bandwidth/s001/uplink"))
    assert "数据不足" in text
    assert "测速服务器 未记录" in text


def test_the_address_keeps_a_root_path(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with collector(tmp_path, {"CAMPUS_SERVER_ROOT_PATH": "/campus"}) as world:
        world.send(throughput())
        for prefix in ("", "/campus"):
            answer = world.get(f"{prefix}{SHEET}", Accept="text/html")
            assert f"http://127.0.0.1:{world.port}/campus{SHEET}" in unescape(answer.body.decode())
