"""Stylesheet and scripts are files: no page carries any of its own, so that the strictest policy holds."""

import re

import pytest

from tests.collector.export.test_devices import device
from tests.collector.world import AT, World, throughput

PAGES = ("/", "/towns/t01", "/carriers", "/unmeasured", "/wall", "/schools/s001", "/problems", "/inventory", "/fleet", "/monthly", "/policy", "/login", "/search?q=c101",
         "/explain/classroom_bandwidth/s001/c101", "/quarantine", "/no-such-page",
         "/schools/s001/subjects/c101", "/schools/s001/subjects/uplink", "/schools/s001/services/smartedu-cn", "/schools/s001/devices/rec-1",
         "/schools/s001/subjects/c101/results/r-1?kind=throughput&at=2026-11-09T02:00:00Z", "/evidence/classroom_bandwidth/s001/c101")  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_style_and_no_script_of_its_own(world: World, path: str) -> None:
    world.send(throughput(id="r-1"), device(AT))
    answer = world.get(path, Accept="text/html")
    text = answer.body.decode()
    assert "<html" in text
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"\s(style|on[a-z]+)=", text)
    assert 'http-equiv="refresh"' not in text
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "style-src 'self'" in policy
    assert "script-src 'self'" in policy


def test_files_are_kept_under_their_version_and_asked_for_anew_without(world: World) -> None:
    paths = re.findall(r'(?:href|src)="(/static/[^"]+)"', world.get("/", Accept="text/html").body.decode())
    assert {path.partition("?")[0] for path in paths} == {"/static/style.css", "/static/renew.js"}
    for path in paths:
        answer = world.get(path)
        assert answer.status == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert world.get(path.partition("?")[0] + "?v=old").headers["cache-control"] == "no-cache"
    assert world.get("/static/style.css").headers["content-type"].startswith("text/css")
    assert world.get("/static/renew.js").headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("name", ["no.css", "..%2Fwords.py", "%2e%2e/words.py", "style.css%00", ""])
def test_nothing_but_those_files_is_served(world: World, name: str) -> None:
    assert world.get(f"/static/{name}").status == 404
