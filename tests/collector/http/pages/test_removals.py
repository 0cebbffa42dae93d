"""An import on the page that removes rows asks for it by a check box."""

import re
from collections.abc import Sequence

import pytest

from campus_collector.domain.inventory import Inventory
from campus_collector.inventory.sample import sample
from campus_collector.inventory.write import as_xlsx
from tests.collector.http.api.test_problems import Browser, person
from tests.collector.world import World

COUNTY = sample(3)


def without_last(rows: Sequence[object] | None) -> tuple:  # type: ignore[type-arg]
    assert rows
    return tuple(rows[:-1])


FEWER = {
    "one classroom": Inventory(COUNTY.schools, without_last(COUNTY.classrooms), COUNTY.devices, COUNTY.services, COUNTY.timetables),
    "one platform": Inventory(COUNTY.schools, COUNTY.classrooms, COUNTY.devices, without_last(COUNTY.services), COUNTY.timetables),
    "one device": Inventory(COUNTY.schools, COUNTY.classrooms, without_last(COUNTY.devices), COUNTY.services, COUNTY.timetables),
}  # fmt: skip


@pytest.fixture
def browser(world: World) -> Browser:
    """An admin's, with a county in force."""
    browser = Browser(world)
    browser.post("/login", token=person(world, role="admin"))
    pending = looked_at(browser, COUNTY)[0]
    assert browser.post("/inventory/apply", form_token=browser.form_token("/inventory"), pending=pending)[0] == 200
    return browser


def looked_at(browser: Browser, whole: Inventory) -> tuple[str, str]:
    """What stands for the upload, and the page that shows it."""
    status, page, _ = browser.upload(
        "/inventory", "county.xlsx", as_xlsx(whole), form_token=browser.form_token("/inventory")
    )
    found = re.search(r'name="pending" value="([^"]+)"', page)
    assert status == 200
    assert found is not None
    return found[1], page


@pytest.mark.parametrize("what", FEWER)
def test_one_removed_row_needs_the_check_box(world: World, browser: Browser, what: str) -> None:
    pending, page = looked_at(browser, FEWER[what])
    assert 'type="checkbox" name="remove" value="yes" required' in page
    token = browser.form_token("/inventory")
    for remove in ({}, {"remove": ""}, {"remove": "no"}):
        status, page, _ = browser.post("/inventory/apply", form_token=token, pending=pending, **remove)
        assert status == 409
        assert 'name="remove"' in page, "the page asks again, and what was looked at still waits"
        assert world.service.store.inventory.version() == 1
    status, page, _ = browser.post("/inventory/apply", form_token=token, pending=pending, remove="yes")
    assert (status, world.service.store.inventory.version()) == (200, 2)
    assert world.service.store.inventory.current() == FEWER[what]


def test_without_removals_there_is_no_check_box(world: World) -> None:
    browser = Browser(world)
    browser.post("/login", token=person(world, role="admin"))
    assert 'name="remove"' not in looked_at(browser, COUNTY)[1]
