"""Reports of a collector that serves are made in another process: its memory and its requests do not feel them, and its failures are words."""

import os
import re
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from campus_collector.judge.month import Month, month_of
from campus_collector.report import separate
from campus_collector.report.service import MonthlyReports
from tests.collector.world import World, collector, days, throughput


def last_month(world: World) -> Month:
    return month_of(datetime.now(UTC), world.service.config.timezone).before()


def seed(world: World) -> Month:
    month = last_month(world)
    world.send(*(throughput(at=day) for day in days(4, 2, month.start)))
    return month


def anonymous_bytes() -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_it_is_the_document_that_this_process_would_make(world: World) -> None:
    """Before or after: an unfinished month names the minute of its figures, and a minute may end meanwhile."""
    month = seed(world)
    before = world.service.reports.document(month, "xlsx", "zh")
    fetched = world.get(f"/v1/monthly/{month}.xlsx").body
    assert fetched in (before, world.service.reports.document(month, "xlsx", "zh"))


def test_the_other_process_knows_what_the_office_says(tmp_path: Path) -> None:
    """Letterhead, number, address and test servers are of the configuration: the figures that are closed come from the same process."""
    file = tmp_path / "collector.toml"
    file.write_text(
        f'[server]\nlisten = "127.0.0.1:0"\npublic_url = "https://campus.example"\n[store]\nurl = "sqlite://{tmp_path}/campus.db"\n'
        '[county]\nname = "示例县"\n[report]\nheading = "示例县教育局文件"\nissuer = "示例县教育局"\nnumber = "示教电〔{year}〕{month}号"\n'
        '[[test_server]]\nhost = "192.0.2.1"\nname = "一号测速服务器"\nplace = "县教育局机房"\n'
    )
    with collector(tmp_path, config=file) as world:
        month = seed(world)
        shown = world.get(f"/v1/monthly/{month}.html").body.decode()
        for words in (
            "示例县教育局文件",
            f"示教电〔{month.year}〕{month.number}号",
            "https://campus.example/",
            "一号测速服务器",
        ):
            assert words in shown, words


def test_nothing_is_gathered_in_the_process_that_serves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory stays as it is, and it answers meanwhile."""
    month = seed(world)
    monkeypatch.setattr(MonthlyReports, "figures", None)
    monkeypatch.setattr(MonthlyReports, "close", None)
    assert world.get(f"/v1/monthly/{month}.html").status == 200
    before, slowest, ended = anonymous_bytes(), 0.0, threading.Event()

    def fetch() -> None:
        for form in ("pdf", "docx"):
            assert world.get(f"/v1/monthly/{month}.{form}").status == 200
        ended.set()

    fetching = threading.Thread(target=fetch)
    fetching.start()
    while not ended.is_set():
        began = monotonic()
        assert world.get("/healthz").status == 200
        slowest = max(slowest, monotonic() - began)
        ended.wait(0.05)
        assert fetching.is_alive() or ended.is_set(), "a document was not made"
    fetching.join(60)
    assert anonymous_bytes() - before < 8e6, "figures, fonts and office libraries are larger"
    assert slowest < 5.0, "no request waits for a report"


def test_a_month_is_closed_by_the_other_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    month = seed(world)
    reports = world.service.reports
    # results that come now are of a month that is over: it is closed with the month in which the collector began
    monkeypatch.setattr(MonthlyReports, "close", None)
    assert reports.due() == [(month, "provisional")]
    assert world.service.separate_reports.catch_up() == []
    folder = world.service.config.report_dir / str(month)
    assert len(list(folder.iterdir())) == 8
    assert reports.due() == []
    monkeypatch.setattr(separate.subprocess, "Popen", None)
    assert world.service.separate_reports.catch_up() == [], "nothing is begun where nothing is to be done"
    assert reports.due(reports.closes_at(month) + timedelta(days=1))[0] == (month, "close")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.kill(os.getpid(), 9)", "signal 9"),
        ("raise SystemExit(1)", "exit 1"),
        ("import time; time.sleep(60)", "not made within"),
    ],
)
def test_a_process_that_ends_is_reported_in_words(
    world: World, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    month = seed(world)
    real = subprocess.Popen

    def popen(command: list[str], **more: object) -> object:
        return real([command[0], "-c", code], **more)  # type: ignore[call-overload]

    monkeypatch.setattr(separate.subprocess, "Popen", popen)
    monkeypatch.setattr(separate, "WALL_SECONDS", 0.5)
    answer = world.get(f"/v1/monthly/{month}.html?lang=en")
    assert answer.status == 503
    assert words in answer.body.decode() or words in str(answer.json)
    assert world.service.separate_reports._process is None


def test_a_collector_that_stops_waits_for_no_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    month = seed(world)
    began = threading.Event()
    real = subprocess.Popen

    def popen(command: list[str], **more: object) -> object:
        process = real([command[0], "-c", "import time; time.sleep(600)"], **more)  # type: ignore[call-overload]
        began.set()
        return process

    monkeypatch.setattr(separate.subprocess, "Popen", popen)
    fetching = threading.Thread(target=world.get, args=(f"/v1/monthly/{month}.html",))
    fetching.start()
    assert began.wait(60)
    while world.service.separate_reports._process is None:
        os.sched_yield()
    world.service.separate_reports.stop()
    fetching.join(60)
    assert not fetching.is_alive()
