"""Each route, each role, another town's data: who gets an answer. A route that is not in the table fails the test."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from campus_collector.domain.people import Person
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.app import GROUPS
from tests.collector.export.test_devices import device
from tests.collector.http.api.test_problems import PROBLEM
from tests.collector.world import ANNOUNCEMENT, AT, World, collector, envelope, throughput

EVERYBODY = frozenset(
    {
        "nobody",
        "wrong",
        "agent",
        "viewer",
        "viewer t01",
        "viewer t02",
        "operator t02",
        "admin t01",
        "admin",
        "reader",
        "scraper",
    }
)
COUNTY = frozenset({"viewer", "admin", "reader"})
OF_T01 = COUNTY | {"viewer t01", "admin t01"}
READERS = OF_T01 | {"viewer t02", "operator t02"}
NOBODY: frozenset[str] = frozenset()

# (method, path): who gets an answer that is neither 401, 403, a 404 for want of rights, nor the way to the log-in page.
# The data is of school s001 in town t01; towns of others see 404 where an id would give away that it exists.
EXPECTED = {
    ("GET", "/"): READERS,
    ("GET", "/schools/s001"): OF_T01,
    ("GET", "/towns/t01"): OF_T01,
    ("GET", "/carriers"): READERS,
    ("GET", "/wall"): READERS,
    ("GET", "/unmeasured"): READERS,
    ("GET", "/schools/s001/subjects/c101"): OF_T01,
    ("GET", "/schools/s001/lessons?day=2026-11-09"): OF_T01,
    ("GET", "/schools/s001/services/smartedu-cn"): OF_T01,
    ("GET", "/schools/s001/devices/rec-1"): OF_T01,
    ("GET", "/schools/s001/subjects/c101/results/r-1?kind=throughput&at=2026-11-09T02:00:00Z"): OF_T01,
    ("GET", "/evidence/classroom_bandwidth/s001/c101"): OF_T01,
    ("GET", "/policy"): READERS,
    ("GET", "/search?q=c101"): READERS,
    ("GET", "/static/style.css"): EVERYBODY,
    ("GET", "/explain/classroom_bandwidth/s001/c101"): OF_T01,
    ("GET", "/fleet"): READERS,
    ("GET", "/fleet.csv"): READERS,
    ("GET", "/fleet/classrooms"): READERS,
    ("GET", "/fleet/classrooms.csv"): READERS,
    ("GET", "/quarantine"): READERS,
    ("GET", "/people"): frozenset(),  # a session of a county admin only: asked below
    ("POST", "/people"): NOBODY,
    ("GET", "/account"): frozenset(),  # a session only
    ("POST", "/account"): NOBODY,
    ("GET", "/problems"): READERS,
    ("POST", "/problems"): NOBODY,
    ("POST", "/problems/filters"): READERS,  # changes nothing but a cookie of the reader's browser
    ("GET", "/problems/1"): OF_T01,
    ("POST", "/problems/1"): NOBODY,
    ("GET", "/inventory"): READERS,
    ("POST", "/inventory"): NOBODY,
    ("POST", "/inventory/apply"): NOBODY,
    ("GET", "/inventory.xlsx"): READERS,
    ("GET", "/monthly"): READERS,
    ("GET", "/counties"): NOBODY,  # 404: this collector takes no months (tests/collector/http/test_area.py)
    ("GET", "/counties/c01"): NOBODY,
    ("GET", "/upward"): NOBODY,  # 404: it sends none either
    ("POST", "/v1/months"): NOBODY,
    ("POST", "/v1/months/enroll"): NOBODY,
    ("GET", "/monthly/excerpt?month=2026-11&form=html&area=town:t01"): READERS,  # to the document, which asks again
    ("GET", "/v1/monthly/2026-11.html"): COUNTY,
    ("GET", "/v1/monthly/2026-11.html?town=t01"): OF_T01,
    ("GET", "/v1/monthly/2026-11.html?school=s001"): OF_T01,
    ("GET", "/v1/archive"): READERS,
    ("GET", "/v1/schools"): READERS,
    ("GET", "/v1/schools/s001"): OF_T01,
    ("GET", "/v1/compliance"): READERS,
    ("GET", "/v1/compliance?town=t01"): OF_T01,
    ("GET", "/v1/results?school=s001"): OF_T01,
    ("GET", "/v1/results.csv?school=s001"): OF_T01,
    ("GET", "/v1/problems"): READERS,
    ("GET", "/v1/problems?town=t01"): OF_T01,
    ("GET", "/v1/problems.csv"): READERS,
    ("GET", "/v1/problems.xlsx?town=t01"): OF_T01,
    ("GET", "/v1/problems/1"): OF_T01,
    ("PATCH", "/v1/problems/1"): frozenset({"admin", "admin t01"}),
    ("GET", "/metrics"): READERS | {"scraper"},
    ("GET", "/metrics?town=t01"): OF_T01 | {"scraper"},
    ("GET", "/openapi.json"): READERS,
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/login"): EVERYBODY,
    ("POST", "/login"): NOBODY,  # nobody here brings a name and a password
    ("GET", "/login/oidc"): NOBODY,  # not configured: 404 for everybody
    ("GET", "/login/oidc/return"): NOBODY,
    ("POST", "/logout"): NOBODY,
    ("GET", "/ca.pem"): NOBODY,  # no private authority here: 404
    ("GET", "/help"): NOBODY,  # everybody is sent on to its first page; 404 where the manual was not built
    ("GET", "/help/no-such-page.html"): NOBODY,  # 404
    ("GET", "/v1/config"): frozenset({"agent"}),
    ("POST", "/v1/results"): frozenset({"agent"}),
    ("POST", "/v1/slots"): frozenset({"agent"}),
    ("GET", "/v1/commands"): frozenset({"agent"}),
    ("POST", "/v1/commands/none"): NOBODY,  # 404: the school was not asked; others 401
    ("POST", "/v1/schools/s001/measure"): NOBODY,  # 409: the school has no such subject; others 401, 403
    ("GET", "/v1/schools/s001/commands"): OF_T01,
    ("GET", "/v1/schools/s001/commands/1"): NOBODY,  # 404: none was asked
    ("GET", "/schools/s001/commands"): OF_T01,
    ("POST", "/v1/schools/s001/commands"): NOBODY,
    ("POST", "/schools/s001/commands"): NOBODY,
    ("POST", "/v1/upgrade"): NOBODY,  # 400 for an agent: it must say what it runs; others 401
    ("GET", "/apt/none"): NOBODY,
    ("GET", "/releases"): READERS,
    ("POST", "/v1/slots/none/release"): NOBODY,  # 404: the agent holds no such slot; others 401
    ("POST", "/v1/enroll"): NOBODY,  # a code, not a token
    ("POST", "/v1/token"): frozenset({"agent"}),
}
BODIES = {
    "/v1/results": envelope(),
    "/v1/slots": b'{"seconds": 5, "bits_per_second": 1e6}',
    "/v1/problems/1": json.dumps({"action": "comment", "text": "x"}).encode(),
    "/v1/enroll": b'{"code": "AAAA-BBBB-CCCC"}',
}


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, dict[str, str]]]:
    """A school with a result and a problem in t01, another in t02, and people of every kind."""
    folder = tmp_path_factory.mktemp("matrix")
    for name in ("read", "metrics"):
        (folder / name).write_text(f"{name}-secret-of-the-county\n")
    environ = {
        "CAMPUS_SERVER_READ_TOKEN_FILE": str(folder / "read"),
        "CAMPUS_METRICS_TOKEN_FILE": str(folder / "metrics"),
    }
    with collector(folder / "state", environ) as world:
        world.send(throughput(id="r-1"), device(AT), announcement=ANNOUNCEMENT)
        world.issue_token("s002")
        world.service.store.ledger.put([(PROBLEM, [])])
        world.service.verdicts.catch_up()
        tokens = {
            "reader": "read-secret-of-the-county",
            "scraper": "metrics-secret-of-the-county",
            "wrong": "cm1_wrong",
        }
        for who in ("viewer", "viewer t01", "viewer t02", "viewer t09", "operator t02", "admin t01", "admin"):
            role, _, town = who.partition(" ")
            tokens[who] = new_token()
            person = Person(who, role, town)
            world.service.store.people.put(person, datetime.now(UTC), "console", token_hash(tokens[who]))
        tokens["agent"] = world.token
        yield world, tokens


def ask(world: World, tokens: dict[str, str], who: str, method: str, path: str) -> int:
    headers = {"Authorization": f"Bearer {tokens[who]}"} if who in tokens else {}
    body = BODIES.get(path.partition("?")[0], b"") if method != "GET" else None
    if body is not None:
        form = not path.startswith("/v1/")
        headers["Content_Type"] = "application/x-www-form-urlencoded" if form else "application/json"
    return world.request(method, path, body, **headers).status


def test_every_route_is_in_the_table(county: tuple[World, dict[str, str]]) -> None:
    world, _ = county
    asked = {(method, path.partition("?")[0]) for method, path in EXPECTED}
    missing = []
    for group in GROUPS:
        for route in group(world.service).routes():
            for method in (route.methods or set()) - {"HEAD"}:
                if not any(verb == method and route.path_regex.match(path) for verb, path in asked):
                    missing.append((method, route.path))
    assert missing == []


@pytest.mark.parametrize(("method", "path"), EXPECTED)
def test_who_gets_an_answer(county: tuple[World, dict[str, str]], method: str, path: str) -> None:
    world, tokens = county
    answers = {who: ask(world, tokens, who, method, path) for who in sorted(EVERYBODY)}
    if path == "/v1/token":  # it used the agent's token up: the successor was not taken, so the old one is still good
        assert ask(world, tokens, "agent", "GET", "/v1/config") == 200
    assert {
        who
        for who, status in answers.items()
        if status < 300 or (status == 303 and ("excerpt" in path or "filters" in path))
    } == EXPECTED[method, path], answers
    assert set(answers.values()) <= {200, 201, 303, 400, 401, 403, 404, 409, 429}, answers
    refused = {status for who, status in answers.items() if who in ("nobody", "wrong")}
    assert refused <= ({200, 303, 404} if path in OPEN and method == "GET" else {401, 403, 404, 429}), answers


OPEN = {
    "/static/style.css", "/healthz", "/readyz", "/login", "/login/oidc", "/login/oidc/return", "/ca.pem", "/help", "/help/no-such-page.html",
}  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/schools",
        "/fleet",
        "/v1/problems",
        "/v1/problems.csv",
        "/problems?state=all",
        "/inventory",
        "/metrics",
        "/monthly",
        "/v1/compliance",
    ],
)
def test_a_town_s_reader_sees_nothing_of_another_town(county: tuple[World, dict[str, str]], path: str) -> None:
    world, tokens = county
    seen = world.get(path, Authorization=f"Bearer {tokens['viewer t02']}")
    assert seen.status == 200
    assert b"s001" not in seen.body
    assert b"c101" not in seen.body
    assert b"t01" not in seen.body
    other = world.get(path, Authorization=f"Bearer {tokens['viewer']}")
    assert path in ("/inventory",) or b"s001" in other.body or b"t01" in other.body, "the county's reader does see it"


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("viewer t09", "/problems", 200),
        ("viewer t09", "/v1/problems", 200),
        ("viewer t09", "/v1/compliance", 200),
        ("viewer t09", "/v1/compliance?town=t09", 200),
        ("viewer t02", "/v1/problems?school=s001", 404),  # as for a school that is not there
        ("viewer t02", "/v1/problems?school=nope", 404),
        ("viewer t02", "/quarantine?school=s001", 404),
        ("viewer t02", "/v1/results?school=s001", 404),
        ("viewer", "/v1/problems?school=s001", 200),
    ],
)
def test_a_town_without_schools_is_known_and_another_town_s_schools_are_not(
    county: tuple[World, dict[str, str]], who: str, path: str, status: int
) -> None:
    world, tokens = county
    answer = world.get(path, Authorization=f"Bearer {tokens[who]}")
    assert answer.status == status, answer.body[:300]


def test_nobody_s_secret_is_told(county: tuple[World, dict[str, str]], caplog: pytest.LogCaptureFixture) -> None:
    world, tokens = county
    for method, path in EXPECTED:
        headers = {"Authorization": f"Bearer {tokens['admin']}"}
        answer = world.request(method, path, b"" if method != "GET" else None, **headers)
        for secret in tokens.values():
            assert secret.encode() not in answer.body
    for secret in tokens.values():
        assert secret not in caplog.text
        assert secret.encode() not in Path(world.service.config.database).read_bytes()
