"""Live lessons in a report: which words a month has by its rule, and its worst lessons."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec import UNSET
from openpyxl import load_workbook

from campus_collector.judge.month import Month
from campus_collector.report import sentences
from campus_collector.report.compose import compose
from campus_collector.report.document import Chart, Paragraph
from campus_collector.report.figures import Figures, LessonFigures, encoded_figures, excerpt, figures_of
from campus_collector.report.forms.render import render
from campus_collector.report.gather import _lessons, _with_minutes
from tests.collector.lessons import FROZEN, lesson_policy, lesson_streams
from tests.collector.report.county import figures
from tests.collector.world import World, collector

NOVEMBER = Month(2026, 11, ZoneInfo("Asia/Shanghai"))
EIGHT = datetime(2026, 11, 9, 0, 0, tzinfo=UTC)


@pytest.fixture
def lessons(tmp_path: Path) -> Iterator[World]:
    policy = tmp_path / "policy.toml"
    policy.write_text(lesson_policy(), encoding="utf-8")
    with collector(tmp_path, {"CAMPUS_POLICY_FILE": str(policy)}) as running:
        yield running


def paragraphs(whole: Figures) -> str:
    return "\n".join(
        block.text for annex in compose(whole, "zh").annexes for block in annex.blocks if isinstance(block, Paragraph)
    )


def test_figures_follow_from_the_verdicts(lessons: World) -> None:
    lessons.send(
        *lesson_streams(EIGHT, 60, {3: FROZEN}), *lesson_streams(EIGHT + timedelta(days=1), 60, {4: FROZEN, 5: FROZEN})
    )
    schools = {school.id: school for school in lessons.service.store.schools.all()}
    (of_school,) = _lessons(lessons.service.verdicts.subjects(NOVEMBER), schools) or []
    assert (of_school.school, of_school.observed, of_school.good) == ("s001", 120, 117)
    assert (of_school.worst_day, of_school.worst_time) == ("2026-11-10", "08:00–09:00")
    assert (of_school.worst_bad, of_school.worst_observed) == (2, 60)


def test_a_month_by_tests_has_neither_the_figures_nor_the_words() -> None:
    whole = figures()
    assert whole.lessons is UNSET
    assert b'"lessons"' not in encoded_figures(whole), "the hash of a closed month stays what it was"
    assert sentences.worst_lessons(whole, "zh") == ""
    assert "上课的每一分钟" not in paragraphs(whole)


def test_the_worst_lessons_are_named() -> None:
    plain = figures()
    listed = [
        LessonFigures(school.id, school.name, 6000, 5800, "2027-03-02", "08:00–08:45", number, 45)
        for number, school in enumerate(plain.schools)
    ]
    whole = msgspec.structs.replace(plain, lessons=listed)
    assert figures_of(encoded_figures(whole)) == whole
    text = sentences.worst_lessons(whole, "zh")
    assert text.startswith("当月受影响最重的课：")
    assert text.count("2027-03-02") == min(5, len(listed) - 1)
    assert "按上课的每一分钟判定" in paragraphs(whole)
    one = excerpt(whole, school=plain.schools[0].id)
    assert one.lessons == listed[:1]
    assert sentences.worst_lessons(one, "en") == ""


def test_the_worst_lessons_are_drawn_minute_by_minute(lessons: World) -> None:
    lessons.send(*lesson_streams(EIGHT, 58, {3: FROZEN, 4: {"sent": 0, "unknown_seconds": 60.0}}))
    verdicts = lessons.service.verdicts
    schools = {school.id: school for school in lessons.service.store.schools.all()}
    (of_school,) = _with_minutes(verdicts, _lessons(verdicts.subjects(NOVEMBER), schools)) or []
    assert of_school.worst_minutes == "gggbu" + "g" * 53 + "--"
    whole = msgspec.structs.replace(figures(), lessons=[of_school])
    document = compose(whole, "zh")
    (strip,) = [
        block
        for annex in document.annexes
        for block in annex.blocks
        if isinstance(block, Chart) and block.kind == "strips"
    ]
    assert strip.svg.count("<rect") == 1 + 58, "the ground, and a bar for each minute that was reported"
    assert "08:00–09:00" in strip.svg
    assert strip.svg in render(document, "html").decode()
    assert any("受影响最重的课" in name for name in load_workbook(BytesIO(render(document, "xlsx"))).sheetnames)
