"""What is pure: a month by two policies, how policies differ, which months are meant."""

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from campus_collector.config import shipped_policy
from campus_collector.domain.schools import Subject
from campus_collector.judge import two_policies
from campus_collector.judge.day import counted_by_day, evidence_by_day
from campus_collector.judge.month import Month
from campus_collector.judge.policy import MinuteLimits, Policy, load_policy, read_policy
from campus_collector.judge.two_policies import decide_by
from campus_collector.judge.verdict import JudgedSubject, decide, judge_month
from campus_collector.rejudge.plan import _of_rules, differences_of, months_in
from campus_wire.bandwidth import Verdict
from campus_wire.failures import FailureKind, Validity
from campus_wire.records import AnyResult
from tests.collector.world import AT, days, service, throughput

POLICY = load_policy(shipped_policy())
TEXT = shipped_policy().read_text(encoding="utf-8")
ZONE = ZoneInfo("Asia/Shanghai")
NOVEMBER = Month(2026, 11, ZONE)
ROOM = Subject("s001", "classroom", "c101", "一年级1班", None, "inventory")
MET, NOT_MET, INSUFFICIENT, EXEMPT = Verdict.MET, Verdict.NOT_MET, Verdict.INSUFFICIENT, Verdict.EXEMPT


def other(before: str, after: str) -> Policy:
    assert before in TEXT
    return read_policy(TEXT.replace(before, after))


def measured(rates: list[float]) -> list[AnyResult]:
    return [throughput(rate, rate, at=at) for rate, at in zip(rates, days(len(rates)), strict=True)]


@pytest.mark.parametrize(
    ("rates", "policy", "verdicts"),
    [
        ([100e6] * 8, POLICY, (MET, MET)),
        ([97.5e6] * 8, other("tolerance_ratio = 0.98", "tolerance_ratio = 0.97"), (NOT_MET, MET)),
        ([100e6] * 7 + [50e6] * 3, other("passing_share = 0.80", "passing_share = 0.70"), (NOT_MET, MET)),
        ([100e6] * 8 + [50e6] * 2, other("passing_share = 0.80", "passing_share = 0.90"), (MET, NOT_MET)),
        ([100e6] * 6, other("min_valid_results = 8", "min_valid_results = 6"), (INSUFFICIENT, MET)),
        ([100e6] * 8, other("effective_from = 2023-01-01", "effective_from = 2030-01-01"), (MET, INSUFFICIENT)),
        ([50e6] * 8, other("required_bits_per_second = 100_000_000", "required_bits_per_second = 50_000_000"), (NOT_MET, MET)),
    ],
)  # fmt: skip
def test_another_policy_decides_otherwise(
    rates: list[float], policy: Policy, verdicts: tuple[Verdict, Verdict]
) -> None:
    decisions = decide_by([POLICY, policy], ROOM, "classroom_bandwidth", "t01", measured(rates), NOVEMBER)
    assert tuple(decision.verdict for decision in decisions) == verdicts


def test_exemptions_are_those_of_each_policy() -> None:
    text = TEXT + '\n[[exemption]]\nschool = "s001"\nfrom = 2026-11-01\nuntil = 2026-11-30\nreason = "重建"\n'
    decisions = decide_by([POLICY, read_policy(text)], ROOM, "classroom_bandwidth", "t01", [], NOVEMBER)
    assert [decision.verdict for decision in decisions] == [INSUFFICIENT, EXEMPT]


