"""The connection to the collector: name, certificate, token, clock, versions."""

import gzip
import ipaddress
import socket
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from campus_agent.config.model import AgentConfig, Collector
from campus_agent.doctor.findings import CLOCK_REMEDY, CheckResult, check_secret
from campus_agent.measure.link.connect import connect_here
from campus_agent.ship.configuration import PATH as CONFIG_PATH
from campus_agent.ship.connection import CollectorAnswer, CollectorConnection, ShipFailed
from campus_base.language import Text
from campus_base.wire_words import FAILURE_WORDS
from campus_wire.version import VERSION, release_of

TOLERATED_OFFSET_SECONDS = 5.0
CERTIFICATE_DAYS = 21


_CHECK = Text("collector", "采集服务器")
_TOKEN_REMEDY = Text(
    "enroll again, or copy the token from `campus-collector agent-token`",
    "请重新注册，或写入 `campus-collector agent-token` 给出的令牌",
)


def check_collector(config: AgentConfig) -> list[CheckResult]:
    """Name, certificate, token, versions, clock; the token is only shown, not spent."""
    collector = config.collector
    if collector is None:
        what = Text("no [collector] configured: results stay on this gateway", "未配置 [collector]:结果仅保存在网关")
        return [CheckResult(_CHECK, None, what)]
    token = check_secret(Text("token", "令牌"), collector.token_file, _TOKEN_REMEDY)
    results = [token, *_name(collector)]
    connection = CollectorConnection(collector)
    accepted: CollectorAnswer | None = None
    version: str | None = None
    try:
        answer = connection.get("/healthz")
        results += _certificate(collector)
        if token.ok:  # a slot that nobody holds: whoever speaks for a school is told 404, anybody else 401
            accepted = connection.post("/v1/slots/doctor/release", gzip.compress(b"{}"))
            version = connection.fetch(CONFIG_PATH, None).version
    except ShipFailed as failed:
        return [*results, _unreachable(collector.url, failed)]
    finally:
        connection.close()
    what = Text(f"{collector.url} answers {answer.status}", f"{collector.url} 应答 {answer.status}")
    remedy = Text("is this really the collector?", "请确认该地址是采集服务器")
    results.append(CheckResult(_CHECK, answer.status == 200, what, remedy))
    if accepted is not None:
        results.append(_token(accepted.status))
    if version is not None:
        results.append(_versions(version))
    if answer.date is not None:
        results.append(_offset(answer.date))
    return results


def _unreachable(url: str, failed: ShipFailed) -> CheckResult:
    kind = FAILURE_WORDS[failed.failure.kind]
    detail = failed.failure.detail
    if failed.clock is not None:
        what = Text(f"{url}: {kind.en} ({failed.clock})", f"{url}:{kind.zh}（{failed.clock}）")
        return CheckResult(_CHECK, False, what, CLOCK_REMEDY)
    what = Text(f"{url}: {kind.en} ({detail})", f"{url}:{kind.zh}（{detail}）")
    remedy = Text(
        "check address, network and certificate (ca_file), and the clock",
        "请检查地址、网络、证书(ca_file)以及本机时钟",
    )
    return CheckResult(_CHECK, False, what, remedy)


def _token(status: int) -> CheckResult:
    """By the answer to a request for a slot that does not exist."""
    check = Text("token at the collector", "采集服务器对令牌的认可")
    if status in (401, 403):
        return CheckResult(check, False, Text("refused: unknown or revoked", "被拒绝：未知或已吊销"), _TOKEN_REMEDY)
    return CheckResult(check, True if status == 404 else None, Text("accepted", "有效"), _TOKEN_REMEDY)


def _offset(header: str) -> CheckResult:
    check = Text("clock against the collector", "与采集服务器的时差")
    try:
        offset = parsedate_to_datetime(header).timestamp() - time.time()
    except (TypeError, ValueError):
        return CheckResult(check, None, Text("not told", "未提供"))
    what = Text(f"{offset:+.0f} s", f"{offset:+.0f} 秒")
    return CheckResult(check, abs(offset) <= TOLERATED_OFFSET_SECONDS, what, CLOCK_REMEDY)


def _name(collector: Collector) -> list[CheckResult]:
    """Is its name known, and how soon? Nothing is said of an address."""
    host = urlsplit(collector.url).hostname or ""
    try:
        ipaddress.ip_address(host)
        return []
    except ValueError:
        pass
    check, began = Text(f"DNS: {host}", f"域名解析：{host}"), time.monotonic()
    try:
        addresses = sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError as error:
        remedy = Text(
            "check the name and the DNS servers (/etc/resolv.conf)", "请检查域名和 DNS 服务器（/etc/resolv.conf）"
        )
        return [CheckResult(check, False, Text(str(error), str(error)), remedy)]
    seconds = time.monotonic() - began
    return [
        CheckResult(
            check, True, Text(f"{', '.join(addresses)} in {seconds:.2f} s", f"{'、'.join(addresses)}，{seconds:.2f} 秒")
        )
    ]


def _certificate(collector: Collector) -> list[CheckResult]:
    """Until when is its certificate good? Nothing is said without TLS; whether it is trusted, the request before has shown."""
    parts = urlsplit(collector.url)
    if parts.scheme != "https":
        return []
    check = Text("certificate of the collector", "采集端证书")
    context = ssl.create_default_context(cafile=str(collector.ca_file) if collector.ca_file else None)
    try:
        plain, _ = connect_here(parts.hostname or "", parts.port or 443, 5.0)
        with plain, context.wrap_socket(plain, server_hostname=parts.hostname) as line:
            certificate = line.getpeercert() or {}
            version = line.version()
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    except (OSError, KeyError, ValueError) as error:
        return [CheckResult(check, None, Text(str(error), str(error)))]
    left = (ends - datetime.now(UTC)).days
    what = Text(
        f"{version}, good until {ends:%Y-%m-%d} ({left} days)", f"{version}，有效期至 {ends:%Y-%m-%d}（剩 {left} 天）"
    )
    remedy = Text("at the bureau: campus-collector tls renew", "请教育局执行：campus-collector tls renew")
    return [CheckResult(check, True if left > CERTIFICATE_DAYS else None, what, remedy)]


def _versions(version: str) -> CheckResult:
    """Do the two releases fit? A collector serves its own release and the one before."""
    check = Text("version of the collector", "采集端版本")
    ours, other = release_of(VERSION), release_of(version)
    what = Text(f"{version}, agent {VERSION}", f"{version}，网关端 {VERSION}")
    if ours is None or other is None:
        return CheckResult(check, None, what)
    if ours > other:
        return CheckResult(
            check, None, what, Text("update the collector first, then agents", "请先升级采集端，再升级网关")
        )
    fits = ours == other or (ours[0] == other[0] and ours[1] == other[1] - 1)
    return CheckResult(check, True if fits else None, what, Text("update this agent", "请升级本网关程序"))
