"""The rule for one measurement, at its edges."""

import msgspec
import pytest

from campus_wire.access import access_passes
from campus_wire.bandwidth import Verdict, verdict_of
from campus_wire.encapsulation import Encapsulation, goodput_from_line_rate
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DirectionRecord, ServiceRecord
from tests.wire.samples import RESULTS, throughput


def direction(line_rate: float, **more: object) -> DirectionRecord:
    return DirectionRecord(goodput_from_line_rate(line_rate, Encapsulation()), 1, 1.0, **more)


def measured(down: DirectionRecord | None, up: DirectionRecord | None, **changes: object):
    record = msgspec.structs.replace(throughput().record, down=down, up=up)
    return throughput(record=record, **changes)


@pytest.mark.parametrize(
    ("down", "up", "verdict"),
    [
        (direction(100e6), direction(100e6), Verdict.MET),
        (direction(98.001e6), direction(98.001e6), Verdict.MET),
        (direction(97.999e6), direction(100e6), Verdict.NOT_MET),
        (direction(100e6), direction(97e6), Verdict.NOT_MET),
        (direction(10e6), None, Verdict.NOT_MET),
        (direction(100e6), None, Verdict.INSUFFICIENT),
        (None, None, Verdict.INSUFFICIENT),
        (direction(100e6, lower_bound=True), direction(100e6), Verdict.MET),
        (direction(90e6, lower_bound=True), direction(100e6), Verdict.INSUFFICIENT),
        (direction(90e6, lower_bound=True), direction(90e6), Verdict.NOT_MET),
        (DirectionRecord(1.0, 1, 1.0, line_rate_bits_per_second=100e6), direction(100e6), Verdict.MET),
    ],
)
def test_both_directions_must_reach_the_target(down, up, verdict: Verdict) -> None:
    assert verdict_of(measured(down, up)) is verdict


def test_the_naive_rule_would_fail_a_perfect_fast_ethernet_line() -> None:
    result = throughput()
    assert result.record.down.goodput_bits_per_second < 100e6
    assert verdict_of(result) is Verdict.MET


@pytest.mark.parametrize("validity", [validity for validity in Validity if validity is not Validity.OK])
def test_an_unsound_measurement_says_nothing(validity: Validity) -> None:
    assert verdict_of(throughput(validity=validity)) is Verdict.INSUFFICIENT


def test_a_failure_says_nothing_of_a_rate() -> None:
    failure = Failure(Operation.TRANSFER, FailureKind.CONNECTION_RESET)
    assert verdict_of(throughput(failure=failure)) is Verdict.INSUFFICIENT


def test_the_required_rate_and_the_tolerance_are_the_judge_s() -> None:
    assert verdict_of(throughput(), 200e6) is Verdict.NOT_MET
    assert verdict_of(throughput(), 101e6, 1.0) is Verdict.NOT_MET
    assert verdict_of(throughput(), 101e6, 0.98) is Verdict.MET


def test_a_platform_passes_when_its_first_byte_comes_in_time() -> None:
    good, failed = RESULTS[5], RESULTS[6]
    slow = msgspec.structs.replace(good, record=ServiceRecord("https://x/", True, first_byte_seconds=1.001))
    edge = msgspec.structs.replace(good, record=ServiceRecord("https://x/", True, first_byte_seconds=1.0))
    unsound = msgspec.structs.replace(good, validity=Validity.CLOCK_UNTRUSTED)
    assert [access_passes(each) for each in (good, edge, slow, failed, unsound)] == [True, True, False, False, None]
