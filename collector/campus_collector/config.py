"""The collector's configuration, read from `collector.toml`; all mistakes at once.

Relative paths are relative to the folder of the configuration file. Without a file: SQLite in the state folder, loopback.
"""

import ipaddress
import logging
import os
import re
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from campus_base.dates import NotADay, parse_day
from campus_base.language import from_environment
from campus_base.messages import message
from campus_base.settings import ConfigurationError, Secret, Table, load, overridden, read_secret
from campus_base.system_errors import error_words
from campus_base.typed_tables import Bounds, By, Default, Key, OneOf, Pattern, read_table, read_zone
from campus_collector.domain.area import DETAILS, LEVELS, Level, SchoolDetail
from campus_collector.domain.official import Official
from campus_collector.domain.postgres_url import SCHEMES, PostgresUrl, without_passwords
from campus_collector.domain.results import Quotas
from campus_collector.domain.server_tls import UnusablePair, server_context
from campus_wire.digits import ascii_integer

log = logging.getLogger(__name__)
DEFAULT_LISTEN = "127.0.0.1:8080"
DEFAULT_STATE_DIR = Path("/var/lib/campus-collector")
_ENVIRONMENT_TABLES = (
    "server",
    "store",
    "policy",
    "report",
    "county",
    "slots",
    "metrics",
    "oidc",
    "quotas",
    "area",
    "upstream",
    "lesson_stream",
)
MOST_ADDRESS_LETTERS = 300
MOST_SHOWN_LETTERS = 100
_ADDRESS = re.compile(r"[^\s\x00-\x20\x7f\"'<>?#\\]+")
_ROOT_PATH = Pattern(r"(/[A-Za-z0-9._~-]+)*/?", message("a path like /campus"))
_CLAIM = Pattern(r"[A-Za-z0-9_:./-]{1,80}", message("the name of a claim"))
_ZONE = message("is not a known time zone: {name!r}")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Listen(NamedTuple):
    """Where the collector answers."""

    host: str
    port: int


def shipped_policy() -> Path:
    """The policy that comes with the program: in the wheel beside the package, in a checkout one folder up."""
    inside = Path(str(files("campus_collector") / "policy.toml"))
    return inside if inside.exists() else inside.parent.parent / "policy.toml"


def is_loopback(host: str) -> bool:
    """Is this address, or name, only this machine?"""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _read_listen(table: Table, key: str, default: Any) -> Listen:
    text = table.string(key, default)
    host, _, port = text.rpartition(":")
    number = ascii_integer(port, 65_535)
    if not host or number is None:
        table.wrong(
            key,
            message(
                "must be ADDRESS:PORT like {default_listen}, not {text!r}", default_listen=DEFAULT_LISTEN, text=text
            ),
        )
        return Listen("127.0.0.1", 0)
    return Listen(host.strip("[]"), number)


def _read_networks(table: Table, key: str, default: Any) -> tuple[Network, ...]:
    networks: list[Network] = []
    for text in table.strings(key, default):
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError:
            table.wrong(
                key,
                message("must be addresses or networks like 10.0.0.0/24, not {text!r}", text=text),
            )
    return tuple(networks)


def _read_existing_file(table: Table, key: str, default: Any) -> Path | None:
    name = table.string(key, default)
    file = table.folder / name if name else None
    return file if file is None or _exists(table, key, file) else None


def _exists(table: Table, key: str, file: Path) -> bool:
    try:
        exists = file.is_file()
    except (OSError, ValueError):  # too long, or with NUL
        exists = False
    if not exists:
        table.wrong(key, message("no such file: {file}", file=file))
        return False
    return True


def _read_secret_file(table: Table, key: str, default: Any) -> Path | None:
    """A file that holds a secret now."""
    file = _read_existing_file(table, key, default)
    return file if file is not None and _secret_in(table, key, file) else None


def _read_secret(table: Table, key: str, default: Any) -> Secret | None:
    """The secret in the file that the key names."""
    file = _read_existing_file(table, key, default)
    return _secret_in(table, key, file) if file is not None else None


def _secret_in(table: Table, key: str, file: Path) -> Secret | None:
    try:
        return read_secret(file)
    except (OSError, ValueError) as error:
        words = error_words(error)
    table.wrong(key, message("{file}: {words}", file=file, words=words))
    return None


