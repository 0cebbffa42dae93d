"""The ledger as a list to work with: words, units, causes and order; several problems at once; selections that are saved."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import msgspec
import pytest

from campus_collector.domain.problem import Event, Problem
from campus_collector.http.pages.saved_filters import MOST_FILTERS, cookie_value, with_filter
from tests.collector.http.api.test_problems import Browser, person
from tests.collector.world import World, collector

TODAY = datetime.now(UTC).date()


def problem(school: str, days_open: int, **more: object) -> Problem:
    values: dict[str, object] = {
        "school": school, "town": "t02", "target": "classroom_bandwidth", "subject": "c1", "state": "open",
        "opened_on": TODAY - timedelta(days=days_open), "due_on": TODAY - timedelta(days=days_open - 30), "diagnosis": "",
        "unit": "school", "failing_days": days_open // 2,
    }  # fmt: skip
    return msgspec.convert(values | more, Problem)


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with collector(tmp_path_factory.mktemp("ledger")) as running:
        for school in ("s001", "s002", "s003", "s004"):
            running.issue_token(school)
        problems = [
            problem("s001", 40, failing_days=3),
            problem("s002", 50, unit="carrier", diagnosis="shaped", target="uplink_bandwidth", subject="uplink"),
            problem("s003", 5, state="acknowledged", measure="更换交换机"),
            problem("s004", 60, state="closed", closed_on=TODAY),
        ]
        opened = Event(at=datetime.now(UTC), who="measurements", what="opened")
        running.service.store.ledger.put([(each, [opened]) for each in problems])
        yield running


def listed(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'<th scope="row" class="num"><a href="/problems/(\d+)"', text)]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [2, 1, 3]),
        ("sort=opened", [2, 1, 3]),
        ("sort=failing", [2, 1, 3]),
        ("sort=school", [1, 2, 3]),
        ("unit=carrier", [2]),
        ("cause=shaped", [2]),
        ("q=更换", [3]),
        ("q=s001", [1]),
        ("q=%EF%BC%93", [3]),
        ("q=更换 运营", []),
        ("state=all", [2, 1, 3, 4]),
        ("number=4&number=1", [1, 4]),
        ("unit=&cause=&q=&sort=&older_than=", [2, 1, 3]),
    ],
)
def test_a_selection(world: World, query: str, numbers: list[int]) -> None:
    assert listed(world.get(f"/problems?{quote(query, safe='=&%')}").body.decode()) == numbers
    if "=&" not in query:
        answer = world.get(f"/v1/problems?{quote(query, safe='=&%')}").json
        assert [each["id"] for each in answer["problems"]] == numbers


@pytest.mark.parametrize(
    "query", ["unit=mayor", "cause=weather", "sort=luck", "number=x", "number=0", "q=" + "a" * 101]
)
def test_what_is_not_known_is_named(world: World, query: str) -> None:
    for path in ("/problems", "/v1/problems"):
        answer = world.get(f"{path}?{query}")
        assert answer.status == 400
        assert query.partition("=")[0] in answer.body.decode()


def test_states_are_counted_within_the_rest_of_the_selection(world: World) -> None:
    text = world.get("/problems?unit=school&lang=en").body.decode()
    chips = dict(re.findall(r'state=(\w+)[^>]*>[^<]*<span class="num">(\d+)', text))
    assert chips == {"open": "1", "acknowledged": "1", "claimed_fixed": "0", "overdue": "1", "contradicted": "0"}


def test_several_are_handed_over_at_once(world: World) -> None:
    browser = Browser(world)
    browser.post("/login", token=person(world))
    token = browser.form_token("/problems")
    fields = [
        ("form_token", token),
        ("action", "assign"),
        ("responsible", "甲公司"),
        ("number", "1"),
        ("number", "2"),
        ("number", "4"),
    ]
    status, text, _ = browser.send(
        "POST", "/problems?sort=school", urlencode(fields).encode(), Content_Type="application/x-www-form-urlencoded"
    )
    assert status == 409
    assert "已处理 2 条问题" in text
    assert "#4" in text, "what was struck off can only be commented on"
    assert listed(text) == [1, 2, 3], "the selection is shown again"
    kept = {each.id: each.responsible for each in world.service.store.ledger.problems()}
    assert kept == {1: "甲公司", 2: "甲公司", 3: "", 4: ""}
    events = [event.who for event in world.service.store.ledger.events(1) if event.what == "assigned"]
    assert len(events) == 1


def test_nothing_is_changed_without_a_tick_a_form_or_a_log_in(world: World) -> None:
    browser = Browser(world)
    assert browser.post("/problems", action="acknowledge", number="1", form_token="x")[0] in (401, 403)
    browser.post("/login", token=person(world))
    assert browser.post("/problems", action="acknowledge", number="1", form_token="forged")[0] == 403
    status, text, _ = browser.post("/problems", action="acknowledge", form_token=browser.form_token("/problems"))
    assert status == 409
    assert "请先勾选" in text
    assert {each.state for each in world.service.store.ledger.problems(open_only=True)} == {"open", "acknowledged"}


def test_those_that_are_ticked_as_a_workbook(world: World) -> None:
    browser = Browser(world)
    browser.post("/login", token=person(world))
    fields = urlencode([("action", "export"), ("number", "1"), ("number", "3")]).encode()
    status, _, headers = browser.send("POST", "/problems", fields, Content_Type="application/x-www-form-urlencoded")
    assert status == 303
    location = {name.lower(): value for name, value in headers.items()}["location"]
    assert location == "/v1/problems.xlsx?number=1&number=3&lang=zh"
    assert browser.send("GET", location)[0] == 200


def test_a_selection_is_saved_and_forgotten(world: World) -> None:
    browser = Browser(world)
    assert browser.post("/problems/filters", name="催办<b>", query="state=overdue&unit=carrier&evil=1")[0] == 303
    text = browser.send("GET", "/problems")[1]
    assert 'href="/problems?state=overdue&amp;unit=carrier">催办&lt;b&gt;</a>' in text
    browser.post("/problems/filters", forget="催办<b>")
    assert "催办" not in browser.send("GET", "/problems")[1]


@pytest.mark.parametrize("cookie", ["", "x", "e30=", "W10=", "eyJhIjoxfQ==", "////"])
def test_a_cookie_that_is_not_ours_is_none(world: World, cookie: str) -> None:
    answer = world.get("/problems", Cookie=f"campus_filters={cookie}")
    assert answer.status == 200
    assert "已存筛选" not in answer.body.decode()


def test_saved_selections_are_bounded() -> None:
    filters: dict[str, str] = {}
    for number in range(20):
        filters = with_filter(filters, f"{number} " + "长" * 50, "state=overdue&q=" + "x" * 200)
    assert len(filters) == MOST_FILTERS
    assert all(len(name) <= 20 for name in filters)
    assert len(cookie_value(filters)) < 4000
    assert with_filter({}, "x", "evil=1") == {}
    assert with_filter({}, "\n", "state=open") == {}
