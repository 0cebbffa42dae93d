"""The event loop only passes requests on: what computes, and what it returns is encoded, in other threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from campus_collector.http import responses
from campus_collector.http.pages.render import Page
from tests.collector.world import World

SLOW = {
    "/quarantine": "campus_collector.http.auth.authenticator.Authenticator.has_people",
    "/": "campus_collector.http.pages.schools.OverviewModel.overview",
    "/fleet": "campus_collector.http.pages.fleet.gateways",
    "/problems": "campus_collector.http.pages.ledger.read_for",
    "/v1/schools": "campus_collector.http.api.reading.schools_answer",
    "/v1/compliance": "campus_collector.http.api.reading.compliance_answer",
    "/v1/problems": "campus_collector.http.api.problems.select_problems",
    "/v1/config": "campus_collector.http.api.configuration.config_for",
    "/metrics": "campus_collector.export.metrics_cache.MetricsCache.render",
}


@pytest.mark.parametrize("path", SLOW)
def test_a_handler_that_takes_long_holds_nobody(world: World, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> None:
        begun.set()
        assert go_on.wait(60)
        raise RuntimeError("enough")

    monkeypatch.setattr(SLOW[path], slow)
    with ThreadPoolExecutor(1) as reader:
        waiting = reader.submit(world.get, path, Authorization=f"Bearer {world.token}")
        try:
            assert begun.wait(60)
            assert world.get("/healthz").status == 200
            assert not waiting.done()
        finally:
            go_on.set()
        assert waiting.result(60).status == 500


def test_what_is_returned_is_encoded_in_the_thread_that_made_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    encoders: set[str] = set()
    encode, render = responses._encode, Page.render

    def spy(content: Any) -> bytes:
        encoders.add(threading.current_thread().name)
        return encode(content)

    def spy_render(page: Page, *values: Any, **named: Any) -> Any:
        encoders.add(threading.current_thread().name)
        return render(page, *values, **named)

    monkeypatch.setattr(responses, "_encode", spy)
    monkeypatch.setattr(Page, "render", spy_render)
    for path in ("/", "/problems", "/fleet", "/v1/schools", "/v1/compliance", "/v1/problems"):
        assert world.get(path).status == 200
    assert encoders
    assert all(name.startswith("asyncio_") for name in encoders), encoders  # the executor's threads