def _read_web_address(table: Table, key: str, default: Any) -> str:
    """An address that starts with https://, or this machine's own."""
    text: str = table.string(key, default) or ""
    if text and not _is_web_address(text):
        words = message(
            "must be an address that starts with https://, without user, query and fragment, not {text!r}",
            text=text[:MOST_SHOWN_LETTERS],
        )
        table.wrong(key, words)
        return ""
    return text


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        well = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    if not well or len(text) > MOST_ADDRESS_LETTERS or not _ADDRESS.fullmatch(text) or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _read_document_number(table: Table, key: str, default: Any) -> str:
    """A text in which {year} and {month} may stand."""
    text: str = table.string(key, default)
    if re.search(r"[{}]", text.replace("{year}", "").replace("{month}", "")):
        table.wrong(key, message("may hold {{year}} and {{month}}, and no other braces: {text!r}", text=text))
        return ""
    return text


def _read_day(table: Table, key: str, default: Any) -> str:
    """A day as YYYY-MM-DD."""
    text: str = table.string(key, default)
    if not text:
        return ""
    try:
        return parse_day(text).isoformat()
    except NotADay as error:
        table.wrong(key, error.text)
        return ""


def _read_existing_files(table: Table, key: str, default: Any) -> tuple[Path, ...]:
    files = tuple(table.folder / name for name in table.strings(key, default))
    return tuple(file for file in files if _exists(table, key, file))


def _read_root_path(table: Table, key: str, default: Any) -> str:
    path: str = table.string(key, default, pattern=_ROOT_PATH.expression, hint=_ROOT_PATH.hint)
    return path.rstrip("/")


def _read_database(table: Table, key: str, default: Any) -> Path | None:
    """The file of a URL; None without one, or with a URL of PostgreSQL."""
    url: str | None = table.string(key, None)
    if url is None or url.startswith(SCHEMES):
        return None
    path = url.removeprefix("sqlite:///").lstrip("/")
    if url.startswith("sqlite:///") and path and "\0" not in path and path.split("/")[0] not in (".", ".."):
        database = _absolute(path, table.folder)
        if database.parent != Path("/"):  # meant as a path beside this file
            return database
    table.wrong(
        key,
        message(
            "must be sqlite:/// with an absolute path, like sqlite:///var/lib/campus-collector/campus.db,"
            " or postgresql://USER@HOST/DATABASE, not {url!r}",
            url=without_passwords(url),
        ),
    )
    return None


def _read_postgres(table: Table, key: str, default: Any) -> PostgresUrl | None:
    """A URL of PostgreSQL; None of none."""
    url: str | None = table.string(key, None)
    return PostgresUrl(url) if url is not None and url.startswith(SCHEMES) else None


def _absolute(path: str, folder: Path) -> Path:
    """What stands after sqlite:/// (or sqlite:////) is a path from the root.

    Up to 0.2.0 it was read as relative to the configuration: a database that lies only there stays the one that is used.
    """
    wanted, former = Path("/", path), folder / path
    # os.path: a path that the system refuses (too long) is not there either; pathlib raises
    if not os.path.exists(wanted) and os.path.isfile(former):
        text = message("[store] url: {wanted} does not exist, {former} does and is used; write sqlite://{former}")
        log.warning(text.in_(from_environment(), wanted=wanted, former=former))
        return former
    return wanted


class ProviderConfig(msgspec.Struct, frozen=True):
    """`[oidc]` of collector.toml."""

    issuer: Annotated[str, By(_read_web_address)]
    client_id: str
    client_secret: Annotated[Secret | None, Key("client_secret_file"), By(_read_secret), Default(None)]
    url: Annotated[str, By(_read_web_address)]
    """This collector as browsers reach it."""
    claim: Annotated[str, _CLAIM] = "sub"
    label: str = "OpenID Connect"
    ca_file: Annotated[Path | None, By(_read_existing_file)] = None


class UpstreamConfig(msgspec.Struct, frozen=True):
    """`[upstream]` of collector.toml: the level above, which gets each closed month."""

    url: Annotated[str, By(_read_web_address)]
    token_file: Path
    """Written by `area enroll`."""
    ca_file: Annotated[Path | None, By(_read_existing_file)] = None
    """The only authority that is believed; without it the system's are."""
    schools: Annotated[SchoolDetail, OneOf(DETAILS)] = "summary"
    """What the level above sees of a school."""


class TestServer(msgspec.Struct, frozen=True):
    """The name of an uplinks' test server, and where it stands; `host` as the gateways' `[uplink] host` has it."""

    host: Annotated[str, Pattern(r"[^\s/]{1,253}", message("the host in the gateways' [uplink]"))]
    name: Annotated[str, Pattern(r"(?=.*\S).{1,60}", message("1 to 60 letters"))]
    place: str = ""


