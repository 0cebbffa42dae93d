"""What the operator wrote in `agent.toml`, checked; every mistake told at once (design section 10).

Relative paths are relative to the folder of the configuration file.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from campus_base.dates import LONGEST_BLACKOUT_DAYS, NotADay, parse_days
from campus_base.hosts import HOST_PATTERN, is_host
from campus_base.language import Text
from campus_base.settings import NOT_A_FILE, REQUIRED, ConfigurationError, Mistake, Table, is_special, load
from campus_wire.digits import NARROW
from campus_wire.ids import ID_PATTERN, is_id
from campus_wire.records import CentralConfig

DEFAULT_PATH = Path("/etc/campus-agent/agent.toml")
CLASSROOM_REQUIRED_BITS_PER_SECOND = 100_000_000
UPLINK_REQUIRED_BITS_PER_SECOND = 1_000_000_000
DEFAULT_IPERF3_PORT = 5201
DEFAULT_PORTS = {"campus": 5301, "iperf3": DEFAULT_IPERF3_PORT}
DEFAULT_STATE_DIR = "/var/lib/campus-agent"
MOST_BLACKOUTS = 100
CENTRAL_FILE = "central.json"
"""What the bureau's inventory added, as it was last fetched; in the state folder."""
MAX_EXPECTED_TEXT = 200
_ENVIRONMENT_TABLES = ("agent", "collector", "timetable", "limits", "throughput", "cycle", "uplink", "page")
_ID_HINT = Text("lower-case letters, digits, '-' and '_', at most 64", "小写字母、数字、“-”和“_”，最多 64 个字符")
_PATH_PATTERN, _PATH_HINT = r"[^\x00]+", Text("a path, not empty", "非空路径")
MAX_URL_CHARACTERS = 2000
_HOST_HINT = Text("a host name or an IP address", "主机名或 IP 地址")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers throughput tests: a classroom's, or the uplink's test server."""

    id: str
    name: str
    host: str
    port: int
    engine: str
    required_bits_per_second: int
    iperf3_port: int = DEFAULT_IPERF3_PORT
    """Where it answers stock iperf3: reference tests go there, whatever the engine of the quick ones."""
    switch: str = ""
    switch_port: str = ""
    """The device it hangs on and the port (ifName or ifIndex), where the inventory knows them."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the inventory says of a platform's answer; nothing: below 400, and from the platform's own site."""

    status: tuple[int, ...] = ()
    host: str = ""
    """Where it may lead to, beside the address's own host; then no other is accepted."""
    text: str = ""
    """What the page must hold."""


NOTHING_EXPECTED = Expectation()


@dataclass(frozen=True, slots=True)
class Service:
    """A cloud platform to request."""

    id: str
    name: str
    url: str
    expected: Expectation = NOTHING_EXPECTED


@dataclass(frozen=True, slots=True)
class Device:
    """A piece of recording-room or network equipment; `snmp`, `rtsp`, `onvif` hold their own keys as written, files with whole paths."""

    id: str
    name: str
    room: str
    profile: str
    host: str
    required: bool
    snmp: Mapping[str, str]
    rtsp: Mapping[str, str]
    onvif: Mapping[str, str] = field(default_factory=dict)

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """Every file of a secret it needs."""
        tables = (self.snmp, self.rtsp, self.onvif)
        return tuple(Path(file) for table in tables for key, file in table.items() if key.endswith("_file"))


