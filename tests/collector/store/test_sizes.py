"""The size of the database, day by day, as metrics and pages show it."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from campus_collector.store.database import Database
from tests.collector.world import World, days, throughput

FREE_BYTES = 50_000_000_000


def metrics(world: World) -> dict[str, float]:
    lines = re.findall(r"^campus_store_(\w+) (\S+)$", world.get("/metrics").body.decode(), re.MULTILINE)
    return {name: float(value) for name, value in lines}


def test_the_first_day_tells_no_growth(world: World) -> None:
    world.send(throughput())
    shown = metrics(world)
    assert shown["bytes"] >= 4096
    assert shown["bytes_per_result"] == shown["bytes"]
    assert {"growth_bytes_per_day", "full_in_days"}.isdisjoint(shown)


def test_growth_and_the_days_that_are_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "space", lambda self: (1_000_000, FREE_BYTES, 0))
    today = datetime.now(UTC).astimezone(world.service.config.timezone).date()
    world.send(*(throughput(at=at) for at in days(2, 1)))
    world.service.store.sizes.note(today - timedelta(days=2))
    world.service.store.sizes.note(today - timedelta(days=2))
    world.send(*(throughput(at=at, subject="c102") for at in days(2, 4)))
    count = world.service.store.sizes.space(today).results
    grown = metrics(world)["growth_bytes_per_day"]
    assert grown == (count - 2) / 2 * 1_000_000 / count
    assert metrics(world)["full_in_days"] == FREE_BYTES / grown
    page = world.get("/fleet?lang=zh").body.decode()
    assert "磁盘剩余" in page
    assert "50.0 GB" in page


def test_a_database_on_another_machine_has_no_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "space", lambda self: (1_000_000, None, 0))
    world.send(throughput())
    assert "free_bytes" not in metrics(world)
    assert "磁盘写满还需" not in world.get("/fleet?lang=zh").body.decode()
