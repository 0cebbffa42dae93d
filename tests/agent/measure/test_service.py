"""A platform request against real servers that are slow, wrong, silent or expired: each step and each failure by name."""

import contextlib
import gzip
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from campus_agent.config.model import NOTHING_EXPECTED, Expectation
from campus_agent.measure.probes import PROBES, service
from campus_agent.measure.stamp import Stamp
from campus_wire.access import access_passes
from campus_wire.failures import FailureKind, Operation, Validity
from campus_wire.records import ServiceResult
from tests.agent.measure.runs import run, runner, stamp
from tests.fakes.certificates import EXPIRED, NOT_YET, Authority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


PACKED = gzip.compress("县教育资源平台".encode(), mtime=0)


@contextlib.contextmanager
def server(talk: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on loopback that says what it is told to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError, ssl.SSLError), plain:
                    talk(context.wrap_socket(plain, server_side=True) if context else plain)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def answer(octets: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(octets)

    return talk


def request(url: str, ca_file: Path | None = None, expected: Expectation = NOTHING_EXPECTED) -> ServiceResult:
    settings = service.ServiceSettings(url, str(ca_file) if ca_file else None, expected)
    result = run(PROBES["service"], settings, "web")
    assert isinstance(result, ServiceResult)
    return result


def test_a_good_answer_has_every_step_but_tls() -> None:
    with server(answer(OK)) as port:
        result = request(f"http://127.0.0.1:{port}/path?q=1#frag")
    record = result.record
    assert access_passes(result) is True
    assert (record.http_status, record.tls_seconds, record.certificate_expires_at) == (200, None, None)
    assert min(record.resolve_seconds, record.connect_seconds, record.first_byte_seconds) > 0


@pytest.mark.parametrize(
    ("octets", "operation", "kind"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", Operation.READ, FailureKind.HTTP_STATUS),
        (b"SSH-2.0-OpenSSH\r\n", Operation.READ, FailureKind.PROTOCOL_ERROR),
        (b"", Operation.READ, FailureKind.CONNECTION_RESET),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000, Operation.READ, FailureKind.PROTOCOL_ERROR),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, Operation.READ, FailureKind.PROTOCOL_ERROR),
    ],
    ids=["busy", "ssh", "nothing", "long header", "many headers"],
)
def test_bad_answers_are_named(octets: bytes, operation: Operation, kind: FailureKind) -> None:
    with server(answer(octets)) as port:
        result = request(f"http://127.0.0.1:{port}/")
    assert (result.failure.operation, result.failure.kind) == (operation, kind)
    assert result.record.success is False
    assert access_passes(result) is False


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_a_redirect_is_an_answer_and_one_to_another_site_is_interception() -> None:
    with server(answer(http("302 Found", b"", "Location: /login"))) as port:
        assert request(f"http://127.0.0.1:{port}/").record.success is True
    with server(answer(http("302 Found", b"", "Location: http://portal.invalid/?from=x"))) as port:
        result = request(f"http://127.0.0.1:{port}/")
    assert (result.failure.operation, result.failure.kind) == (Operation.READ, FailureKind.INTERCEPTED)
    assert (result.record.http_status, result.record.leads_to) == (302, "http://portal.invalid/?from=x")
    assert access_passes(result) is False


@pytest.mark.parametrize("expected", [NOTHING_EXPECTED, Expectation(status=(200,)), Expectation(text="平台")])
def test_a_redirect_by_tls_is_the_platform_s_own(tmp_path: Path, expected: Expectation) -> None:
    file, context = certificate(tmp_path, "127.0.0.1")
    with server(answer(http("302 Found", b"", "Location: http://127.0.0.1:1/")), context) as port:
        result = request(f"https://127.0.0.1:{port}/", file, expected)
    kinds = {(): None, (200,): FailureKind.HTTP_STATUS}
    wanted = FailureKind.CONNECTION_REFUSED if expected.text else kinds[expected.status]  # a text is looked for there
    assert (result.failure and result.failure.kind) == wanted


