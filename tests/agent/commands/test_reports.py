"""Texts for the bureau are bounded, and hold nothing that a log line does not name for them."""

import logging

import msgspec

from campus_agent.commands.reports import MAX_KINDS_OF_LINES, DoctorLine, LogSummary, bounded
from campus_wire.commands import MAX_REPORT_LETTERS


def check(ok: bool | None, name: str, what: str = "x") -> DoctorLine:
    return DoctorLine(name, ok, what, None, {})


def logger_with(summary: LogSummary) -> logging.Logger:
    logger = logging.Logger("test")
    logger.addHandler(summary)
    return logger


def test_findings_that_need_somebody_come_first_and_are_kept() -> None:
    lines = [check(True, f"ok{n}", "y" * 2000) for n in range(30)] + [check(None, "unknown"), check(False, "bad")]
    text = bounded(lines)
    kept = msgspec.json.decode(text, type=list[DoctorLine])
    assert len(text) <= MAX_REPORT_LETTERS
    assert [line.check for line in kept[:2]] == ["bad", "unknown"]
    assert len(kept) > 5


def test_a_finding_longer_than_a_report_is_left_out() -> None:
    assert bounded([check(False, "bad", "y" * 2 * MAX_REPORT_LETTERS)]) == "[]"
    assert bounded([]) == "[]"


def test_the_log_is_counted_by_kind_and_the_newest_comes_first() -> None:
    summary = LogSummary()
    log = logger_with(summary)
    for _ in range(3):
        log.warning("disk is full", extra={"error": "ENOSPC"})
    log.error("no answer")
    log.info("not of interest")
    newest, older = summary.text().splitlines()
    assert "ERROR (1x) no answer" in newest
    assert "WARNING (3x) disk is full error=ENOSPC" in older


def test_values_of_a_line_that_are_not_listed_stay_on_the_gateway() -> None:
    summary = LogSummary()
    logger_with(summary).warning(
        "login at %s", "rtsp://admin:hunter2@camera/", extra={"token": "secret", "url": "u:p@h"}
    )
    for hidden in ("hunter2", "secret", "u:p@h"):
        assert hidden not in summary.text()


def test_the_log_is_bounded() -> None:
    summary = LogSummary()
    log = logger_with(summary)
    for number in range(3 * MAX_KINDS_OF_LINES):
        log.warning(f"{number} " + "z" * 5000, extra={"error": "e" * 5000})
    lines = summary.text().splitlines()
    assert len(summary.text()) <= MAX_REPORT_LETTERS
    assert 1 < len(lines) <= MAX_KINDS_OF_LINES
    assert lines[0].split("x) ")[1].startswith(f"{3 * MAX_KINDS_OF_LINES - 1} ")
