"""POST /v1/upgrade: what a gateway says of itself is kept as it is, or refused; in either database."""

from datetime import UTC, datetime

import msgspec
import pytest

from campus_collector.domain.releases import GatewayUpgrade
from tests.collector.world import World


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"version": "0.3.0~rc1+g1"}, 200),
        ({"version": "1\x00"}, 200),
        ({"version": "1\x1b[2J"}, 200),
        ({"version": "1", "returned_from": "\x00"}, 200),
        ({"architecture": "../.."}, 400),
    ],
)
def test_what_a_gateway_says(world: World, changes: dict[str, str], status: int) -> None:
    body = msgspec.json.encode({"version": "1.0", "architecture": "amd64"} | changes)
    headers = {"Authorization": f"Bearer {world.token}", "Content_Type": "application/json"}
    assert world.request("POST", "/v1/upgrade", body, **headers).status == status
    assert world.get("/releases").status == 200


def test_why_it_went_back_is_shown_whatever_it_holds(world: World) -> None:
    """The offer stands in the database; the reason is a gateway's own words."""
    now = datetime.now(UTC)
    mine = GatewayUpgrade("s001", "s001", now, "1.0", "2.0", now)
    world.service.store.releases.change_upgrade(lambda _: mine)
    body = {"version": "1.0", "architecture": "amd64", "returned_from": "2.0", "reason": "died\x00<b>\x1b[2J"}
    headers = {"Authorization": f"Bearer {world.token}", "Content_Type": "application/json"}
    assert world.request("POST", "/v1/upgrade", msgspec.json.encode(body), **headers).status == 200
    assert world.service.store.releases.upgrades()[0].returned_at is not None
    page = world.get("/releases").body
    assert b"<b>" not in page
    assert b"\x1b" not in page
    assert b"\x00" not in page
