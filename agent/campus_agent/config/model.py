"""The types of the agent's configuration, with the bounds of each value; `read` reads them from `agent.toml`."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from campus_agent.config.values import (
    HOST_HINT,
    PATH,
    DayRange,
    Period,
    read_blackout,
    read_file,
    read_host,
    read_periods,
    read_url,
)
from campus_base.hosts import HOST_PATTERN
from campus_base.messages import message
from campus_base.settings import Mistake, Table
from campus_base.typed_tables import Bounds, By, Default, Given, Key, OneOf, Pattern, read_table, read_zone
from campus_wire.ids import ID_PATTERN, is_id

DEFAULT_PATH = Path("/etc/campus-agent/agent.toml")
CLASSROOM_REQUIRED_BITS_PER_SECOND = 100_000_000
UPLINK_REQUIRED_BITS_PER_SECOND = 1_000_000_000
DEFAULT_IPERF3_PORT = 5201
DEFAULT_PORTS = {"campus": 5301, "iperf3": DEFAULT_IPERF3_PORT, "browser": 8090}
"""Of the engine `browser` nothing listens in the classroom: its port is not used."""
DEFAULT_STATE_DIR = "/var/lib/campus-agent"
MAX_EXPECTED_TEXT = 200
ENVIRONMENT_TABLES = (
    "agent",
    "collector",
    "timetable",
    "limits",
    "throughput",
    "cycle",
    "uplink",
    "page",
    "lesson_stream",
)
"""Whose keys CAMPUS_<TABLE>_<KEY> overrides."""
NETWORK_ROOM = "network"
"""What belongs to no recording room, such as a switch."""
_WEEK_SECONDS = 7 * 86_400

Id = Annotated[
    str,
    Pattern(
        ID_PATTERN,
        message("lower-case letters, digits, '-' and '_', at most 64"),
    ),
]
Host = Annotated[str, By(read_host)]
File = Annotated[Path | None, By(read_file)]
Port = Annotated[int, Bounds(1, 65_535)]
CycleSeconds = Annotated[int, Bounds(10, _WEEK_SECONDS)]
WebAddress = Annotated[str, By(partial(read_url, ("https", "http")))]
_ID_AS_NAME = Default(lambda values: values["id"])


class Endpoint(msgspec.Struct, frozen=True):
    """What answers throughput tests: a classroom's, or the uplink's test server."""

    id: Id
    name: Annotated[str, _ID_AS_NAME]
    host: Host
    port: Annotated[Port, Default(lambda values: DEFAULT_PORTS.get(values["engine"], 0))]
    engine: Annotated[str, OneOf(tuple(DEFAULT_PORTS)), Default("campus")]
    required_bits_per_second: Annotated[
        int,
        Bounds(1_000_000, 10**12),
        Default(
            lambda values: (
                UPLINK_REQUIRED_BITS_PER_SECOND if values["id"] == "uplink" else CLASSROOM_REQUIRED_BITS_PER_SECOND
            )
        ),
    ]
    iperf3_port: Annotated[
        Port, Default(lambda values: values["port"] if values["engine"] == "iperf3" else DEFAULT_IPERF3_PORT)
    ] = DEFAULT_IPERF3_PORT
    """Where it answers stock iperf3: reference tests go there, whatever the engine of the quick ones."""
    switch: Id = ""
    switch_port: str = ""
    """The device it hangs on and the port (ifName or ifIndex), where the inventory has them."""


class Expectation(msgspec.Struct, frozen=True):
    """What the inventory says of a platform's answer; nothing: below 400, and from the platform's own site."""

    status: Annotated[tuple[int, ...], Bounds(100, 599)] = ()
    host: Host = ""
    """Where it may lead to, beside the address's own host; then no other is accepted."""
    text: str = ""
    """A text that the page must hold; empty: any page."""

    def check(self, table: Table) -> None:
        if len(self.text) > MAX_EXPECTED_TEXT:
            table.wrong(
                "text", message("must be at most {max_expected_text} characters", max_expected_text=MAX_EXPECTED_TEXT)
            )


