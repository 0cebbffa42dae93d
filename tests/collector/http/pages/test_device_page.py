"""The page of a device: its state now, today and over the month, as it was polled."""

from datetime import UTC, datetime, timedelta

import pytest

from campus_collector.domain.inventory import Device, Inventory, InventorySchool
from tests.collector.export.test_devices import device
from tests.collector.http.pages.test_school_page import page_of, words_of
from tests.collector.world import AT, World

PATH = "/schools/s001/devices/rec-1"


def test_states_and_readings_over_a_month(world: World) -> None:
    polls = [device(AT + timedelta(minutes=minute), load_ratio=0.25) for minute in (0, 5, 10, 65)]
    polls += [device(AT + timedelta(days=1), up=False), device(AT + timedelta(days=1, minutes=65), load_ratio=0.5)]
    world.send(*polls)
    page = page_of(world, f"{PATH}?month=2026-11")
    text = words_of(page)
    assert "2026-11-10 2 1" in text, "one poll of each hour, and one of them found it down"
    assert "2026-11-09 2 0" in text
    assert page.count('class="cell not_met"') == 1
    assert page.count('class="cell met"') == 1
    assert "2 天有巡检，其中 1 天出现过故障" in page
    assert "50.0%" in text
    assert "<b>7.1</b>" not in world.get(PATH).body.decode()
    assert "polled on 2 days, down at times on 1 of them" in page_of(world, f"{PATH}?month=2026-11", "en")


def test_today_is_shown_by_quarters_of_an_hour(world: World) -> None:
    zone = world.service.verdicts.zone
    midnight = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if datetime.now(zone) - midnight < timedelta(minutes=40):
        pytest.skip("the local day has just begun")
    world.send(
        *(device((midnight + timedelta(minutes=minute)).astimezone(UTC), up=minute != 16) for minute in (1, 16, 31))
    )
    page = page_of(world, PATH)
    assert "今日故障时段：00:15–00:30。" in page
    assert 'class="states"' in page
    assert 'class="states"' not in page_of(world, f"{PATH}?month=2026-01")


def test_a_device_of_the_inventory_that_was_never_polled(world: World) -> None:
    now = datetime.now(UTC)
    inventory = Inventory(
        (InventorySchool("t01", "柳河镇", "s001", "柳河镇中心小学", True),), (),
        (Device("s001", "r1", "rec-1", "录播主机", "recorder-generic", "10.0.1.240"),), (), (),
    )  # fmt: skip
    world.service.store.inventory.apply(inventory, {}, "test", now, now)
    text = words_of(page_of(world, PATH))
    for words in ("录播主机", "10.0.1.240", "尚未巡检", "recorder-generic"):
        assert words in text
