"""What explain, pages and lists write beside a verdict: the deciding figure first, limits never crossed, doubtful results marked."""

from typing import Any

import msgspec
import pytest

from campus_collector.judge.derivation import deciding_words, doubt_about
from campus_collector.judge.month import Month
from campus_collector.judge.workdays import is_provisional, last_announced_day
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from tests.collector.world import AT, World, days, throughput

DIED = Failure(Operation.TRANSFER, FailureKind.WORKER_DIED, "exit -31: ")


@pytest.mark.parametrize(
    ("change", "passes", "words"),
    [
        ({"failure": DIED, "record": None, "validity": Validity.NOT_MEASURED}, None, "0.2.0"),
        (
            {"failure": Failure(Operation.TRANSFER, FailureKind.WORKER_DIED, "exit -9: killed"), "record": None},
            None,
            "",
        ),
        ({}, False, "other traffic could not be seen"),
        ({"cross": 0.0}, False, ""),
        ({"cross": 0.0, "cpu": 0.75}, False, "CPU was 75% busy"),
        ({"cross": 0.0, "cpu": 0.75}, True, ""),
        ({"cross": 0.0, "cpu": 0.2}, False, ""),
    ],
)
def test_results_that_may_be_wrong_are_marked(change: dict[str, Any], passes: bool | None, words: str) -> None:
    subject = throughput(60e6, 60e6)
    record = msgspec.structs.replace(
        subject.record, cross_traffic_bits_per_second=change.pop("cross", None), cpu_ratio=change.pop("cpu", None)
    )
    found = doubt_about(msgspec.structs.replace(subject, **({"record": record} | change)), passes)
    assert (found is not None) == bool(words)
    assert words in (found.en if found else "")


def test_explain_marks_them_and_says_what_was_not_trusted(world: World) -> None:
    world.send(
        *(throughput(97_999_999, 110e6, at=at) for at in days(4, 2)),
        msgspec.structs.replace(throughput(at=AT), failure=DIED, record=None, validity=Validity.NOT_MEASURED),
        throughput(at=AT, validity=Validity.CLOCK_UNTRUSTED),
    )
    page = world.get("/explain/classroom_bandwidth/s001/c101?month=2026-11&lang=en").body.decode()
    assert "doubtful: agents of version 0.2.0" in page
    assert "the clock was not trusted" in page
    assert "98.00" not in page.split("by_day")[0].split("<tbody>")[-1]
    assert "97.99" in page


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/problems/99999", 404, "No such problem: 99999"),
        ("/schools/s999", 404, "No such school: s999"),
        ("/explain/classroom_bandwidth/s001/c999?month=2026-11", 404, "s001/c999 was not judged"),
        ("/explain/nonsense/s001/c101", 404, "No such target: nonsense"),
        ("/explain/classroom_bandwidth/s001/c101?month=2026/11", 400, "not understood"),
        ("/v1/results?school=s001&from=2026/9/1&to=2026年9月2日", 200, "results"),
        ("/v1/results?school=s001&from=yesterday", 400, "must be a time"),
    ],
)
def test_what_is_not_there_is_named_by_its_kind(world: World, address: str, status: int, words: str) -> None:
    from urllib.parse import quote

    answer = world.get(quote(address, safe="/?=&"), accept="text/html", accept_language="en")
    assert (answer.status, words in answer.body.decode()) == (status, True)


def test_what_fell_short_is_given_by_its_median(world: World) -> None:
    rates = [40e6, 50e6, 60e6, 70e6, *[100e6] * 6]
    world.send(*(throughput(rates[n], 100e6, at=at) for n, at in enumerate(days(5, 2))))
    answer = world.get("/v1/compliance?month=2026-11&target=classroom_bandwidth").json["subjects"]
    (subject,) = [each for each in answer if each["subject"] == "c101"]
    assert subject["failing_median_value"] == pytest.approx(55e6)


def test_the_deciding_figure_names_its_rule(world: World) -> None:
    rule = world.service.verdicts.policy.in_force(
        "classroom_bandwidth", Month(2026, 11, world.service.verdicts.zone).first_day
    )
    assert deciding_words(7, 10, rule).en == "passed 7 of 10 tests; 80 % needed"
    world.send(*(throughput((60e6 if n < 3 else 100e6), 100e6, at=at) for n, at in enumerate(days(5, 2))))
    answer = world.get("/v1/compliance?month=2026-11&target=classroom_bandwidth").json["subjects"]
    (subject,) = [each for each in answer if each["subject"] == "c101"]
    assert (subject["verdict"], subject["decided_by"]["en"]) == ("not_met", "passed 7 of 10 tests; 80 % needed")
    assert subject["failing_median_value"] == pytest.approx(60e6)
    page = world.get("/schools/s001/subjects/c101?month=2026-11&lang=zh").body.decode()
    assert "有效测量 10 次，合格 7 次，合格率要求不低于 80%" in page
    assert page.index("要求不低于 80%") < page.index("疑似被限速")


def test_the_end_of_the_known_calendar_is_said(world: World) -> None:
    last = last_announced_day()
    assert not is_provisional(last)
    assert is_provisional(last.replace(year=last.year + 1))
    assert str(last) in world.get("/policy?lang=en").body.decode()
    assert "campus_calendar_known_until_timestamp_seconds" in world.get("/metrics").body.decode()