class LessonStreamConfig(msgspec.Struct, frozen=True):
    """What the gateways of all schools that have an uplink are told of the lesson stream; what is left out stays as each gateway's own file has it.

    `always`: on every hour of every day. `in_blackout`: also on blackout days. `packet_bytes`: what is sent each way, without IP and UDP.
    """

    enabled: bool | None = None
    packets_per_second: Annotated[int | None, Bounds(5, 50)] = None
    packet_bytes: Annotated[int | None, Bounds(44, 1200)] = None
    always: bool | None = None
    in_blackout: bool | None = None


KEEP_MONTHS = 13
"""Of SQLite, whose database one machine has."""


class CollectorConfig(msgspec.Struct, frozen=True):
    """The whole configuration. `state_dir` is where things are kept that the file gives no place."""

    state_dir: Path
    listen: Annotated[Listen, Key("server.listen"), By(_read_listen), Default(DEFAULT_LISTEN)]
    database: Annotated[
        Path, Key("store.url"), By(_read_database), Default(lambda values: values["state_dir"] / "campus.db")
    ]
    """SQLite's file; with PostgreSQL there is none, and what is kept beside it is there all the same."""
    postgres: Annotated[PostgresUrl | None, Key("store.url"), By(_read_postgres), Default(None)]
    policy_file: Annotated[Path, Key("policy.file"), Default(lambda _: shipped_policy())]
    report_dir: Annotated[Path, Key("report.dir"), Default(lambda values: values["state_dir"] / "reports")]
    archive_dir: Annotated[Path, Key("store.archive_dir"), Default(lambda values: values["state_dir"] / "archives")]
    """Closed months are archived here as files."""
    timezone: Annotated[ZoneInfo, Key("county.timezone"), By(partial(read_zone, _ZONE)), Default("Asia/Shanghai")]
    keep_months: Annotated[
        int,
        Key("store.keep_months"),
        Bounds(0, 600),
        Default(lambda values: KEEP_MONTHS if values["postgres"] is None else 0),
    ]
    """Archived months leave the database when so many have passed since they ended; 0: none leaves.

    By itself none leaves a server: collectors of several machines may use it, each with a folder of archives that the others do not see.
    """
    county: Annotated[str, Key("county.name")] = ""
    trusted_proxies: Annotated[tuple[Network, ...], Key("server.trusted_proxies"), By(_read_networks)] = ()
    """Reverse proxies whose word about a request's client and scheme is believed."""
    root_path: Annotated[str, Key("server.root_path"), By(_read_root_path)] = ""
    """Below which path of the proxy the collector is: "" or like /campus."""
    tls_cert: Annotated[Path | None, Key("server.tls_cert")] = None
    tls_key: Annotated[Path | None, Key("server.tls_key")] = None
    read_token_file: Annotated[Path | None, Key("server.read_token_file"), By(_read_secret_file)] = None
    ca_file: Annotated[Path | None, Key("server.ca_file")] = None
    """The private authority that signed `tls_cert`, for gateways to fetch; None when it is a public one."""
    max_batches_at_once: Annotated[int, Key("server.max_batches_at_once"), Bounds(1, 10_000)] = 64
    public_url: Annotated[str, Key("server.public_url"), By(_read_web_address)] = ""
    """This collector as browsers reach it; reports name its pages. Without it: `[oidc] url`, or none."""
    report_heading: Annotated[str, Key("report.heading")] = ""
    report_issuer: Annotated[str, Key("report.issuer")] = ""
    report_number: Annotated[str, Key("report.number"), By(_read_document_number)] = ""
    report_signer: Annotated[str, Key("report.signer")] = ""
    report_addressees: Annotated[tuple[str, ...], Key("report.addressees")] = ()
    report_copies_to: Annotated[tuple[str, ...], Key("report.copies_to")] = ()
    report_printed_by: Annotated[str, Key("report.printed_by")] = ""
    report_print_date: Annotated[str, Key("report.print_date"), By(_read_day)] = ""
    """YYYY-MM-DD; empty: the day of issue."""
    report_font_files: Annotated[tuple[Path, ...], Key("report.font_files"), By(_read_existing_files)] = ()
    """Fonts beside those that are installed on the machine."""
    report_hour: Annotated[int, Key("report.hour"), Bounds(0, 23)] = 6
    """The local hour at which reports are made."""
    slot_bits_per_second: Annotated[float, Key("slots.capacity_bits_per_second"), Bounds(1e6, 1e12)] = 1e9
    """What the uplink's test server and its line carry at once."""
    metrics_token_file: Annotated[Path | None, Key("metrics.token_file"), By(_read_secret_file)] = None
    """A bearer token that reads /metrics and nothing else."""
    metrics_allow: Annotated[tuple[Network, ...], Key("metrics.allow"), By(_read_networks)] = ()
    """Addresses that read /metrics without any token."""
    test_servers: Annotated[tuple[TestServer, ...], Key("test_server")] = ()
    """What gateways test their uplinks against."""
    oidc: ProviderConfig | None = None
    """Where people of the county log in."""
    area_level: Annotated[Level, Key("area.level"), OneOf(LEVELS)] = "county"
    area_name: Annotated[str, Key("area.name")] = ""
    upstream: UpstreamConfig | None = None
    """Where closed months go."""
    quotas: Quotas = Quotas()
    lesson_stream: LessonStreamConfig | None = None

    @property
    def official(self) -> Official:
        """What reports say of the office that issues them."""
        return Official(
            heading=self.report_heading,
            issuer=self.report_issuer,
            number=self.report_number,
            signer=self.report_signer,
            addressees=self.report_addressees,
            copies_to=self.report_copies_to,
            printed_by=self.report_printed_by,
            print_date=self.report_print_date,
            address=(self.public_url or (self.oidc.url if self.oidc else "")).rstrip("/"),
            test_servers=tuple((server.name, server.place, server.host) for server in self.test_servers),
        )

    @property
    def takes_months(self) -> bool:
        """Is this a collector above others, which takes their months and measures nothing itself?"""
        return self.area_level != "county"

    @property
    def name(self) -> str:
        """What the county, prefecture or province is called."""
        return self.area_name or self.county

    @property
    def key_folder(self) -> Path | None:
        """Where this collector's keys are files; None on a server, whose collectors have no folder in common: the store keeps them."""
        return self.database.parent if self.postgres is None else None

    @property
    def store(self) -> Path | PostgresUrl:
        """What `open_store` opens: the address of a server, or SQLite's file."""
        return self.postgres or self.database

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self.listen.host

    @property
    def port(self) -> int:
        return self.listen.port

    @property
    def loopback(self) -> bool:
        """Does it listen only on this machine?"""
        return is_loopback(self.host)

    def check(self, top: Table) -> None:
        """Files that must be there, and TLS."""
        _check_certificate(top, self.tls_cert, self.tls_key, self.ca_file)
        if not self.loopback and self.tls_cert is None:
            top.wrong(
                "server.listen",
                message(
                    "{host} is not loopback: set tls_cert and tls_key, or tokens would travel readable", host=self.host
                ),
            )
        _exists(top, "policy.file", self.policy_file)
        if self.upstream is not None and self.area_level == "province":
            top.wrong("upstream.url", message("a province sends its months to nobody: leave out [upstream]"))


