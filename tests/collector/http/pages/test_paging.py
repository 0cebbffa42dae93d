"""Long lists come in pages: all rows once, with their number, and no selection is lost on the way."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campus_collector.domain.problem import Event, Problem
from tests.collector.world import World, collector

SCHOOLS = 230


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A county of 230 schools, each with an open problem."""
    with collector(tmp_path_factory.mktemp("large")) as world:
        today = datetime.now(UTC).date()
        problems = []
        for number in range(SCHOOLS):
            world.issue_token(f"s{number:03d}")
            problem = Problem(
                school=f"s{number:03d}", town="t02", target="classroom_bandwidth", subject="c1", state="open",
                opened_on=today - timedelta(days=40), due_on=today - timedelta(days=number), diagnosis="", unit="school",
                failing_days=3,
            )  # fmt: skip
            problems.append((problem, [Event(at=datetime.now(UTC), who="measurements", what="opened")]))
        world.service.store.ledger.put(problems)
        yield world


def page(world: World, path: str, language: str = "en") -> str:
    answer = world.get(path, Accept_Language=language)
    assert answer.status == 200, answer.body
    return answer.body.decode()


def listed(text: str) -> list[str]:
    """The schools of the page's list; what stands above it names schools too."""
    return list(dict.fromkeys(re.findall(r'href="/schools/(s\d+)', text.rpartition("<table")[2])))


@pytest.mark.parametrize("path", ["/", "/fleet", "/problems"])
def test_every_row_is_on_one_page(large: World, path: str) -> None:
    pages = [listed(page(large, f"{path}?page={number}")) for number in (1, 2, 3)]
    assert [len(rows) for rows in pages] == [100, 100, 30]
    assert len({school for rows in pages for school in rows}) == SCHOOLS
    assert listed(page(large, path)) == pages[0]  # the address without a page goes on working
    assert listed(page(large, f"{path}?page=")) == pages[0]


@pytest.mark.parametrize(
    ("language", "words", "onward"),
    [("en", "101 to 200 of 230", "Next page"), ("zh", "第 101–200 条，共 230 条", "下一页")],
)
@pytest.mark.parametrize("path", ["/", "/fleet", "/problems"])
def test_a_page_says_where_it_is(large: World, path: str, language: str, words: str, onward: str) -> None:
    text = page(large, f"{path}?page=2", language)
    assert words in text
    assert onward in text
    assert onward not in page(large, f"{path}?page=3", language)
    assert "230" in page(large, path, language)


def test_the_links_keep_the_selection(large: World) -> None:
    text = page(large, "/problems?town=t02&target=classroom_bandwidth&older_than=30&page=2&lang=en")
    selected = "town=t02&amp;target=classroom_bandwidth&amp;older_than=30"
    assert f'href="?page=1&amp;{selected}&amp;lang=en"' in text
    assert f'href="?page=3&amp;{selected}&amp;lang=en"' in text
    assert f'href="?lang=zh&amp;{selected}&amp;page=2"' in text  # the other language shows the same rows
    assert listed(page(large, "/problems?target=uplink_bandwidth&page=2")) == []


def test_the_month_is_kept(large: World) -> None:
    text = page(large, "/?month=2026-10&page=2")
    assert 'href="?page=3&amp;month=2026-10"' in text


def test_a_list_that_became_shorter_shows_its_last_page(large: World) -> None:
    assert listed(page(large, "/fleet?page=99")) == listed(page(large, "/fleet?page=3"))


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "9999999"])
@pytest.mark.parametrize("path", ["/", "/fleet", "/problems"])
def test_what_is_no_page_is_named(large: World, path: str, number: str) -> None:
    answer = large.get(f"{path}?page={number}", Accept="text/html", Accept_Language="en")
    assert answer.status == 400
    assert "must be the number of a page" in answer.body.decode()


def test_a_short_list_has_no_pages(tmp_path: Path) -> None:
    with collector(tmp_path) as world:
        assert 'class="pages"' not in page(world, "/fleet")
        assert "0 shown" in page(world, "/problems")


def test_another_month_keeps_the_rest_of_the_query_but_not_the_page(large: World) -> None:
    text = page(large, "/?month=2026-03&lang=en&page=2&town=t02")
    form = re.search(r'<form class="filter months".*?</form>', text, re.DOTALL)
    assert form is not None
    assert "<option selected>2026-03</option>" in form[0]
    assert set(re.findall(r'name="(\w+)" value="([^"]*)"', form[0])) == {("lang", "en"), ("town", "t02")}
    links = re.findall(r'href="\?([^"]*)"', form[0])
    assert all("month=" in link and "page=" not in link and "town=t02" in link for link in links)


@pytest.mark.parametrize("path", ["/", "/schools/s001", "/explain/classroom_bandwidth/s001/c1"])
def test_every_page_with_a_month_lets_another_be_chosen(large: World, path: str) -> None:
    if path.startswith("/explain"):
        large.send()
        path = "/explain/uplink_bandwidth/s001/uplink"
    assert '<select name="month">' in page(large, path)