def test_results_are_read_again_only_by_a_policy_that_reads_them_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def spy(*arguments: object) -> object:
        read.append("")
        return counted_by_day(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(two_policies, "counted_by_day", spy)
    share = other("passing_share = 0.80", "passing_share = 0.70")
    hours = replace(POLICY, school_hours=())
    tolerance = replace(POLICY, tolerance_ratio=0.9)
    for policy, times in ((share, 1), (hours, 1), (tolerance, 2)):
        read.clear()
        decide_by([POLICY, policy], ROOM, "classroom_bandwidth", "t01", measured([100e6] * 8), NOVEMBER)
        assert len(read) == times


def mixed(target: str) -> list[AnyResult]:
    if target == "platform_access":
        return [service(None if n % 7 == 0 else 0.3, at=AT + timedelta(hours=n)) for n in range(100)]
    sound: list[AnyResult] = [throughput(1e9 if n % 5 else 5e8, 1e9, at=at) for n, at in enumerate(days(9, 3))]
    return [
        *sound,
        *sound[:4],
        throughput(at=AT, failure=FailureKind.TIMEOUT),
        throughput(at=AT, validity=Validity.CLOCK_UNTRUSTED),
        throughput(at=AT, validity=Validity.GATEWAY_CPU),
        throughput(at=AT - timedelta(days=40)),
    ]


@pytest.mark.parametrize("target", ["classroom_bandwidth", "uplink_bandwidth", "live_class", "platform_access"])
def test_counting_decides_as_all_evidence_does(target: str) -> None:
    rule = POLICY.in_force(target, NOVEMBER.first_day)
    assert rule is not None
    about = JudgedSubject(target, "t01", "s001", "c101", rule.required_bits_per_second)
    required, results = rule.required_bits_per_second, mixed(target)
    of_month = [result for result in results if NOVEMBER.start <= result.started_at < NOVEMBER.end]
    whole = judge_month(about, evidence_by_day(of_month, [], rule, POLICY, ZONE, required), NOVEMBER, POLICY)
    short = decide(about, counted_by_day(results, rule, POLICY, NOVEMBER, required), NOVEMBER, POLICY)
    assert whole.verdict is short.verdict
    for name in ("valid_results", "passing_results", "days"):
        assert getattr(whole.evidence, name) == getattr(short.evidence, name)
    assert whole.evidence.valid_results > 8


def test_workdays_that_were_kept_hold_whatever_the_calendar_says_today() -> None:
    sunday = date(2026, 11, 8)
    assert not POLICY.in_school_hours(AT.astimezone(ZONE) - timedelta(days=1))
    kept = replace(POLICY, workdays=frozenset({sunday}))
    assert kept.in_school_hours(AT.astimezone(ZONE) - timedelta(days=1))
    assert not kept.in_school_hours(AT.astimezone(ZONE))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (POLICY, []),
        (replace(POLICY, tolerance_ratio=0.97), [("", "tolerance_ratio", 0.98, 0.97)]),
        (
            other("passing_share = 0.99", "passing_share = 0.95"),
            [("platform_access", "passing_share", 0.99, 0.95)],
        ),
        (
            other("max_rtt_seconds = 0.060", "max_rtt_seconds = 0.2"),
            [("live_class", "max_rtt_seconds", 0.06, 0.2)],
        ),
        (replace(POLICY, school_hours=()), [("", "school_hours", "07:30-12:00 13:30-18:00", 0)]),
        (replace(POLICY, targets=POLICY.targets[1:]), [("classroom_bandwidth", "effective_from", "2023-01-01", None)]),
    ],
)
def test_how_policies_differ_in_a_month(policy: Policy, expected: list[tuple[object, ...]]) -> None:
    actual = [(each.target, each.name, each.archived, each.other) for each in differences_of(NOVEMBER, POLICY, policy)]
    assert actual == expected


def test_an_entry_that_begins_later_is_no_difference() -> None:
    target = POLICY.in_force("classroom_bandwidth", NOVEMBER.first_day)
    assert target is not None
    later = replace(
        POLICY, targets=(*POLICY.targets, replace(target, passing_share=0.5, effective_from=date(2027, 1, 1)))
    )
    assert differences_of(NOVEMBER, POLICY, later) == []


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("2026-09", ["2026-09"]),
        ("2026-11..2027-02", ["2026-11", "2026-12", "2027-01", "2027-02"]),
        ("2026-09..2026-09", ["2026-09"]),
    ],
)
def test_months_are_a_span(text: str, months: list[str]) -> None:
    assert months_in(text) == months


@pytest.mark.parametrize(
    "text", ["", "..", "2026-09..", "2026-13", "2026-10..2026-09", "2000-01..2099-12", "２０２６-09"]
)
def test_what_is_no_span_of_months_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        months_in(text)


def test_limits_of_delays_and_minutes_are_shown_one_by_one() -> None:
    """Also where only one of the policies judges by minutes."""
    before = POLICY.in_force("live_class", date(2026, 11, 1))
    assert before is not None
    limits = replace(before, delays=None, minutes=MinuteLimits())
    shown = {name: values for name, *values in _of_rules(before, limits)}
    assert shown["max_gap_seconds"] == [None, 1.0]
    assert shown["max_working_rtt_seconds"][1] is None
    assert not {"delays", "minutes"} & shown.keys()
    stricter = replace(limits, minutes=MinuteLimits(max_loss_ratio=0.005))
    assert _of_rules(limits, stricter) == [("max_loss_ratio", 0.01, 0.005)]
