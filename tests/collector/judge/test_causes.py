"""Ranked causes, what a school's classrooms have in common, and how sure a share is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_base.messages import bilingual
from campus_collector.config import shipped_policy
from campus_collector.judge.causes import Case, Cause, causes_of
from campus_collector.judge.evidence import MonthEvidence, evidence_of, wilson
from campus_collector.judge.explanations import EXPLANATIONS, UNIT_WORDS
from campus_collector.judge.policy import load_policy
from campus_collector.judge.shared_causes import shared_cause
from campus_collector.judge.symptoms import Symptoms
from campus_collector.judge.verdict import SubjectVerdict
from campus_wire.bandwidth import Verdict

POLICY = load_policy(shipped_policy())
RULE = next(target for target in POLICY.targets if target.name == "classroom_bandwidth")


def case(symptoms: dict[str, int], values: list[float], verdict: Verdict = Verdict.NOT_MET) -> Case:
    evidence = MonthEvidence(10, 0, 5, 0, 0, 0, min(values, default=None), None)
    return Case(verdict, RULE, 1e8, evidence, Symptoms(symptoms), sorted(values))


@pytest.mark.parametrize(
    ("symptoms", "values", "ranked"),
    [
        ({"slow": 10, "port": 10, "port:half": 10, "port:10": 10}, [5e6, 8e6], ["half_duplex", "port_speed_10", "unstable_rate"]),
        ({"slow": 10, "port": 10, "port:errors": 3}, [40e6, 80e6], ["cable_errors", "unstable_rate"]),
        ({"slow": 10, "port": 10, "port:errors": 1}, [40e6, 80e6], ["unstable_rate"]),
        ({"slow": 10, "gateway_port:10": 10}, [9.9e6, 10e6], ["gateway_port", "port_speed_10", "flat_rate"]),
        ({"slow": 10, "gateway_cpu": 6}, [40e6, 80e6], ["gateway_busy", "unstable_rate"]),
        ({"slow": 10, "burst_down": 7}, [50e6, 50.1e6], ["shaped", "flat_rate"]),
        ({"slow": 10, "idle_jitter_or_loss": 6, "delay_under_load": 9}, [40e6, 80e6], ["wireless_or_cable", "overloaded_line", "unstable_rate"]),
        ({"slow": 10}, [], ["unknown"]),
    ],
)  # fmt: skip
def test_what_was_asked_outweighs_what_looks_like_something(
    symptoms: dict[str, int], values: list[float], ranked: list[str]
) -> None:
    actual = causes_of(case(symptoms, values))
    assert [each.code for each in actual] == ranked
    assert [each.weight for each in actual] == sorted((each.weight for each in actual), reverse=True)
    assert all(each.evidence.en and each.evidence.zh for each in actual)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "slow",
                "port",
                "port:half",
                "port:10",
                "port:errors",
                "burst_up",
                "failed:connect/timeout",
                "skipped:lesson",
                "skipped:endpoint_off",
                "invalid:gateway_cpu",
                "idle_jitter_or_loss",
                "delay_under_load",
                "port:down",
                "late",
                "idle_rtt",
                "access:slow",
            ]
        ),
        st.integers(1, 500),
    ),
    st.lists(st.floats(1e5, 1e9), max_size=8),
    st.sampled_from([Verdict.NOT_MET, Verdict.INSUFFICIENT, Verdict.MET, Verdict.EXEMPT]),
)
def test_every_case_has_an_explained_cause_or_needs_none(
    symptoms: dict[str, int], values: list[float], verdict: Verdict
) -> None:
    found = causes_of(case(symptoms, values, verdict))
    assert bool(found) == (verdict in (Verdict.NOT_MET, Verdict.INSUFFICIENT))
    for each in found:
        actual = EXPLANATIONS[each.code]
        assert actual.what.zh
        assert actual.advice.zh
        assert actual.unit in UNIT_WORDS


def room(name: str, cause: str, rate: float | None = None, target: str = "classroom_bandwidth") -> SubjectVerdict:
    verdict = (
        Verdict.MET
        if not cause
        else Verdict.INSUFFICIENT
        if cause in ("no_report", "endpoint_off")
        else Verdict.NOT_MET
    )
    causes = (Cause(cause, 0.9, bilingual("e", "据")),) if cause else ()
    return SubjectVerdict(target, "t01", "s001", name, verdict, evidence_of([]), RULE, "v", causes, failing_median=rate)


UPLINK = room("uplink", "flat_rate", 61e6, "uplink_bandwidth")


@pytest.mark.parametrize(
    ("rooms", "uplink", "cause"),
    [
        ([room(f"c{n}", "flat_rate", 60e6) for n in range(5)], None, "shared_bottleneck"),
        ([room(f"c{n}", "flat_rate", 60e6) for n in range(5)], UPLINK, "uplink_bottleneck"),
        ([room(f"c{n}", "flat_rate", 60e6) for n in range(5)], room("uplink", "flat_rate", 500e6, "uplink_bandwidth"), "shared_bottleneck"),
        ([room(f"c{n}", "flat_rate", 20e6 * (n + 1)) for n in range(4)], None, None),
        ([room(f"c{n}", "no_report") for n in range(5)], None, "agent_silent"),
        ([room(f"c{n}", "endpoint_off") for n in range(5)], None, "all_endpoints_off"),
        ([room(f"c{n}", "gateway_busy", None) for n in range(5)], None, "gateway_busy"),
        ([room("c0", "flat_rate", 60e6), *(room(f"c{n}", "") for n in range(1, 5))], None, None),
        ([room("c0", "flat_rate", 60e6)], UPLINK, None),
        ([], None, None),
    ],
)  # fmt: skip
def test_what_classrooms_have_in_common(
    rooms: list[SubjectVerdict], uplink: SubjectVerdict | None, cause: str | None
) -> None:
    actual = shared_cause(rooms, uplink)
    assert (actual.cause.code if actual else None) == cause


@pytest.mark.parametrize(
    ("passing", "valid", "low", "high"),
    [(8, 8, 0.6756, 1.0), (80, 100, 0.7112, 0.8666), (0, 5, 0.0, 0.4345), (1, 1, 0.2065, 1.0)],
)
def test_wilson_s_interval(passing: int, valid: int, low: float, high: float) -> None:
    """Figures of Wilson's formula at 95 %, as in tables."""
    assert wilson(passing, valid) == pytest.approx((low, high), abs=2e-4)


@given(st.integers(1, 3000).flatmap(lambda valid: st.tuples(st.integers(0, valid), st.just(valid))))
def test_the_interval_holds_the_share(counts: tuple[int, int]) -> None:
    passing, valid = counts
    low, high = wilson(passing, valid)
    assert 0 <= low <= passing / valid + 1e-12
    assert passing / valid - 1e-12 <= high <= 1