def _check_certificate(top: Table, cert: Path | None, key: Path | None, authority: Path | None) -> None:
    if (cert is None) != (key is None):
        top.wrong("server.tls_cert", message("tls_cert and tls_key go together"))
    named = {"tls_cert": cert, "tls_key": key, "ca_file": authority}
    missing = [name for name, file in named.items() if file is not None and not _exists(top, f"server.{name}", file)]
    if cert is None or key is None or "tls_cert" in missing or "tls_key" in missing:
        return
    try:
        server_context(cert, key)
    except UnusablePair as error:
        top.wrong("server.tls_key", error.why)
    except (OSError, ValueError) as error:
        reason = error_words(error)
        top.wrong(
            "server.tls_cert",
            message(
                "{cert} and {key} do not make a certificate with its key: {reason}", cert=cert, key=key, reason=reason
            ),
        )


def load_config(file: Path | None, state_dir: Path | None, environ: Mapping[str, str] = os.environ) -> CollectorConfig:
    """From a file, or with defaults in a state folder. Raises ConfigurationError with every mistake in it."""
    if file is not None:
        top, source = load(file, environ, _ENVIRONMENT_TABLES), str(file)
    else:
        values = overridden({}, environ, _ENVIRONMENT_TABLES)
        top, source = Table(values, "", [], (state_dir or DEFAULT_STATE_DIR).resolve()), "--state-dir"
    config = read_config(top, (state_dir or top.folder).resolve())
    if top.mistakes:
        raise ConfigurationError(source, top.mistakes)
    return config


def read_config(top: Table, state_dir: Path) -> CollectorConfig:
    """The configuration in a table; mistakes are noted there."""
    config = read_table(CollectorConfig, top, {"state_dir": state_dir})
    hosts: set[str] = set()
    for number, server in enumerate(config.test_servers):
        if server.host.casefold() in hosts:
            top.wrong(f"test_server[{number}].host", message("stands twice: {host}", host=server.host))
        hosts.add(server.host.casefold())
    return config
