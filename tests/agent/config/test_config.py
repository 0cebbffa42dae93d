"""The gateway's configuration: the design's own example, and each mistake by name, all at once."""

import os
from datetime import date
from pathlib import Path

import pytest

from campus_agent.config.model import Expectation
from campus_agent.config.read import load_config
from campus_base.settings import ConfigurationError, Secret, UnusableFile, read_secret

ROOT = Path(__file__).parents[3]
GOOD = """
[agent]
town = "t01"
school = "s001"
state_dir = "state"
[collector]
url = "https://collector.example:8443"
[[classroom]]
id = "c101"
host = "10.0.1.2"
"""


def told(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    file = tmp_path / "agent.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_config(file, environ or {})
    assert len(caught.value.in_("zh").splitlines()) == len(str(caught.value).splitlines())
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_the_sample_loads_and_shows_every_default(tmp_path: Path) -> None:
    config = load_config(ROOT / "deploy" / "agent.sample.toml", {})
    assert [room.id for room in config.classrooms] == ["c101", "c102", "c103"]
    assert config.uplink is not None
    assert config.uplink.required_bits_per_second == 1_000_000_000
    assert [service.id for service in config.services] == ["smartedu-cn"]
    assert config.timetable.periods[0].start.isoformat() == "08:00:00"


def test_defaults(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(GOOD)
    config = load_config(file, {})
    assert config.state_dir == tmp_path / "state"
    assert config.agent_id == "s001"
    assert (config.classrooms[0].engine, config.classrooms[0].port) == ("campus", 5301)
    assert config.collector is not None
    assert config.collector.token_file == tmp_path / "token"
    assert str(config.timezone) == "Asia/Shanghai"


DEVICE = (
    GOOD
    + """
[[device]]
id = "cam"
room = "r1"
profile = "camera-onvif"
host = "10.0.1.52"
onvif = { user = "monitor", password_file = "camera" }
rtsp = { url = "rtsp://10.0.1.52/1", transport = "udp", password_file = "/etc/stream" }
"""
)


def test_a_device_names_where_and_how_it_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(DEVICE)
    (device,) = load_config(file, {}).devices
    assert device.onvif == {"port": "80", "user": "monitor", "password_file": str(tmp_path / "camera")}
    assert device.rtsp == {"url": "rtsp://10.0.1.52/1", "transport": "udp", "password_file": "/etc/stream"}
    assert device.secret_files == (Path("/etc/stream"), tmp_path / "camera")


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (('user = "monitor", ', ""), "device[0].onvif.user: is missing; a password needs it"),
        (('user = "monitor"', "port = 0"), "device[0].onvif.port: must be within 1 … 65_535, not 0"),
        (('"udp"', '"quic"'), "device[0].rtsp.transport: must be one of auto, tcp, udp, not 'quic'"),
        (('password_file = "camera"', 'password = "x"'), "device[0].onvif.password: unknown key; did you mean 'password_file'?"),
    ],
)  # fmt: skip
def test_each_mistake_of_a_device_is_named(tmp_path: Path, change: tuple[str, str], mistake: str) -> None:
    assert mistake in told(tmp_path, DEVICE.replace(*change))