NOTHING_EXPECTED = Expectation()


class Service(msgspec.Struct, frozen=True):
    """A cloud platform to request."""

    id: Id
    name: Annotated[str, _ID_AS_NAME]
    url: WebAddress
    expected: Annotated[Expectation, Key("expect")] = NOTHING_EXPECTED


class SnmpAccess(msgspec.Struct, frozen=True):
    """How a device is asked by SNMP: with a community (version 2c), or as a user with what protects it (3)."""

    version: Annotated[str, OneOf(("2c", "3"))] = "2c"
    port: Port = 161
    community_file: File = None
    auth_file: File = None
    priv_file: File = None
    auth_protocol: Annotated[str, OneOf(("sha", "sha256"))] = "sha"
    priv_protocol: Annotated[str, OneOf(("aes", "aes256", "aes256-reeder", "aes256-blumenthal"))] = "aes"
    """AES-256 has two ways to make its key."""
    user: str | None = None

    def check(self, table: Table) -> None:
        needed = "community_file" if self.version == "2c" else "user"
        if getattr(self, needed) is None:
            table.wrong(
                needed,
                message("is missing; version {version} needs it", version=self.version),
            )
        if self.priv_file is not None and self.auth_file is None:
            table.wrong("auth_file", message("is missing; privacy needs authentication"))


class RtspAccess(msgspec.Struct, frozen=True):
    """An address without secrets. `transport`: packets within the connection (tcp), beside it (udp), or as the device allows (auto)."""

    url: Annotated[str, By(partial(read_url, ("rtsp",)))]
    password_file: File = None
    user: str | None = None
    transport: Annotated[str, OneOf(("auto", "tcp", "udp"))] = "auto"


class OnvifAccess(msgspec.Struct, frozen=True):
    """A port, by HTTPS where `tls` says so, and who asks: without a user the device is asked only what needs no password."""

    tls: bool = False
    port: Annotated[Port, Default(lambda values: 443 if values["tls"] else 80)] = 80
    password_file: File = None
    user: str | None = None

    def check(self, table: Table) -> None:
        """A password is somebody's."""
        if self.password_file is not None and self.user is None:
            table.wrong("user", message("is missing; a password needs it"))


def _read_access(kind: type[Any], table: Table, key: str, default: Any) -> Mapping[str, str]:
    """The keys of a table as texts, without those that are not set."""
    inner = table.table(key)
    if key not in table:
        return {}
    access = read_table(kind, inner)
    values = {each.name: getattr(access, each.name) for each in msgspec.structs.fields(kind)}
    return {key: "true" if value is True else str(value) for key, value in values.items() if value not in (None, False)}


class Device(msgspec.Struct, frozen=True):
    """A piece of recording-room or network equipment; `snmp`, `rtsp`, `onvif` hold their own keys as written, files with whole paths."""

    id: Id
    name: Annotated[str, _ID_AS_NAME]
    room: Annotated[Id, Default(NETWORK_ROOM)]
    profile: Id
    host: Host
    required: Annotated[bool, Default(True)]
    snmp: Annotated[Mapping[str, str], By(partial(_read_access, SnmpAccess))]
    rtsp: Annotated[Mapping[str, str], By(partial(_read_access, RtspAccess))]
    onvif: Annotated[Mapping[str, str], By(partial(_read_access, OnvifAccess))] = msgspec.field(default_factory=dict)

    def check(self, table: Table) -> None:
        """The room is not what the school itself is called."""
        if self.room == "recording_room":
            table.wrong("room", message("'{room}' is reserved for the school itself", room=self.room))

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """Every file of a secret it needs."""
        tables = (self.snmp, self.rtsp, self.onvif)
        return tuple(Path(file) for table in tables for key, file in table.items() if key.endswith("_file"))


