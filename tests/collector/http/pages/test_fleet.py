"""Which gateways need a hand: by version, silence, configuration, token, spool and clock; an agent of the release before is served."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from campus_base.messages import message
from campus_collector.cli.main import main
from campus_collector.domain.agents import Agent
from campus_collector.domain.releases import GatewayUpgrade, Release, ReleasePackage
from campus_collector.domain.schools import School
from campus_collector.http.pages import fleet
from campus_collector.http.pages.endpoints import endpoints_by_school, never_answers, total_kinds
from campus_collector.http.pages.gateways import gateway_row, gateways, version_status
from campus_collector.http.pages.upgrade_waves import upgrade_waves
from campus_collector.judge.tally import ShortVerdict, ShortVerdicts
from campus_collector.store.migrate import shipped
from campus_wire.bandwidth import Verdict
from campus_wire.records import AgentState
from campus_wire.version import VERSION, release_of
from tests.collector.world import World

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
GOLDEN = Path(__file__).parents[3] / "wire" / "golden" / "agent-0.1.0.json"


@pytest.mark.parametrize(
    ("version", "own", "status"),
    [
        ("0.2.0", "0.2.3", "current"), ("0.1.9", "0.2.0", "behind"), ("0.1.0", "0.3.0", "too_old"), ("0.3.0", "0.2.9", "ahead"),
        ("1.0.0", "2.0.0", "too_old"), ("9", "0.2.0", "unknown"), ("", "0.2.0", "unknown"), ("x.y", "0.2.0", "unknown"),
    ],
)  # fmt: skip
def test_how_a_version_compares(version: str, own: str, status: str) -> None:
    assert version_status(version, own).name.lower() == status


def test_releases() -> None:
    assert release_of(VERSION) is not None
    assert release_of("12.34.5rc1") == (12, 34)
    assert release_of("²") is None


def school(name: str) -> School:
    fields = {"id": name, "name": f"{name}小学", "town": "t01", "town_name": "柳河镇", "source": "inventory"}
    return School(**{key: value for key, value in fields.items() if key in School.__dataclass_fields__})


def test_the_ones_that_need_a_hand_come_first() -> None:
    well = Agent("s001", "s001", NOW - timedelta(minutes=1), "b", AgentState(VERSION, "Debian"))
    wrong = AgentState("9.0.0", "", 7, 3, 90.0, {}, "no such room", "没有这个房间", 20_000_000)
    ill = Agent("s002", "s002", NOW - timedelta(days=2), "b", wrong)
    ends = {"s002": NOW + timedelta(days=3)}
    listed = gateways([school("s001"), school("s002"), school("s003")], [well, ill], ends, NOW)
    actual = [gateway_row(gateway, NOW, "zh") for gateway in listed]
    assert [each.school for each in actual] == ["s002", "s003", "s001"]
    assert actual[0].warnings == (
        "2 天未上报", "配置：没有这个房间", "令牌 2026-11-27 到期", "高于采集平台版本，请升级采集平台", "已丢失 3 条结果", "时钟偏差 +90 秒", "磁盘仅剩 20 MB",
    )  # fmt: skip
    assert actual[1].warnings == ("从未上报",)
    assert (actual[2].warnings, actual[2].version_status, actual[2].last_report) == ((), "最新", "1 分钟前")

    assert [[gateway.fits(state) for state in ("reporting", "silent", "never", "warnings")] for gateway in listed] == [
        [False, True, False, True], [False, False, True, True], [True, False, False, False],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "valid", "cause", "asleep"),
    [
        ("insufficient", 0, "endpoint_off", True), ("insufficient", 0, "all_endpoints_off", True), ("insufficient", 1, "endpoint_off", False),
        ("insufficient", 0, "endpoint_not_running", False), ("insufficient", 0, "no_report", False), ("exempt", 0, "", False),
        ("met", 9, "", False),
    ],
)  # fmt: skip
def test_who_never_answers(verdict: str, valid: int, cause: str, asleep: bool) -> None:
    assert never_answers(ShortVerdict(Verdict(verdict), valid, cause=cause)) is asleep


def short(**rooms: ShortVerdict) -> ShortVerdicts:
    return {"classroom_bandwidth": rooms}


def test_kinds_of_endpoints_are_counted() -> None:
    """A classroom that its gateway does not test has none; a gateway that does not say leaves them unknown; a kind of tomorrow has its own name."""
    met, off = ShortVerdict(Verdict.MET, 9), ShortVerdict(Verdict.INSUFFICIENT, 0, cause="endpoint_off")
    says = AgentState(VERSION, endpoints={"campus": ["c1", "gone"], "iperf3": ["c2"], "robot": ["c3"]})
    agents = [Agent("s1", "a", NOW, "b", says), Agent("s2", "a", NOW, "b", AgentState("0.1.0"))]
    verdicts = {"s1": short(c1=met, c2=off, c3=met, c4=ShortVerdict(Verdict.EXEMPT)), "s2": short(c1=met), "s3": {}}
    actual = endpoints_by_school(agents, verdicts)
    assert actual["s1"].kinds == {"campus": 1, "iperf3": 1, "robot": 1, "none": 1}
    assert (actual["s1"].judged, actual["s1"].covered, actual["s1"].asleep) == (3, 2, 1)
    assert (actual["s2"].kinds, actual["s3"].judged) == ({"unknown": 1}, 0)
    words = [(kind, text.zh, number) for kind, text, number in total_kinds(actual.values())]
    assert words == [
        ("robot", "robot", 1), ("campus", "测速程序", 1), ("iperf3", "iperf3", 1), ("none", "未设置", 1), ("unknown", "网关未上报", 1),
    ]  # fmt: skip


def test_an_upgrade_in_progress_has_a_column(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.send()
    assert "升级批次" not in world.get("/fleet", Accept_Language="zh").body.decode()
    monkeypatch.setattr(fleet, "upgrade_waves", lambda service: {"s001": message("5 %")})
    page = world.get("/fleet", Accept_Language="zh").body.decode()
    assert "升级批次" in page
    assert "5 %" in page


def test_the_page(world: World) -> None:
    world.send()
    page = world.get("/fleet", Accept_Language="zh").body.decode()
    assert "s001" in page
    assert "0.1.0" in page
    assert "可用，建议升级" in page


STATE = AgentState(VERSION, "Debian", 3, 0, 0.5, {}, disk_free_bytes=5 * 10**9, endpoints={"campus": ["c101"]})


def test_what_a_gateway_says_is_shown_and_selected(world: World) -> None:
    world.send(agent=STATE)
    page = world.get("/fleet?state=reporting&town=t01", Accept_Language="zh").body.decode()
    assert "5.0 GB" in page
    assert "+0.5 秒" in page
    assert '<a href="/fleet/classrooms?school=s001&amp;kind=campus">测速程序 1</a>' in page
    assert '<a href="/fleet/classrooms?school=s001&amp;kind=none">未设置 1</a>' in page
    assert "没有符合条件的网关" in world.get("/fleet?state=silent", Accept_Language="zh").body.decode()
    assert "没有符合条件的网关" in world.get("/fleet?version=9.9.9", Accept_Language="zh").body.decode()
    assert (world.get("/fleet?state=odd").status, world.get("/fleet?town=t99").status) == (400, 404)
    rooms = world.get("/fleet/classrooms?kind=none", Accept_Language="zh").body.decode()
    assert "一年级2班" in rooms
    assert "一年级1班" not in rooms
    assert "没有符合条件的班级" in world.get("/fleet/classrooms?asleep=1", Accept_Language="zh").body.decode()
    assert world.get("/fleet/classrooms?asleep=0").status == 400


def test_lists_are_files_too(world: World) -> None:
    world.send(agent=STATE)
    answer = world.get("/fleet.csv?town=t01", Accept_Language="zh")
    heading, row = answer.body.decode("utf-8-sig").splitlines()
    assert (heading.split(",")[0], row.split(",")[0]) == ("学校", "s001")
    assert "测速程序 1; 未设置 1" in row
    rooms = world.get("/fleet/classrooms.csv", Accept_Language="en").body.decode("utf-8-sig").splitlines()
    assert [line.split(",")[3:6] for line in rooms[1:]] == [
        ["c101", "一年级1班", "test program"],
        ["c102", "一年级2班", "no endpoint"],
    ]
    assert world.get("/fleet.csv?state=odd").status == 400


def test_an_agent_of_the_release_before_is_served(world: World) -> None:
    """The octets that 0.1.0 sent, as they were kept when it was the newest."""
    body = GOLDEN.read_bytes()
    actual = msgspec.json.decode(body)
    assert actual["agent"]["version"] == "0.1.0"
    answer = world.post(body)
    assert answer.status == 200, answer.body
    assert answer.json["stored"] == len(actual["results"])
    assert answer.json["quarantined"] == []


def test_what_a_newer_agent_adds_is_kept(world: World) -> None:
    said = msgspec.json.decode(GOLDEN.read_bytes())
    said["tomorrow"] = {"a": 1}
    said["agent"]["mood"] = "good"
    said["results"][0]["record"]["colour"] = "blue"
    answer = world.post(msgspec.json.encode(said))
    assert (answer.status, answer.json["quarantined"]) == (200, [])
    kept = world.get(f"/v1/results?school=s001&from=2020-01-01&subject={said['results'][0]['subject']}").json["results"]
    assert any(each.get("record", {}).get("colour") == "blue" for each in kept)


def test_migrations_are_listed(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["migrations", "--json", "--state-dir", str(world.service.config.database.parent)]) == 0
    steps = msgspec.json.decode(capsys.readouterr().out)
    dialect = "sqlite" if world.service.config.postgres is None else "postgres"
    assert [step["name"] for step in steps] == [step.name for step in shipped(dialect)]
    assert all(step["applied_at"] and step["known"] for step in steps)
    monkeypatch.delenv("CAMPUS_STORE_URL", raising=False)
    assert main(["migrations", "--json", "--state-dir", str(tmp_path / "none")]) == 0
    assert all(each["applied_at"] is None for each in msgspec.json.decode(capsys.readouterr().out))
    assert not (tmp_path / "none").exists(), "it only looks"


@pytest.mark.parametrize(("rate", "gigabytes"), [(1e9, "450 GB"), (2.5e9, "1125 GB"), (1e6, "0.45 GB")])
def test_the_hour_of_the_test_server_is_shown(rate: float, gigabytes: str) -> None:
    words = fleet.capacity_words(rate)
    for text in (words.en, words.zh):
        assert gigabytes in text
        assert f"campus-agent respond --capacity {rate:.0f}" in text


def test_the_page_shows_what_the_test_server_must_carry(world: World) -> None:
    assert "每小时最多 450 GB" in world.get("/fleet?lang=zh").body.decode()
    assert "up to 450 GB an hour" in world.get("/fleet?lang=en").body.decode()


def test_the_column_is_filled_from_the_release_that_is_going_out(world: World) -> None:
    store = world.service.store
    assert upgrade_waves(world.service) == {}
    package = ReleasePackage("2.0", "amd64", "0" * 64, 1, "Package: campus-agent")
    store.releases.add(Release("2.0", "rolling", 0, NOW, NOW), package, [b"x"], "console")
    store.releases.change_upgrade(lambda _: GatewayUpgrade("s001", "a", NOW, "1.0", "2.0", NOW))
    store.releases.change_upgrade(lambda _: GatewayUpgrade("s002", "a", NOW, "1.0"))
    assert {school: words.en for school, words in upgrade_waves(world.service).items()} == {"s001": "offered"}
    store.releases.put(Release("2.0", "done", 3, NOW, NOW), "release_done", "console", NOW)
    assert upgrade_waves(world.service) == {}
