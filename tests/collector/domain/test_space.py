"""When will the disk be full?"""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_collector.domain.space import DaySize, Space, results_per_day

TODAY = date(2026, 11, 28)


def sizes(*results_by_age: tuple[int, int]) -> list[DaySize]:
    return [DaySize(TODAY - timedelta(days=age), 0, results) for age, results in results_by_age]


@pytest.mark.parametrize(
    ("days", "rate"),
    [
        ([], None),
        ([(0, 50)], None),
        ([(1, 40), (0, 50)], 60),
        ([(10, 0), (1, 90)], 10),
        ([(400, 0), (20, 60), (1, 99)], 2),  # what is older than a month says nothing of the present
        ([(5, 200)], 0),  # results that left for an archive are no growth
        ([(-3, 50)], None),  # a clock that was set back
    ],
)
def test_growth_is_that_of_the_last_month(days: list[tuple[int, int]], rate: float | None) -> None:
    assert results_per_day(sizes(*days), TODAY, 100) == rate


def test_the_days_until_it_is_full() -> None:
    space = Space(used_bytes=20_000, results=100, free_bytes=1_000_000, results_per_day=50)
    assert (space.bytes_per_result, space.growth_bytes_per_day, space.full_in_days) == (200, 10_000, 100)


@pytest.mark.parametrize(
    "space",
    [
        Space(20_000, 0, 1_000_000, 50),
        Space(20_000, 100, 1_000_000, None),
        Space(20_000, 100, 1_000_000, 0),
        Space(20_000, 100, None, 50),
    ],
)
def test_what_is_not_known_is_not_guessed(space: Space) -> None:
    assert space.full_in_days is None


@given(st.integers(0, 10**13), st.integers(0, 10**10), st.integers(0, 10**14), st.floats(0, 1e9))
def test_no_figure_is_negative(used: int, results: int, free: int, rate: float) -> None:
    space = Space(used, results, free, rate)
    assert all(
        figure is None or figure >= 0
        for figure in (space.bytes_per_result, space.growth_bytes_per_day, space.full_in_days)
    )
