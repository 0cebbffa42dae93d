"""GET /monthly and the documents."""

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from campus_collector.judge.month import month_of
from tests.collector.world import World, collector, days, throughput


def seed(world: World) -> str:
    """Results of last month, which is closed; its name."""
    month = month_of(datetime.now(UTC), world.service.config.timezone).before()
    world.send(*(throughput(at=day) for day in days(4, 2, month.start)))
    world.service.reports.close(month)
    return str(month)


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """A collector whose last month is closed, and that month: for tests that only read."""
    with collector(tmp_path_factory.mktemp("issued")) as world:
        yield world, seed(world)


def test_all_months_with_their_documents(world: World) -> None:
    assert "尚无测量结果" in world.get("/monthly").body.decode()
    month = seed(world)
    page = world.get("/monthly").body.decode()
    assert "已定稿" in page
    assert "进行中，" in page
    links = re.findall(r'href="(/v1/monthly/[^"]+)"', page)
    assert len(links) == 8
    for link in links:
        answer = world.get(link.replace("&amp;", "&"))
        assert answer.status == 200, link
        assert answer.headers["content-disposition"].partition(";")[0] in ("inline", "attachment")
    english = world.get("/monthly?lang=en").body.decode()
    assert "Monthly reports" in english
    assert f"/v1/monthly/{month}.pdf?lang=en" in english


def test_documents_are_what_was_issued(issued: tuple[World, str]) -> None:
    world, month = issued
    answer = world.get(f"/v1/monthly/{month}.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    stored = world.service.store.monthly.issued(month, "pdf", "zh")
    assert stored is not None
    assert answer.body == stored.body
    english = world.get(f"/v1/monthly/{month}.html?lang=en")
    assert english.headers["content-language"] == "en"
    assert "circular on the network" in english.body.decode().lower()


def test_the_html_s_policy_allows_its_own_style_and_nothing_else(issued: tuple[World, str]) -> None:
    world, month = issued
    answer = world.get(f"/v1/monthly/{month}.html")
    style = re.search(rb"<style>(.*?)</style>", answer.body, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert b" style=" not in answer.body
    assert "sha256" not in world.get(f"/v1/monthly/{month}.pdf").headers["content-security-policy"]


def test_excerpts(issued: tuple[World, str]) -> None:
    world, month = issued
    chosen = world.get(f"/monthly/excerpt?month={month}&form=html&area=school:s001")
    assert chosen.status == 303
    page = world.get(chosen.headers["location"])
    assert page.status == 200
    assert "学校网络达标情况" in page.body.decode()
    town = world.get(f"/v1/monthly/{month}.html?town=t01")
    assert town.status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/monthly/2026-13.pdf", 404),
        ("/v1/monthly/2020-01.pdf", 404),
        ("/v1/monthly/2999-01.pdf", 404),
        ("/v1/monthly/LAST.odt", 404),
        ("/v1/monthly/LAST.pdf?school=s999", 404),
        ("/v1/monthly/LAST.pdf?school=s001&town=t01", 400),
        ("/monthly/excerpt?month=LAST&form=pdf&area=moon:x", 404),
        ("/monthly/excerpt?month=LAST&form=pdf&area=school:../../etc", 404),
        ("/monthly/excerpt", 404),
    ],
)
def test_what_does_not_exist(issued: tuple[World, str], path: str, status: int) -> None:
    world, month = issued
    answer = world.get(path.replace("LAST", month))
    assert answer.status == status
    assert answer.json["title"]


def test_four_forms_of_an_open_month_are_of_one_moment(world: World) -> None:
    """They are gathered once; a month that is closed meanwhile is shown as closed at once."""
    month = month_of(datetime.now(UTC), world.service.config.timezone).before()
    world.send(*(throughput(at=day) for day in days(4, 2, month.start)))
    gathered = set()
    for form in ("html", "xlsx", "html"):
        assert world.get(f"/v1/monthly/{month}.{form}").status == 200
        recent = world.service.separate_reports._recent
        assert recent is not None
        gathered |= {(file.name, file.stat().st_mtime_ns) for file in Path(recent.name).iterdir()}
    assert len(gathered) == 1
    assert "未定稿" in world.get(f"/v1/monthly/{month}.html").body.decode()
    world.service.reports.close(month)
    assert "未定稿" not in world.get(f"/v1/monthly/{month}.html").body.decode()
