"""Requests that did not begin on this machine, though the socket says so."""

from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from campus_collector.domain.people import Person
from campus_collector.http.auth.passwords import hash_of
from tests.collector.world import World, collector
from tests.unauthenticated.raw import ask, get

TRUSTED = {"CAMPUS_SERVER_TRUSTED_PROXIES": '["127.0.0.1"]'}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:8080", "[::1]:8080", "127.0.0.9:1", "LOCALHOST"])
def test_who_sits_at_the_machine_reads(world: World, host: str) -> None:
    assert ask(world.port, get("/v1/schools", host=host))[0] == 200


HEADERS = (
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-For:",
    "x-forwarded-host: bureau.example",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Something-New: 1",
    "Forwarded: for=203.0.113.9",
    "X-Real-IP: 203.0.113.9",
    "True-Client-IP: 203.0.113.9",
    "CF-Connecting-IP: 203.0.113.9",
    "Via: 1.1 proxy",
)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_forwarded_request_is_not_local(tmp_path: Path, trusted: bool) -> None:
    with collector(tmp_path, TRUSTED if trusted else {}) as world:
        for header, path in product(
            HEADERS, ("/", "/v1/schools", "/metrics", "/problems", "/openapi.json", "/quarantine")
        ):
            assert ask(world.port, get(path, header))[0] == 401, (path, header)
        assert ask(world.port, get("/healthz", HEADERS[0]))[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", "", "localhost.evil"]
)
def test_another_s_name_for_this_machine_reads_nothing(world: World, host: str) -> None:
    assert ask(world.port, get("/metrics", host=host))[0] in (400, 401)


def test_a_proxy_that_adds_nothing_is_known_by_its_version(world: World) -> None:
    status, answer = ask(world.port, b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:8080\r\n\r\n")
    assert (status or answer.split(b" ", 2)[1]) in (401, b"401")


def login(world: World, *headers: str, password: str = "wrong wrong wrong") -> tuple[int, bytes]:
    body = f"name=%E7%8E%8B%E4%BA%94&password={password.replace(' ', '+')}".encode()
    lines = ["POST /login HTTP/1.1", "Host: bureau.example", "Connection: close", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: application/x-www-form-urlencoded", *headers]
    return ask(world.port, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def test_limits_are_of_the_client_behind_the_proxy(tmp_path: Path) -> None:
    with collector(tmp_path, TRUSTED) as world:
        mine = [login(world, "X-Forwarded-For: 198.51.100.7, 203.0.113.9")[0] for _ in range(11)]
        assert mine == [401] * 10 + [429]
        assert login(world, "X-Forwarded-For: 203.0.113.9")[0] == 429, "what stands before the last hop may be invented"
        assert login(world, "X-Forwarded-For: 203.0.113.10")[0] == 401
        assert login(world, "X-Real-IP: 203.0.113.9")[0] == 429
        assert login(world, "Forwarded: for=203.0.113.9;proto=https")[0] == 429


def test_without_a_trusted_proxy_the_header_changes_nothing(world: World) -> None:
    statuses = [login(world, f"X-Forwarded-For: 203.0.113.{number}")[0] for number in range(11)]
    assert statuses == [401] * 10 + [429]


@pytest.mark.parametrize(
    ("proto", "secure"), [("https", True), ("http", False), ("http, https", True), ("https, http", False)]
)
def test_cookies_are_secure_behind_https(tmp_path: Path, proto: str, secure: bool) -> None:
    with collector(tmp_path, TRUSTED) as world:
        person, now = Person("王五", "operator", ""), datetime.now(UTC)
        world.service.store.people.put(person, now, "console", password=hash_of("correct horse battery"))
        forwarded = ("X-Forwarded-For: 203.0.113.9", f"X-Forwarded-Proto: {proto}")
        status, answer = login(world, *forwarded, password="correct horse battery")
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert status == 303
        assert (b"; secure" in head) is secure
        assert (b"strict-transport-security" in head) is secure


@pytest.mark.parametrize(
    ("host", "header"),
    [("bureau.example", ""), ("10.0.0.8:8080", ""), ("127.0.0.1", "X-Forwarded-For: 203.0.113.9"), ("{evil}", "")],
)
def test_a_refusal_on_loopback_says_why_and_what_to_do(world: World, host: str, header: str) -> None:
    answer = ask(world.port, get("/v1/schools", *([header] if header else []), host=host))
    assert answer[0] == 401
    text = str(answer)
    for words in (host, "Host", "trusted_proxies", "campus-collector person add"):
        assert words in text


def test_with_people_the_refusal_is_the_usual_one(world: World) -> None:
    world.service.store.people.put(
        Person("Li", "viewer", ""), datetime.now(UTC), "console", None, hash_of("a-long-pass")
    )
    answer = ask(world.port, get("/v1/schools", host="bureau.example"))
    assert answer[0] == 401
    assert "trusted_proxies" not in str(answer)
