"""Months: open, complete, closed for good; late results are corrections; what was issued stays, and a changed octet is found."""

import shutil
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import UNSET

from campus_base.language import Language
from campus_collector.cli.main import main
from campus_collector.domain.days import day_number
from campus_collector.http.service import open_service
from campus_collector.judge.month import Month
from campus_collector.judge.policy import read_policy
from campus_collector.report import gather as gather_module
from campus_collector.report import service as service_module
from campus_collector.report.figures import Figures, content_hash
from campus_collector.report.forms.pdf import fonts
from campus_collector.report.forms.pdf_fonts import FontMissing
from campus_collector.report.forms.process import render_apart
from campus_collector.report.forms.render import FORMS, Form
from campus_collector.report.gather import gather
from campus_collector.report.service import MonthlyReports, NoReport
from campus_collector.store.errors import Conflict
from campus_collector.store.tables.chain import ChainTable
from campus_wire.bandwidth import Verdict
from tests.collector.world import World, collector, days, throughput

RULE_FROM_MID_OCTOBER = """
[[target]]
name = "classroom_bandwidth"
effective_from = 2026-10-15
source = "test"
required_bits_per_second = 200e6
passing_share = 0.8
min_valid_results = 8
min_days = 4
"""
ZONE = ZoneInfo("Asia/Shanghai")
OCTOBER, NOVEMBER, DECEMBER = (Month(2026, number, ZONE) for number in (10, 11, 12))
FIRST = datetime(2026, 10, 12, 2, tzinfo=UTC)
SECOND = datetime(2026, 11, 9, 2, tzinfo=UTC)


@pytest.fixture
def two_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTML and PDF alone, where it is about months and not about forms."""
    monkeypatch.setattr(service_module, "FORMS", ("html", "pdf"))


@pytest.fixture(autouse=True)
def _from_october_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector has been there since October, whatever today is."""
    monkeypatch.setattr(ChainTable, "first_day", lambda self: day_number(FIRST.date()))


def without_fonts(figures: Figures, language: Language, form: Form, font_files: Sequence[Path] = ()) -> bytes:
    """A machine on which no Chinese font is installed."""
    if form in ("pdf", "docx"):
        raise FontMissing
    return render_apart(figures, language, form, font_files)


def at(month: int, day: int, hour: int = 0) -> datetime:
    """A local moment of 2026 (13: January after)."""
    year, month = (2026, month) if month <= 12 else (2027, month - 12)
    return datetime(year, month, day, hour, tzinfo=ZONE).astimezone(UTC)


def seed(world: World) -> None:
    """c101 well in both months, c102 too little in October."""
    world.send(*(throughput(at=day) for day in days(4, 2, FIRST)), *(throughput(at=day) for day in days(4, 2, SECOND)))
    world.send(*(throughput(at=day, subject="c102") for day in days(3, 2, FIRST)))


def test_a_month_goes_from_open_to_closed(world: World) -> None:
    seed(world)
    book = world.service.reports
    states = {str(month.month): month.state for month in book.months(at(11, 20))}
    assert states == {"2026-11": "open", "2026-10": "complete"}
    assert book.closes_at(OCTOBER) == at(11, 5, 6)
    open_month = book.figures(NOVEMBER, at(11, 20))
    assert (open_month.complete, open_month.closed) == (False, False)
    figures = book.close(OCTOBER, at(11, 5, 6))
    assert (figures.complete, figures.closed) == (True, True)
    assert figures.targets[0].count.met == 1
    assert figures.targets[0].count.insufficient == 1
    assert [month.state for month in book.months(at(11, 20))] == ["open", "closed"]
    assert set(world.service.store.monthly.documents("2026-10")) == {(f, lang) for f in FORMS for lang in ("zh", "en")}
    with pytest.raises(Conflict):
        book.close(OCTOBER, at(11, 6))
    assert all(finding.well for finding in book.verify("2026-10"))


