"""How large pages are in a county of 150 schools with 40 rooms each: none is over 150 kB, whatever it lists. And addresses of before go on working.

What they cost a processor: `python -m tests.bench.prefecture --schools 150`.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from campus_collector.domain.inventory import Classroom, Inventory, InventorySchool, InventoryService
from campus_collector.domain.problem import Event, Problem
from campus_wire.records import ThroughputResult
from tests.collector.export.test_devices import device
from tests.collector.world import World, collector, service, throughput

MOST_BYTES = 150_000
SCHOOLS, ROOMS, TOWNS = 150, 40, 25
NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
MONTH = "2026-11"
SCHOOL = "s000"


def inventory() -> Inventory:
    schools = tuple(
        InventorySchool(f"t{number % TOWNS:02d}", f"柳河第{number % TOWNS}镇", f"s{number:03d}", f"柳河第{number % TOWNS}镇第{number}中心小学", False,
                        f"第{number % 5}通信公司", f"JY-{number}", 10**9, "乙网络公司", "王老师", "0531-7770000")
        for number in range(SCHOOLS)
    )  # fmt: skip
    rooms = tuple(
        Classroom(school.id, f"c{number:03d}", f"{number // 8 + 1}年级{number % 8 + 1}班", f"10.0.1.{number + 1}")
        for school in schools
        for number in range(ROOMS)
    )
    platforms = (InventoryService("smartedu-cn", "国家智慧教育平台", "https://x.example/"),)
    return Inventory(schools, rooms, (), platforms, ())


def year_of_a_room() -> list[ThroughputResult]:
    """Four tests a day of one room, for a year."""
    begin = NOW - timedelta(days=364)
    return [
        throughput(60e6 if hour else 99.9e6, 99.8e6, at=begin + timedelta(days=day, hours=2 * hour), subject="c000", school=SCHOOL)
        for day in range(365)
        for hour in range(4)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with collector(tmp_path_factory.mktemp("county"), {"CAMPUS_COUNTY_NAME": "示例县"}) as world:
        start = NOW - timedelta(days=400)
        world.service.store.inventory.apply(inventory(), {}, "test", start, start)
        world.token = world.issue_token(SCHOOL)
        results = [*year_of_a_room(), *(service(3.0, at=NOW, school=SCHOOL) for _ in range(3))]
        days = [NOW - timedelta(days=day) for day in range(19)]
        results += [throughput(9e8, 9e8, at=at, subject="uplink", school=SCHOOL) for at in days]
        results += [
            throughput(60e6, 60e6, at=at, subject=f"c{n:03d}", school=SCHOOL)
            for n in range(1, ROOMS)
            for at in days[:8]
        ]
        for begin in range(0, len(results), 400):
            world.send(*results[begin : begin + 400], agent_id=SCHOOL, announcement=None)
        equipment = [device(at, school=SCHOOL, load_ratio=0.5, storage_free_ratio=0.2) for at in days]
        world.send(*equipment, agent_id=SCHOOL, announcement=None)
        today = datetime.now(UTC).date()
        problems = [
            Problem(school=f"s{number:03d}", town=f"t{number % TOWNS:02d}", target="classroom_bandwidth", subject="", state="open",
                    opened_on=today - timedelta(days=40), due_on=today, diagnosis="shared_bottleneck", unit="integrator", failing_days=9,
                    covers=[f"c{n:03d}" for n in range(ROOMS)])
            for number in range(SCHOOLS)
        ]  # fmt: skip
        opened = Event(at=NOW, who="measurements", what="opened", values={"cause": "shared_bottleneck"})
        world.service.store.ledger.put([(problem, [opened]) for problem in problems])
        while world.service.verdicts.catch_up().waiting_schools:
            pass
        yield world


PAGES = (
    "/", f"/?month={MONTH}", f"/towns/t00?month={MONTH}", f"/schools/{SCHOOL}?month={MONTH}", f"/schools/s001?month={MONTH}", "/carriers",
    f"/unmeasured?month={MONTH}", "/unmeasured?cause=endpoint_off", "/problems", "/problems?state=all", "/problems/1", "/search?q=%E6%9F%B3",
    "/inventory", "/fleet", "/fleet/classrooms", "/monthly", "/policy", "/quarantine", "/login", "/wall",
    *(f"/schools/{SCHOOL}/subjects/c000?month={MONTH}&span={span}" for span in ("month", "term", "year")),
    f"/schools/{SCHOOL}/subjects/uplink?month={MONTH}", f"/schools/{SCHOOL}/services/smartedu-cn?month={MONTH}",
    f"/schools/{SCHOOL}/devices/rec-1?month={MONTH}", f"/explain/classroom_bandwidth/{SCHOOL}/c000?month={MONTH}",
    f"/explain/uplink_bandwidth/{SCHOOL}/uplink?month={MONTH}", f"/evidence/classroom_bandwidth/{SCHOOL}/c000?month={MONTH}",
)  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_over_150_kb(county: World, path: str, language: str) -> None:
    answer = county.get(path, Accept="text/html", Accept_Language=language)
    assert answer.status == 200, answer.body[:300]
    assert len(answer.body) <= MOST_BYTES


OLD_ADDRESSES = (
    "/", f"/?month={MONTH}", "/?page=2&lang=en", f"/schools/{SCHOOL}", f"/schools/{SCHOOL}?month={MONTH}", "/policy", "/fleet", "/fleet?page=2",
    f"/explain/classroom_bandwidth/{SCHOOL}/c000", f"/explain/classroom_bandwidth/{SCHOOL}/c000?month={MONTH}", "/quarantine", "/login",
    "/problems", "/problems?state=all&page=1", "/problems?town=t01&target=classroom_bandwidth&older_than=30", "/problems/1", "/inventory",
    "/inventory.xlsx", "/monthly", f"/v1/monthly/{MONTH}.html", f"/v1/monthly/{MONTH}.html?school={SCHOOL}", f"/v1/schools/{SCHOOL}",
)  # fmt: skip
"""What people may have noted or sent to each other since 0.1.0."""


@pytest.mark.parametrize("path", OLD_ADDRESSES)
def test_addresses_of_before_go_on_working(county: World, path: str) -> None:
    assert county.get(path, Accept="text/html").status == 200


@pytest.mark.parametrize(
    "path",
    ["/?sort=town&verdict=not_met&town=t01", "/towns/t01?sort=name", "/problems?town=t01&q=c1", "/unmeasured?cause=endpoint_off",
     "/carriers", "/search?q=c1", f"/schools/{SCHOOL}/subjects/c000?span=year"],
)  # fmt: skip
def test_the_other_language_keeps_month_and_filters(county: World, path: str) -> None:
    asked = (
        f"{path}{'&' if '?' in path else '?'}month={MONTH}" if not path.startswith(("/problems", "/search")) else path
    )
    text = county.get(asked, Accept="text/html", Accept_Language="zh").body.decode()
    link = re.search(r'<a class="lang" href="\?([^"]*)"', text)
    assert link is not None
    kept = parse_qsl(link[1].replace("&amp;", "&"))
    assert sorted(kept) == sorted([*parse_qsl(asked.partition("?")[2]), ("lang", "en")])
    english = county.get(f"{asked.partition('?')[0]}?{link[1].replace('&amp;', '&')}", Accept="text/html").body.decode()
    assert '<html lang="en">' in english
