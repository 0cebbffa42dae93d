"""What all tests share: the order of the long files, and the lab marker, which is a failure under CI, a loud skip elsewhere, where namespaces cannot be had."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.lab.namespaces import permitted
from tests.stores import STORES

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(
    "any machine"
)  # how long an example takes says how busy the machine is, not whether the code is right

HERE = Path(__file__).parent
LONGEST_FIRST = (
    "packaging/test_shipped.py",
    "agent/schedule/test_year.py",
    "packaging/test_bureau.py",
    "packaging/test_packages.py",
    "dashboards/test_dashboards.py",
    "hostile_gateway/test_program.py",
    "failover/test_faults.py",
    "two_at_once/test_behind_nginx.py",
    "browser/test_accessible.py",
    "lab/test_page.py",
    "lab/test_demo.py",
    "flow/test_lab_verdicts.py",
)
"""Files of a minute and more. With `--dist loadfile --no-loadscope-reorder` files are begun in the order of collection: a long one begun last would keep
one worker busy while the others have nothing left."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The collector's tests run on either database."""
    parser.addoption("--store", choices=STORES, default="sqlite", help="what the collector of a test keeps results in")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, the others as they were; and ask once whether a lab can be built here."""
    place = {HERE / name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
    marked = [item for item in items if item.get_closest_marker("lab")]
    if not marked:
        return
    obstacle = permitted()
    if obstacle is None:
        return
    if os.environ.get("CI") and os.geteuid() == 0:
        raise pytest.UsageError(f"under CI the lab must work: {obstacle}")
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=f"NO LAB HERE: {obstacle}; nothing was measured on a line"))
