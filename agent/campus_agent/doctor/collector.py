"""The line to the bureau: name, certificate, token, clock, versions."""

import gzip
import ipaddress
import socket
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from campus_agent.config.model import AgentConfig, Collector
from campus_agent.doctor.findings import CLOCK_REMEDY, Finding, secret
from campus_agent.measure.link.connect import connect_here
from campus_agent.ship.configuration import PATH as CONFIG_PATH
from campus_agent.ship.connection import Connection, ShipFailed
from campus_base.language import Text
from campus_base.wire_words import FAILURE_WORDS
from campus_wire.version import VERSION, release_of

TOLERATED_OFFSET_SECONDS = 5.0
CERTIFICATE_DAYS = 21


def look_at_bureau(config: AgentConfig) -> list[Finding]:
    """Reach it, shake hands, compare clocks; the token is only looked at, not spent."""
    check = Text("collector", "采集服务器")
    if config.collector is None:
        what = Text("no [collector] configured: results stay on this gateway", "未配置 [collector]:结果仅保存在网关")
        return [Finding(check, None, what)]
    token_remedy = Text(
        "enroll again, or copy the token from `campus-collector agent-token`",
        "请重新注册，或写入 `campus-collector agent-token` 给出的令牌",
    )
    findings = [secret(Text("token", "令牌"), config.collector.token_file, token_remedy)]
    findings += _name(config.collector)
    connection = Connection(config.collector)
    accepted: int | None = None
    theirs: str | None = None
    try:
        answer = connection.get("/healthz")
        findings += _certificate(config.collector)
        if findings[0].ok:  # a slot that nobody holds: whoever speaks for a school is told 404, anybody else 401
            accepted = connection.post("/v1/slots/doctor/release", gzip.compress(b"{}")).status
            theirs = connection.fetch(CONFIG_PATH, None).version
    except ShipFailed as failed:
        kind = FAILURE_WORDS[failed.failure.kind]
        what = Text(
            f"{config.collector.url}: {kind.en} ({failed.failure.detail})",
            f"{config.collector.url}:{kind.zh}（{failed.failure.detail}）",
        )
        remedy = Text(
            "check address, network and certificate (ca_file), and the clock",
            "请检查地址、网络、证书(ca_file)以及本机时钟",
        )
        if failed.clock is not None:
            what = Text(
                f"{config.collector.url}: {kind.en} ({failed.clock})",
                f"{config.collector.url}:{kind.zh}（{failed.clock}）",
            )
            remedy = CLOCK_REMEDY
        return [*findings, Finding(check, False, what, remedy)]
    finally:
        connection.close()
    fine = answer.status == 200
    what = Text(f"{config.collector.url} answers {answer.status}", f"{config.collector.url} 应答 {answer.status}")
    findings.append(Finding(check, fine, what, Text("is this really the collector?", "请确认该地址是采集服务器")))
    if accepted is not None:
        refused = accepted in (401, 403)
        what = Text("refused: unknown or revoked", "被拒绝：未知或已吊销") if refused else Text("accepted", "有效")
        check = Text("token at the collector", "采集服务器对令牌的认可")
        findings.append(Finding(check, False if refused else True if accepted == 404 else None, what, token_remedy))
    if theirs is not None:
        findings.append(_versions(theirs))
    if answer.date is not None:
        findings.append(_offset(answer.date))
    return findings


def _offset(header: str) -> Finding:
    check = Text("clock against the collector", "与采集服务器的时差")
    try:
        offset = parsedate_to_datetime(header).timestamp() - time.time()
    except (TypeError, ValueError):
        return Finding(check, None, Text("not told", "未提供"))
    what = Text(f"{offset:+.0f} s", f"{offset:+.0f} 秒")
    return Finding(check, abs(offset) <= TOLERATED_OFFSET_SECONDS, what, CLOCK_REMEDY)


def _name(collector: Collector) -> list[Finding]:
    """Is its name known, and how soon? Nothing is said of an address."""
    host = urlsplit(collector.url).hostname or ""
    try:
        ipaddress.ip_address(host)
        return []
    except ValueError:
        pass
    check, began = Text(f"DNS: {host}", f"域名解析：{host}"), time.monotonic()
    try:
        found = sorted({str(one[4][0]) for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError as error:
        remedy = Text(
            "check the name and the DNS servers (/etc/resolv.conf)", "请检查域名和 DNS 服务器（/etc/resolv.conf）"
        )
        return [Finding(check, False, Text(str(error), str(error)), remedy)]
    seconds = time.monotonic() - began
    return [
        Finding(check, True, Text(f"{', '.join(found)} in {seconds:.2f} s", f"{'、'.join(found)}，{seconds:.2f} 秒"))
    ]


def _certificate(collector: Collector) -> list[Finding]:
    """Until when is its certificate good? Nothing is said without TLS; whether it is trusted, the request before has shown."""
    parts = urlsplit(collector.url)
    if parts.scheme != "https":
        return []
    check = Text("certificate of the collector", "采集端证书")
    context = ssl.create_default_context(cafile=str(collector.ca_file) if collector.ca_file else None)
    try:
        plain, _ = connect_here(parts.hostname or "", parts.port or 443, 5.0)
        with plain, context.wrap_socket(plain, server_hostname=parts.hostname) as line:
            said = line.getpeercert() or {}
            version = line.version()
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(said["notAfter"])), UTC)
    except (OSError, KeyError, ValueError) as error:
        return [Finding(check, None, Text(str(error), str(error)))]
    left = (ends - datetime.now(UTC)).days
    what = Text(
        f"{version}, good until {ends:%Y-%m-%d} ({left} days)", f"{version}，有效期至 {ends:%Y-%m-%d}（剩 {left} 天）"
    )
    remedy = Text("at the bureau: campus-collector tls renew", "请教育局执行：campus-collector tls renew")
    return [Finding(check, True if left > CERTIFICATE_DAYS else None, what, remedy)]


def _versions(theirs: str) -> Finding:
    """Do the two releases fit? A collector serves its own release and the one before."""
    check = Text("version of the collector", "采集端版本")
    ours, other = release_of(VERSION), release_of(theirs)
    what = Text(f"{theirs}, agent {VERSION}", f"{theirs}，网关端 {VERSION}")
    if ours is None or other is None:
        return Finding(check, None, what)
    if ours > other:
        return Finding(check, None, what, Text("update the collector first, then agents", "请先升级采集端，再升级网关"))
    fits = ours == other or (ours[0] == other[0] and ours[1] == other[1] - 1)
    return Finding(check, True if fits else None, what, Text("update this agent", "请升级本网关程序"))
