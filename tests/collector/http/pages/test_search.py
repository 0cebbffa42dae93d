"""What people know of a thing leads to its page: names, numbers, addresses, people; never beyond the reader's town."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from campus_collector.domain.inventory import Classroom, Device, Inventory, InventorySchool
from tests.collector.world import World, collector

INVENTORY = Inventory(
    (
        InventorySchool("t01", "柳河镇", "s001", "柳河镇中心小学", True, "甲通信公司", "JY-7", None, "", "王老师", "0531-777"),
        InventorySchool("t02", "松山镇", "s002", "松山镇东庄小学", False),
    ),
    (
        Classroom("s001", "c302", "三年级2班", "10.0.1.32"),
        Classroom("s002", "c302", "三年级2班", "10.0.2.32"),
        *(Classroom("s002", f"x{number}", f"多{number}", "") for number in range(60)),
    ),
    (Device("s001", "r1", "rec-1", "录播主机", "recorder-generic", "10.0.1.240"),),
    (),
    (),
)  # fmt: skip


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with collector(tmp_path_factory.mktemp("county")) as world:
        now = datetime.now(UTC)
        world.service.store.inventory.apply(INVENTORY, {}, "test", now, now)
        yield world


def paths(world: World, asked: str, **headers: str) -> list[str]:
    answer = world.get(f"/search?q={quote(asked)}", Accept="text/html", **headers)
    assert answer.status == 200
    return re.findall(r'<li><a href="(/[^"]*)"', answer.body.decode())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("柳河 3年级", []),
        ("三年级2班 柳河", ["/schools/s001/subjects/c302"]),
        ("三年级2班", ["/schools/s001/subjects/c302", "/schools/s002/subjects/c302"]),
        ("１０．０．２．３２", ["/schools/s002/subjects/c302"]),
        ("录播", ["/schools/s001/devices/rec-1"]),
        ("10.0.1.240", ["/schools/s001/devices/rec-1"]),
        ("松山镇东庄", ["/schools/s002"]),
        ("T02", ["/towns/t02"]),
        ("JY-7", ["/schools/s001"]),
        ("王老师", ["/schools/s001"]),
        ("0531-777", ["/schools/s001"]),
        ("<script>", []),
        ("   ", []),
    ],
)
def test_words_lead_to_pages(county: World, asked: str, expected: list[str]) -> None:
    found = paths(county, asked)
    assert set(expected) <= set(found)
    if asked != "松山镇东庄" and asked != "T02":
        assert found == expected


def test_many_are_cut_and_counted(county: World) -> None:
    text = county.get("/search?q=%E5%A4%9A&lang=en", Accept="text/html").body.decode()
    assert "and 10 more" in text


def test_what_was_asked_is_shown_as_text(county: World) -> None:
    text = county.get("/search?q=%3Cb%3Ex", Accept="text/html").body.decode()
    assert "<b>x" not in text
    assert "&lt;b&gt;x" in text


def test_too_long_a_question_is_refused(county: World) -> None:
    assert county.get("/search?q=" + "a" * 101).status == 400
