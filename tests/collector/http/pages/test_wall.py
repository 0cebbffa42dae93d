"""The office's screen: opened by a viewer's token, which leaves the address at once; one page and no other."""

import re

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


def links_seen(admin: Browser) -> str:
    """What the form of the page holds: how often links were made."""
    field = re.search(r'name="links" value="(\d+)"', admin.send("GET", "/people")[1])
    assert field is not None
    return field[1]


def test_an_admin_gets_a_link_on_the_page_of_people(world: World) -> None:
    world.send(throughput())
    admin = Browser(world)
    admin.post("/login", token=person(world, "李四", "admin"))
    form_token = admin.form_token("/people")
    links = []
    for town in ("", "", "t01"):
        form = {"form_token": form_token, "town": town, "links": links_seen(admin)}
        status, text, _ = admin.post("/people", **form)
        assert status == 200
        link = re.search(r"<code>http://127\.0\.0\.1:\d+(/wall\?token=[^<]+)</code>", text)
        assert link is not None
        links.append(link[1])
        status, text, _ = admin.post("/people", **form)
        assert (status, "<code>" in text) == (409, False), "sent twice it makes no second link, and says so"
        assert "未作更改" in text
    assert Browser(world).send("GET", links[0])[0] == 401, "a new link ends the one before"
    for link, words in ((links[1], "全县"), (links[2], "")):
        screen = Browser(world)
        assert screen.send("GET", link)[0] == 303
        status, text, _ = screen.send("GET", "/wall")
        assert status == 200, words
    assert {each.person.name: each.person.town for each in world.service.store.people.all()} == {
        "李四": "", "wall:county": "", "wall:t01": "t01",
    }  # fmt: skip
    token = links[1].partition("=")[2]
    for path in ("/", "/v1/schools", "/metrics", "/people", "/schools/s001"):
        status = Browser(world).send("GET", path, Authorization=f"Bearer {token}", Accept="text/html")[0]
        assert status in (303, 401), f"{path}: the link opens the screen and no other page"
    assert Browser(world).post("/login", token=token)[0] == 401, "nobody logs in with it"
    event = world.service.store.ledger.events()[0]
    assert (event.who, event.what) == ("李四", "person_admitted")


def test_a_link_is_made_by_an_admin_of_the_county_with_the_form_of_the_page(world: World) -> None:
    world.send(throughput())
    for name, role, town in (("甲", "admin", "t01"), ("乙", "operator", ""), ("丙", "viewer", "")):
        browser = Browser(world)
        browser.post("/login", token=person(world, name, role, town))
        assert browser.post("/people", form_token=browser.form_token("/account"), town="")[0] == 403
    admin = Browser(world)
    admin.post("/login", token=person(world, "李四", "admin"))
    assert admin.post("/people", form_token="wrong", town="")[0] == 403
    form_token = admin.form_token("/people")
    assert admin.post("/people", form_token=form_token, town="t99")[0] == 404
    person(world, "wall", "operator")
    assert admin.post("/people", form_token=form_token, town="")[0] == 409, "without what the page held"
    assert admin.post("/people", form_token=form_token, town="", links=links_seen(admin))[0] == 200
    assert world.service.store.people.named("wall") is not None, "a screen has a name that no person can have"
    assert Browser(world).post("/people", form_token="", town="")[0] in (303, 401)


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
