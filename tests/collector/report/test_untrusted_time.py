"""A time that nobody trusts is no evidence: it begins no month, closes none, and is of no day for the ledger."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from campus_collector.judge.month import Month
from campus_collector.report.service import NoReport
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity
from tests.collector.world import World, days, service, throughput

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = datetime(2026, 10, 12, 2, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
UNTRUSTED = Validity.CLOCK_UNTRUSTED
REFUSED = Failure(Operation.CONNECT, FailureKind.CONNECTION_REFUSED)
LOST: list[dict[str, Any]] = [
    {},
    {"failure": REFUSED, "record": None},
    {"skipped": SkipReason.ENDPOINT_OFF, "record": None},
]


@pytest.mark.parametrize("year", [1970, 2015, 2024, 2026, 2031])
@pytest.mark.parametrize("change", LOST, ids=["measured", "failed", "skipped"])
def test_it_begins_no_month(world: World, year: int, change: dict[str, Any]) -> None:
    world.send(*(throughput(at=day) for day in days(4, 2, FIRST)))
    at = datetime(year, 3, 1, 2, tzinfo=UTC)
    world.send(msgspec.structs.replace(throughput(at=at), validity=UNTRUSTED, **change))
    world.send(msgspec.structs.replace(service(None, at=at), validity=UNTRUSTED))
    book = world.service.reports
    assert [str(month.month) for month in book.months(NOW)] == ["2026-11", "2026-10"]
    with pytest.raises(NoReport, match="no data of 2026-09"):
        book.close(Month(2026, 9, ZONE), NOW)


def test_a_store_with_nothing_else_has_no_month(world: World) -> None:
    world.send(*(throughput(at=day, validity=UNTRUSTED) for day in days(4, 2, FIRST)))
    assert world.service.reports.months(NOW) == []
    assert world.service.ledger.catch_up(date(2026, 11, 1)) == 0


def test_a_day_that_gets_a_trusted_result_later_counts_from_then_on(world: World) -> None:
    world.send(throughput(at=datetime(2026, 9, 1, 2, tzinfo=UTC), validity=UNTRUSTED))
    world.send(*(throughput(at=day) for day in days(4, 2, FIRST)))
    book = world.service.reports
    assert len(book.months(NOW)) == 2
    world.send(throughput(at=datetime(2026, 9, 1, 3, tzinfo=UTC)))
    assert [str(month.month) for month in book.months(NOW)][-1] == "2026-09"


def test_whatever_an_untrusted_result_found_it_is_counted_as_not_valid(world: World) -> None:
    world.send(*(throughput(at=day) for day in days(4, 2, FIRST)))
    for change in LOST:
        world.send(msgspec.structs.replace(throughput(at=FIRST), validity=UNTRUSTED, **change))
    (subject,) = [
        subject
        for subject in world.service.verdicts.subjects(Month(2026, 10, ZONE))
        if (subject.target, subject.subject) == ("classroom_bandwidth", "c101")
    ]
    assert (subject.evidence.valid_results, subject.evidence.invalid_results) == (8, 3)
    assert (subject.evidence.failed_results, subject.evidence.skipped_results) == (0, 0)
    assert subject.not_judged == {"invalid:clock_untrusted": 3}