class Timetable(msgspec.Struct, frozen=True):
    """When lessons are; no periods means that any time is free."""

    periods: Annotated[tuple[Period, ...], By(read_periods)] = ()
    holidays_file: File = None
    blackout: Annotated[tuple[DayRange, ...], By(read_blackout)] = ()


class LoadLimits(msgspec.Struct, frozen=True):
    """What measuring may cost, and when it must wait."""

    daily_test_bytes: Annotated[int, Bounds(1_000_000)] = 2_000_000_000
    max_cross_traffic_ratio: Annotated[float, Bounds(0.01, 1)] = 0.5
    max_cpu_ratio: Annotated[float, Bounds(0.05, 1)] = 0.8


class ThroughputOptions(msgspec.Struct, frozen=True):
    """How long an iperf3 test loads the line, each direction, after the warm-up that is not counted."""

    duration_seconds: Annotated[int, Bounds(2, 60)] = 10
    warmup_seconds: Annotated[int, Bounds(0, 10)] = 1


class Cycle(msgspec.Struct, frozen=True):
    """How often each thing is measured when the timetable allows it. `reference_days` 0: no reference tests; `network_seconds` 0: no look
    for DHCP servers.
    """

    throughput_seconds: CycleSeconds = 6 * 3600
    latency_seconds: CycleSeconds = 900
    service_seconds: CycleSeconds = 300
    host_seconds: CycleSeconds = 300
    device_seconds: CycleSeconds = 300
    network_seconds: Annotated[int, Bounds(0, _WEEK_SECONDS)] = 86_400
    ship_seconds: Annotated[int, Bounds(1, _WEEK_SECONDS)] = 30
    reference_days: Annotated[int, Bounds(0, 366)] = 30


class SpoolLimits(msgspec.Struct, frozen=True):
    """How much is kept on disk until the collector has it."""

    max_results: Annotated[int, Bounds(100)] = 200_000
    max_bytes: Annotated[int, Bounds(1_000_000)] = 500_000_000


class Page(msgspec.Struct, frozen=True):
    """The classroom's test page on the school's network; port 0: none. `in_lessons`: a person may test while lessons are on."""

    port: Annotated[int, Bounds(0, 65_535)] = 0
    listen: Annotated[str, Pattern(HOST_PATTERN, HOST_HINT)] = "0.0.0.0"  # noqa: S104
    in_lessons: bool = False
    tests_per_hour: Annotated[int, Bounds(1, 1000)] = 60


class LessonStream(msgspec.Struct, frozen=True):
    """The small continuous stream to the uplink's test server in school hours: STAMP (RFC 8762), authenticated where there is a test key.

    `always`: on every hour of every day. `in_blackout`: also on blackout days. `port` 0: the one after the uplink's. `packet_bytes`: what is sent
    each way, without IP and UDP; authenticated at least 112.
    """

    enabled: bool = False
    packets_per_second: Annotated[int, Bounds(5, 50)] = 20
    packet_bytes: Annotated[int, Bounds(44, 1200)] = 100
    always: bool = False
    in_blackout: bool = False
    port: Annotated[int, Bounds(0, 65_535)] = 0


def _read_collector_url(table: Table, key: str, default: Any) -> str:
    return read_url(("https", "http"), table, key, default).rstrip("/")


class Collector(msgspec.Struct, frozen=True):
    """Where results go; the token stays in its file until the moment of sending."""

    url: Annotated[str, By(_read_collector_url)]
    token_file: Annotated[Path, By(read_file), Default("token")]
    ca_file: File = None

    def check(self, table: Table) -> None:
        """The token does not travel readable."""
        host = urlsplit(self.url).hostname or ""
        is_loopback = host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None
        if self.url.startswith("http://") and not is_loopback:
            table.wrong(
                "url",
                message("must be https:// unless the collector is on this machine: the token would travel readable"),
            )


_ZONE = message("is not a known time zone (like 'Asia/Shanghai'): {name!r}")


