"""A platform request against real servers that are slow, wrong, silent or expired: each step and each failure by name."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from campus_agent.measure.probes import PROBES, service
from campus_agent.measure.runner import run_probe
from campus_wire.access import access_passes
from campus_wire.failures import FailureKind, Operation
from campus_wire.records import ServiceResult

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


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


def request(url: str, ca_file: Path | None = None) -> ServiceResult:
    def stamp(seconds_ago: float) -> dict[str, Any]:
        return {"id": "test-0001", "started_at": datetime.now(UTC), "boot_id": "b", "monotonic_seconds": 1.0}

    settings = service.Settings(url, str(ca_file) if ca_file else None)
    result = asyncio.run(run_probe(PROBES["service"], settings, stamp, "web", "s001"))
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
)
def test_bad_answers_are_named(octets: bytes, operation: Operation, kind: FailureKind) -> None:
    with server(answer(octets)) as port:
        result = request(f"http://127.0.0.1:{port}/")
    assert (result.failure.operation, result.failure.kind) == (operation, kind)
    assert result.record.success is False
    assert access_passes(result) is False


def test_a_redirect_is_an_answer() -> None:
    with server(answer(b"HTTP/1.1 302 Found\r\nLocation: http://x.invalid/\r\nContent-Length: 0\r\n\r\n")) as port:
        assert request(f"http://127.0.0.1:{port}/").record.success is True


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
        for _ in range(200):
            connection.sendall(b"y")
            time.sleep(0.1)

    with server(drip) as port:
        began = time.monotonic()
        result = request(f"http://127.0.0.1:{port}/")
    assert (result.failure.operation, result.failure.kind) == (Operation.READ, FailureKind.TIMEOUT)
    assert time.monotonic() - began < 10
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
