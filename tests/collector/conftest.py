"""A collector for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.world import World, collector
from tests.stores import store_of_the_test

__all__ = ["store_of_the_test", "world"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A running collector with a token for s001."""
    with collector(tmp_path) as running:
        yield running
