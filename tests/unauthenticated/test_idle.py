"""Connections that say nothing, half of something, or everything very slowly: everybody else is answered meanwhile."""

import asyncio
import contextlib
import logging
import resource
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import pytest

from campus_collector.config import load_config
from campus_collector.http import listener as connections
from campus_collector.http.app import listen, make_server
from campus_collector.http.listener import raise_file_limit
from campus_collector.http.service import open_service
from campus_collector.tls import served
from campus_collector.tls.authority import make_authority, renew
from tests.unauthenticated.raw import ask, connect, get

HALF = {
    "nothing": b"",
    "half a line": b"GET / HT",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n",
    "half a body": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname=",
    "half a body nobody reads": b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nname=",
}


@contextmanager
def running(folder: Path, tls: bool, most: int, most_of_one: int | None = None) -> Iterator[tuple[int, Path | None]]:
    """The real server with bounds of its own: its port, and the authority when it speaks TLS."""
    environ = {}
    if tls:
        made = make_authority(folder / "tls", ["localhost", "127.0.0.1"], datetime.now(UTC)).folder
        environ = {
            "CAMPUS_SERVER_TLS_CERT": str(made / "cert.pem"),
            "CAMPUS_SERVER_TLS_KEY": str(made / "key.pem"),
        }
    service = open_service(load_config(None, folder, environ))
    server = make_server(service)
    server._max, server._max_of_one = most, most_of_one or most
    socket_ = listen("127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([socket_])), daemon=True)
    thread.start()
    try:
        yield socket_.getsockname()[1], (folder / "tls" / "ca.pem") if tls else None
    finally:
        server.should_exit = True
        thread.join(60)
        service.store.close()


def gone(connection: socket.socket, within: float) -> bool:
    connection.settimeout(within)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize(("tls", "most_of_one"), [(False, None), (True, 20)])
@pytest.mark.parametrize("half", HALF)
def test_health_is_told_beside_more_connections_than_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: bool, most_of_one: int | None, half: str
) -> None:
    for name in ("HANDSHAKE_SECONDS", "HEAD_SECONDS", "BODY_SECONDS", "WRITE_SECONDS"):
        monkeypatch.setattr(connections, name, 300.0)
    with running(tmp_path, tls, 40, most_of_one) as (port, ca), contextlib.ExitStack() as stack:
        for _ in range(100):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            with contextlib.suppress(OSError):
                held.sendall(HALF[half])
        began = monotonic()
        for _ in range(3):
            assert ask(port, get("/healthz"), ca)[0] == 200
        assert monotonic() - began < 60


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("half", HALF)
def test_each_wait_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: bool, half: str) -> None:
    for name in ("HANDSHAKE_SECONDS", "HEAD_SECONDS", "BODY_SECONDS", "WRITE_SECONDS", "SWEEP_SECONDS"):
        monkeypatch.setattr(connections, name, 0.3)
    with running(tmp_path, tls, 40) as (port, ca):
        held = connect(port, ca)
        held.sendall(HALF[half])
        assert gone(held, 15)
        silent = socket.create_connection(("127.0.0.1", port), timeout=60)
        assert gone(silent, 15)


def test_a_head_that_trickles_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_SECONDS", "SWEEP_SECONDS"):
        monkeypatch.setattr(connections, name, 0.5)
    with running(tmp_path, False, 40) as (port, _):
        held = connect(port)
        began, ended = monotonic(), False
        for octet in get("/healthz").rstrip() * 40:
            held.settimeout(0.05)
            try:
                held.sendall(bytes([octet]))
                ended = not held.recv(100)
            except TimeoutError:
                pass
            except OSError:
                ended = True
            if ended or monotonic() - began > 20:
                break
        assert ended


def test_a_reader_that_takes_nothing_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WRITE_SECONDS", "SWEEP_SECONDS"):
        monkeypatch.setattr(connections, name, 0.3)
    with running(tmp_path, False, 40) as (port, _):
        held = connect(port)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        held.sendall(get("/openapi.json").replace(b"Connection: close\r\n", b"") * 800)
        threading.Event().wait(2)
        assert gone(held, 15)
        assert ask(port, get("/healthz"))[0] == 200


def test_connections_stay_below_the_limit_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [64, 1024]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.__setitem__(slice(None), list(both)))
    assert raise_file_limit() == 768
    assert limits == [1024, 1024], "the soft limit is raised to the hard one"
    for limit, fit in ((64, 32), (524_288, 4000), (resource.RLIM_INFINITY, 4000)):
        limits[:] = [limit, limit]
        assert raise_file_limit() == fit


def test_a_machine_without_files_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(connections, "ACCEPT_RETRY_SECONDS", 0.01)
    with running(tmp_path, False, 2000) as (port, _):
        assert ask(port, get("/healthz"))[0] == 200
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        held = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(20)]
        used = max(int(name.name) for name in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(used, soft), hard))
        try:
            with contextlib.suppress(OSError):
                held.append(socket.create_connection(("127.0.0.1", port), timeout=1))
            threading.Event().wait(0.5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for each in held:
            each.close()
        assert ask(port, get("/healthz"))[0] == 200
    assert sum("no more connections" in record.getMessage() for record in caplog.records) <= 1


def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "CHECK_SECONDS", 0.0)
    with running(tmp_path, True, 40) as (port, ca):
        assert ca is not None
        first = served_by(port, ca)
        (ca.parent / "cert.pem").write_text("half", encoding="ascii")
        assert served_by(port, ca) == first, "half of a pair keeps the one before it"
        renew(ca.parent, ["localhost"], datetime.now(UTC))
        assert served_by(port, ca) != first
        status, answer = ask(port, get("/metrics"), ca)
        assert status == 200
        ends = datetime.fromtimestamp(served.certificate_end(ca.parent / "cert.pem").timestamp(), UTC).timestamp()
        assert (
            f"campus_certificate_expires_timestamp_seconds {ends:.10g}".encode()[:50] in answer
            or b"campus_certificate_expires_timestamp_seconds 1." in answer
        )


def served_by(port: int, ca: Path) -> bytes:
    with connect(port, ca) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        found = connection.getpeercert(binary_form=True)
        assert found is not None
        return found