def test_the_environment_overrides_and_is_checked_too(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(GOOD)
    config = load_config(
        file, {"CAMPUS_AGENT_SCHOOL": "s002", "CAMPUS_LIMITS_MAX_CPU_RATIO": "0.5", "CAMPUS_LANG": "zh"}
    )
    assert (config.school, config.limits.max_cpu_ratio) == ("s002", 0.5)
    assert told(tmp_path, GOOD, {"CAMPUS_AGENT_SCOOL": "x"}) == ["agent.scool: unknown key; did you mean 'school'?"]


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (('school = "s001"', 'school = "S 1"'), "agent.school: must be lower-case letters, digits, '-' and '_', at most 64, not 'S 1'"),
        (('school = "s001"', ""), "agent.school: is missing; it must be a string"),
        (('school = "s001"', "school = 7"), "agent.school: must be a string, not 7"),
        (("https://", "http://"), "collector.url: must be https:// unless the collector is on this machine: the token would travel readable"),
        (("https://", "https://u:p@"), "collector.url: must not carry a user name or password"),
        (("https://", "ftp://"), "collector.url: must be a URL with https:// / http://, not 'ftp://collector.example:8443'"),
        (('id = "c101"', 'id = "uplink"'), "classroom[0].id: 'uplink' is reserved for the school itself"),
        (('id = "c101"', 'id = "c101"\nport = 70000'), "classroom[0].port: must be within 1 … 65_535, not 70000"),
        (('id = "c101"', 'id = "c101"\nengine = "browser"'), "page.port: must be set: the classroom's page serves engine 'browser' (c101)"),
        (('id = "c101"', 'id = "c101"\nengine = "speedtest"'), "classroom[0].engine: must be one of campus, iperf3, browser, not 'speedtest'"),
        (('id = "c101"', 'id = "c101"\nprot = 1'), "classroom[0].prot: unknown key; did you mean 'port'?"),
        (('host = "10.0.1.2"', 'host = "10.0.1.2; rm"'), "classroom[0].host: must be a host name or an IP address, not '10.0.1.2; rm'"),
        (("[collector]", "[timetable]\nperiods = ['8-9']\n[collector]"), "timetable.periods[0]: must be a period like 08:00-08:45, not '8-9'"),
        (("[collector]", "[timetable]\nblackout = ['2026-06-31']\n[collector]"), "timetable.blackout[0]: must be days like 2026-06-07/2026-06-09 or 2026-06-07, not '2026-06-31'"),
        (("[collector]", "[limits]\nmax_cpu_ratio = true\n[collector]"), "limits.max_cpu_ratio: must be a number, not true"),
        (("[collector]", "[limits]\ndaily_test_bytes = 1\n[collector]"), "limits.daily_test_bytes: must be within 1_000_000 … 9_223_372_036_854_775_807, not 1"),
        (('town = "t01"', 'timezone = "Asia/Jinan"'), "agent.timezone: is not a known time zone (like 'Asia/Shanghai'): 'Asia/Jinan'"),
        (("[[classroom]]", "[classroom]"), "classroom: must be a list of tables ([[classroom]]), not {'id': 'c101', 'host': '10.0.1.2'}"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(tmp_path: Path, change: tuple[str, str], mistake: str) -> None:
    assert told(tmp_path, GOOD.replace(*change)) == [mistake]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace('"s001"', '"S"').replace("https", "gopher").replace("10.0.1.2", "a b")
        + '[[classroom]]\nid = "c101"\nhost = "h"\n'
    )
    assert len(told(tmp_path, text)) == 4


@pytest.mark.parametrize(
    ("octets", "mistake"),
    [
        (b"[agent", "file: is not TOML"),
        (b"a = " + b"9" * 5000, "file: is not TOML that is read here: a number has more than 4300 digits"),
        (b"a = " + b"[" * 5000, "file: is not TOML that is read here: brackets are nested too deeply"),
        ("# 教室\n".encode("utf-16"), "file: line 1 is not UTF-8 text, but UTF-16"),
        ("# room\n".encode("utf-16-be"), "file: line 1 is not UTF-8 text, but UTF-16"),
        ("# room\n".encode("utf-32"), "file: line 1 is not UTF-8 text, but UTF-32"),
        ("[agent]\nname = '教室'\n".encode("gbk"), "file: line 2 is not UTF-8 text, but GBK (GB 18030)"),
        (b"[agent]\n\n\xff\xff\xff", "file: line 3 is not UTF-8 text, nor any other"),
        (bytes(16_000_001), "file: is larger than 16 MB"),
        (None, "file: cannot be read: No such file"),
    ],
    ids=[
        "no TOML",
        "long number",
        "deep",
        "UTF-16",
        "UTF-16 without a mark",
        "UTF-32",
        "GBK",
        "no text",
        "large",
        "none",
    ],
)
def test_an_unreadable_file_is_named(tmp_path: Path, octets: bytes | None, mistake: str) -> None:
    file = tmp_path / "agent.toml"
    if octets is not None:
        file.write_bytes(octets)
    with pytest.raises(ConfigurationError) as caught:
        load_config(file, {})
    assert mistake in str(caught.value)


SPECIAL = ["/dev/zero", "/dev/null", "/dev/urandom", "pipe", "folder"]


def special(folder: Path, name: str) -> Path:
    """A place where reading would go on for ever, wait for ever, or give nothing."""
    if name == "pipe":
        os.mkfifo(folder / name)
    elif name == "folder":
        (folder / name).mkdir()
    return folder / name


@pytest.mark.parametrize("name", SPECIAL)
def test_a_device_or_a_pipe_is_no_configuration(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="file: is no file, but a folder, a device or a pipe"):
        load_config(special(tmp_path, name), {})
    with pytest.raises(UnusableFile, match="is no file"):
        read_secret(tmp_path / name)


@pytest.mark.parametrize("name", SPECIAL)
def test_no_file_of_a_configuration_may_be_a_device_or_a_pipe(tmp_path: Path, name: str) -> None:
    file = special(tmp_path, name)
    text = (
        f'[agent]\nschool = "s001"\ntest_key_file = "{file}"\n[collector]\nurl = "https://c.example"\ntoken_file = "{file}"\n'
        f'ca_file = "{file}"\n[timetable]\nholidays_file = "{file}"\n[[device]]\nid = "cam"\nhost = "10.0.0.1"\nroom = "r1"\n'
        f'profile = "stream-rtsp"\nsnmp = {{ community_file = "{file}" }}\n'
    )
    mistakes = told(tmp_path, text)
    assert [line.strip().partition(":")[0] for line in mistakes if "is no file" in line] == [
        "agent.test_key_file",
        "collector.token_file",
        "collector.ca_file",
        "timetable.holidays_file",
        "device[0].snmp.community_file",
    ]


def test_lessons_are_read_from_full_width_letters_as_days_are(tmp_path: Path) -> None:
    timetable = '[timetable]\nperiods = ["０８：００－０８：４５"]\nblackout = ["２０２６－０６－０７"]\n'
    file = tmp_path / "agent.toml"
    file.write_text(f'[agent]\nschool = "s001"\n{timetable}', encoding="utf-8")
    read = load_config(file, {}).timetable
    assert [(f"{period.start:%H:%M}", f"{period.end:%H:%M}") for period in read.periods] == [("08:00", "08:45")]
    assert read.blackout[0].first == date(2026, 6, 7)


def test_a_secret_shows_itself_to_nobody(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("  hush \n")
    secret = read_secret(file)
    assert secret.reveal() == "hush"
    assert "hush" not in f"{secret} {secret!r} {[secret]} {Secret('hush')}"
    file.write_text("\n")
    with pytest.raises(ValueError, match="is empty"):
        read_secret(file)


SERVICE = GOOD + '[[service]]\nid = "edu"\nurl = "http://edu.example/"\n'


@pytest.mark.parametrize(
    ("expect", "expected"),
    [
        ("{ status = [200, 412] }", Expectation((200, 412))),
        ("{ status = 403 }", Expectation((403,))),
        ('{ host = "sso.example", text = "教育" }', Expectation((), "sso.example", "教育")),
        ("{}", Expectation()),
    ],
)
def test_what_a_platform_answers(tmp_path: Path, expect: str, expected: Expectation) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(f"{SERVICE}expect = {expect}\n", encoding="utf-8")
    assert [service.expected for service in load_config(file, {}).services] == [expected]


@pytest.mark.parametrize(
    ("expect", "place"),
    [
        ("{ status = [20] }", "service[0].expect.status: must hold whole numbers of 100 … 599, not 20"),
        ('{ status = ["200"] }', "service[0].expect.status: must hold whole numbers of 100 … 599, not '200'"),
        ("{ status = [true] }", "service[0].expect.status: must hold whole numbers"),
        ('{ host = "a b" }', "service[0].expect.host: must be a host name"),
        (f'{{ text = "{"x" * 201}" }}', "service[0].expect.text: must be at most 200 characters"),
        ("{ statuses = [200] }", "service[0].expect.statuses: unknown key; did you mean 'status'?"),
        ("[200]", "service[0].expect: must be a table"),
    ],
)
def test_an_expectation_that_cannot_be_is_named(tmp_path: Path, expect: str, place: str) -> None:
    (mistake,) = told(tmp_path, f"{SERVICE}expect = {expect}\n")
    assert mistake.startswith(place)


HOSTS = ["10.0.0.256", "10.0.1", "010.0.0.8", "10.0.0.1:5201", "1", "0x0a000001", "10.0.0.0x8", "1::2::3", "-x", "a..b", "a-.example",
         "0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1%eth0"]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_what_a_resolver_takes_for_another_machine_is_no_host(tmp_path: Path, host: str) -> None:
    (mistake,) = told(tmp_path, GOOD.replace('host = "10.0.1.2"', f'host = "{host}"'))
    assert mistake == f"classroom[0].host: must be a host name or an IP address, not {host!r}"
    if ":" not in host:
        assert len(told(tmp_path, GOOD.replace("collector.example", host))) == 1


@pytest.mark.parametrize(
    "host", ["c101", "pc_1.school.example.", "3com", "1.pool.example", "::1", "fe80::1%eth0", "10.0.1.2"]
)
def test_names_and_whole_addresses_are_hosts(tmp_path: Path, host: str) -> None:
    (tmp_path / "agent.toml").write_text(GOOD.replace('host = "10.0.1.2"', f'host = "{host}"'), encoding="utf-8")
    assert load_config(tmp_path / "agent.toml", {}).classrooms[0].host == host


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("CAMPUS_COLLECTOR_URL", "collector.url"),
        ("CAMPUS_COLLECTOR_TOKEN_FILE", "collector.token_file"),
        ("CAMPUS_AGENT_STATE_DIR", "agent.state_dir"),
    ],
)
def test_a_variable_that_is_set_to_nothing_is_named(tmp_path: Path, variable: str, place: str) -> None:
    """Nothing would be sent, or the state would lie beside the configuration."""
    (mistake,) = told(tmp_path, GOOD, {variable: ""})
    assert mistake.startswith(f"{place}: must be a")


def test_an_empty_address_is_no_platform(tmp_path: Path) -> None:
    (mistake,) = told(tmp_path, GOOD + '[[service]]\nid = "p"\nurl = ""\n')
    assert mistake.startswith("service[0].url: must be a URL")