@dataclass(frozen=True, slots=True)
class Period:
    """One lesson of the day, local time, end not included."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class DayRange:
    """Days from first to last, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        """Is this day within?"""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Timetable:
    """When lessons are; no periods means that any time is free."""

    periods: tuple[Period, ...] = ()
    holidays_file: Path | None = None
    blackout: tuple[DayRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What measuring may cost, and when it must wait."""

    daily_test_bytes: int = 2_000_000_000
    max_cross_traffic_ratio: float = 0.5
    max_cpu_ratio: float = 0.8


@dataclass(frozen=True, slots=True)
class ThroughputOptions:
    """How long an iperf3 test loads the line, each direction, after the warm-up that is not counted."""

    duration_seconds: int = 10
    warmup_seconds: int = 1


@dataclass(frozen=True, slots=True)
class Cycle:
    """How often each thing is measured when the timetable allows it. `reference_days` 0: no reference tests; `network_seconds` 0: no look
    for DHCP servers.
    """

    throughput_seconds: int = 6 * 3600
    latency_seconds: int = 900
    service_seconds: int = 300
    host_seconds: int = 300
    device_seconds: int = 300
    network_seconds: int = 86_400
    ship_seconds: int = 30
    reference_days: int = 30


@dataclass(frozen=True, slots=True)
class Spool:
    """How much is kept on disk until the collector has it."""

    max_results: int = 200_000
    max_bytes: int = 500_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """The classroom's test page on the school's network; port 0: none. `in_lessons`: a person may test while lessons are on."""

    port: int = 0
    listen: str = "0.0.0.0"  # noqa: S104
    in_lessons: bool = False
    tests_per_hour: int = 60


@dataclass(frozen=True, slots=True)
class Collector:
    """Where results go; the token stays in its file until the moment of sending."""

    url: str
    token_file: Path
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """The whole configuration."""

    town: str | None
    school: str
    state_dir: Path
    timezone: ZoneInfo
    agent_id: str
    test_key_file: Path | None = None
    profile_dir: Path | None = None
    collector: Collector | None = None
    timetable: Timetable = field(default_factory=Timetable)
    limits: Limits = field(default_factory=Limits)
    throughput: ThroughputOptions = field(default_factory=ThroughputOptions)
    cycle: Cycle = field(default_factory=Cycle)
    spool: Spool = field(default_factory=Spool)
    page: Page = field(default_factory=Page)
    classrooms: tuple[Endpoint, ...] = ()
    uplink: Endpoint | None = None
    services: tuple[Service, ...] = ()
    devices: tuple[Device, ...] = ()


def load_config(path: Path, environ: Mapping[str, str] = os.environ, central: bytes | None = None) -> AgentConfig:
    """The configuration in a file, with what the bureau's inventory adds to it: the last that was kept, or the one that is to be checked.

    Raises ConfigurationError with every mistake in it; a kept one that no longer fits the file is left out.
    """
    top = load(path, environ, _ENVIRONMENT_TABLES)
    folder = path.resolve().parent
    body = central if central is not None else _kept_central(top, folder)
    config = _read(top if body is None else _over(top, body), folder)
    if top.mistakes and body is not None and central is None:
        top.mistakes.clear()
        config = _read(top, folder)
    if top.mistakes:
        raise ConfigurationError(str(path), top.mistakes)
    return config


def _kept_central(top: Table, folder: Path) -> bytes | None:
    """The last good configuration of the bureau; None without one."""
    state_dir = top.peek("agent", "state_dir")
    if not isinstance(state_dir, str):
        state_dir = DEFAULT_STATE_DIR
    try:
        body = (folder / state_dir / CENTRAL_FILE).read_bytes()
        msgspec.json.decode(body, type=CentralConfig)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return body


def _over(top: Table, body: bytes) -> Table:
    """The file with the bureau's word over it. Equipment only where the file has its row: what it is asked with are secrets of the school."""
    central = msgspec.json.decode(body, type=CentralConfig)
    in_file = top.ids("device")
    rows = {
        "classroom": central.classroom or (),
        "service": central.service or (),
        "device": [device for device in central.device or () if device.id in in_file],
    }
    tables = {"agent": central.agent, "uplink": central.uplink, "timetable": central.timetable}
    return top.overlaid(
        {name: _given(one) for name, one in tables.items() if one is not None},
        {name: [_given(row) for row in more] for name, more in rows.items()},
        whole=("timetable",),
    )


def _given(record: msgspec.Struct) -> dict[str, Any]:
    return {key: value for key, value in msgspec.to_builtins(record).items() if value is not None}


def _read(top: Table, folder: Path) -> AgentConfig:
    agent = top.table("agent")
    town = agent.string("town", None, pattern=ID_PATTERN, hint=_ID_HINT)
    school = agent.string("school", pattern=ID_PATTERN, hint=_ID_HINT)
    state_dir = folder / agent.string("state_dir", DEFAULT_STATE_DIR, pattern=_PATH_PATTERN, hint=_PATH_HINT)
    zone = _zone(agent)
    agent_id = agent.string("agent_id", None, pattern=ID_PATTERN, hint=_ID_HINT) or school or ""
    test_key = _file(agent, "test_key_file", folder)
    profiles = agent.string("profile_dir", None)
    agent.done()
    config = AgentConfig(
        town=town,
        school=school or "",
        state_dir=state_dir,
        timezone=zone,
        agent_id=agent_id,
        test_key_file=test_key,
        profile_dir=folder / profiles if profiles else None,
        collector=_collector(top, folder),
        timetable=_timetable(top.table("timetable"), folder),
        limits=_limits(top.table("limits")),
        throughput=_throughput(top.table("throughput")),
        cycle=_cycle(top.table("cycle")),
        spool=_spool(top.table("spool")),
        page=_page(top.table("page")),
        classrooms=tuple(_classroom(table) for table in top.tables("classroom")),
        uplink=_uplink(top),
        services=tuple(_service(table) for table in top.tables("service")),
        devices=tuple(_device(table, folder) for table in top.tables("device")),
    )
    top.done()
    _refuse_twins(top.mistakes, "classroom", [room.id for room in config.classrooms])
    _refuse_twins(top.mistakes, "service", [service.id for service in config.services])
    _refuse_twins(top.mistakes, "device", [device.id for device in config.devices])
    _refuse_unknown_switches(top, config)
    return config


def _collector(top: Table, folder: Path) -> Collector | None:
    if "collector" not in top:
        top.table("collector")
        return None
    table = top.table("collector")
    url = _url(table, "url", ("https", "http"))
    token = _file(table, "token_file", folder, "token") or folder / "token"
    ca = _file(table, "ca_file", folder)
    table.done()
    if url.startswith("http://") and not _is_loopback(url):
        table.wrong(
            "url",
            "must be https:// unless the collector is on this machine: the token would travel readable",
            "必须使用 https://（采集服务器在本机时除外），否则令牌会以明文传输",
        )
    return Collector(url=url.rstrip("/"), token_file=token, ca_file=ca)


def _timetable(table: Table, folder: Path) -> Timetable:
    periods = read_periods(table)
    blackout = []
    for index, text in enumerate(table.strings("blackout")):
        days = read_days(text)
        if days is None:
            hint = Text(
                "days like 2026-06-07/2026-06-09 or 2026-06-07", "形如 2026-06-07/2026-06-09 或 2026-06-07 的日期"
            )
            _wrong_item(table, "blackout", index, text, hint)
        elif (days.last - days.first).days >= LONGEST_BLACKOUT_DAYS:
            table.wrong(
                f"blackout[{index}]",
                f"spans more than {LONGEST_BLACKOUT_DAYS} days without any test: {text}",
                f"停测时间超过 {LONGEST_BLACKOUT_DAYS} 天：{text}",
            )
        else:
            blackout.append(days)
    if len(blackout) > MOST_BLACKOUTS:
        table.wrong("blackout", f"more than {MOST_BLACKOUTS} entries", f"超过 {MOST_BLACKOUTS} 条")
    holidays = _file(table, "holidays_file", folder)
    table.done()
    return Timetable(periods, holidays, tuple(blackout))


def _limits(table: Table) -> Limits:
    default = Limits()
    limits = Limits(
        daily_test_bytes=table.integer("daily_test_bytes", default.daily_test_bytes, minimum=1_000_000),
        max_cross_traffic_ratio=table.number(
            "max_cross_traffic_ratio", default.max_cross_traffic_ratio, minimum=0.01, maximum=1
        ),
        max_cpu_ratio=table.number("max_cpu_ratio", default.max_cpu_ratio, minimum=0.05, maximum=1),
    )
    table.done()
    return limits


def _throughput(table: Table) -> ThroughputOptions:
    default = ThroughputOptions()
    options = ThroughputOptions(
        duration_seconds=table.integer("duration_seconds", default.duration_seconds, minimum=2, maximum=60),
        warmup_seconds=table.integer("warmup_seconds", default.warmup_seconds, minimum=0, maximum=10),
    )
    table.done()
    return options


def _cycle(table: Table) -> Cycle:
    names = {
        "throughput_seconds": 10,
        "latency_seconds": 10,
        "service_seconds": 10,
        "host_seconds": 10,
        "device_seconds": 10,
        "network_seconds": 0,
        "ship_seconds": 1,
    }
    values = {
        name: table.integer(name, getattr(Cycle(), name), minimum=low, maximum=7 * 86_400)
        for name, low in names.items()
    }
    reference_days = table.integer("reference_days", Cycle().reference_days, maximum=366)
    table.done()
    return Cycle(**values, reference_days=reference_days)


def _spool(table: Table) -> Spool:
    spool = Spool(
        max_results=table.integer("max_results", Spool().max_results, minimum=100),
        max_bytes=table.integer("max_bytes", Spool().max_bytes, minimum=1_000_000),
    )
    table.done()
    return spool


def _page(table: Table) -> Page:
    default = Page()
    page = Page(
        port=table.integer("port", default.port, minimum=0, maximum=65_535),
        listen=table.string("listen", default.listen, pattern=HOST_PATTERN, hint=_HOST_HINT) or default.listen,
        in_lessons=table.boolean("in_lessons", default.in_lessons),
        tests_per_hour=table.integer("tests_per_hour", default.tests_per_hour, minimum=1, maximum=1000),
    )
    table.done()
    return page


def _classroom(table: Table) -> Endpoint:
    room_id = table.string("id", pattern=ID_PATTERN, hint=_ID_HINT) or ""
    if room_id in ("uplink", "gateway"):
        table.wrong("id", f"'{room_id}' is reserved for the school itself", f"“{room_id}”为系统保留名称")
    return _endpoint(table, room_id, table.string("name", room_id), CLASSROOM_REQUIRED_BITS_PER_SECOND)


def _uplink(top: Table) -> Endpoint | None:
    if "uplink" not in top:
        top.table("uplink")
        return None
    return _endpoint(top.table("uplink"), "uplink", "uplink", UPLINK_REQUIRED_BITS_PER_SECOND)


def _endpoint(table: Table, endpoint_id: str, name: str, required: int) -> Endpoint:
    engine = table.string("engine", "campus", choices=tuple(DEFAULT_PORTS))
    port = table.integer("port", DEFAULT_PORTS.get(engine, 0), minimum=1, maximum=65_535)
    iperf3_port = port if engine == "iperf3" else DEFAULT_IPERF3_PORT
    endpoint = Endpoint(
        id=endpoint_id,
        name=name or endpoint_id,
        host=_host(table),
        port=port,
        engine=engine,
        required_bits_per_second=table.integer("required_bits_per_second", required, minimum=1_000_000, maximum=10**12),
        iperf3_port=table.integer("iperf3_port", iperf3_port, minimum=1, maximum=65_535),
        switch=table.string("switch", "", pattern=ID_PATTERN, hint=_ID_HINT),
        switch_port=table.string("switch_port", ""),
    )
    table.done()
    return endpoint


def _service(table: Table) -> Service:
    service_id = table.string("id", pattern=ID_PATTERN, hint=_ID_HINT) or ""
    name, url = table.string("name", service_id), _url(table, "url", ("https", "http"))
    service = Service(
        service_id, name, url, _expectation(table.table("expect")) if "expect" in table else _nothing_said(table)
    )
    table.done()
    return service


def _nothing_said(table: Table) -> Expectation:
    table.table("expect")
    return NOTHING_EXPECTED


def _expectation(table: Table) -> Expectation:
    """What is the platform's own answer: its statuses, where it may lead to, a text on its page."""
    expected = Expectation(
        status=tuple(table.integers("status", minimum=100, maximum=599)),
        host=_host(table, ""),
        text=table.string("text", ""),
    )
    if len(expected.text) > MAX_EXPECTED_TEXT:
        table.wrong("text", f"must be at most {MAX_EXPECTED_TEXT} characters", f"不得超过 {MAX_EXPECTED_TEXT} 个字")
    table.done()
    return expected


def _device(table: Table, folder: Path) -> Device:
    device_id = table.string("id", pattern=ID_PATTERN, hint=_ID_HINT) or ""
    device = Device(
        id=device_id,
        name=table.string("name", device_id) or device_id,
        room=_room(table),
        profile=table.string("profile", pattern=ID_PATTERN, hint=_ID_HINT) or "",
        host=_host(table),
        required=table.boolean("required", True),
        snmp=_snmp(table.table("snmp"), folder) if "snmp" in table else _nothing(table, "snmp"),
        rtsp=_rtsp(table.table("rtsp"), folder) if "rtsp" in table else _nothing(table, "rtsp"),
        onvif=_onvif(table.table("onvif"), folder) if "onvif" in table else _nothing(table, "onvif"),
    )
    table.done()
    return device


NETWORK_ROOM = "network"
"""What belongs to no recording room, such as a switch."""


def _room(table: Table) -> str:
    room: str = table.string("room", NETWORK_ROOM, pattern=ID_PATTERN, hint=_ID_HINT) or ""
    if room == "recording_room":
        table.wrong("room", f"'{room}' is reserved for the school itself", f"“{room}”为系统保留名称")
    return room


def _nothing(table: Table, key: str) -> Mapping[str, str]:
    table.table(key)
    return {}


def _snmp(table: Table, folder: Path) -> Mapping[str, str]:
    """What the version needs: a community (2c), or a user and what protects it (3)."""
    version = table.string("version", "2c", choices=("2c", "3"))
    found = {"version": version, "port": str(table.integer("port", 161, minimum=1, maximum=65_535))}
    found |= _files(table, folder, ("community_file", "auth_file", "priv_file"))
    for key, choices in (
        ("auth_protocol", ("sha", "sha256")),
        ("priv_protocol", ("aes", "aes256", "aes256-reeder", "aes256-blumenthal")),  # two ways to make its key
    ):
        found[key] = table.string(key, choices[0], choices=choices)
    user = table.string("user", None)
    if user is not None:
        found["user"] = user
    needed = "community_file" if version == "2c" else "user"
    if needed not in found:
        table.wrong(needed, f"is missing; version {version} needs it", f"缺少此项；SNMP 版本 {version} 需要它")
    if "priv_file" in found and "auth_file" not in found:
        table.wrong("auth_file", "is missing; privacy needs authentication", "缺少此项；加密必须同时认证")
    table.done()
    return found


def _rtsp(table: Table, folder: Path) -> Mapping[str, str]:
    """An address without secrets. `transport`: packets within the connection (tcp), beside it (udp), or as the device allows (auto)."""
    found = {"url": _url(table, "url", ("rtsp",))} | _login(table, folder)
    found["transport"] = table.string("transport", "auto", choices=("auto", "tcp", "udp"))
    table.done()
    return found


def _onvif(table: Table, folder: Path) -> Mapping[str, str]:
    """A port, by HTTPS where `tls` says so, and who asks: without a user the device is asked only what it tells anybody."""
    tls = table.boolean("tls", False)
    found = {"port": str(table.integer("port", 443 if tls else 80, minimum=1, maximum=65_535))} | _login(table, folder)
    if tls:
        found["tls"] = "true"
    if "password_file" in found and "user" not in found:
        table.wrong("user", "is missing; a password needs it", "缺少此项；有密码必须有用户名")
    table.done()
    return found


def _file(table: Table, key: str, folder: Path, default: str | None = None) -> Path | None:
    """The file that a key names; None without one. It may come later, but it must not be a folder, a device or a pipe."""
    name: str | None = table.string(key, default, pattern=_PATH_PATTERN, hint=_PATH_HINT)
    if not name:
        return None
    file = folder / name
    if is_special(file):
        table.wrong(key, f"{file} {NOT_A_FILE.en}", f"{file} {NOT_A_FILE.zh}")
    return file


def _login(table: Table, folder: Path) -> dict[str, str]:
    found = _files(table, folder, ("password_file",))
    user = table.string("user", None)
    return found if user is None else found | {"user": user}


def _files(table: Table, folder: Path, keys: tuple[str, ...]) -> dict[str, str]:
    files = {key: _file(table, key, folder) for key in keys}
    return {key: str(file) for key, file in files.items() if file}


def _host(table: Table, default: Any = REQUIRED) -> str:
    """A machine's name or address; what a resolver would take for another machine is a mistake."""
    host: str = table.string("host", default) or ""
    if host and not is_host(host):
        table.wrong(
            "host", f"must be {_HOST_HINT.en}, not {host[:60]!r}", f"必须是{_HOST_HINT.zh}，不能是 {host[:60]!r}"
        )
    return host


def _url(table: Table, key: str, schemes: tuple[str, ...]) -> str:
    url: str | None = table.string(key, REQUIRED)
    if url is None:
        return ""
    try:
        parts = urlsplit(url)
        bad = parts.scheme not in schemes or parts.port == 0 or len(url) > MAX_URL_CHARACTERS
        bad = bad or not parts.hostname or re.search(r"[\x00-\x20\x7f]", url) is not None
        bad = bad or ((parts.hostname or "").isascii() and not is_host(parts.hostname or ""))
        secret = parts.username is not None
    except ValueError:
        bad, secret = True, False
    if bad:
        listed = " / ".join(f"{scheme}://" for scheme in schemes)
        table.wrong(key, f"must be a URL with {listed}, not {url!r}", f"必须是以 {listed} 开头的网址，不能是 {url!r}")
    elif secret:
        table.wrong(key, "must not carry a user name or password", "网址中不能包含用户名或密码")
    return url


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def _zone(table: Table) -> ZoneInfo:
    name = table.string("timezone", "Asia/Shanghai")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = "like 'Asia/Shanghai'"
        table.wrong(
            "timezone", f"is not a known time zone ({hint}): {name!r}", f"不是已知的时区(例如 'Asia/Shanghai'):{name!r}"
        )
        return ZoneInfo("UTC")


def read_periods(table: Table) -> tuple[Period, ...]:
    """The lessons under `periods`, in order of time; mistakes and overlaps are noted in the table."""
    periods = []
    for index, text in enumerate(table.strings("periods")):
        period = _period(text)
        if period is None:
            _wrong_item(table, "periods", index, text, Text("a period like 08:00-08:45", "形如 08:00-08:45 的时段"))
        else:
            periods.append(period)
    periods.sort(key=lambda period: period.start)
    for before, after in pairwise(periods):
        if after.start < before.end:
            en, zh = (words.format(_clock(before), _clock(after)) for words in ("{} and {} overlap", "{} 与 {} 重叠"))
            table.wrong("periods", en, zh)
    return tuple(periods)


def _clock(period: Period) -> str:
    return f"{period.start:%H:%M}-{period.end:%H:%M}"


def _period(text: str) -> Period | None:
    narrow = text.translate(NARROW).strip()
    match = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)", narrow, re.ASCII)
    if match is None:
        return None
    try:
        period = Period(time.fromisoformat(match[1]), time.fromisoformat(match[2]))
    except ValueError:
        return None
    return period if period.start < period.end else None