def test_an_expected_status_is_success_and_the_status_is_kept() -> None:
    with server(answer(http("412 Precondition Failed", b"<script></script>"))) as port:
        url = f"http://127.0.0.1:{port}/"
        assert request(url).failure.kind is FailureKind.HTTP_STATUS
        result = request(url, expected=Expectation(status=(200, 412)))
    assert (access_passes(result), result.record.http_status) == (True, 412)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("县教育资源平台".encode(), ("Content-Type: text/html; charset=utf-8",)),
        ("县教育资源平台".encode("gb18030"), ("Content-Type: text/html",)),
        ('<meta charset="gbk">县教育资源平台'.encode("gbk"), ()),
        ("县教育资源平台".encode("utf-16"), ()),
        (PACKED, ("Content-Encoding: gzip",)),
        (PACKED, ("Content-Encoding: X-GZIP",)),
        (zlib.compress("县教育资源平台".encode()), ("Content-Encoding: deflate",)),
        (zlib.compress("县教育资源平台".encode(), wbits=-15), ("Content-Encoding: deflate",)),
        ("县教育资源平台".encode(), ("Content-Type: text/html; charset=no-such",)),
    ],
    ids=["utf-8", "gb18030", "gbk by meta", "utf-16", "gzip", "x-gzip", "deflate", "raw deflate", "no such charset"],
)
def test_the_expected_text_is_found_however_it_is_written(body: bytes, headers: tuple[str, ...]) -> None:
    with server(answer(http("200 OK", body, *headers))) as port:
        url = f"http://127.0.0.1:{port}/"
        assert request(url, expected=Expectation(text="教育资源")).record.success is True
        assert request(url, expected=Expectation(text="别的平台")).failure.kind is FailureKind.INTERCEPTED


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN: dict[str, tuple[bytes, str]] = {
    "length of 5000 digits": (
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nok",
        "no length of an answer",
    ),
    "length of 16 digits": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\nok", "no length of an answer"),
    "length with a sign": (b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "no length of an answer"),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", "no length of an answer"),
    "length in words": (b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", "no length of an answer"),
    "length in other digits": (b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nok", "no length of an answer"),
    "empty length": (b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nok", "no length of an answer"),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "contradict each other"),
    "two lengths in one field": (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok", "contradict each other"),
    "cut off": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok", "closed after 2 of 100 bytes"),
    "chunk size in words": (CHUNKED + b"zz\r\nok\r\n0\r\n\r\n", "no size of a chunk: 'zz'"),
    "negative chunk": (CHUNKED + b"-5\r\nok\r\n0\r\n\r\n", "no size of a chunk: '-5'"),
    "chunk size with a sign": (CHUNKED + b"+2\r\nok\r\n0\r\n\r\n", "no size of a chunk"),
    "chunk size with a prefix": (CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n", "no size of a chunk"),
    "chunk size of 5000 digits": (CHUNKED + b"f" * 5000 + b"\r\nok", "no size of a chunk"),
    "endless chunk size": (CHUNKED + b"0" * 20_000, "no size of a chunk"),
    "empty chunk size": (CHUNKED + b"\r\nok\r\n", "no size of a chunk: ''"),
    "chunk cut off": (CHUNKED + b"10\r\nok", "closed after 2 of a chunk's 16 bytes"),
    "no last chunk": (CHUNKED + b"2\r\nok\r\n", "before the last chunk"),
    "longer chunk": (CHUNKED + b"2\r\nokay\r\n0\r\n\r\n", "longer than its size"),
    "no gzip": (http("200 OK", b"<html>ok</html>", "Content-Encoding: gzip"), "but the content is none"),
    "gzip cut off": (http("200 OK", PACKED[:-12], "Content-Encoding: gzip"), "ends before its end"),
    "gzip damaged": (http("200 OK", PACKED[:-8] + bytes(8), "Content-Encoding: gzip"), "but the content is none"),
    "no deflate": (http("200 OK", b"\xff" * 30, "Content-Encoding: deflate"), "but the content is none"),
    "announcements alone": (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 30, "status 103 and no answer after it"),
    "another protocol": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "status 101 and no answer after it"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_no_success(name: str) -> None:
    octets, reason = BROKEN[name]
    with server(answer(octets)) as port:
        result = request(f"http://127.0.0.1:{port}/")
    assert result.failure is not None
    assert (result.failure.operation, result.failure.kind) == (Operation.READ, FailureKind.PROTOCOL_ERROR)
    assert reason in result.failure.detail
    assert len(result.failure.detail) <= 300
    assert access_passes(result) is False


SOUND: dict[str, bytes] = {
    "the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "the same length in one field": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "no length": b"HTTP/1.1 200 OK\r\n\r\nok",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nok",
    "chunks": CHUNKED + b"1;name=value\r\no\r\n01 \r\nk\r\n0\r\nX: y\r\n\r\n",
    "chunks and a length": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "a chunk larger than is read": CHUNKED + b"20000\r\n" + b"ok" * 65_536 + b"\r\n0\r\n\r\n",
    "empty and packed": http("200 OK", b"", "Content-Encoding: gzip"),
    "nothing and packed": b"HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n",
    "packed in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (len(PACKED), PACKED),
    "another coding": http("200 OK", b"\x0b\x02", "Content-Encoding: br"),
    "announced": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "a redirect that is cut off": b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 100\r\n\r\nok",
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_answer_is_success_however_it_is_sent(name: str) -> None:
    with server(answer(SOUND[name])) as port:
        result = request(f"http://127.0.0.1:{port}/")
    assert result.failure is None
    assert result.record.http_status in (200, 204, 302)
    assert access_passes(result) is True


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with server(answer(http("200 OK", bomb, "Content-Encoding: gzip"))) as port:
        assert request(f"http://127.0.0.1:{port}/").record.success is True


def test_redirects_are_followed_to_an_expected_text_and_not_for_ever() -> None:
    def talk(connection: socket.socket) -> None:
        path = connection.recv(4096).split(b" ")[1].decode()
        steps = {"/": "/a", "/a": "/b", "/loop": "/loop"}
        place = steps.get(path)
        page = http("200 OK", "教育".encode())
        connection.sendall(http("302 Found", b"", f"Location: {place}") if place else page)

    with server(talk) as port:
        result = request(f"http://127.0.0.1:{port}/", expected=Expectation(text="教育"))
        assert (result.record.success, result.record.http_status) == (True, 200)
        result = request(f"http://127.0.0.1:{port}/loop", expected=Expectation(text="教育"))
        assert (result.failure.kind, result.record.success) == (FailureKind.PROTOCOL_ERROR, False)


def test_the_request_is_a_browser_s() -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        heard.append(connection.recv(8192))
        connection.sendall(OK)

    with server(talk) as port:
        request(f"http://127.0.0.1:{port}/?q=1")
    head = heard[0].decode()
    assert head.startswith(f"GET /?q=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")
    for line in (
        "User-Agent: Mozilla/5.0 (",
        "Accept: text/html,",
        "Accept-Language: zh-CN",
        "Accept-Encoding: gzip",
        "Sec-Fetch-Mode: ",
    ):
        assert f"\r\n{line}" in head
    assert "campus" not in head.lower()


def test_a_clock_that_the_collector_told_to_be_wrong_is_to_blame(tmp_path: Path) -> None:
    """The platform's answer tells no time; how far the clock is off is known from the collector."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certificate("platform", "IP:127.0.0.1", EXPIRED))
    for offset, validity in ((-3e8, Validity.CLOCK_UNTRUSTED), (10.0, Validity.OK)):

        def with_offset(seconds_ago: float, offset: float = offset) -> Stamp:
            return stamp(seconds_ago)._replace(clock_offset_seconds=offset)

        with server(answer(dated(None)), context) as port:
            settings = service.ServiceSettings(f"https://127.0.0.1:{port}/", str(authority.ca_file))
            result = run(PROBES["service"], settings, "web", runner(with_offset))
        assert (result.failure.kind, result.validity) == (FailureKind.CERTIFICATE_EXPIRED, validity)


def dated(moment: datetime | None) -> bytes:
    return http("200 OK", b"ok", *([f"Date: {format_datetime(moment, usegmt=True)}"] if moment else []))


@pytest.mark.parametrize(
    ("valid", "their_time", "kind", "validity"),
    [
        (NOT_YET, None, FailureKind.CERTIFICATE_NOT_YET_VALID, Validity.CLOCK_UNTRUSTED),
        (NOT_YET, datetime(2098, 6, 1, tzinfo=UTC), FailureKind.CERTIFICATE_NOT_YET_VALID, Validity.CLOCK_UNTRUSTED),
        (EXPIRED, datetime(2020, 6, 1, tzinfo=UTC), FailureKind.CERTIFICATE_EXPIRED, Validity.CLOCK_UNTRUSTED),
        (EXPIRED, "now", FailureKind.CERTIFICATE_EXPIRED, Validity.OK),
        (EXPIRED, None, FailureKind.CERTIFICATE_EXPIRED, Validity.OK),
    ],
)
def test_a_wrong_clock_is_not_the_platform_s_failure(
    tmp_path: Path, valid: tuple[str, str], their_time: datetime | str | None, kind: FailureKind, validity: Validity
) -> None:
    """To a wrong clock a good certificate is expired or not valid yet; here such a certificate stands for it."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certificate("platform", "IP:127.0.0.1", valid))
    moment = datetime.now(UTC) if isinstance(their_time, str) else their_time
    with server(answer(dated(moment)), context) as port:
        result = request(f"https://127.0.0.1:{port}/", authority.ca_file)
    assert (result.failure.kind, result.validity) == (kind, validity)
    assert access_passes(result) is (None if validity is Validity.CLOCK_UNTRUSTED else False)
    assert ("by this gateway's clock" in result.detail) is (validity is Validity.CLOCK_UNTRUSTED)


def test_a_refused_connection_and_a_missing_name_stop_at_their_step() -> None:
    refused = request("http://127.0.0.1:1/")
    assert (refused.failure.operation, refused.failure.kind) == (Operation.CONNECT, FailureKind.CONNECTION_REFUSED)
    assert refused.record.connect_seconds is None
    nameless = request("http://no-such-name.invalid/")
    assert nameless.failure.operation is Operation.RESOLVE
    assert nameless.record.address is None


def test_a_silent_server_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TIMEOUT_SECONDS", 0.3)
    with server(lambda connection: time.sleep(3)) as port:
        result = request(f"http://127.0.0.1:{port}/")
    assert (result.failure.operation, result.failure.kind) == (Operation.READ, FailureKind.TIMEOUT)


def test_an_answer_that_drips_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TIMEOUT_SECONDS", 0.4)
    monkeypatch.setattr(service, "MARGIN_SECONDS", 0.2)

    def drip(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(1200):
            connection.sendall(b"y")
            time.sleep(0.1)

    with server(drip) as port:
        began = time.monotonic()
        result = request(f"http://127.0.0.1:{port}/")
    assert (result.failure.operation, result.failure.kind) == (Operation.READ, FailureKind.TIMEOUT)
    assert time.monotonic() - began < 60
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("asyncio_")]


def certificate(folder: Path, name: str, days: str = "2") -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for this name."""
    key, file = folder / f"{name}.key", folder / f"{name}.pem"
    kind = "IP" if name[0].isdigit() else "DNS"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", days, "-subj", f"/CN={name}",
         "-addext", f"subjectAltName={kind}:{name}", "-keyout", str(key), "-out", str(file)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context


def test_a_trusted_certificate_and_its_expiry(tmp_path: Path) -> None:
    file, context = certificate(tmp_path, "127.0.0.1")
    with server(answer(OK), context) as port:
        result = request(f"https://127.0.0.1:{port}/", file)
    assert result.record.success is True
    assert result.record.tls_seconds > 0
    left = result.record.certificate_expires_at - datetime.now(UTC)
    assert 1.9 < left.total_seconds() / 86_400 < 2.1


def test_certificates_that_are_refused_are_told_apart(tmp_path: Path) -> None:
    _, unknown = certificate(tmp_path, "127.0.0.1")
    with server(answer(OK), unknown) as port:
        result = request(f"https://127.0.0.1:{port}/")
    assert (result.failure.operation, result.failure.kind) == (Operation.TLS, FailureKind.CERTIFICATE_UNTRUSTED)
    file, other = certificate(tmp_path, "other.example")
    with server(answer(OK), other) as port:
        result = request(f"https://127.0.0.1:{port}/", file)
    assert result.failure.kind is FailureKind.CERTIFICATE_NAME_MISMATCH
    with server(answer(OK)) as port:
        result = request(f"https://127.0.0.1:{port}/")
    assert result.failure.kind is FailureKind.TLS_FAILED
    assert result.record.connect_seconds > 0
