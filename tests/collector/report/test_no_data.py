"""No data is its own figure; towns are compared on the same targets or not ranked; the deciding figure stands beside each verdict."""

import io
import re

import msgspec
import openpyxl
import pytest

from campus_base.language import Language
from campus_collector.judge.table import area_ratio_words
from campus_collector.judge.verdict import AreaVerdict
from campus_collector.report.compose import compose
from campus_collector.report.document import Table
from campus_collector.report.figures import Count, Figures, TargetFigures, TownFigures
from campus_collector.report.forms.render import render
from campus_collector.report.gather import compared_on
from campus_collector.report.sentences import state
from campus_collector.report.words import TARGETS
from tests.collector.report.county import failing, figures

WELL, POOR, SILENT, FREE = Count(8, 2), Count(2, 8), Count(0, 0, 10), Count(0, 0, 0, 10)
A, B, C = "classroom_bandwidth", "uplink_bandwidth", "recording_room"


@pytest.mark.parametrize(
    ("towns", "targets", "ranked"),
    [
        ({"t1": {A: WELL, B: POOR}, "t2": {A: POOR, B: WELL}}, [A, B], {"t1", "t2"}),
        ({"t1": {A: WELL, B: POOR}, "t2": {A: POOR}}, [A], {"t1", "t2"}),  # nobody gains by not having a target
        ({"t1": {A: WELL, B: SILENT}, "t2": {A: POOR, B: SILENT}}, [A], {"t1", "t2"}),  # nor loses by what nobody knows
        ({"t1": {A: WELL, B: POOR}, "t2": {A: POOR, B: SILENT}}, [A, B], {"t1"}),
        ({"t1": {A: WELL}, "t2": {A: SILENT}}, [A], {"t1"}),
        ({"t1": {A: WELL}, "t2": {A: Count(1, 4, 5)}}, [A], {"t1", "t2"}),
        ({"t1": {A: WELL}, "t2": {A: Count(4, 0, 6)}}, [A], {"t1"}),  # fewer than half have enough data
        ({"t1": {A: WELL, C: SILENT}, "t2": {A: POOR}, "t3": {A: POOR, C: WELL}}, [A], {"t1", "t2", "t3"}),
        ({"t1": {A: WELL, C: WELL}, "t2": {A: POOR, C: FREE}}, [A], {"t1", "t2"}),
        ({"t1": {A: WELL}, "t2": {B: WELL}}, [], set()),  # nothing in common
        ({"t1": {A: SILENT}, "t2": {}}, [], set()),
        ({}, [], set()),
    ],
)
def test_towns_are_compared_on_the_same_targets(
    towns: dict[str, dict[str, Count]], targets: list[str], ranked: set[str]
) -> None:
    assert compared_on(towns) == (targets, ranked)


NO_DATA: dict[Language, str] = {"zh": "无数据", "en": "no data"}
NOT_RANKED: dict[Language, str] = {"zh": "不排名", "en": "not ranked"}


def silent_county() -> Figures:
    """Nobody measured uplinks; one town has no data at all."""
    towns = [
        TownFigures("t1", "青石镇", 1, {A: WELL, B: SILENT}, 0.8, 1, None),
        TownFigures("t2", "柳河镇", 1, {A: SILENT, B: SILENT}, None, None, 0.5),
    ]
    targets = [TargetFigures(A, Count(8, 2, 10), None, None), TargetFigures(B, SILENT, None, None)]
    return figures(targets=targets, towns=towns, compared_on=[A], platforms=[], rooms=[])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_report_says_so(language: Language) -> None:
    document = compose(silent_county(), language)
    tables = {table.columns[0].title + table.columns[1].title: table for table in document.tables}
    county = next(table for table in document.tables if table.rows and table.rows[0][0] == TARGETS[A].in_(language))
    assert county.rows[1][7] == NO_DATA[language]
    assert county.rows[0][7] == pytest.approx(0.4)
    (towns,) = [
        table for table in tables.values() if any("柳河镇" in row and NOT_RANKED[language] in row for row in table.rows)
    ]
    assert NO_DATA[language] in towns.rows[1]
    html = render(document, "html").decode()
    assert len(re.findall(r"[^\d]0\.0%", html)) == 1, (
        "the town in which no classroom has enough tests; what was not measured is no 0"
    )
    assert NO_DATA[language] in state(silent_county(), language)


def test_a_terminal_says_so() -> None:
    assert area_ratio_words(AreaVerdict(A, "", 0, 0, 5, 0)).en == "no data"
    assert area_ratio_words(AreaVerdict(A, "", 0, 1, 5, 0)).en == "0.0%"
    assert area_ratio_words(AreaVerdict(A, "", 9999, 1, 0, 0)).en == "99.9%"
    assert area_ratio_words(AreaVerdict(A, "", 0, 0, 0, 5)).en == "—"


def failing_table(rate: float, language: Language, **more: object) -> Table:
    verdict = failing(measured_bits_per_second=rate, valid_results=10, passing_results=7, passing_share=0.8, **more)
    return next(
        table
        for table in compose(figures(failing=[verdict]), language).workbook
        if table.rows and "一年级1班" in table.rows[0]
    )


@pytest.mark.parametrize(("language", "words"), [("zh", "7/10"), ("en", "7/10")])
def test_the_deciding_figure_stands_before_what_was_measured(language: Language, words: str) -> None:
    row = failing_table(60e6, language).rows[0]
    assert row.index(words) < row.index(60e6)


@pytest.mark.parametrize("rate", [97_999_999, 97_960_000, 97_999_999.9])
def test_what_fell_short_is_never_written_as_enough(rate: float) -> None:
    table = failing_table(rate, "zh")
    assert 97.9e6 in table.rows[0]
    octets = render(compose(figures(failing=[failing(measured_bits_per_second=rate)]), "zh"), "xlsx")
    book = openpyxl.load_workbook(io.BytesIO(octets))
    assert 97.9 in [cell.value for sheet in book for cells in sheet.iter_rows() for cell in cells]


def test_a_workbook_never_shows_all_where_one_is_missing() -> None:
    targets = [TargetFigures(A, Count(9999, 1), None, None)]
    book = openpyxl.load_workbook(io.BytesIO(render(compose(figures(targets=targets), "zh"), "xlsx")))
    shares = [
        c.value for s in book for row in s.iter_rows() for c in row if c.number_format == "0.0%" and c.value is not None
    ]
    assert 0.999 in shares


def test_reports_closed_by_an_earlier_version_still_make_a_document() -> None:
    old = msgspec.structs.replace(figures(), compared_on=msgspec.UNSET)
    assert "逾期" in render(compose(old, "zh"), "html").decode()
