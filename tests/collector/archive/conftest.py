"""The collector has been there since October 2026, whatever today is."""

import pytest

from campus_collector.domain.days import day_number
from campus_collector.store.tables.chain import ChainTable
from tests.collector.archive.months import FIRST


@pytest.fixture(autouse=True)
def _from_october_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChainTable, "first_day", lambda self: day_number(FIRST.date()))
