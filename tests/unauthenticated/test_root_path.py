"""Below a path of somebody's proxy: no link, form, redirect or cookie leaves it, whether the proxy takes the path away or not."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from campus_collector.domain.people import Person
from campus_collector.http.auth.passwords import hash_of
from tests.collector.world import World, collector, throughput

ROOT = "/campus"
PAGES = ("/", "/problems", "/inventory", "/fleet", "/monthly", "/policy", "/quarantine", "/login", "/account", "/people", "/schools/s001", "/explain/classroom_bandwidth/s001/c101", "/schools/s001/subjects/c101?month=2026-11", "/schools/s001/subjects/c101/results/r-1?kind=throughput&at=2026-11-09T02:00:00Z", "/evidence/classroom_bandwidth/s001/c101?month=2026-11", "/schools/s001/services/smartedu-cn", "/nowhere")  # fmt: skip


@pytest.fixture
def below(tmp_path: Path) -> Iterator[World]:
    with collector(tmp_path, {"CAMPUS_SERVER_ROOT_PATH": f"{ROOT}/"}) as running:
        running.send(throughput(id="r-1"))
        person, now = Person("王五", "admin", ""), datetime.now(UTC)
        running.service.store.people.put(person, now, "console", password=hash_of("correct horse battery"))
        yield running


def log_in(world: World, prefix: str) -> tuple[str, dict[str, str]]:
    body = b"name=%E7%8E%8B%E4%BA%94&password=correct+horse+battery&next=/fleet"
    kind = "application/x-www-form-urlencoded"
    answer = world.request("POST", f"{prefix}/login", body, Content_Type=kind)
    assert answer.status == 303
    return answer.headers["set-cookie"].partition(";")[0], answer.headers


@pytest.mark.parametrize("prefix", ["", ROOT])
def test_every_link_stays_below_it(below: World, prefix: str) -> None:
    cookie, headers = log_in(below, prefix)
    assert headers["location"] == f"{ROOT}/fleet"
    assert f"Path={ROOT};" in headers["set-cookie"] + ";"
    for page in PAGES:
        answer = below.get(prefix + page, Cookie=cookie, Accept="text/html")
        assert answer.status in (200, 404), page
        links = re.findall(r'(?:href|action|src)="(/[^"]*)"', answer.body.decode())
        assert links, page
        assert not [link for link in links if not link.startswith(f"{ROOT}/")], page


@pytest.mark.parametrize("prefix", ["", ROOT])
@pytest.mark.parametrize("path", ["/", "/people", "/problems", "/account"])
def test_redirects_stay_below_it(below: World, prefix: str, path: str) -> None:
    answer = below.get(prefix + path, Accept="text/html")
    assert answer.status == 303
    assert answer.headers["location"].startswith(f"{ROOT}/login?next=/")
    assert ROOT not in answer.headers["location"].partition("?")[2]


def test_programs_too(below: World) -> None:
    assert below.get(f"{ROOT}/healthz").status == 200
    assert below.get(f"{ROOT}/v1/config", Authorization=f"Bearer {below.token}").status == 200
    assert below.get("/campusnot/healthz").status in (401, 404)


@pytest.mark.parametrize("path", ["/fleet/", "//evil.example/", "/problems//"])
def test_a_last_slash_is_no_redirect_to_elsewhere(world: World, path: str) -> None:
    answer = world.get(path, Accept="text/html")
    assert "location" not in answer.headers
    assert answer.status in (200, 401, 404)
