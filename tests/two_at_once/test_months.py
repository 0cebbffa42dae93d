"""Two collectors and the calendar: a month is closed by one of them, and both give the same documents."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from campus_collector.domain.days import day_number
from campus_collector.http.service import Service
from campus_collector.judge.month import Month
from campus_collector.report import service as reports
from campus_collector.report.figures import encoded_figures
from campus_collector.report.service import LEASE, MonthlyReports
from campus_collector.report.worker import recent_figures
from campus_collector.store.errors import StoreBusy
from campus_collector.store.tables.chain import ChainTable
from tests.collector.world import AT, World, days, throughput

DAY = datetime(2026, 12, 10, tzinfo=UTC)
"""November is closed by then."""


@pytest.fixture
def november(world: World, monkeypatch: pytest.MonkeyPatch) -> Month:
    monkeypatch.setattr(ChainTable, "first_day", lambda self: day_number(AT.date()))
    monkeypatch.setattr(reports, "FORMS", ("html",))
    world.send(*(throughput(at=at) for at in days(4, 2)))
    return Month(2026, 11, world.service.verdicts.zone)


def test_a_month_is_closed_once(world: World, other: Service, november: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    closing, go_on, closed = threading.Event(), threading.Event(), []
    close = MonthlyReports.close

    def slowly(self: MonthlyReports, *arguments: object) -> object:
        closed.append(self)
        closing.set()
        assert go_on.wait(60)
        return close(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(MonthlyReports, "close", slowly)
    thread = threading.Thread(target=world.service.reports.catch_up, args=(DAY,))
    thread.start()
    try:
        assert closing.wait(60)
        with pytest.raises(StoreBusy, match=LEASE):
            other.reports.catch_up(DAY)
    finally:
        go_on.set()
        thread.join(120)
    assert closed == [world.service.reports]
    assert other.reports.catch_up(DAY) == []
    documents = [service.reports.document(november, "html", "zh") for service in (world.service, other)]
    assert documents[0] == documents[1]


def test_figures_of_a_moment_ago_are_not_shown_of_a_month_that_another_closed(
    world: World, other: Service, november: Month, tmp_path: Path
) -> None:
    here, there = world.service.reports, other.reports
    recent = tmp_path / "recent"
    recent.mkdir()
    (recent / str(november)).write_bytes(encoded_figures(here.figures(november, DAY)))
    assert not recent_figures(here, november, recent).closed
    there.close(november, DAY)
    assert recent_figures(here, november, recent).closed