class AgentConfig(msgspec.Struct, frozen=True):
    """What `agent.toml` says, with what the collector added to it."""

    town: Annotated[Id | None, Key("agent.town"), Default(None)]
    school: Annotated[Id, Key("agent.school")]
    state_dir: Annotated[Path, Key("agent.state_dir"), PATH, Default(DEFAULT_STATE_DIR)]
    timezone: Annotated[ZoneInfo, Key("agent.timezone"), By(partial(read_zone, _ZONE)), Default("Asia/Shanghai")]
    agent_id: Annotated[Id, Key("agent.agent_id"), Default(lambda values: values["school"])]
    test_key_file: Annotated[File, Key("agent.test_key_file")] = None
    profile_dir: Annotated[Path | None, Key("agent.profile_dir")] = None
    collector: Collector | None = None
    timetable: Timetable = msgspec.field(default_factory=Timetable)
    limits: LoadLimits = msgspec.field(default_factory=LoadLimits)
    throughput: ThroughputOptions = msgspec.field(default_factory=ThroughputOptions)
    cycle: Cycle = msgspec.field(default_factory=Cycle)
    spool: SpoolLimits = msgspec.field(default_factory=SpoolLimits)
    page: Page = msgspec.field(default_factory=Page)
    lesson_stream: LessonStream = msgspec.field(default_factory=LessonStream)
    classrooms: Annotated[tuple[Endpoint, ...], Key("classroom")] = ()
    uplink: Annotated[Endpoint | None, Given({"id": "uplink", "name": "uplink"})] = None
    services: Annotated[tuple[Service, ...], Key("service")] = ()
    devices: Annotated[tuple[Device, ...], Key("device")] = ()

    def check(self, top: Table) -> None:
        _refuse_reserved_ids(top, self.classrooms)
        for key, rows in (("classroom", self.classrooms), ("service", self.services), ("device", self.devices)):
            _refuse_equal_ids(top, key, [row.id for row in rows])
        devices = {device.id for device in self.devices}
        for endpoint in (*self.classrooms, *((self.uplink,) if self.uplink else ())):
            _refuse_unknown_switch(top, endpoint, devices)
        browsers = [room.id for room in self.classrooms if room.engine == "browser"]
        if browsers and not self.page.port:
            top.wrong(
                "page.port", message("must be set: the classroom's page serves engine 'browser' ({id})", id=browsers[0])
            )
        if self.uplink is not None and self.uplink.engine == "browser":
            top.wrong("uplink.engine", message("'browser' is for classrooms only"))
        if self.lesson_stream.enabled and self.uplink is None:
            top.wrong("lesson_stream.enabled", message("needs [uplink]: the stream goes to its test server"))

    @property
    def stream_port(self) -> int:
        """Where the uplink's test server answers the lesson stream; 0 without an uplink."""
        if self.uplink is None:
            return 0
        return self.lesson_stream.port or min(self.uplink.port + 1, 65_535)


def _refuse_reserved_ids(top: Table, classrooms: tuple[Endpoint, ...]) -> None:
    for index, room in enumerate(classrooms):
        if room.id in ("uplink", "gateway"):
            key = f"classroom[{index}].id"
            top.wrong(key, message("'{id}' is reserved for the school itself", id=room.id))


def _refuse_equal_ids(top: Table, key: str, ids: list[str]) -> None:
    for index, row_id in enumerate(ids):
        if row_id in ids[:index] and is_id(row_id):
            top.mistakes.append(Mistake(f"{key}[{index}].id", message("'{row_id}' is used twice", row_id=row_id)))


def _refuse_unknown_switch(top: Table, endpoint: Endpoint, devices: set[str]) -> None:
    if endpoint.switch and endpoint.switch not in devices:
        top.wrong(
            f"{endpoint.id}.switch",
            message("there is no [[device]] '{switch}'", switch=endpoint.switch),
        )
    if endpoint.switch_port and not endpoint.switch:
        top.wrong(f"{endpoint.id}.switch_port", message("needs `switch` too"))
