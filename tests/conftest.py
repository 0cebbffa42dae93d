"""What all tests share: the lab marker is a failure under CI, a loud skip elsewhere, where namespaces cannot be had."""

import os

import pytest

from tests.lab.namespaces import permitted


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask once whether a lab can be built here."""
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