@pytest.mark.parametrize(
    ("month", "now", "words"),
    [
        (DECEMBER, at(11, 20), "2026-12 has not begun"),
        (Month(2026, 9, ZONE), at(11, 20), "there are no data of 2026-09: the first results are of 2026-10"),
    ],
)
def test_months_without_a_report_say_why(world: World, month: Month, now: datetime, words: str) -> None:
    seed(world)
    with pytest.raises(NoReport, match=words):
        world.service.reports.figures(month, now)
    with pytest.raises(NoReport, match="has not ended"):
        world.service.reports.close(NOVEMBER, at(11, 20))


def test_no_results_at_all(world: World) -> None:
    with pytest.raises(NoReport, match="no results yet"):
        world.service.reports.figures(OCTOBER, at(11, 20))
    assert world.service.reports.months(at(11, 20)) == []
    assert world.service.reports.catch_up(at(11, 20)) == []


def test_a_month_without_results_between_others_is_a_report_of_its_own(world: World) -> None:
    world.send(*(throughput(at=day) for day in days(4, 2, FIRST)))
    figures = world.service.reports.figures(NOVEMBER, at(12, 2))
    assert figures.data.valid == 0
    assert figures.targets[0].count.insufficient == 2
    assert figures.data.silent_schools == ["s001"]


def test_one_old_result_makes_no_list_of_empty_months(world: World) -> None:
    """Before the collector began, only months with results; from then on each."""
    seed(world)
    world.send(throughput(at=datetime(2024, 5, 20, 2, tzinfo=UTC)))
    months = [str(entry.month) for entry in world.service.reports.months(at(12, 20))]
    assert months == ["2026-12", "2026-11", "2026-10", "2024-05"]


@pytest.mark.usefixtures("two_forms")
def test_late_results_are_corrections_and_change_nothing_that_was_issued(world: World) -> None:
    seed(world)
    book = world.service.reports
    closed = book.close(OCTOBER, at(11, 5, 6))
    issued = {(form, lang): book.document(OCTOBER, form, lang) for form in ("html", "pdf") for lang in ("zh", "en")}
    world.send(*(throughput(at=day + timedelta(days=3), subject="c102") for day in days(1, 2, FIRST)))
    assert content_hash(book.figures(OCTOBER)) == content_hash(closed)
    assert {key: book.document(OCTOBER, *key) for key in issued} == issued
    november = book.close(NOVEMBER, at(12, 5, 6))
    (correction,) = november.corrections
    assert (correction.month, correction.subject, correction.was, correction.now) == (
        "2026-10",
        "c102",
        Verdict.INSUFFICIENT,
        Verdict.MET,
    )
    assert november.trend[-2].counts["classroom_bandwidth"].met == 1, "the trend shows what was published"
    assert november.targets[0].last_month == 0.5
    assert "一年级2班" in book.document(NOVEMBER, "html", "zh").decode()
    december = book.figures(DECEMBER, at(13, 2))
    assert december.corrections == [], "what was said once is not said again"
    assert all(finding.well for month in ("2026-10", "2026-11") for finding in book.verify(month))


@pytest.mark.usefixtures("two_forms")
def test_the_calendar_closes_what_it_missed_and_writes_files(tmp_path: Path) -> None:
    with collector(tmp_path) as world:
        seed(world)
        book, folder = world.service.reports, tmp_path / "reports"
        assert book.catch_up(at(11, 1, 5)) == []
        assert not folder.exists()
        assert book.catch_up(at(11, 1, 6)) == []
        names = {path.name for path in (folder / "2026-10").iterdir()}
        assert names == {
            f"campusmeter-2026-10-{lang}-provisional.{form}" for form in ("html", "pdf") for lang in ("zh", "en")
        }
        assert "未定稿" in (folder / "2026-10" / "campusmeter-2026-10-zh-provisional.html").read_text()
        assert book.catch_up(at(13, 9)) == ["2026-10", "2026-11", "2026-12"], "away for two months"
        final = folder / "2026-10" / "campusmeter-2026-10-zh.pdf"
        assert final.read_bytes() == book.document(OCTOBER, "pdf", "zh")
        before = final.stat().st_mtime_ns
        assert book.catch_up(at(13, 9)) == []
        assert final.stat().st_mtime_ns == before


