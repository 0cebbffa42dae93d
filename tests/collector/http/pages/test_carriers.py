"""Lines by carrier: promised, measured, not met, since when; and classrooms that were not measured, by why."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
import pytest

from campus_collector.domain.inventory import Classroom, Inventory, InventorySchool
from campus_collector.domain.problem import Event, Problem
from campus_collector.http.pages.unmeasured import TooFewTests, too_few_in
from campus_collector.judge.tally import ShortVerdict
from campus_wire.bandwidth import Verdict
from campus_wire.failures import FailureKind
from tests.collector.world import World, collector, throughput

GIGABIT = 1_000_000_000
COUNTY = Inventory(
    (
        InventorySchool("t01", "柳河镇", "s001", "甲小学", False, "甲通信公司", "JY-1", GIGABIT),
        InventorySchool("t01", "柳河镇", "s002", "乙小学", False, "甲通信公司", "JY-2", 100_000_000),
        InventorySchool("t01", "柳河镇", "s003", "丙小学", False, "乙<b>公司"),
        InventorySchool("t02", "松山镇", "s004", "丁小学", False),
    ),
    tuple(Classroom(school, room, f"{room}班", "10.0.0.1") for school in ("s001", "s002") for room in ("c101", "c102")),
    (),
    (),
    (),
)
START = datetime(2026, 10, 12, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """October 2026: s001's line carries what it should, s002's a tenth, s003's fails, s004 says nothing."""
    with collector(tmp_path_factory.mktemp("county")) as world:
        first = datetime(2026, 9, 1, tzinfo=UTC)
        world.service.store.inventory.apply(COUNTY, {}, "test", first, first)
        tokens = {"s001": world.token} | {school: world.issue_token(school) for school in ("s002", "s003")}
        moments = [START + timedelta(days=day, hours=hour) for day in range(5) for hour in range(3)]
        rates = {"s001": 999e6, "s002": 99e6, "s003": None}
        for school, token in tokens.items():
            world.token = token
            rate = rates[school]
            failure = None if rate else FailureKind.TIMEOUT
            results = [
                throughput(rate, rate, at=at, subject="uplink", school=school, failure=failure) for at in moments
            ]
            results += [throughput(at=at, subject="c101", school=school) for at in moments if school == "s001"]
            results += [
                throughput(at=at, subject="c101", school=school, failure=FailureKind.HOST_UNREACHABLE)
                for at in moments
                if school == "s002"
            ]
            world.send(*results, agent_id=school, announcement=None)
        problem = {
            "school": "s002", "town": "t01", "target": "uplink_bandwidth", "subject": "uplink", "state": "open",
            "opened_on": "2026-10-15", "due_on": "2026-11-15", "diagnosis": "shaped", "unit": "carrier", "failing_days": 4,
        }  # fmt: skip
        world.service.store.ledger.put(
            [(msgspec.convert(problem, Problem), [Event(at=START, who="measurements", what="opened")])]
        )
        world.service.verdicts.catch_up()
        yield world


def text_of(world: World, path: str, language: str = "en") -> str:
    answer = world.get(path, Accept="text/html", Accept_Language=language)
    assert answer.status == 200, answer.body
    return answer.body.decode()


def row_of(text: str, school: str) -> str:
    found = re.search(rf'<tr>\s*<th scope="row"><a href="/schools/{school}.*?</tr>', text, re.DOTALL)
    assert found is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0]))


def test_each_line_says_what_is_promised_and_what_is_measured(county: World) -> None:
    text = text_of(county, "/carriers?month=2026-10")
    good, slow, failing, silent = (row_of(text, school) for school in ("s001", "s002", "s003", "s004"))
    assert "JY-1" in good
    assert "1000 Mbit/s" in good
    assert "999" in good
    assert "below the contract" not in good
    assert "JY-2" in slow
    assert "100 Mbit/s" in slow
    assert "since 2026-10-15" in slow, "not met by the target, though the contract promises no more"
    assert "below the contract" not in slow
    assert "— " in failing
    assert "999" not in silent
    order = re.findall(r'<th scope="row"><a href="/schools/(s\d+)', text)
    assert order[0] == "s002", "what is not met stands first"
    assert order[-1] == "s001"


def test_carriers_add_up(county: World) -> None:
    text = text_of(county, "/carriers?month=2026-10")
    table = text[text.index("<table>") : text.index("</table>")]
    rows = {
        re.sub(r"<[^>]+>", "", name): re.findall(r'class="num"[^>]*>(\d+)<', rest)
        for name, rest in re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    }
    assert rows["甲通信公司"][0] == "2"
    assert rows["乙&lt;b&gt;公司"][0] == "1"
    assert rows["not in the inventory"][0] == "1"
    assert rows["乙&lt;b&gt;公司"][-1] == "1", "its contract's rate is not known"


def test_one_carrier_s_lines(county: World) -> None:
    text = text_of(county, f"/carriers?month=2026-10&carrier={quote('乙<b>公司')}", "zh")
    assert re.findall(r'<th scope="row"><a href="/schools/(s\d+)', text) == ["s003"]
    assert "没有符合条件的学校出口" in text_of(county, "/carriers?carrier=none", "zh")


def test_a_line_below_its_contract_is_named(county: World) -> None:
    world = county
    world.token = world.issue_token("s001")
    world.send(
        throughput(500e6, 999e6, at=START + timedelta(days=6), subject="uplink", school="s001"), announcement=None
    )
    assert "below the contract" in row_of(text_of(world, "/carriers?month=2026-10"), "s001")


def test_rooms_with_too_few_tests_by_why(county: World) -> None:
    text = text_of(county, "/unmeasured?month=2026-10")
    assert "3 of 4; enough tests: 25.0%" in text
    causes = re.findall(r'href="\?cause=(\w+)&amp;month=2026-10"', text)
    assert set(causes) == {"endpoint_off", "no_report"} or len(causes) == 2
    listed = re.findall(r"/explain/classroom_bandwidth/(s\d+)/(c\d+)\?month=2026-10", text)
    assert listed == [("s001", "c102"), ("s002", "c101"), ("s002", "c102")]
    for cause in causes:
        assert re.findall(
            r"/explain/classroom_bandwidth/(s\d+)/(c\d+)", text_of(county, f"/unmeasured?month=2026-10&cause={cause}")
        )
    assert county.get("/unmeasured?cause=weather").status == 400
    assert "/explain/" in text_of(county, "/unmeasured?month=2026-10&only=never")
    assert county.get("/unmeasured?only=weather").status == 400


@pytest.mark.parametrize(
    ("verdict", "rooms", "judged"),
    [
        (ShortVerdict(Verdict.EXEMPT), [], 0),
        (ShortVerdict(Verdict.MET, 20), [], 1),
        (ShortVerdict(Verdict.NOT_MET, 20, cause="flat_rate"), [], 1),
        (ShortVerdict(Verdict.INSUFFICIENT, 3, cause="too_few"), [TooFewTests("s1", "c1", "too_few", 3)], 1),
        (ShortVerdict(Verdict.INSUFFICIENT, 0, cause="endpoint_off"), [TooFewTests("s1", "c1", "endpoint_off", 0)], 1),
    ],
)
def test_what_counts_as_too_few(verdict: ShortVerdict, rooms: list[TooFewTests], judged: int) -> None:
    short = {
        "s1": {
            "classroom_bandwidth": {"c1": verdict},
            "uplink_bandwidth": {"uplink": ShortVerdict(Verdict.INSUFFICIENT)},
        }
    }
    assert too_few_in(short) == (rooms, judged)
