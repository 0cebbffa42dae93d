"""Whom to call today: by rules that a table shows, with unit, contact and telephone of the inventory."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from campus_collector.domain.agents import Agent
from campus_collector.domain.inventory import Inventory, InventorySchool
from campus_collector.domain.problem import Event, Problem
from campus_collector.domain.schools import School
from campus_collector.http.pages.reader import Reader
from campus_collector.http.pages.today import calls
from tests.collector.http.api.test_problems import Browser, person
from tests.collector.world import World

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 24)
READER = Reader("zh", NOW)


def school(name: str) -> School:
    return School(name, f"{name}小学", "t01", "柳河镇", "inventory")


def agent(name: str, hours: float | None) -> Agent:
    return Agent(name, name, None if hours is None else NOW - timedelta(hours=hours), "b", None)


def problem(
    name: str, subject: str = "c1", days: int = 10, state: str = "open", covers: int = 0, **more: object
) -> Problem:
    values = {
        "id": 1, "school": name, "town": "t01", "target": "classroom_bandwidth", "subject": subject, "state": state,
        "opened_on": TODAY - timedelta(days=days), "due_on": TODAY, "diagnosis": "shaped", "unit": "carrier", "failing_days": days,
        "covers": [f"c{number}" for number in range(covers)],
    }  # fmt: skip
    return msgspec.convert(values | more, Problem)


@pytest.mark.parametrize(
    ("agents", "problems", "expected"),
    [
        ([], [], []),
        ([agent("s1", 2)], [], []),
        ([agent("s1", None)], [], []),
        ([agent("s1", 30)], [], ["s1"]),
        ([agent("s1", 30), agent("s2", 300)], [], ["s2", "s1"]),
        ([agent("s3", 30)], [problem("s1", "", covers=40)], ["s3", "s1"]),
        ([], [problem("s1", "c1", 90), problem("s2", "", 3, covers=5), problem("s3", "uplink", 4)], ["s2", "s3", "s1"]),
        ([], [problem("s1", "", 3, covers=5), problem("s2", "", 3, covers=40)], ["s2", "s1"]),
        ([], [problem("s1"), problem("s2"), problem("s2", "c2")], ["s2", "s1"]),
        ([], [problem("s1", days=5), problem("s2", days=50)], ["s2", "s1"]),
        ([], [problem("s1", state="claimed_fixed"), problem("s2", state="closed")], []),
    ],
)
def test_who_is_called_first(agents: list[Agent], problems: list[Problem], expected: list[str]) -> None:
    schools = [school("s1"), school("s2"), school("s3")]
    found = calls(schools, {each.school: each for each in agents}, problems, TODAY, READER)
    assert [call.school.id for call in found] == expected
    assert (
        calls(reversed(schools), {each.school: each for each in agents}, problems[::-1], TODAY, READER)[:1] == found[:1]
    )


def test_the_cards_on_the_first_page(world: World) -> None:
    world.send()
    for name in ("s002", "s003", "s004"):
        world.issue_token(name)
    row = InventorySchool(
        "t02", "柳河镇", "s002", "东庄小学", False, "甲<b>通信", "", None, "乙公司", "王老师", "0000-123/0000-456"
    )
    now = datetime.now(UTC)
    world.service.store.inventory.apply(Inventory((row,)), {}, "test", now, now)
    opened = Event(at=now, who="measurements", what="opened")
    today = now.date()
    listed = [
        problem(name, "uplink", id=0, town="t02", opened_on=today - timedelta(days=days), target="uplink_bandwidth")
        for name, days in (("s002", 30), ("s003", 20), ("s004", 10), ("s001", 5))
    ]
    world.service.store.ledger.put([(each, [opened]) for each in listed])
    text = world.get("/").body.decode()
    assert text.index("/schools/s002") < text.index("/schools/s003")
    assert "今日需联系" in text
    assert "4 所学校" in text
    assert "甲&lt;b&gt;通信" in text
    assert '<a class="num" href="tel:0000123">0000-123/0000-456</a>' in text
    assert "交办：" not in text, "only who is logged in hands over"
    browser = Browser(world)
    browser.post("/login", token=person(world))
    text = browser.send("GET", "/")[1]
    assert "交办：甲&lt;b&gt;通信" in text
    token = browser.form_token("/")
    status, _, headers = browser.post(
        "/problems/1", action="assign", back="/", responsible="甲<b>通信", form_token=token
    )
    assert status == 303
    assert {key.lower(): value for key, value in headers.items()}["location"] == "/"
    assert world.service.store.ledger.problem(1).responsible == "甲<b>通信"  # type: ignore[union-attr]
    assert "交办：甲" not in browser.send("GET", "/")[1], "it is handed over now"
    assert "今日需联系" not in world.get("/?month=2026-01").body.decode(), "an earlier month has nobody to be called"


def test_a_step_back_leads_nowhere_else(world: World) -> None:
    browser = Browser(world)
    world.send()
    world.service.store.ledger.put([(problem("s001", id=0), [Event(at=NOW, who="measurements", what="opened")])])
    browser.post("/login", token=person(world))
    _, _, headers = browser.post(
        "/problems/1", action="comment", text="x", back="//evil.example/", form_token=browser.form_token("/problems/1")
    )
    assert {key.lower(): value for key, value in headers.items()}["location"] == "/problems/1"
