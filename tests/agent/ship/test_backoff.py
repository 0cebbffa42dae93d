"""When to try again: bounds, jitter, and the collector's own word."""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.ship.backoff import delay_seconds, http_date, retry_after_seconds, wait_seconds

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("-5", None),
        ("1.5", None),
        ("１２", None),  # full-width digits
        ("99999999999999999999", 86_400.0),
        ("Mon, 23 Nov 2026 08:05:00 GMT", 300.0),
        ("Mon, 23 Nov 2026 07:00:00 GMT", 0.0),
        ("Monday, 23-Nov-26 08:01:00 GMT", 60.0),
        ("Mon Nov 23 08:01:00 2026", 60.0),
        ("Mon, 23 Nov 2126 08:00:00 GMT", 86_400.0),
        ("soon", None),
        ("Mon, 99 Nov 2026 08:05:00 GMT", None),
    ],
)
def test_retry_after_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@given(st.text(max_size=40))
def test_any_header_is_read_or_ignored(header: str) -> None:
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or 0 <= seconds <= 86_400
    http_date(header)


@given(st.integers(1, 10_000), st.integers())
def test_the_delay_doubles_to_a_quarter_of_an_hour(failures: int, seed: int) -> None:
    delay = delay_seconds(failures, Random(seed))
    bound = min(900.0, 2.0 ** min(failures - 1, 20))
    assert bound / 10 <= delay <= bound


def test_the_jitter_spreads_a_county() -> None:
    delays = [delay_seconds(11, Random(school)) for school in range(1000)]
    assert len({round(delay) for delay in delays}) > 400
    assert min(delays) < 150
    assert max(delays) > 850


@given(st.integers(1, 50), st.floats(0.1, 86_400), st.booleans(), st.integers())
def test_what_the_collector_asks_for_is_never_cut_short(failures: int, told: float, permanent: bool, seed: int) -> None:
    wait = wait_seconds(failures, told, permanent, Random(seed))
    assert told <= wait <= told + min(30.0, told / 10)


def test_without_its_word_a_hopeless_refusal_waits_long_from_the_start() -> None:
    assert 450 <= wait_seconds(1, None, True, Random(1)) <= 900
    assert wait_seconds(1, None, False, Random(1)) <= 1
    assert wait_seconds(1, 0.0, False, Random(1)) >= 0.1, "Retry-After: 0 is no reason to storm"
