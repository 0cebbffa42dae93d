"""Days as people type them are read or refused, never replaced by another day."""

from datetime import date

import pytest

from campus_base.dates import NotADay, parse_day, parse_days

FIRST = date(2026, 9, 1)


@pytest.mark.parametrize(
    "text",
    [
        "2026-09-01", "2026-9-1", "2026/9/1", "2026/09/01", "2026.9.1", "20260901", "2026年9月1日", "2026年09月01日", "2026年9月1号",
        "２０２６年９月１日", "２０２６／９／１", "２０２６－０９－０１", " 2026/9/1 ", "　2026-09-01",
    ],
)  # fmt: skip
def test_one_day(text: str) -> None:
    assert parse_day(text) == FIRST
    assert parse_days(text) == (FIRST, FIRST)


@pytest.mark.parametrize(
    "text",
    [
        "", "today", "9/1", "1/9/2026", "2026-09", "2026年9月", "2026/9-1", "2026-13-01", "2026-02-30", "0001-01-01", "9999-12-31",
        "1999-12-31", "2026-09-01T00:00", "2026-09-01\n2026-09-02", "２０２６²-1-1", "2026-W36-2", "x" * 10_000, "2026-09-01/",
    ],
)  # fmt: skip
def test_what_is_no_day_is_refused_in_words(text: str) -> None:
    for parse in (parse_day, parse_days):
        with pytest.raises(NotADay) as raised:
            parse(text)
        assert (len(raised.value.text.en) < 250, "2026-09-01" in raised.value.text.zh) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-07/2026-06-09",
        "2026/6/7/2026/6/9",
        "2026年6月7日至2026年6月9日",
        "2026.6.7~2026.6.9",
        "２０２６/６/７ ～ ２０２６/６/９",
    ],
)
def test_from_one_to_another(text: str) -> None:
    assert parse_days(text) == (date(2026, 6, 7), date(2026, 6, 9))
    with pytest.raises(NotADay):
        parse_day(text)


def test_a_span_never_ends_before_it_begins() -> None:
    with pytest.raises(NotADay):
        parse_days("2026-06-09/2026-06-07")
