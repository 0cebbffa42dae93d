"""Headers, forms, cookies, paths and queries that no honest client sends: refused as bad, never an error of ours, never more than a line in the log."""

import gzip
import itertools
import logging
import zlib

import pytest
import zstandard

from tests.collector.world import World, envelope, throughput
from tests.unauthenticated.raw import ask, get

AUTHORIZATIONS = (
    "Basic \xe9", "Basic", "Basic ====", "Basic \xff\xfe", "Bearer \xe9", "Bearer", "Bearer " + "x" * 5000, "Bearer a b", "basic Og==", "Basic /////w==",
    "Digest username=x", "\xe9", "Bearer \xa0", "Basic " + "A" * 9000,
)  # fmt: skip
COOKIES = (
    "campus_session=\xe9", "campus_session", ";;;=;=", 'campus_session="\\377"', "campus_lang=\xe9; campus_oidc=\xff", "a=b; " * 500,
    "campus_session=" + "x" * 8000,
)  # fmt: skip
PATHS = (
    "/%ff", "/schools/%00", "/schools/%c3%28", "/%", "/%zz", "/schools/%e4%b8%ad", "/problems/%b2", "/problems/\u00b2".encode().decode("latin-1").replace("\u00c2\u00b2", "%C2%B2"),
    "/v1/schools/%f0%9f%92%a9", "/v1/problems/99999999999999999999", "/v1/monthly/%ff.%fe", "/v1/monthly/0000-00.pdf", "/v1/monthly/9999-12.xlsx",
    "/explain/x/%ff/%0a", "/v1/problems.%0a", "/schools/..%2f..%2fetc", "/%2e%2e/%2e%2e", "/v1/slots/%00/release",
)  # fmt: skip
QUERIES = (
    "/?lang=%ff", "/?month=%ff", "/problems?older_than=%b2", "/problems?older_than=%C2%B2", "/problems?town=%00", "/v1/compliance?month=0000-13", "/v1/results?school=%ff",
    "/v1/results?school=s001&limit=%C2%B2", "/v1/results?school=s001&from=0001-01-01", "/v1/results?school=s001&to=9999-12-31T23:59:59%2B00:00",
    "/v1/results?school=s001&to=0001-01-01T00:00:00%2B14:00", "/metrics?scope=%ff", "/metrics?%ff=%fe", "/monthly/excerpt?month=%ff&form=pdf&area=town:%0a",
    "/v1/compliance?month=%d9%a2026-01", "/explain/classroom_bandwidth/s001/c101?month=9999-99", "/login?next=%0d%0aSet-Cookie:x", "/quarantine?school=%ff", "/?" + "&".join("a=b" for _ in range(3000)),
)  # fmt: skip
CHARSETS = (
    "idna",
    "punycode",
    "undefined",
    "utf-16",
    "rot13",
    "base64",
    "hex",
    "zlib",
    "no-such",
    "\xe9",
    "utf-7",
    "unicode_escape",
    "mbcs",
    "x" * 300,
)
CLEAN = (200, 303, 304, 400, 401, 403, 404, 405, 411, 413, 414, 415, 422, 429, 431)


def lines_of(caplog: pytest.LogCaptureFixture) -> int:
    return sum(1 + record.getMessage().count("\n") + (record.exc_info is not None) for record in caplog.records)


def check(world: World, request: bytes, caplog: pytest.LogCaptureFixture, among: tuple[int, ...] = CLEAN) -> None:
    caplog.clear()
    status, answer = ask(world.port, request)
    assert status in among, (request[:200], answer[:300])
    assert lines_of(caplog) <= 1, [record.getMessage() for record in caplog.records]


