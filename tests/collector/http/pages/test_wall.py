"""The office's screen: opened by a viewer's token, which leaves the address at once; one page and no other."""

import pytest

from tests.collector.http.api.test_problems import Browser, person
from tests.collector.world import World, throughput


def location(headers: dict[str, str]) -> str:
    return {name.lower(): value for name, value in headers.items()}.get("location", "")


def test_a_link_opens_the_wall_and_nothing_else(world: World) -> None:
    world.send(throughput())
    token = person(world, "墙", "viewer")
    browser = Browser(world)
    status, _, headers = browser.send("GET", f"/wall?token={token}")
    assert (status, location(headers)) == (303, "/wall")
    cookie = {name.lower(): value for name, value in headers.items()}["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Path=/wall" in cookie
    status, text, _ = browser.send("GET", "/wall", Accept="text/html")
    assert status == 200
    assert "今日需联系" in text
    assert "一天以上未上报的网关：1 台中有 0 台" in text
    assert "<style" not in text
    # a program that sends the cookie elsewhere gains nothing
    for path in ("/", "/v1/schools", "/metrics", "/problems"):
        assert browser.send("GET", path, Accept="text/html")[0] in (303, 401), path


def test_a_revoked_token_closes_it(world: World) -> None:
    token = person(world, "墙", "viewer")
    person(world, "别人", "viewer")
    browser = Browser(world)
    browser.send("GET", f"/wall?token={token}")
    assert browser.send("GET", "/wall")[0] == 200
    from datetime import UTC, datetime

    world.service.store.people.revoke("墙", datetime.now(UTC), "console")
    assert browser.send("GET", "/wall")[0] == 401


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_a_wall_is_for_viewers(world: World, role: str) -> None:
    assert Browser(world).send("GET", f"/wall?token={person(world, role, role)}")[0] == 403


def test_a_wrong_token_is_refused(world: World) -> None:
    person(world)
    assert Browser(world).send("GET", "/wall?token=cm1_wrong")[0] == 401
    assert world.get("/wall", Cookie="campus_wall=cm1_wrong").status == 401


def test_a_town_s_wall_shows_its_town(world: World) -> None:
    world.send(throughput())
    world.issue_token("s002")
    browser = Browser(world)
    browser.send("GET", f"/wall?token={person(world, '镇', 'viewer', 't02')}")
    text = browser.send("GET", "/wall")[1]
    assert "1 台中有" in text
