"""What the bureau wrote in `collector.toml`, checked; every mistake told at once (design section 10).

Relative paths are relative to the folder of the configuration file. Without a file: SQLite in the state folder, loopback.
"""

import ipaddress
import logging
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from campus_base.language import Text, from_environment
from campus_base.settings import ConfigurationError, Secret, SecretError, Table, load, overridden, read_secret
from campus_collector.domain.records import Quotas
from campus_wire.digits import ascii_integer

log = logging.getLogger(__name__)
_ENVIRONMENT_TABLES = ("server", "store", "policy", "report", "county", "slots", "metrics", "oidc", "quotas")
DEFAULT_LISTEN = "127.0.0.1:8080"
ROOT_PATH = r"(/[A-Za-z0-9._~-]+)*/?"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """`[oidc]` of collector.toml."""

    issuer: str
    client_id: str
    client_secret: Secret | None
    url: str
    """This collector as browsers reach it."""
    claim: str
    label: str
    ca_file: Path | None


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """The whole configuration."""

    host: str
    port: int
    database: Path
    policy_file: Path
    report_dir: Path
    timezone: ZoneInfo
    county: str
    trusted_proxies: tuple[Network, ...] = ()
    """Reverse proxies whose word about a request's client and scheme is believed."""
    root_path: str = ""
    """Below which path of the proxy the collector is: "" or like /campus."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    read_token_file: Path | None = None
    ca_file: Path | None = None
    """The private authority that signed `tls_cert`, for gateways to fetch; None when it is a public one."""
    max_batches_at_once: int = 64
    report_hour: int = 6
    """The local hour at which reports are made."""
    slot_bits_per_second: float = 1e9
    """What the uplink's test server and its line carry at once."""
    metrics_token_file: Path | None = None
    """A bearer token that reads /metrics and nothing else."""
    metrics_allow: tuple[Network, ...] = ()
    """Addresses that read /metrics without any token."""
    oidc: ProviderConfig | None = None
    """Where people of the county log in."""
    quotas: Quotas = Quotas()  # noqa: RUF009 - frozen

    @property
    def loopback(self) -> bool:
        """Does it listen only on this machine?"""
        return is_loopback(self.host)


def load_config(file: Path | None, state_dir: Path | None, environ: Mapping[str, str] = os.environ) -> CollectorConfig:
    """From a file, or with defaults in a state folder. Raises ConfigurationError with every mistake in it."""
    if file is not None:
        top = load(file, environ, _ENVIRONMENT_TABLES)
        folder, source = file.resolve().parent, str(file)
    else:
        top = Table(overridden({}, environ, _ENVIRONMENT_TABLES), "", [])
        folder, source = (state_dir or Path("/var/lib/campus-collector")).resolve(), "--state-dir"
    config = _read(top, folder, (state_dir or folder).resolve())
    if top.mistakes:
        raise ConfigurationError(source, top.mistakes)
    return config


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


