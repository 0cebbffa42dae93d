"""Results of the lesson stream made to measure, and a policy that judges November 2026 by them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from campus_collector.config import shipped_policy
from campus_wire.failures import Validity
from campus_wire.records import (
    Interruption,
    InterruptionResult,
    LessonMinute,
    LessonStreamRecord,
    LessonStreamResult,
)

A_GOOD_MINUTE: dict[str, Any] = {
    "sent": 1200,
    "rtt_min_seconds": 0.008,
    "rtt_median_seconds": 0.01,
    "rtt_p95_seconds": 0.012,
    "rtt_p99_seconds": 0.014,
    "rtt_max_seconds": 0.02,
    "jitter_seconds": 0.001,
    "longest_gap_seconds": 0.06,
}
FROZEN: dict[str, Any] = {"lost_up": 400, "longest_gap_seconds": 20.0}
"""A third of a minute without an answer."""


def lesson_streams(
    begin: datetime,
    minutes: int = 5,
    different: Mapping[int, Mapping[str, Any]] | None = None,
    interruptions: Sequence[Interruption] = (),
    name: str = "",
    **more: Any,
) -> Iterator[LessonStreamResult]:
    """Results of five minutes each, all good but for the figures that are `different`, by the number of the minute; the first has the interruptions."""
    rows = [
        LessonMinute(begin + timedelta(minutes=count), **(A_GOOD_MINUTE | dict((different or {}).get(count, {}))))
        for count in range(minutes)
    ]
    for count in range(0, minutes, 5):
        started_at = begin + timedelta(minutes=count)
        record = LessonStreamRecord(
            "test.example", 20, 100, True, rows[count : count + 5], [] if count else list(interruptions)
        )
        values: dict[str, Any] = {
            "id": f"{name or 'stream'}-{started_at.timestamp():.0f}",
            "subject": "uplink",
            "started_at": started_at,
            "boot_id": "boot-1",
            "monotonic_seconds": 1.0,
            "duration_seconds": 300.0,
            "validity": Validity.OK,
            "school": "s001",
            "record": record,
        }
        yield LessonStreamResult(**(values | more))


def interruption_alone(interruption: Interruption) -> InterruptionResult:
    """The end of an interruption as a result of its own, as after a restart of the agent."""
    return InterruptionResult(
        id=f"{interruption.id}-ended",
        subject="uplink",
        started_at=interruption.began_at,
        boot_id="boot-2",
        monotonic_seconds=1.0,
        duration_seconds=20.0,
        validity=Validity.OK,
        school="s001",
        record=interruption,
    )


def lesson_policy(min_minutes: int = 60, min_days: int = 1, more: str = "") -> str:
    """The shipped policy, whose rule for minutes of lessons is in force from November 2026 on."""
    text = shipped_policy().read_text(encoding="utf-8")
    for before, after in (
        ("effective_from = 2027-01-01", "effective_from = 2026-11-01"),
        ("min_lesson_minutes = 1000", f"min_lesson_minutes = {min_minutes}"),
        ("about three days of lessons\nmin_days = 4", f"about three days of lessons\nmin_days = {min_days}"),
    ):
        assert before in text
        text = text.replace(before, after)
    return text + more
