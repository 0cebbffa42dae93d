"""The manual at /help: files of the program, open to everybody, and nothing else of the disk."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from campus_collector.domain.people import Person
from campus_collector.domain.tokens import token_hash
from campus_collector.http.pages import help
from tests.collector.world import World, collector

PAGE = "<!DOCTYPE html><p>手册</p>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A manual of three files, beside others that are none of it."""
    tmp_path = tmp_path_factory.mktemp("help")
    folder = tmp_path / "manual"
    (folder / "en").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    (folder / "en/index.html").write_text("<!DOCTYPE html><p>manual</p>", encoding="utf-8")
    (folder / "assets/manual.js").write_text("'use strict';", encoding="utf-8")
    (folder / "notes.txt").write_text("not served", encoding="utf-8")
    (tmp_path / "secret.html").write_text("secret", encoding="utf-8")
    (folder / "link.html").symlink_to(tmp_path / "secret.html")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(help, "SITE", folder)
        yield folder


@pytest.fixture(scope="module")
def world(site: Path) -> Iterator[World]:
    with collector(site.parent / "state") as running:
        yield running


@pytest.mark.parametrize(
    ("path", "language", "leads_to"),
    [
        ("/help", "zh-CN,zh;q=0.9", "/help/index.html"),
        ("/help/", "zh-CN", "/help/index.html"),
        ("/help", "en", "/help/en/index.html"),
        ("/help/en", "zh-CN", "/help/en/index.html"),
        ("/help/en/", "zh-CN", "/help/en/index.html"),
    ],
)
def test_a_folder_leads_to_its_first_page(world: World, path: str, language: str, leads_to: str) -> None:
    answer = world.get(path, Accept_Language=language)
    assert (answer.status, answer.headers["location"]) == (303, leads_to)


def test_a_page_has_its_type_and_the_headers_of_all_pages(world: World) -> None:
    answer = world.get("/help/index.html")
    assert answer.status == 200
    assert answer.body.decode() == PAGE
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert world.get("/help/assets/manual.js").headers["content-type"] == "text/javascript; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    ours, other = answer.headers, world.get("/").headers
    for name in ("x-content-type-options", "referrer-policy", "x-frame-options", "permissions-policy"):
        assert ours[name] == other[name]


def test_a_page_is_kept_by_the_browser_until_it_changes(world: World, site: Path) -> None:
    first = world.get("/help/index.html")
    assert "max-age" in first.headers["cache-control"]
    assert "no-store" not in first.headers["cache-control"]
    again = world.get("/help/index.html", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    (site / "index.html").write_text("changed", encoding="utf-8")
    assert world.get("/help/index.html", If_None_Match=first.headers["etag"]).status == 200
    (site / "index.html").write_text(PAGE, encoding="utf-8")


@pytest.mark.parametrize(
    "path",
    [
        "/help/nowhere.html", "/help/../secret.html", "/help/%2e%2e/secret.html", "/help/..%2fsecret.html",
        "/help/en/../../secret.html", "/help//etc/passwd", "/help/%2fetc/passwd", "/help/index.html%00", "/help/link.html",
        "/help/notes.txt", "/help/..\\secret.html", "/help/assets",
    ],
)  # fmt: skip
def test_nothing_else_is_given(world: World, path: str) -> None:
    answer = world.get(path)
    assert answer.status in (400, 404)
    assert b"secret" not in answer.body.replace(b"secret.html", b"")


def test_who_cannot_log_in_can_read_it(tmp_path: Path, site: Path) -> None:
    with collector(tmp_path / "state") as running:
        person = Person("张老师", "viewer", "")
        running.service.store.people.put(person, datetime.now(UTC), "console", token_hash("token"))
        assert running.get("/").status == 401
        assert running.get("/help/index.html").status == 200
        assert running.get("/help").status == 303
        assert running.get("/helpless").status == 401


@pytest.mark.parametrize(("language", "link"), [("zh-CN", "/help/index.html"), ("en", "/help/en/index.html")])
def test_every_page_leads_to_it_in_the_reader_s_language(world: World, language: str, link: str) -> None:
    for path in ("/", "/problems", "/policy", "/login", "/monthly", "/inventory", "/fleet", "/quarantine"):
        assert f'href="{link}"' in world.get(path, Accept_Language=language).body.decode(), path


def test_where_it_was_not_built_it_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(help, "SITE", tmp_path / "nothing")
    with collector(tmp_path / "state") as running:
        for path in ("/help", "/help/index.html"):
            answer = running.get(path, Accept="text/html", Accept_Language="zh-CN")
            assert answer.status == 404
            assert "make docs" in answer.body.decode()
            assert "make docs" in running.get(path).json["detail"]


def test_below_a_path_of_a_proxy(tmp_path: Path, site: Path) -> None:
    with collector(tmp_path / "state", {"CAMPUS_SERVER_ROOT_PATH": "/campus"}) as running:
        assert running.get("/campus/help", Accept_Language="en").headers["location"] == "/campus/help/en/index.html"
        assert running.get("/campus/help/index.html").status == 200
        assert 'href="/campus/help/index.html"' in running.get("/campus/", Accept_Language="zh").body.decode()
