"""A collector for each test that asks for one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from campus_base.language import Language
from campus_collector.http.auth import passwords
from campus_collector.report import service as reports
from campus_collector.report.compose import compose
from campus_collector.report.figures import Figures
from campus_collector.report.forms.render import Form, render
from tests.collector.world import World, collector
from tests.stores import store_of_the_test

__all__ = ["store_of_the_test", "world"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A running collector with a token for s001."""
    with collector(tmp_path) as running:
        yield running


@pytest.fixture(autouse=True)
def quick_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing costs next to nothing, but where a test is about its parameters."""
    if request.node.get_closest_marker("real_passwords") is None:
        hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        monkeypatch.setattr(passwords, "_hasher", hasher)
        monkeypatch.setattr(passwords, "_NOBODY", hasher.hash("nobody has this password"))


@pytest.fixture(autouse=True)
def forms_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report's forms are the same bytes without the process that the service begins for each (report/test_process.py), and take a fifth of the work."""
    monkeypatch.setattr(reports, "render_apart", render_here)


def render_here(figures: Figures, language: Language, form: Form, font_files: Sequence[Path] = ()) -> bytes:
    """What `render_apart` returns."""
    return render(compose(figures, language), form, font_files)
