"""A collector for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.world import World, collector


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A running collector that nobody was let in to: reading is open to this machine itself."""
    with collector(tmp_path) as running:
        yield running
