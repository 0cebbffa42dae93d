"""Rows that are shorter or longer than their headings: missing cells are empty cells, cells beyond the headings are a mistake with its place."""

import pytest

from campus_collector.inventory.read import read
from campus_collector.inventory.sources import sheets_of_files
from tests.office_files.files import CLASSROOMS, SCHOOL, SCHOOLS, xlsx

FORMS = ("csv", "xlsx")


def mistakes(form: str, schools: list[list[str]], rooms: list[list[str]]) -> list[str]:
    """In Chinese, as the command prints them."""
    tables = {"schools": [SCHOOLS, *schools], "classrooms": [CLASSROOMS, *rooms]}
    if form == "xlsx":
        files = [("county.xlsx", xlsx(tables))]
    else:
        files = [(f"{name}.csv", "\r\n".join(",".join(row) for row in rows).encode()) for name, rows in tables.items()]
    found = read(sheets_of_files(files)[0])
    return [mistake.in_("zh") for mistake in found[1]]


@pytest.mark.parametrize("form", FORMS)
def test_missing_cells_at_the_end_are_empty(form: str) -> None:
    assert mistakes(form, [SCHOOL], [["s001", "c101", "一班", "10.0.0.1"]]) == []


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_cell_that_is_needed_is_named(form: str) -> None:
    (mistake,) = mistakes(form, [SCHOOL[:3]], [])
    assert "第 2 行“学校”列：不能为空" in mistake


@pytest.mark.parametrize("form", FORMS)
def test_empty_cells_beyond_the_headings_are_nothing(form: str) -> None:
    assert mistakes(form, [[*SCHOOL, "", "", " "]], [["s001", "c101", "一班", "10.0.0.1", "", "", "", ""]]) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("row", "column", "text"),
    [
        (["s001", "c101", "一班", "10.0.0.1", "5301", "", "备用"], 7, "备用"),
        (["s001", "c101", "一班", "", "10.0.0.1", "", "", "x", "y"], 8, "x"),
        (["s001", "c101", "一班", "", "", "", "", "", "", "5301"], 10, "5301"),
    ],
)
def test_a_cell_beyond_the_headings_is_named(form: str, row: list[str], column: int, text: str) -> None:
    actual = mistakes(form, [SCHOOL], [["s001", "c100", "零班", "10.0.0.9"], row])
    named = [mistake for mistake in actual if f"第 {column} 列的“{text}”没有表头" in mistake]
    assert len(named) == 1
    assert "第 3 行" in named[0]


@pytest.mark.parametrize("form", FORMS)
def test_a_column_with_an_empty_heading_holds_nothing(form: str) -> None:
    tables = [["s001", "c101", "一班", "10.0.0.1", "", "", "", "远处"]]
    assert any("第 8 列的“远处”没有表头" in mistake for mistake in mistakes(form, [SCHOOL], tables))