def _read(top: Table, folder: Path, state_dir: Path) -> CollectorConfig:
    server = top.table("server")
    host, port = _listen(server)
    cert, key = _file(server, "tls_cert", folder), _file(server, "tls_key", folder)
    read_token, authority = _file(server, "read_token_file", folder), _file(server, "ca_file", folder)
    at_once = server.integer("max_batches_at_once", 64, minimum=1, maximum=10_000)
    proxies = _networks(server, "trusted_proxies")
    root_path = server.string(
        "root_path", "", pattern=ROOT_PATH, hint=Text("a path like /campus", "形如 /campus 的路径")
    )
    server.done()
    _check_tls(server, host, cert, key, read_token, authority)
    store = top.table("store")
    database = _database(store, folder, state_dir)
    store.done()
    policy = top.table("policy")
    policy_file = _file(policy, "file", folder) or shipped_policy()
    if not policy_file.is_file():
        policy.wrong("file", f"no such file: {policy_file}", f"文件不存在：{policy_file}")
    policy.done()
    report = top.table("report")
    report_dir = _file(report, "dir", folder) or state_dir / "reports"
    report_hour = report.integer("hour", 6, minimum=0, maximum=23)
    report.done()
    county = top.table("county")
    name = county.string("name", "")
    zone = _zone(county)
    county.done()
    slots = top.table("slots")
    capacity = slots.number("capacity_bits_per_second", 1e9, minimum=1e6, maximum=1e12)
    slots.done()
    metrics = top.table("metrics")
    metrics_token, allow = _file(metrics, "token_file", folder), _networks(metrics, "allow")
    _check_secret(metrics, "token_file", metrics_token)
    metrics.done()
    quotas = _quotas(top.table("quotas"))
    oidc = _oidc(top, folder)
    top.done()
    return CollectorConfig(
        host=host,
        port=port,
        trusted_proxies=proxies,
        root_path=(root_path or "").rstrip("/"),
        database=database,
        policy_file=policy_file,
        report_dir=report_dir,
        timezone=zone,
        county=name,
        tls_cert=cert,
        tls_key=key,
        read_token_file=read_token,
        ca_file=authority,
        max_batches_at_once=at_once,
        report_hour=report_hour,
        slot_bits_per_second=capacity,
        metrics_token_file=metrics_token,
        metrics_allow=allow,
        oidc=oidc,
        quotas=quotas,
    )


def _listen(server: Table) -> tuple[str, int]:
    text = server.string("listen", DEFAULT_LISTEN)
    host, _, port = text.rpartition(":")
    number = ascii_integer(port, 65_535)
    if not host or number is None:
        server.wrong(
            "listen",
            f"must be ADDRESS:PORT like {DEFAULT_LISTEN}, not {text!r}",
            f"必须形如 {DEFAULT_LISTEN}，不能是 {text!r}",
        )
        return "127.0.0.1", 0
    return host.strip("[]"), number


def _check_tls(
    server: Table, host: str, cert: Path | None, key: Path | None, read_token: Path | None, authority: Path | None
) -> None:
    if (cert is None) != (key is None):
        server.wrong("tls_cert", "tls_cert and tls_key go together", "tls_cert 与 tls_key 必须同时设置")
    files = (("tls_cert", cert), ("tls_key", key), ("ca_file", authority))
    for name, path in files:
        if path is not None and not path.is_file():
            server.wrong(name, f"no such file: {path}", f"文件不存在：{path}")
    _check_secret(server, "read_token_file", read_token)
    if cert is not None and key is not None and cert.is_file() and key.is_file():
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            server.wrong(
                "tls_cert",
                f"{cert} and {key} do not make a certificate with its key: {reason}",
                f"{cert} 与 {key} 不是有效的证书和密钥：{reason}",
            )
    if not is_loopback(host) and cert is None:
        server.wrong(
            "listen",
            f"{host} is not loopback: set tls_cert and tls_key, or tokens would travel readable",
            f"{host} 不是本机地址：请设置 tls_cert 和 tls_key，否则令牌会以明文传输",
        )


