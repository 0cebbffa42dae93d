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
from campus_base.messages import joined, message, verbatim
from campus_base.settings import read_token
from campus_base.wire_words import FAILURE_WORDS
from campus_wire.version import VERSION, release_of

TOLERATED_OFFSET_SECONDS = 5.0
CERTIFICATE_DAYS = 21


_CHECK = message("collector")
_TOKEN_REMEDY = message("enroll again, or copy the token from `campus-collector agent-token`")


def check_collector(config: AgentConfig) -> list[CheckResult]:
    """Name, certificate, token, versions, clock; the token is only shown, not spent."""
    collector = config.collector
    if collector is None:
        what = message("no [collector] configured: results stay on this gateway")
        return [CheckResult(_CHECK, None, what)]
    token = check_secret(message("token"), collector.token_file, _TOKEN_REMEDY, read_token)
    results = [token, *_name(collector)]
    connection = CollectorConnection(collector)
    accepted: CollectorAnswer | None = None
    version: str | None = None
    try:
        answer = connection.get("/healthz")
        results += _certificate(collector)
        if token.ok:  # a slot that nobody holds: a school's token is answered 404, any other 401
            accepted = connection.post("/v1/slots/doctor/release", gzip.compress(b"{}"))
            version = connection.fetch(CONFIG_PATH, None).version
    except ShipFailed as failed:
        return [*results, _unreachable(collector.url, failed)]
    finally:
        connection.close()
    what = message("{url} answers {status}", url=collector.url, status=answer.status)
    remedy = message("is this really the collector?")
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
        what = message("{url}: {kind} ({clock})", url=url, kind=kind, clock=failed.clock)
        return CheckResult(_CHECK, False, what, CLOCK_REMEDY)
    what = message("{url}: {kind} ({detail})", url=url, kind=kind, detail=detail)
    remedy = message("check address, network and certificate (ca_file), and the clock")
    return CheckResult(_CHECK, False, what, remedy)


def _token(status: int) -> CheckResult:
    """By the answer to a request for a slot that does not exist."""
    check = message("token at the collector")
    if status in (401, 403):
        return CheckResult(check, False, message("refused: unknown or revoked"), _TOKEN_REMEDY)
    return CheckResult(check, True if status == 404 else None, message("accepted"), _TOKEN_REMEDY)


def _offset(header: str) -> CheckResult:
    check = message("clock against the collector")
    try:
        offset = parsedate_to_datetime(header).timestamp() - time.time()
    except (TypeError, ValueError):
        return CheckResult(check, None, message("not told"))
    what = message("{offset:+.0f} s", offset=offset)
    return CheckResult(check, abs(offset) <= TOLERATED_OFFSET_SECONDS, what, CLOCK_REMEDY)


def _name(collector: Collector) -> list[CheckResult]:
    """Is its name known, and how soon? Nothing is said of an address."""
    host = urlsplit(collector.url).hostname or ""
    try:
        ipaddress.ip_address(host)
        return []
    except ValueError:
        pass
    check, began = message("DNS: {host}", host=host), time.monotonic()
    try:
        addresses = sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError as error:
        remedy = message("check the name and the DNS servers (/etc/resolv.conf)")
        return [CheckResult(check, False, verbatim(str(error)), remedy)]
    seconds = time.monotonic() - began
    return [
        CheckResult(
            check,
            True,
            message(
                "{addresses} in {seconds:.2f} s",
                addresses=joined(map(verbatim, addresses), message("{left}, {right}")),
                seconds=seconds,
            ),
        )
    ]


def _certificate(collector: Collector) -> list[CheckResult]:
    """Until when is its certificate good? Nothing is said without TLS; whether it is trusted, the request before has shown."""
    parts = urlsplit(collector.url)
    if parts.scheme != "https":
        return []
    check = message("certificate of the collector")
    context = ssl.create_default_context(cafile=str(collector.ca_file) if collector.ca_file else None)
    try:
        plain, _ = connect_here(parts.hostname or "", parts.port or 443, 5.0)
        with plain, context.wrap_socket(plain, server_hostname=parts.hostname) as line:
            certificate = line.getpeercert() or {}
            version = line.version()
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    except (OSError, KeyError, ValueError) as error:
        return [CheckResult(check, None, verbatim(str(error)))]
    left = (ends - datetime.now(UTC)).days
    what = message("{version}, good until {ends} ({left} days)", version=version, ends=f"{ends:%Y-%m-%d}", left=left)
    remedy = message("at the bureau: campus-collector tls renew")
    return [CheckResult(check, True if left > CERTIFICATE_DAYS else None, what, remedy)]


def _versions(version: str) -> CheckResult:
    """Do the two releases fit? A collector serves its own release and the one before."""
    check = message("version of the collector")
    ours, other = release_of(VERSION), release_of(version)
    what = message("{version}, agent {version_2}", version=version, version_2=VERSION)
    if ours is None or other is None:
        return CheckResult(check, None, what)
    if ours > other:
        return CheckResult(check, None, what, message("update the collector first, then agents"))
    fits = ours == other or (ours[0] == other[0] and ours[1] == other[1] - 1)
    return CheckResult(check, True if fits else None, what, message("update this agent"))