def test_without_a_font_the_figures_are_closed_all_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(world)

    book = world.service.reports
    with monkeypatch.context() as patched:
        patched.setattr(service_module, "render_apart", without_fonts)
        book.close(OCTOBER, at(11, 5, 6))
        forms = {form for form, _ in world.service.store.monthly.documents("2026-10")}
        assert "pdf" not in forms
        assert {"html", "xlsx"} <= forms
        with pytest.raises(FontMissing):
            book.document(OCTOBER, "pdf", "zh")
    assert book.document(OCTOBER, "pdf", "zh").startswith(b"%PDF")
    assert ("pdf", "zh") in world.service.store.monthly.documents("2026-10")


@pytest.fixture(scope="module")
def closed_october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a collector that has closed October and ended: to be copied."""
    folder = tmp_path_factory.mktemp("closed")
    with pytest.MonkeyPatch.context() as patched, collector(folder) as world:
        patched.setattr(ChainTable, "first_day", lambda self: day_number(FIRST.date()))
        seed(world)
        world.service.reports.close(OCTOBER, at(11, 5, 6))
    return folder


@pytest.mark.sqlite_only("the database is changed by hand")
@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE monthly_document SET body = x'00' WHERE form = 'pdf' AND language = 'zh'", "2026-10 pdf zh"),
        ("UPDATE monthly SET hash = 'f00'", "2026-10 f00"),
    ],
)
def test_what_was_changed_afterwards_is_found(closed_october: Path, tmp_path: Path, sql: str, what: str) -> None:
    shutil.copytree(closed_october, tmp_path, dirs_exist_ok=True)
    database = sqlite3.connect(tmp_path / "campus.db")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(sql)
    for trigger in ("monthly_is_not_changed", "document_is_not_changed"):
        database.execute(f"DROP TRIGGER {trigger}")
    database.execute(sql)
    database.commit()
    with collector(tmp_path) as world:
        bad = [finding.what for finding in world.service.reports.verify("2026-10") if not finding.well]
    assert what in bad


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    with collector(tmp_path) as world:
        seed(world)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["report", "--state-dir", str(tmp_path), *arguments])
        actual = capsys.readouterr()
        return code, actual.out + actual.err

    out = str(tmp_path / "out")
    code, actual = run("--month", "2026-10", "--out", out, "--format", "html,xlsx")
    assert code == 0
    assert "本月通报未定稿" in actual
    assert (tmp_path / "out" / "campusmeter-2026-10-zh-provisional.html").exists()
    code, actual = run("--month", "2026-10", "--close", "--town", "t01")
    assert code == 2
    assert "定稿和核验以全县当月为单位" in actual
    code, actual = run("--month", "2026-10", "--close", "--out", out, "--format", "pdf", "--lang", "en")
    assert (code, (tmp_path / "out" / "campusmeter-2026-10-en.pdf").exists()) == (0, True)
    assert run("--month", "2026-10", "--close") == (1, "2026-10 已定稿；可用 --verify 核验\n")
    code, actual = run("--month", "2026-10", "--verify")
    assert code == 0
    assert "逐字节一致" in actual
    code, actual = run("--month", "2026-10", "--school", "s001", "--format", "pdf", "--out", out)
    assert code == 0
    assert ("字体说明：" in actual) == bool(fonts().substitutes), "a substitute is never silent"
    assert (tmp_path / "out" / "campusmeter-2026-10-s001-zh.pdf").exists()
    assert run("--month", "2026-10", "--school", "s999", "--format", "pdf") == (1, "2026-10 通报中没有 s999\n")
    assert run("--month", "2020-01") == (1, "2020-01 没有数据：最早的测量结果在 2026-10\n")
    assert run("--month", "2026-10", "--format", "odt")[0] == 2
    assert run("--month", "October")[0] == 2
    assert run("--month", "2026-11", "--verify")[0] == 1
    (tmp_path / "file").write_text("")
    assert run("--month", "2026-10", "--format", "html", "--out", str(tmp_path / "file" / "x"))[0] == 1


def test_a_rule_that_changes_inside_the_month_is_said(world: World) -> None:
    seed(world)
    verdicts = world.service.verdicts
    verdicts.policy = read_policy(verdicts.policy.text + RULE_FROM_MID_OCTOBER)
    figures = world.service.reports.figures(OCTOBER, at(11, 20))
    assert figures.rules_changed == ["classroom_bandwidth"]
    assert figures.targets[0].required_bits_per_second == 1e8, "a month is judged by the rule of its first day"
    page = world.service.reports.document(OCTOBER, "html", "zh", now=at(11, 20)).decode()
    assert "百兆进班的判定规则在本月内调整" in page


@pytest.mark.usefixtures("two_forms")
def test_months_of_before_the_collector_are_closed_with_the_month_it_began_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that spooled for weeks sends October in late November: October is not closed with the half of it that came first."""
    monkeypatch.setattr(ChainTable, "first_day", lambda self: day_number(SECOND.date()))
    seed(world)
    book = world.service.reports
    assert book.closes_at(OCTOBER) == book.closes_at(NOVEMBER) == at(12, 5, 6)
    assert book.catch_up(at(11, 20)) == []
    assert book.catch_up(at(12, 5, 6)) == ["2026-10", "2026-11"]


