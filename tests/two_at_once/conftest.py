"""A collector, and a second program on the same database."""

from collections.abc import Iterator

import pytest

from campus_collector.http.service import Service, open_service
from tests.collector.conftest import world
from tests.collector.world import World
from tests.stores import store_of_the_test

__all__ = ["other", "store_of_the_test", "world"]


@pytest.fixture
def other(world: World) -> Iterator[Service]:
    """What a command has open beside the collector that serves: the same file, nothing else in common."""
    service = open_service(world.service.config)
    try:
        yield service
    finally:
        service.store.close()
