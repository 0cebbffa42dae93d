"""The doors: a slot for a token, errors as problem documents, and a restart that keeps its promises."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.collector.world import Answer, World, collector

ASK = {"seconds": 30.0, "bits_per_second": 1e9, "latest_start_seconds": 10.0}


def ask(world: World, values: dict[str, Any] | bytes, path: str = "/v1/slots", token: str | None = None) -> Answer:
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    return world.request(
        "POST", path, body, Authorization=f"Bearer {token or world.token}", Content_Type="application/json"
    )


def test_a_slot_is_given_once_and_given_back(world: World) -> None:
    other = world.issue_token("s002")
    mine = ask(world, ASK)
    assert mine.status == 200
    assert mine.json["start_in_seconds"] == pytest.approx(0.0, abs=0.5)
    assert mine.json["seconds"] == 30.0
    refused = ask(world, ASK, token=other)
    assert refused.status == 503
    assert refused.json["title"] == "No slot"
    assert 20 <= int(refused.headers["retry-after"]) <= 30
    path = f"/v1/slots/{mine.json['id']}/release"
    assert ask(world, {}, path, token=other).status == 404
    assert ask(world, {}, path).json == {"released": True}
    assert ask(world, ASK, token=other).status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[" * 10_000, 413),
        (b'{"seconds": 0, "bits_per_second": 1e9}', 400),
        (b'{"seconds": 1e9, "bits_per_second": 1e9}', 400),
        (b'{"seconds": 10, "bits_per_second": -1}', 400),
        (b'{"bits_per_second": 1e9}', 400),
        (b"\xff", 400),
    ],
)
def test_bad_requests(world: World, body: bytes, status: int) -> None:
    answer = ask(world, body)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")


def test_without_a_token(world: World) -> None:
    assert world.request("POST", "/v1/slots", b"{}", Content_Type="application/json").status == 401
    assert ask(world, ASK, token="cm1_wrong").status == 401


def test_a_collector_that_starts_again_honours_the_slots_of_its_earlier_life(tmp_path: Path) -> None:
    with collector(tmp_path) as first:
        assert ask(first, ASK).json["start_in_seconds"] == pytest.approx(0.0, abs=0.5)
    with collector(tmp_path) as second:
        other = second.issue_token("s002")
        assert ask(second, ASK | {"latest_start_seconds": 0}, token=other).status == 503
        later = ask(second, ASK | {"latest_start_seconds": 60}, token=other).json
        assert 20 <= later["start_in_seconds"] <= 30.1


def test_slots_are_counted(world: World) -> None:
    ask(world, ASK)
    ask(world, ASK, token=world.issue_token("s002"))
    page = world.get("/metrics").body.decode()
    assert "campus_slots_granted_total 1.0" in page
    assert "campus_slots_refused_total 1.0" in page
    assert "campus_slots_running 1.0" in page