def _check_secret(table: Table, key: str, file: Path | None) -> None:
    if file is None:
        return
    if not file.is_file():
        table.wrong(key, f"no such file: {file}", f"文件不存在：{file}")
        return
    try:
        read_secret(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        words = error.text if isinstance(error, SecretError) else Text(reason, f"无法读取：{reason}")
        table.wrong(key, f"{file}: {words.en}", f"{file}：{words.zh}")


def _networks(table: Table, key: str) -> tuple[Network, ...]:
    """Addresses and networks. Raises nothing; mistakes are noted."""
    found: list[Network] = []
    for text in table.strings(key):
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            table.wrong(
                key,
                f"must be addresses or networks like 10.0.0.0/24, not {text!r}",
                f"必须是地址或网段（如 10.0.0.0/24），不能是 {text!r}",
            )
    return tuple(found)


def _quotas(table: Table) -> Quotas:
    usual = Quotas()
    subjects = table.integer("subjects_of_one_kind", usual.subjects_of_one_kind, minimum=1, maximum=100_000)
    results = table.integer("results_per_day", usual.results_per_day, minimum=1000, maximum=100_000_000)
    octets = table.integer("bytes_per_day", usual.bytes_per_day, minimum=1_000_000)
    table.done()
    return Quotas(subjects, results, octets)


def _oidc(top: Table, folder: Path) -> ProviderConfig | None:
    if "oidc" not in top:
        top.table("oidc")
        return None
    table = top.table("oidc")
    issuer, url = _web(table, "issuer"), _web(table, "url")
    client_id = table.string("client_id") or ""
    secret_file, ca_file = _file(table, "client_secret_file", folder), _file(table, "ca_file", folder)
    _check_secret(table, "client_secret_file", secret_file)
    if ca_file is not None and not ca_file.is_file():
        table.wrong("ca_file", f"no such file: {ca_file}", f"文件不存在：{ca_file}")
    claim = table.string(
        "claim", "sub", pattern=r"[A-Za-z0-9_:./-]{1,80}", hint=Text("the name of a claim", "声明名称")
    )
    label = table.string("label", "OpenID Connect")
    table.done()
    if top.mistakes:
        return None
    secret = read_secret(secret_file) if secret_file is not None else None
    return ProviderConfig(issuer, client_id, secret, url, claim or "sub", label or "", ca_file)


def _web(table: Table, key: str) -> str:
    """An address that starts with https://, or this machine's own."""
    text: str = table.string(key) or ""
    parts = urlsplit(text)
    if text and not (
        parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)))
    ):
        table.wrong(key, f"must start with https://, not {text!r}", f"必须以 https:// 开头，不能是 {text!r}")
    return text


def _database(store: Table, folder: Path, state_dir: Path) -> Path:
    url: str | None = store.string("url", None)
    if url is None:
        return state_dir / "campus.db"
    path = url.removeprefix("sqlite:///").lstrip("/")
    if url.startswith("sqlite:///") and path and "\0" not in path:
        database = _absolute(path, folder)
        if database.parent != Path("/"):  # meant as a path beside this file
            return database
    if url.startswith(("postgresql://", "postgres://")):
        store.wrong(
            "url",
            "PostgreSQL is not in this version; use sqlite:///var/lib/campus-collector/campus.db",
            "本版本尚不支持 PostgreSQL；请使用 sqlite:///var/lib/campus-collector/campus.db",
        )
    else:
        store.wrong(
            "url",
            f"must be sqlite:/// with an absolute path, like sqlite:///var/lib/campus-collector/campus.db, not {url!r}",
            f"必须为 sqlite:/// 加绝对路径，如 sqlite:///var/lib/campus-collector/campus.db，不能是 {url!r}",
        )
    return state_dir / "campus.db"


def _absolute(path: str, folder: Path) -> Path:
    """What stands after sqlite:/// (or sqlite:////) is a path from the root.

    Up to 0.2.0 it was read as relative to the configuration: a database that lies only there stays the one that is used.
    """
    wanted, former = Path("/", path), folder / path
    # os.path: a path that the system refuses (too long) is not there either; pathlib raises
    if not os.path.exists(wanted) and os.path.isfile(former):
        text = Text(
            "[store] url: {wanted} does not exist, {former} does and is used; write sqlite://{former}",
            "[store] url：{wanted} 不存在，使用已有的 {former}；请改写为 sqlite://{former}",
        )
        log.warning(text.in_(from_environment(), wanted=wanted, former=former))
        return former
    return wanted


def _file(table: Table, key: str, folder: Path) -> Path | None:
    text = table.string(key, None)
    return folder / text if text else None


def _zone(table: Table) -> ZoneInfo:
    name = table.string("timezone", "Asia/Shanghai")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        text = Text("is not a known time zone: {name!r}", "不是已知的时区：{name!r}")
        table.wrong("timezone", text.en.format(name=name), text.zh.format(name=name))
        return ZoneInfo("UTC")
