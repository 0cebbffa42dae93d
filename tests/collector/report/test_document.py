"""Cells as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_base.figures import percent
from campus_collector.report.document import Cell, Kind, as_number, shown


@pytest.mark.parametrize(
    ("cell", "kind", "words"),
    [
        (None, "share", "—"),
        (1.0, "share", "100%"),
        (0.99999, "share", "99.9%"),  # never rounded up to all
        (0.00001, "share", "0.1%"),  # nor down to nothing
        (0.0, "share", "0.0%"),
        (0.7458, "share", "74.6%"),
        (0.0171, "points", "↑1.7"),
        (-0.0171, "points", "↓1.7"),
        (-0.0001, "points", "0.0"),
        (0.0, "points", "0.0"),
        (49.94e6, "rate", "49.9"),
        (97.96e6, "rate", "97.9"),  # what falls short never reads as enough
        (0.1834, "seconds", "183"),
        (1.0004, "seconds", "1001"),  # a limit is a round figure
        (0.9996, "seconds", "999"),
        (1.0, "seconds", "1000"),
        (1.0041, "ratio", "1.004"),
        (12, "count", "12"),
        ("一年级1班", "text", "一年级1班"),
    ],
)
def test_a_cell(cell: Cell, kind: Kind, words: str) -> None:
    assert shown(cell, kind) == words


@pytest.mark.parametrize(
    ("cell", "kind"), [(97.96e6, "rate"), (1.0004, "seconds"), (0.9996, "seconds"), (0.99999, "share")]
)
def test_a_workbook_rounds_to_the_same(cell: float, kind: Kind) -> None:
    scale, decimals = {"rate": (1e-6, 1), "seconds": (1e3, 0), "share": (100, 1)}[kind]
    assert f"{as_number(cell, kind) * scale:.{decimals}f}" == shown(cell, kind).rstrip("%")


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_all_is_said_of_all_only(met: int, of: int) -> None:
    share = min(met, of) / max(met, of)
    assert (percent(share) == "100.0%") == (met == of)
    assert percent(share) != "0.0%"
