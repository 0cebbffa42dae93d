"""The bureau's inventory reaches a gateway, in the shape of agent.toml and over it: a classroom added to the sheet is measured without touching it; a bad one is refused; away is no harm."""

import asyncio
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from campus_agent.config import fetched
from campus_agent.config.fetched import FETCHED_FILE
from campus_agent.config.model import AgentConfig, Expectation
from campus_agent.config.read import load_config
from campus_agent.daemon import run
from campus_agent.ship import configuration
from campus_agent.ship.connection import ShipFailed
from campus_base.settings import load
from campus_base.typed_tables import read_table
from campus_collector.domain.inventory import Classroom, Device, Inventory, InventorySchool, InventoryService, Timetable
from campus_wire.records import FetchedAgent, FetchedConfig, FetchedLessonStream
from tests.collector.inventory.test_importer import EDU, apply, inventory
from tests.collector.world import World, collector

ROOMS = (
    Classroom("s001", "c101", "一年级1班", "10.0.1.2"),
    Classroom("s001", "c102", "一年级2班", "10.0.1.3", 5400),
    Classroom("s001", "c103", "无地址"),
    Classroom("s001", "c104", "免考核", "10.0.1.5", exempt_reason="校舍改造"),
    Classroom("s002", "c101", "别的学校", "10.0.2.2"),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with collector(tmp_path / "bureau") as running:
        yield running


@pytest.fixture
def file(world: World, tmp_path: Path) -> Path:
    """A gateway's own configuration, with a room of its own."""
    (tmp_path / "token").write_text(world.token)
    (tmp_path / "state").mkdir()
    path = tmp_path / "agent.toml"
    path.write_text(
        f'[agent]\nschool = "s001"\nstate_dir = "state"\n[collector]\nurl = "http://127.0.0.1:{world.port}"\n'
        '[[classroom]]\nid = "c101"\nname = "mine"\nhost = "10.9.9.9"\nengine = "iperf3"\n'
        '[uplink]\nhost = "10.8.8.8"\nrequired_bits_per_second = 500_000_000\n'
        '[[device]]\nid = "rec-1"\nroom = "old"\nprofile = "web-http"\nhost = "10.7.7.7"\n'
    )
    return path


def taken(file: Path) -> AgentConfig:
    """Fetch, keep, load again."""
    config = load_config(file)
    body = configuration.fetch(config, file)
    assert body is not None
    fetched.store(body, config.state_dir)
    return load_config(file)


def test_the_inventorys_rooms_are_measured_and_its_word_wins(world: World, file: Path) -> None:
    apply(world, inventory(*ROOMS, services=(EDU, InventoryService("other", "他镇平台", "https://x.example/", "t02"))))
    config = taken(file)
    assert [(room.id, room.name, room.host, room.port) for room in config.classrooms] == [
        ("c101", "一年级1班", "10.0.1.2", 5201),
        ("c102", "一年级2班", "10.0.1.3", 5400),
    ]
    assert config.classrooms[1].required_bits_per_second == 100_000_000
    assert config.classrooms[0].engine == "iperf3", "what the bureau does not say stays the file's"
    assert config.town == "t01"
    assert config.uplink is not None
    assert (config.uplink.host, config.uplink.required_bits_per_second) == ("10.8.8.8", 1_000_000_000)
    assert [service.id for service in config.services] == ["smartedu-cn"]
    assert configuration.fetch(config, file) is None, "304: nothing new"
    apply(world, inventory(ROOMS[1]))
    assert [room.id for room in taken(file).classrooms] == ["c101", "c102"]
    apply(world, inventory())
    assert [room.id for room in taken(file).classrooms] == ["c101"], "what the bureau removed is no longer measured"


def test_what_a_platform_answers_is_expected_as_the_bureau_says(world: World, file: Path) -> None:
    apply(world, inventory(services=(EDU,)))
    assert [service.expected for service in taken(file).services] == [Expectation()]
    told = msgspec.structs.replace(EDU, expect_status=(200, 412), expect_text="智慧教育")
    apply(world, inventory(services=(told,)))
    assert [service.expected for service in taken(file).services] == [Expectation((200, 412), "", "智慧教育")]
    row = f'[[service]]\nid = "{EDU.id}"\nurl = "{EDU.url}"\nexpect = {{ status = [403], host = "sso.example" }}\n'
    file.write_text(file.read_text() + row)
    assert [service.expected for service in load_config(file).services] == [
        Expectation((200, 412), "sso.example", "智慧教育")
    ]


def test_the_timetable_of_the_bureau_wins(world: World, file: Path) -> None:
    everybody = Timetable("", ("08:00-08:45",), ("2026-06-07/2026-06-09",))
    own = Timetable("s001", ("09:00-09:40", "09:50-10:30"))
    apply(world, msgspec.structs.replace(inventory(*ROOMS), timetables=(everybody,)))
    table = taken(file).timetable
    assert [(period.start.hour, period.end.minute) for period in table.periods] == [(8, 45)]
    assert date(2026, 6, 8) in table.blackout[0]
    apply(world, msgspec.structs.replace(inventory(*ROOMS), timetables=(everybody, own)))
    table = taken(file).timetable
    assert [period.start.hour for period in table.periods] == [9, 9]
    assert table.blackout == ()
    file.write_text(file.read_text() + '[timetable]\nperiods = ["07:00-07:30"]\nholidays_file = "terms.toml"\n')
    (file.parent / "terms.toml").write_text("")
    table = load_config(file).timetable
    assert ([period.start.hour for period in table.periods], table.holidays_file) == (
        [9, 9],
        file.parent / "terms.toml",
    )


def test_the_route(world: World) -> None:
    apply(world, inventory(*ROOMS))
    answer = world.get("/v1/config", Authorization=f"Bearer {world.token}")
    assert answer.status == 200
    assert {room["id"] for room in answer.json["classroom"]} == {"c101", "c102"}
    again = world.get("/v1/config", Authorization=f"Bearer {world.token}", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert world.get("/v1/config").status == 401
    other = world.get("/v1/config", Authorization=f"Bearer {world.issue_token('s002')}")
    assert [room["name"] for room in other.json["classroom"]] == ["别的学校"], "each sees its own school"


def test_without_an_inventory_nothing_changes(world: World, file: Path) -> None:
    assert [room.id for room in taken(file).classrooms] == ["c101"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not understood"),
        (b"[]", "not understood"),
        (b'{"agent": {"school": "s002"}}', "it is for s002, not for s001"),
        (b'{"agent": {"school": "s001"}, "classroom": [{"id": "c9", "name": "x", "host": "not a host!"}]}', "host"),
        (
            b'{"agent": {"school": "s001"}, "classroom": [{"id": "uplink", "name": "x", "host": "10.0.0.1"}]}',
            "reserved",
        ),
        (
            b'{"agent": {"school": "s001"}, "classroom": [{"id": "c9", "name": "x", "host": "10.0.0.1", "port": 0}]}',
            "port",
        ),
        (b'{"agent": {"school": "s001"}, "service": [{"id": "a", "name": "x", "url": "ftp://x"}]}', "url"),
        (b'{"agent": {"school": "s001"}, "classroom": [{"id": "c9"}]}', "not understood"),
        (b'{"agent": {"school": "s001"}, "classroom": ' + b"[" * 20000 + b"]" * 20000 + b"}", "not understood"),
    ],
)
def test_a_bad_one_is_refused_with_its_reason(world: World, file: Path, body: bytes, why: str) -> None:
    with pytest.raises(fetched.FetchedConfigRefused) as refused:
        fetched.check(body, load_config(file), file)
    assert why in str(refused.value)
    assert all(0 < len(words) <= 200 for words in (refused.value.words.en, refused.value.words.zh))
    assert refused.value.words.zh != refused.value.words.en


def test_a_kept_one_that_no_longer_fits_or_is_damaged_is_left_out(world: World, file: Path) -> None:
    kept = file.parent / "state" / FETCHED_FILE
    for body in (
        b"garbage",
        json.dumps({"agent": {"school": "s001"}, "classroom": [{"id": "c9", "name": "x", "host": "?!"}]}).encode(),
    ):
        kept.write_bytes(body)
        assert [room.id for room in load_config(file).classrooms] == ["c101"]


def test_the_daemon_begins_again_with_what_is_new_and_goes_on_without_the_bureau(
    file: Path, tmp_path: Path, world: World
) -> None:
    apply(world, inventory(*ROOMS))
    assert asyncio.run(asyncio.wait_for(run(load_config(file), file), 30)) is True
    assert [room.id for room in load_config(file).classrooms] == ["c101", "c102"]
    moved = file.read_text().replace(f":{world.port}", ":1")
    file.write_text(moved)
    config = load_config(file)
    with pytest.raises(ShipFailed):
        configuration.fetch(config, file)
    assert [room.id for room in config.classrooms] == ["c101", "c102"], "weeks without the bureau change nothing"


def test_a_refusal_is_shown_to_the_bureau(world: World) -> None:
    from campus_wire.records import AgentState
    from tests.collector.world import throughput

    refused = AgentState(
        "0.1.0",
        config_problem_en="classroom[1].host: must be a host",
        config_problem_zh="classroom[1].host：必须是主机名",
    )
    world.send(throughput(), agent=refused)
    page = world.get("/schools/s001?lang=zh").body.decode()
    assert "教育局下发的配置未生效" in page
    assert "必须是主机名" in page
    assert "must be a host" in world.get("/schools/s001?lang=en").body.decode()


def test_schools_without_a_town_seat_have_their_own(world: World, file: Path) -> None:
    village = InventorySchool("t01", "柳河镇", "s001", "柳河镇东庄小学", False)
    apply(world, inventory(*ROOMS, school=village))
    assert load_config(file).school == "s001"
    assert [room.id for room in taken(file).classrooms] == ["c101", "c102"]


def test_equipment_is_corrected_where_the_file_has_it(world: World, file: Path) -> None:
    """Its secrets are the school's: a device that the file does not name cannot be asked, and accuses nobody."""
    devices = (
        Device("s001", "r1", "rec-1", "录播主机", "web-http", "10.0.1.50"),
        Device("s001", "r1", "cam-1", "摄像机", "camera-onvif", "10.0.1.51"),
    )
    apply(world, Inventory((InventorySchool("t01", "柳河镇", "s001", "中心小学", True),), ROOMS, devices, ()))
    (device,) = taken(file).devices
    assert (device.id, device.room, device.host) == ("rec-1", "r1", "10.0.1.50")


def test_what_is_kept_as_root_goes_nowhere_else(tmp_path: Path) -> None:
    """The folder belongs to the service's user: a link planted there must not lead root's pen to another file."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (f".{FETCHED_FILE}.part", FETCHED_FILE):
        (tmp_path / name).symlink_to(victim)
    fetched.store(b"{}", tmp_path)
    assert victim.read_text() == "precious"
    assert not (tmp_path / FETCHED_FILE).is_symlink()
    assert fetched.stored_body(tmp_path) == b"{}"


def stream_of(file: Path, own: str, **given: Any) -> tuple[AgentConfig, list[str]]:
    """The configuration with what the collector gives of the stream, and the mistakes in it; `own` is added to the gateway's file."""
    file.write_text(file.read_text() + own, encoding="utf-8")
    top = load(file, {}, ())
    over = FetchedConfig(agent=FetchedAgent("s001"), lesson_stream=FetchedLessonStream(**given))
    return read_table(AgentConfig, fetched.merged(top, over)), [mistake.path for mistake in top.mistakes]


def test_the_county_switches_the_stream_on(file: Path) -> None:
    config, mistakes = stream_of(file, "[lesson_stream]\nport = 6000\npackets_per_second = 10\n", enabled=True)
    assert mistakes == []
    assert (config.lesson_stream.enabled, config.lesson_stream.packets_per_second, config.stream_port) == (
        True,
        10,
        6000,
    )


def test_the_county_switches_the_stream_off(file: Path) -> None:
    config, _ = stream_of(file, "[lesson_stream]\nenabled = true\n", enabled=False, always=True)
    assert (config.lesson_stream.enabled, config.lesson_stream.always) == (False, True)


def test_no_stream_without_an_uplink(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('[agent]\nschool = "s001"\n', encoding="utf-8")
    config, mistakes = stream_of(file, "", enabled=True)
    assert (mistakes, config.lesson_stream.enabled) == ([], False)


def test_the_collectors_file_reaches_a_gateway(tmp_path: Path) -> None:
    settings = {"CAMPUS_LESSON_STREAM_ENABLED": "true", "CAMPUS_LESSON_STREAM_PACKETS_PER_SECOND": "25"}
    with collector(tmp_path, settings) as world:
        answer = world.get("/v1/config", Authorization=f"Bearer {world.token}")
        given = msgspec.json.decode(answer.body, type=FetchedConfig).lesson_stream
    assert given == FetchedLessonStream(enabled=True, packets_per_second=25)


@pytest.mark.parametrize(
    "given", ['"packets_per_second":51', '"packets_per_second":1', '"packet_bytes":9000', '"enabled":"yes"']
)
def test_what_is_out_of_bounds_is_refused(file: Path, given: str) -> None:
    body = ('{"agent":{"school":"s001"},"lesson_stream":{' + given + "}}").encode()
    with pytest.raises(fetched.FetchedConfigRefused):
        fetched.check(body, load_config(file), file)
