"""The county, made once."""

from pathlib import Path

import pytest

from tests.collector.rejudge.county import make_county


@pytest.fixture(scope="session")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, with `state` and `archive`."""
    folder = tmp_path_factory.mktemp("county")
    make_county(folder)
    return folder


@pytest.fixture(scope="session")
def archive(county: Path) -> Path:
    """Its archives of two months."""
    return county / "archive"
