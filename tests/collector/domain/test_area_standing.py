"""What counts of a county, what is missing and since when."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from campus_collector.domain.area import (
    AreaMember,
    MonthSummary,
    ReceivedMonth,
    VerdictTotals,
    missing_months,
    missing_since,
    month_after,
    months_from,
)
from campus_collector.domain.area_standing import area_totals, months_here, standings
from campus_collector.export.samplers import of_county

AT = datetime(2026, 9, 6, tzinfo=UTC)
CLOSE_DAY = 5


def received(month: str, number: int = 0, series: int = 1, met: int = 1, county: str = "c01") -> ReceivedMonth:
    totals = {"uplink_bandwidth": VerdictTotals(met, 1)}
    summary = MonthSummary("甲县", 2, totals, "ab" * 32, "1", "0.2.1")
    return ReceivedMonth(county, county, series, month, number, AT, "cd" * 32, b"k" * 32, summary)


def member(id_: str = "c01", revoked: datetime | None = None) -> AreaMember:
    return AreaMember(id_, f"{id_}县", "county", b"k" * 32, 1, datetime(2026, 8, 20, tzinfo=UTC), revoked)


def test_months_follow_over_the_year() -> None:
    assert month_after("2026-12") == "2027-01"
    assert months_from("2026-11", "2027-02") == ["2026-11", "2026-12", "2027-01", "2027-02"]
    assert months_from("2027-01", "2026-12") == []


@pytest.mark.parametrize(
    ("today", "missing"),
    [("2026-10-05", []), ("2026-10-06", ["2026-09"]), ("2026-11-06", ["2026-09", "2026-10"])],
)
def test_a_month_is_missing_from_the_day_after_it_is_closed_below(today: str, missing: list[str]) -> None:
    assert missing_since("2026-09", CLOSE_DAY) == date(2026, 10, 6)
    assert missing_months(["2026-08"], "2026-08", date.fromisoformat(today), CLOSE_DAY) == missing


def test_the_last_correction_of_the_newest_series_counts() -> None:
    months = [received("2026-08"), received("2026-08", 1, met=2), received("2026-08", 0, 2, met=7), received("2026-09")]
    (county,) = standings([member()], months, date(2026, 10, 1), CLOSE_DAY)
    assert county.totals("2026-08")["uplink_bandwidth"].met == 7
    assert county.corrections == 1
    assert county.newest is not None
    assert county.newest.month == "2026-09"
    assert (county.missing, county.missing_since) == ([], None)


def test_the_name_that_this_level_gave_counts() -> None:
    """Else a county could call itself like another; without a given name it is called as it says."""
    (given,) = standings([member()], [received("2026-08")], date(2026, 9, 1), CLOSE_DAY)
    (none,) = standings([replace(member(), name="c01")], [received("2026-08")], date(2026, 9, 1), CLOSE_DAY)
    assert (given.name, none.name) == ("c01县", "甲县")


def test_an_old_month_that_comes_later_makes_no_others_missing() -> None:
    months = [received("2026-08"), received("2000-01"), received("2026-09")]
    (county,) = standings([member()], months, date(2026, 10, 1), CLOSE_DAY)
    assert county.missing == []
    assert "2000-01" in county.in_force


def test_many_missing_months_are_named_in_part() -> None:
    (county,) = standings([member()], [received("2000-01")], date(2026, 10, 10), CLOSE_DAY)
    assert len(county.missing) == 320
    assert (county.missing_listed[0], county.missing_listed[-1]) == ("2000-02", "2001-01")
    assert county.missing_more == 308


def test_a_county_that_never_sent_is_missing_since_its_first_month() -> None:
    silent, revoked = standings([member("c02"), member("c03", AT)], [], date(2026, 10, 10), CLOSE_DAY)
    assert (silent.name, silent.missing) == ("c02县", ["2026-08", "2026-09"])
    assert silent.missing_since == date(2026, 9, 6)
    assert revoked.missing == [], "nothing more is awaited of it"
    samples = {name: value for name, _, value in of_county(silent, UTC)}
    assert samples["campus_area_missing_months"] == 2
    assert "campus_area_compliance_ratio" not in samples, "absent, not zero"


def test_what_is_not_here_is_not_in_the_sum() -> None:
    months = [received("2026-08"), received("2026-08", county="c02", met=3), received("2026-09")]
    counties = standings([member(), member("c02")], months, date(2026, 9, 1), CLOSE_DAY)
    assert months_here(counties) == ["2026-08", "2026-09"]
    assert area_totals(counties, "2026-08") == {"uplink_bandwidth": VerdictTotals(4, 2)}
    assert area_totals(counties, "2026-09") == {"uplink_bandwidth": VerdictTotals(1, 1)}