def read_days(text: str) -> DayRange | None:
    """Days written as 2026-06-07/2026-06-09, or one day; None when they are not, or in a year that can only be a slip."""
    try:
        return DayRange(*parse_days(text))
    except NotADay:
        return None


def _wrong_item(table: Table, key: str, index: int, value: str, hint: Text) -> None:
    table.mistakes.append(
        Mistake(
            f"{table.place(key)}[{index}]",
            Text(f"must be {hint.en}, not {value!r}", f"必须是{hint.zh}，不能是 {value!r}"),
        )
    )


def _refuse_unknown_switches(top: Table, config: AgentConfig) -> None:
    known = {device.id for device in config.devices}
    for endpoint in (*config.classrooms, *((config.uplink,) if config.uplink else ())):
        if endpoint.switch and endpoint.switch not in known:
            top.wrong(
                f"{endpoint.id}.switch",
                f"there is no [[device]] '{endpoint.switch}'",
                f"没有编号为“{endpoint.switch}”的 [[device]]",
            )
        if endpoint.switch_port and not endpoint.switch:
            top.wrong(f"{endpoint.id}.switch_port", "needs `switch` too", "需同时填写 switch")


def _refuse_twins(mistakes: list[Mistake], what: str, ids: list[str]) -> None:
    seen: set[str] = set()
    for index, one in enumerate(ids):
        if one in seen and is_id(one):
            mistakes.append(Mistake(f"{what}[{index}].id", Text(f"'{one}' is used twice", f"“{one}”重复出现")))
        seen.add(one)
