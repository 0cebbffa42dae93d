"""What a collector of a test keeps its results in: SQLite, or a database of the tests' PostgreSQL server (`--store`)."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.store.copy import copy_store
from campus_collector.store.open import Place
from tests.flow.programs import ENVIRONMENT
from tests.postgres_server import shared_server

URL = "CAMPUS_STORE_URL"
"""The variable that names a database to the collector and its commands."""
STORES: dict[str, Callable[[Path], Place]] = {
    "sqlite": lambda folder: folder / "campus.db",
    "postgres": lambda _: PostgresUrl(shared_server().new_database()),
}
"""A place for a new store; SQLite's is in the folder."""
_first_folder: list[Path] = []


@pytest.fixture(autouse=True)
def store_of_the_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--store postgres` every collector and command of a test finds a new database of the test's own."""
    if request.config.getoption("--store") == "postgres":
        if (only := request.node.get_closest_marker("sqlite_only")) is not None:
            pytest.skip(f"of SQLite: {only.args[0]}")
        _use_new_database(monkeypatch)
    _first_folder.clear()


def _use_new_database(monkeypatch: pytest.MonkeyPatch) -> None:
    url = shared_server().new_database()
    monkeypatch.setenv(URL, url)
    monkeypatch.setitem(ENVIRONMENT, URL, url)


def environment(state_dir: Path) -> dict[str, str]:
    """What names the database of a collector in this folder. The first of a test has the test's own, others a new one each."""
    if URL not in os.environ:
        return {}
    if _first_folder == [state_dir]:
        return {URL: os.environ[URL]}
    url = shared_server().new_database() if _first_folder else os.environ[URL]
    if not _first_folder:
        _first_folder.append(state_dir)
    if (state_dir / "campus.db").exists():  # made before, for several tests
        copy_store(state_dir / "campus.db", PostgresUrl(url), lambda done, whole: None)
    return {URL: url}