def test_the_first_day_is_when_the_first_result_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert world.service.store.chain.first_day() is None
    seed(world)
    assert world.service.store.chain.first_day() == day_number(datetime.now(UTC).date())


@pytest.mark.usefixtures("two_forms")
def test_killed_between_closing_and_issuing_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are closed in one piece; documents that were not made then are made of those figures, not of later results."""
    with collector(tmp_path) as world:
        seed(world)
        book = world.service.reports
        with monkeypatch.context() as patched:
            patched.setattr(MonthlyReports, "document", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt()))
            with pytest.raises(KeyboardInterrupt):
                book.close(OCTOBER, at(11, 5, 6))
        assert world.service.store.monthly.documents("2026-10") == []
    with collector(tmp_path) as world:
        world.send(*(throughput(at=day + timedelta(days=3), subject="c102") for day in days(1, 2, FIRST)))
        book = world.service.reports
        assert book.catch_up(at(11, 5, 7)) == []
        assert len(world.service.store.monthly.documents("2026-10")) == 4
        assert book.figures(OCTOBER).targets[0].count.insufficient == 1, "as it was closed"
        assert all(finding.well for finding in book.verify("2026-10"))


def test_a_missing_font_or_folder_costs_no_work_every_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gathered = []

    def counting(*arguments: Any, **more: Any) -> Any:
        gathered.append(arguments[1])
        return gather(*arguments, **more)

    monkeypatch.setattr(service_module, "gather", counting)
    with collector(tmp_path) as world:
        seed(world)
        (tmp_path / "reports").write_text("in the way")
        for _ in range(3):
            with pytest.raises(OSError, match="reports"):
                world.service.reports.catch_up(at(11, 1, 6))
        assert gathered == []
        (tmp_path / "reports").unlink()
        book = world.service.reports
        with monkeypatch.context() as patched:
            patched.setattr(service_module, "render_apart", without_fonts)
            for _ in range(3):
                book.catch_up(at(11, 1, 6))
            assert len(gathered) == 1
        restarted = open_service(world.service.config)
        restarted.reports.catch_up(at(11, 1, 6))
        restarted.store.close()
        assert len(list((tmp_path / "reports" / "2026-10").iterdir())) == 8


def test_a_report_of_another_arrangement_is_well_as_it_was_issued(world: World) -> None:
    """What an earlier version issued stays: verifying says that this one sets it otherwise, not that it was changed."""
    seed(world)
    book = world.service.reports
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gather_module, "LAYOUT", UNSET)
        patched.setattr(service_module, "FORMS", ("html",))
        book.close(OCTOBER, at(11, 5, 6))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(service_module, "render_apart", lambda *_: b"set otherwise")
        parts = list(book.verify("2026-10"))
    assert [part.well for part in parts] == [True, True, True]
    assert "sets it otherwise" in parts[-1].words.en
