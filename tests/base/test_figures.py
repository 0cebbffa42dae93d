"""What is written stands on the same side of each limit as what was measured."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_base.figures import megabits, milliseconds, percent, percent_as_written, rounded


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (percent(0.7996, 0.8), "79.9%"),
        (percent(0.79999999, 0.8), "79.9%"),
        (percent(0.8, 0.8), "80.0%"),
        (percent(0.80004, 0.8), "80.0%"),
        (percent(0.80504, 0.805), "80.5%"),
        (percent(0.80516, 0.80515), "80.6%"),
        (percent(0.9996), "99.9%"),
        (percent(1.0), "100.0%"),
        (percent(0.00001), "0.1%"),
        (percent(0.0), "0.0%"),
        (percent(2 / 3), "66.7%"),
        (percent(0.57), "57.0%"),
        (percent(0.5, space=" "), "50.0 %"),
        (percent_as_written(0.8), "80%"),
        (percent_as_written(0.995), "99.5%"),
        (megabits(97_999_999, 98e6), "97.9"),
        (megabits(99_960_000, 98e6, 100e6), "99.9"),
        (megabits(100_020_000, 98e6, 100e6), "100.0"),
        (megabits(979_999_999, 980e6), "979.9"),
        (megabits(98_052_000, 98.05e6), "98.1"),
        (megabits(98_049_999, 98.05e6), "98.0"),
        (milliseconds(0.05004, 0.05), "50.1"),
        (milliseconds(0.05, 0.05), "50.0"),
        (milliseconds(0.0499999, 0.05), "50.0"),
        (milliseconds(1.00004, 1.0, decimals=0), "1001"),
    ],
)
def test_at_its_limits(written: str, wanted: str) -> None:
    assert written == wanted


@given(
    st.floats(0, 1e4, allow_subnormal=False), st.lists(st.decimals(0, 10_000, places=3), max_size=3), st.integers(0, 3)
)
def test_a_figure_never_changes_sides(value: float, limits: list[Decimal], decimals: int) -> None:
    actual = rounded(value, decimals, map(float, limits), map(float, limits))
    assert (actual == 0) == (value == 0)
    assert [(actual >= limit, actual <= limit) for limit in limits] == [
        (Decimal(repr(value)) >= limit, Decimal(repr(value)) <= limit) for limit in limits
    ]
    assert abs(actual - Decimal(repr(value))) <= Decimal(1).scaleb(-decimals)
