"""The rules of design section 3 at their edges, and what must hold for any results in any order."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_base.settings import ConfigurationError
from campus_collector.config import shipped_policy
from campus_collector.judge.day import evidence_by_day
from campus_collector.judge.evidence import MonthEvidence, evidence_of
from campus_collector.judge.explanations import CAUSE_WORDS
from campus_collector.judge.month import Month, month_of, parse_month
from campus_collector.judge.policy import Policy, load_policy, read_policy
from campus_collector.judge.rules import observe
from campus_collector.judge.tally import SchoolInTown, areas_in, school_tally, short_verdicts
from campus_collector.judge.verdict import AreaVerdict, JudgedSubject, SubjectVerdict, judge_month
from campus_wire.bandwidth import Verdict
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity
from campus_wire.ids import new_result_id
from campus_wire.records import AnyResult, LatencyRecord, RoomRecord, RoomResult, ThroughputResult
from tests.collector.world import AT, days, service, throughput

POLICY: Policy = load_policy(shipped_policy())
ZONE = ZoneInfo("Asia/Shanghai")
NOVEMBER = Month(2026, 11, ZONE)


def verdict_of(target: str, results: list[AnyResult], required: float | None = None) -> SubjectVerdict:
    """The whole way from results to the verdict of November."""
    rule = POLICY.in_force(target, NOVEMBER.first_day)
    assert rule is not None
    asked = required or rule.required_bits_per_second
    days = evidence_by_day(results, [], rule, POLICY, ZONE, asked)
    return judge_month(JudgedSubject(target, "t01", "s001", "c101", asked), days, NOVEMBER, POLICY)


def judge(target: str, results: list[AnyResult], required: float | None = None) -> Verdict:
    return verdict_of(target, results, required).verdict


def rooms(rates: list[float], on: list[datetime] | None = None) -> list[AnyResult]:
    moments = on or [AT + timedelta(days=n % 4, minutes=n) for n in range(30)]
    return [throughput(rate, rate, at=moments[n]) for n, rate in enumerate(rates)]


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        pytest.param(rooms([100e6] * 8), Verdict.MET, id="eight on four days"),
        pytest.param(rooms([100e6] * 7), Verdict.INSUFFICIENT, id="one result short"),
        pytest.param(rooms([100e6] * 8, days(3, 3)), Verdict.INSUFFICIENT, id="one day short"),
        pytest.param(rooms([98.0001e6] * 8), Verdict.MET, id="just at the tolerance"),
        pytest.param(rooms([97.9999e6] * 8), Verdict.NOT_MET, id="just below the tolerance"),
        pytest.param(rooms([100e6] * 8 + [50e6] * 2), Verdict.MET, id="exactly 80 %"),
        pytest.param(rooms([100e6] * 7 + [50e6] * 2), Verdict.NOT_MET, id="below 80 %"),
        pytest.param([], Verdict.INSUFFICIENT, id="nothing"),
        pytest.param(
            [throughput(at=at, validity=Validity.GATEWAY_CPU) for at in days(5, 3)],
            Verdict.INSUFFICIENT,
            id="all invalid",
        ),
        pytest.param(
            rooms([100e6] * 8) + [throughput(at=at, failure=FailureKind.TIMEOUT) for at in days(9)],
            Verdict.MET,
            id="failed tests are not judged",
        ),
        pytest.param(
            rooms([100e6] * 8) + [throughput(10e6, 10e6, at=at, validity=Validity.CROSS_TRAFFIC) for at in days(9)],
            Verdict.MET,
            id="unsound tests are not judged",
        ),
        pytest.param(
            [*rooms([100e6] * 7), throughput(at=AT, skipped=SkipReason.LESSON)],
            Verdict.INSUFFICIENT,
            id="skipped is no test",
        ),
        pytest.param([throughput(100e6, 97e6, at=at) for at in days(4, 2)], Verdict.NOT_MET, id="one direction below"),
        pytest.param(
            [throughput(100e6, None, at=at) for at in days(4, 2)], Verdict.INSUFFICIENT, id="one direction only"
        ),
    ],
)
def test_classroom_bandwidth(results: list[AnyResult], verdict: Verdict) -> None:
    assert judge("classroom_bandwidth", results) is verdict


def test_the_uplink_has_its_own_rate_and_minimum() -> None:
    fast = [throughput(1e9, 1e9, at=at, subject="uplink") for at in days(2, 2)]
    assert judge("uplink_bandwidth", fast) is Verdict.MET
    assert judge("uplink_bandwidth", fast[:3]) is Verdict.INSUFFICIENT
    slow = [throughput(979e6, 1e9, at=at, subject="uplink") for at in days(2, 2)]
    assert judge("uplink_bandwidth", slow) is Verdict.NOT_MET


@pytest.mark.parametrize(
    ("first_bytes", "verdict"),
    [
        ([0.2] * 100, Verdict.MET),
        ([0.2] * 99 + [None], Verdict.MET),
        ([0.2] * 98 + [None] * 2, Verdict.NOT_MET),
        ([1.0], Verdict.MET),
        ([1.001], Verdict.NOT_MET),
        ([], Verdict.INSUFFICIENT),
    ],
)
def test_platform_access(first_bytes: list[float | None], verdict: Verdict) -> None:
    results = [service(each, at=AT + timedelta(seconds=n)) for n, each in enumerate(first_bytes)]
    assert judge("platform_access", results) is verdict


def test_platforms_are_judged_in_school_hours_only() -> None:
    night = [service(None, at=datetime(2026, 11, 9, 14, n, tzinfo=UTC)) for n in range(10)]
    weekend = [service(None, at=datetime(2026, 11, 8, 2, n, tzinfo=UTC)) for n in range(10)]
    assert judge("platform_access", night + weekend) is Verdict.INSUFFICIENT
    assert judge("platform_access", [*night, *weekend, service()]) is Verdict.MET


def test_months_are_local() -> None:
    last_evening = datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC)
    assert month_of(last_evening, ZONE) == NOVEMBER
    assert month_of(last_evening + timedelta(seconds=1), ZONE) == Month(2026, 12, ZONE)
    assert NOVEMBER.start == datetime(2026, 10, 31, 16, 0, tzinfo=UTC)
    assert Month(2026, 12, ZONE).next() == Month(2027, 1, ZONE)
    outside = [throughput(at=NOVEMBER.end), throughput(at=NOVEMBER.start - timedelta(microseconds=1))]
    rule = POLICY.in_force("classroom_bandwidth", NOVEMBER.first_day)
    assert rule is not None
    assert observe([*outside, throughput(at=NOVEMBER.start)], rule, POLICY, NOVEMBER, None)[1:] == []


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "26-11", "2026-11-01", "", "2026/11", "1999-12"])
def test_a_month_is_written_one_way(text: str) -> None:
    with pytest.raises(ValueError, match="a month is written YYYY-MM"):
        parse_month(text, ZONE)


results = st.lists(
    st.builds(
        lambda rate, hours, ok: throughput(
            rate, rate, at=AT + timedelta(hours=hours), validity=Validity.OK if ok else Validity.CROSS_TRAFFIC
        ),
        st.sampled_from([50e6, 97.9e6, 98.1e6, 100e6]),
        st.integers(0, 24 * 20),
        st.booleans(),
    ),
    max_size=25,
)


@given(results, st.randoms())
def test_order_and_duplicates_change_nothing(batch: list[AnyResult], shuffle) -> None:
    again = batch + batch[:5]
    shuffle.shuffle(again)
    assert judge("classroom_bandwidth", again) is judge("classroom_bandwidth", batch)


@given(results)
def test_a_further_pass_never_loses_compliance(batch: list[AnyResult]) -> None:
    before = judge("classroom_bandwidth", batch)
    after = judge("classroom_bandwidth", [*batch, throughput(at=AT + timedelta(minutes=1))])
    assert not (before is Verdict.MET and after is not Verdict.MET)


@given(results)
def test_without_a_valid_result_nothing_is_met(batch: list[AnyResult]) -> None:
    unsound = [each for each in batch if each.validity is not Validity.OK]
    assert judge("classroom_bandwidth", unsound) is Verdict.INSUFFICIENT


def test_a_month_is_judged_by_the_policy_in_force_on_its_first_day() -> None:
    text = shipped_policy().read_text(encoding="utf-8") + (
        '\n[[target]]\nname = "classroom_bandwidth"\neffective_from = 2026-11-15\nsource = "提高要求"\n'
        "required_bits_per_second = 200_000_000\npassing_share = 0.9\nmin_valid_results = 1\nmin_days = 1\n"
    )
    policy = read_policy(text)
    required = [
        policy.in_force("classroom_bandwidth", day).required_bits_per_second
        for day in (date(2026, 11, 1), date(2026, 12, 1))
    ]
    assert required == [100e6, 200e6]
    assert policy.in_force("classroom_bandwidth", date(2022, 12, 1)) is None
    assert policy.version != POLICY.version


def test_every_mistake_of_a_policy_is_told_at_once() -> None:
    text = (
        'tolerance_ratio = 2\nschool_hours = ["8-12", "12:00-08:00"]\ncolour = "red"\n'
        '[[target]]\nname = "class_bandwidth"\neffective_from = 2023-01-01\npassing_share = 0.8\n'
        "min_valid_results = 8\nmin_days = 4\n"
        '[[target]]\nname = "uplink_bandwidth"\neffective_from = "2023"\npassing_share = 80\n'
        "min_valid_results = 0\nmin_days = 4\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        read_policy(text)
    assert str(caught.value).splitlines()[1:] == [
        "  tolerance_ratio: must be within 0.5 … 1.0, not 2",
        "  school_hours: must hold hours like 07:30-12:00, not '8-12'",
        "  school_hours: must hold hours like 07:30-12:00, not '12:00-08:00'",
        "  target[0].name: must be one of classroom_bandwidth, uplink_bandwidth, recording_room, live_class, platform_access, not 'class_bandwidth'",
        "  target[1].effective_from: must be a date like 2023-01-01, not '2023'",
        "  target[1].required_bits_per_second: is missing; it must be a number",
        "  target[1].passing_share: must be within 0.01 … 1, not 80",
        "  target[1].min_valid_results: must be within 1 … 10_000, not 0",
        "  colour: unknown key",
    ]


def in_town(verdict: SubjectVerdict) -> SchoolInTown:
    """A school of one subject."""
    return SchoolInTown(verdict.town, school_tally(short_verdicts([verdict])))


def test_areas_count_insufficient_as_not_met_and_exempt_not_at_all() -> None:
    def subject(town: str, verdict: Verdict) -> SubjectVerdict:
        return SubjectVerdict("classroom_bandwidth", town, "s", "c", verdict, evidence_of([]), None, "v")

    actual = areas_in(
        in_town(verdict)
        for verdict in (
            [
                subject("t01", Verdict.MET),
                subject("t01", Verdict.INSUFFICIENT),
                subject("t02", Verdict.NOT_MET),
                subject("t02", Verdict.EXEMPT),
                subject("t03", Verdict.EXEMPT),
            ]
        )
    )
    assert actual == [
        AreaVerdict("classroom_bandwidth", "", 1, 1, 1, 2),
        AreaVerdict("classroom_bandwidth", "t01", 1, 0, 1, 0),
        AreaVerdict("classroom_bandwidth", "t02", 0, 1, 0, 1),
        AreaVerdict("classroom_bandwidth", "t03", 0, 0, 0, 1),
    ]
    assert [area.compliance_ratio for area in actual] == [pytest.approx(1 / 3), 0.5, 0.0, None]


def test_a_subject_without_a_town_is_counted_once() -> None:
    verdict = SubjectVerdict("classroom_bandwidth", "", "s", "c", Verdict.MET, evidence_of([]), None, "v")
    assert areas_in([in_town(verdict)]) == [AreaVerdict("classroom_bandwidth", "", 1, 0, 0, 0)]


@pytest.mark.parametrize(
    ("target", "given_results", "cause"),
    [
        ("classroom_bandwidth", [], "no_report"),
        ("classroom_bandwidth", [throughput(failure=FailureKind.HOST_UNREACHABLE)], "endpoint_off"),
        ("classroom_bandwidth", [throughput(failure=FailureKind.CONNECTION_REFUSED)], "endpoint_not_running"),
        ("classroom_bandwidth", [throughput(validity=Validity.GATEWAY_CPU)], "gateway_busy"),
        ("classroom_bandwidth", [throughput(validity=Validity.CROSS_TRAFFIC)], "cross_traffic"),
        ("classroom_bandwidth", [throughput()], "too_few"),
        ("classroom_bandwidth", rooms([10e6] * 8), "port_speed_10"),
        ("classroom_bandwidth", rooms([50e6] * 8), "flat_rate"),
        ("classroom_bandwidth", rooms([50e6, 80e6] * 4), "unstable_rate"),
        ("classroom_bandwidth", rooms([100e6] * 8), ""),
        (
            "uplink_bandwidth",
            [throughput(100e6, 100e6, at=at, subject="uplink") for at in days(2, 2)],
            "port_speed_100",
        ),
        ("platform_access", [service(None)], "unreachable"),
        ("platform_access", [service(1.5)], "slow_answer"),
    ],
)
def test_the_likely_cause_is_named(target: str, given_results: list[AnyResult], cause: str) -> None:
    assert verdict_of(target, given_results).diagnosis == cause
    assert cause in CAUSE_WORDS


def judged(target: str, results: list[AnyResult]) -> tuple[Verdict, MonthEvidence, str]:
    """Verdict, evidence and cause."""
    found = verdict_of(target, results)
    return found.verdict, found.evidence, found.diagnosis


def room(up: bool | None, at: datetime) -> RoomResult:
    record = None if up is None else RoomRecord(up=up, devices=1)
    validity = Validity.OK if record else Validity.NOT_MEASURED
    more = {
        "id": new_result_id(round(at.timestamp() * 1000)),
        "boot_id": "b",
        "monotonic_seconds": 1.0,
        "duration_seconds": 0.0,
    }
    return RoomResult(subject="recording_room", started_at=at, validity=validity, record=record, **more)


def polls(share_up: float, days: int = 5, each: int = 40, hour: int = 2) -> list[AnyResult]:
    """So many polls a day from 10:00 in Shandong on, Mondays to Fridays; the first ones of each day are down."""
    first = datetime(2026, 11, 9, hour, tzinfo=UTC)
    return [
        room(n >= round((1 - share_up) * each), first + timedelta(days=day, minutes=n * 2))
        for day in range(days)
        for n in range(each)
    ]


@pytest.mark.parametrize(
    ("results", "verdict", "valid"),
    [
        pytest.param(polls(1.0), Verdict.MET, 200, id="always up"),
        pytest.param(polls(0.95), Verdict.MET, 200, id="exactly 95 %"),
        pytest.param(polls(0.925), Verdict.NOT_MET, 200, id="below"),
        pytest.param(polls(1.0, days=2), Verdict.INSUFFICIENT, 80, id="too few polls"),
        pytest.param(polls(1.0, days=3, each=60), Verdict.INSUFFICIENT, 180, id="too few days"),
        pytest.param([*polls(1.0), *polls(0.0, hour=12)], Verdict.MET, 200, id="evenings do not count"),
        pytest.param([*polls(1.0), room(None, AT)], Verdict.MET, 200, id="what our own side broke says nothing"),
        pytest.param([], Verdict.INSUFFICIENT, 0, id="nothing"),
    ],
)
def test_a_recording_room_s_month(results: list[AnyResult], verdict: Verdict, valid: int) -> None:
    actual, evidence, _ = judged("recording_room", results)
    assert (actual, evidence.valid_results) == (verdict, valid)


def lesson(
    rtt: float = 0.01, working: float = 0.05, jitter: float = 0.001, loss: float = 0.0, **more: Any
) -> ThroughputResult:
    made = throughput(1e9, 1e9, subject="uplink", **more)
    assert made.record is not None
    idle = LatencyRecord("icmp", 20, 20, rtt, rtt, rtt, rtt, jitter, loss)
    busy = LatencyRecord("icmp", 20, 20, rtt, working, working, working, jitter, 0.3)
    return msgspec.structs.replace(made, record=msgspec.structs.replace(made.record, idle=idle, working=busy))


@pytest.mark.parametrize(
    ("changes", "verdict", "cause"),
    [
        ({}, Verdict.MET, ""),
        ({"rtt": 0.060, "working": 0.150, "jitter": 0.030, "loss": 0.01}, Verdict.MET, ""),
        ({"working": 0.151}, Verdict.NOT_MET, "delay_under_load"),
        ({"rtt": 0.061}, Verdict.NOT_MET, "delay_idle"),
        ({"jitter": 0.031}, Verdict.NOT_MET, "delay_idle"),
        ({"loss": 0.011}, Verdict.NOT_MET, "delay_idle"),
    ],
)
def test_ready_for_live_lessons(changes: dict[str, float], verdict: Verdict, cause: str) -> None:
    results = [lesson(**changes, at=AT + timedelta(days=day, hours=hour)) for day in range(3) for hour in range(2)]
    actual, _, diagnosis = judged("live_class", results)
    assert (actual, diagnosis) == (verdict, cause)


def test_a_test_without_round_trips_says_nothing_of_live_lessons() -> None:
    bare = throughput(1e9, 1e9, subject="uplink")
    assert bare.record is not None
    results = [msgspec.structs.replace(bare, record=msgspec.structs.replace(bare.record, working=None))]
    assert judged("live_class", results)[1].valid_results == 0


def test_a_moment_is_no_date_in_a_policy() -> None:
    text = shipped_policy().read_text(encoding="utf-8").replace("2023-01-01\n", "2023-01-01T00:00:00\n", 1)
    with pytest.raises(ConfigurationError) as caught:
        read_policy(text)
    assert "effective_from: must be a date like 2023-01-01, not 2023-01-01T00:00:00" in str(caught.value)


@pytest.mark.parametrize(
    ("operation", "kind", "cause"),
    [
        (Operation.CONNECT, FailureKind.TIMEOUT, "endpoint_off"),
        (Operation.CONNECT, FailureKind.HOST_UNREACHABLE, "endpoint_off"),
        (Operation.CONNECT, FailureKind.CONNECTION_REFUSED, "endpoint_not_running"),
        (Operation.READ, FailureKind.TIMEOUT, "endpoint_silent"),
        (Operation.RESOLVE, FailureKind.NAME_NOT_FOUND, "endpoint_name"),
    ],
)
def test_off_silent_and_misnamed_endpoints_are_told_apart(operation: Operation, kind: FailureKind, cause: str) -> None:
    results = [
        msgspec.structs.replace(throughput(at=at, failure=kind), failure=Failure(operation, kind)) for at in days(4)
    ]
    assert judged("classroom_bandwidth", list(results))[2] == cause


def test_too_few_days_are_not_too_few_results() -> None:
    assert judged("classroom_bandwidth", rooms([100e6] * 12, days(2, 6)))[2] == "too_few_days"
    assert judged("classroom_bandwidth", rooms([100e6] * 3, days(3)))[2] == "too_few"