def test_odd_headers(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for path, header in itertools.product(("/", "/metrics", "/v1/config", "/v1/schools"), AUTHORIZATIONS):
        check(world, get(path, f"Authorization: {header}", "X-Forwarded-For: 1.2.3.4"), caplog, (400, 401, 431))
    for path, cookie in itertools.product(("/", "/login", "/login/oidc/return?state=x"), COOKIES):
        check(world, get(path, f"Cookie: {cookie}"), caplog)
    for header in (
        "Upgrade: websocket",
        "Accept: \xff",
        "Accept-Language: \xff,\xfe",
        "If-None-Match: \xff",
        "Accept-Encoding: \xe9",
        "X-Forwarded-For: " + "1," * 4000,
        "Forwarded: " + "for=;" * 900,
    ):
        check(world, get("/metrics", header, "Connection: Upgrade"), caplog)
    for host in ("[", "[::1", "a b", "\xe9", "localhost:\xb2", "x" * 9000, "[v1.x]", "%", "localhost,evil"):
        check(world, get("/nowhere", "Accept: text/html", host=host), caplog)


def test_odd_paths_and_queries(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for path, accept in itertools.product(PATHS + QUERIES, ("text/html", "*/*")):
        check(world, get(path, f"Accept: {accept}"), caplog)


@pytest.mark.parametrize("path", ["/login", "/logout", "/account", "/problems/1", "/inventory/apply", "/inventory"])
def test_odd_forms(world: World, caplog: pytest.LogCaptureFixture, path: str) -> None:
    caplog.set_level(logging.INFO)
    part = b'--x\r\nContent-Disposition: form-data; name="form_token"\r\n\r\n\xff\xfe\r\n--x--\r\n'
    bodies = {
        "application/x-www-form-urlencoded": b"name=%ff&password=\xff&form_token=%00",
        "multipart/form-data; boundary=x": part,
    }
    kinds = [
        (f"{kind}; charset={charset}", body) for (kind, body), charset in itertools.product(bodies.items(), CHARSETS)
    ]
    kinds += [(kind, body[:length]) for kind, body in bodies.items() for length in (0, 1, 30, 70)]
    kinds += [
        ("multipart/form-data", part),
        ("multipart/form-data; boundary=", part),
        ("multipart/form-data; boundary=\xe9", part),
        ("text/plain", b"x"),
        ("\xff", b"x"),
        ("", b""),
    ]
    for kind, body in kinds:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        check(world, head.encode("latin-1") + body, caplog)


ZSTD = zstandard.ZstdCompressor()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("zstd", lambda body: ZSTD.compress(body) + b"\0"),
        ("zstd", lambda body: ZSTD.compress(body) + ZSTD.compress(body)),
        ("zstd", lambda body: ZSTD.compress(body) + b"\x50\x2a\x4d\x18\x04\0\0\0abcd"),
        ("zstd", lambda body: ZSTD.compress(body)[:-1]),
        ("zstd", lambda body: b""),
        ("zstd", lambda body: ZSTD.compress(body)[:-300] + ZSTD.compress(b"x")),
        ("gzip", lambda body: gzip.compress(body) + b"\0"),
        ("gzip", lambda body: gzip.compress(body) * 2),
        ("gzip", lambda body: gzip.compress(body) + gzip.compress(b"") * 1000),
        ("gzip", lambda body: gzip.compress(body)[:-1]),
        ("gzip", lambda body: zlib.compress(body)),
    ],
)  # fmt: skip
def test_what_follows_or_lacks_the_end_of_a_packed_body(world: World, encoding: str, pack: object) -> None:
    body = pack(envelope(throughput()))  # type: ignore[operator]
    headers = {
        "Authorization": f"Bearer {world.token}",
        "Content_Type": "application/json",
        "Content_Encoding": encoding,
    }
    assert world.request("POST", "/v1/results", body, **headers).status == 400


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_a_whole_packed_body_is_taken(world: World, encoding: str) -> None:
    body = envelope(throughput())
    packed = ZSTD.compress(body) if encoding == "zstd" else gzip.compress(body)
    headers = {
        "Authorization": f"Bearer {world.token}",
        "Content_Type": "application/json",
        "Content_Encoding": encoding,
    }
    assert world.request("POST", "/v1/results", packed, **headers).json["stored"] == 1
