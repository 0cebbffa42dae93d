"""The outlook: a line that is foretold where it is sure, and silence where it is not."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_collector.judge.month import Month
from campus_collector.report.forecast import FARTHEST_MONTHS, LEAST_MONTHS, forecast

OCTOBER = Month(2026, 10, ZoneInfo("Asia/Shanghai"))


@pytest.mark.parametrize(
    ("ratios", "status", "earliest", "latest"),
    [
        ([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], "reached", None, None),
        ([0.5, 0.6, 0.7, 0.8, 0.9], "too_few_months", None, None),
        ([0.5, 0.6, 0.7, 0.8, 0.9, None], "too_few_months", None, None),
        ([None] * 12, "too_few_months", None, None),
        ([], "too_few_months", None, None),
        ([0.4, 0.5, 0.6, 0.7, 0.8, 0.9], "given", "2026-11", "2026-11"),  # exact: 0.1 a month, 0.1 is left
        ([None, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], "given", "2026-11", "2026-11"),
        ([0.5] * 12, "not_falling", None, None),
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], "not_falling", None, None),
        ([0.5, 0.9, 0.4, 0.8, 0.5, 0.7], "not_falling", None, None),
        ([0.5 + 0.0001 * n for n in range(12)], "too_far", None, None),
    ],
)
def test_what_is_foretold(ratios: list[float | None], status: str, earliest: str | None, latest: str | None) -> None:
    actual = forecast("classroom_bandwidth", OCTOBER, ratios)
    assert (actual.status, actual.earliest, actual.latest) == (status, earliest, latest)


def test_unsureness_is_shown_as_two_months() -> None:
    actual = forecast("x", OCTOBER, [0.50, 0.56, 0.58, 0.66, 0.69, 0.76, 0.78, 0.85])
    assert actual.status == "given"
    assert actual.earliest is not None
    assert actual.latest is not None
    assert actual.earliest < "2027-03" < actual.latest or actual.earliest <= "2027-02" <= actual.latest
    assert actual.earliest < actual.latest


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=24))
def test_it_always_says_something_and_never_a_month_that_is_over(ratios: list[float | None]) -> None:
    actual = forecast("x", OCTOBER, ratios)
    assert actual.status in ("reached", "too_few_months", "not_falling", "too_far", "given")
    if actual.status == "given":
        assert actual.earliest is not None
        assert actual.earliest > "2026-10"
        assert actual.latest is None or actual.latest >= actual.earliest
        assert actual.months >= LEAST_MONTHS


@given(st.floats(0.01, 0.2), st.integers(LEAST_MONTHS, 12))
def test_a_straight_line_is_followed_exactly(step: float, months: int) -> None:
    left = [0.05 + step * n for n in range(months)][::-1]
    if left[0] > 1:
        return
    actual = forecast("x", OCTOBER, [1 - each for each in left])
    assert actual.status == "given"
    away = -(-0.05 // step) if 0.05 / step % 1 > 1e-6 else round(0.05 / step)
    assert actual.earliest is not None
    whole = int(actual.earliest[:4]) * 12 + int(actual.earliest[5:]) - (2026 * 12 + 10)
    assert abs(whole - away) <= 1
    assert whole <= FARTHEST_MONTHS
