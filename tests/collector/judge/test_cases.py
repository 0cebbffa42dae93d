"""A folder a case: results in short, its own policy where it is about one, and the verdict somebody argued for. Add a folder, and it is tested.

`results.json` is in short: local times, rates in Mbit/s of line rate (or `goodput`); `verdicts.json` says why. A `lesson_stream` of 45 `minutes`
is nine results; its minutes are good `but` for those that are named, counted from its beginning.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from campus_collector.judge.day import evidence_by_day
from campus_collector.judge.month import parse_month
from campus_collector.judge.policy import Policy, hours_of, read_policy
from campus_collector.judge.rules import rule_of
from campus_collector.judge.verdict import JudgedSubject, SubjectVerdict, judge_month
from campus_wire.encapsulation import Encapsulation, goodput_from_line_rate
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity
from campus_wire.records import (
    AnyResult,
    DirectionRecord,
    Interruption,
    LatencyRecord,
    PortRecord,
    PortResult,
    RoomRecord,
    RoomResult,
    ThroughputRecord,
    ThroughputResult,
    kind_of,
)
from tests.collector.lessons import lesson_streams
from tests.collector.world import service

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())
SHARED_POLICY = Path(__file__).parent / "cases" / "policy.toml"
ZONE = ZoneInfo("Asia/Shanghai")


def result(short: dict[str, Any], number: int) -> AnyResult:
    """The result a line of results.json stands for."""
    at = datetime.fromisoformat(short["at"]).replace(tzinfo=ZONE)
    common: dict[str, Any] = {
        "id": short.get("id", f"n-{number}"),
        "subject": short["subject"],
        "started_at": at.astimezone(ZoneInfo("UTC")),
        "boot_id": "b",
        "monotonic_seconds": 1.0,
        "duration_seconds": 1.0,
        "validity": Validity(short.get("validity", "ok")),
        "school": short.get("school"),
    }
    if short["kind"] == "service":
        made = service(short["first_byte"])
        return msgspec.structs.replace(made, **common)
    if short["kind"] == "room":
        return RoomResult(**common, record=RoomRecord(short["up"], 1, [] if short["up"] else ["r1"]))
    if short["kind"] == "port":
        errors = short.get("errors", 0)
        record = PortRecord(
            "sw-1", "Gi1", "lldp", True, short["speed"] * 1e6, short["duplex"],
            receive_errors=errors, received_packets=short.get("packets", 1000),
        )  # fmt: skip
        return PortResult(**common, record=record)
    if short.get("skipped"):
        return ThroughputResult(**common, skipped=SkipReason(short["skipped"]))
    if short.get("failure"):
        common["validity"] = Validity.NOT_MEASURED
        return ThroughputResult(**common, failure=Failure(Operation.CONNECT, FailureKind(short["failure"])))
    return ThroughputResult(**common, record=throughput_record(short))


def streams(short: dict[str, Any], number: int) -> Iterator[AnyResult]:
    """The results of five minutes each that a line of results.json stands for."""
    begin = datetime.fromisoformat(short["at"]).replace(tzinfo=ZONE).astimezone(UTC)
    different = {
        but["minute"]: {name: value for name, value in but.items() if name != "minute"} for but in short.get("but", ())
    }
    interruptions = [
        Interruption(
            f"i-{number}-{index}",
            begin + timedelta(seconds=each["second"]),
            begin + timedelta(seconds=each["second"] + each["seconds"]),
            each.get("direction", "both"),
            each["where"],
            20 * each["seconds"],
        )
        for index, each in enumerate(short.get("interruptions", ()))
    ]
    yield from lesson_streams(begin, short["minutes"], different, interruptions, short.get("id", f"n-{number}"))


def throughput_record(short: dict[str, Any]) -> ThroughputRecord:
    """Both directions, idle and under load."""
    path = Encapsulation(short.get("mtu", 1500), vlan_tags=short.get("vlan", 0), pppoe=short.get("pppoe", False))

    def direction(name: str) -> DirectionRecord:
        goodput = short["goodput"] * 1e6 if "goodput" in short else goodput_from_line_rate(short[name] * 1e6, path)
        burst = short["burst"] * 1e6 if "burst" in short else None
        return DirectionRecord(
            goodput, 1000, 1.0, line_rate_bits_per_second=None if "goodput" in short else short[name] * 1e6,
            lower_bound=short.get("lower_bound", False), burst_line_rate_bits_per_second=burst,
        )  # fmt: skip

    rtt, loaded = short.get("rtt", 0.001), short.get("loaded", 0.01)
    idle = LatencyRecord("icmp", 100, 100, rtt, rtt, rtt, rtt, short.get("jitter", 0.0001), short.get("loss", 0.0))
    working = LatencyRecord("icmp", 100, 100, rtt, loaded, loaded, loaded, 0.001, 0.0)
    segment = "uplink" if short["subject"] == "uplink" else "classroom"
    return ThroughputRecord(
        segment, "campus", "1", 1e8, path, direction("down"), direction("up"), idle=idle, working=working
    )


def policy_of(folder: Path) -> Path:
    """A case's own policy, where it is about one; else the one that all cases share."""
    own = folder / SHARED_POLICY.name
    return own if own.exists() else SHARED_POLICY


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 40


def test_a_case_s_own_policy_says_something_of_its_own() -> None:
    own = [
        (folder / SHARED_POLICY.name).read_text(encoding="utf-8")
        for folder in CASES
        if policy_of(folder) != SHARED_POLICY
    ]
    assert SHARED_POLICY.read_text(encoding="utf-8") not in own
    assert len(own) >= 14


@pytest.mark.parametrize(
    "field",
    [
        "passing_share",
        "min_valid_results",
        "min_days",
        "required_bits_per_second",
        "tolerance_ratio",
        "min_lesson_minutes",
        "max_loss_ratio",
        "max_rtt_p95_seconds",
        "max_jitter_seconds",
        "max_gap_seconds",
        "min_observed_seconds",
    ],
)
def test_some_case_depends_on_each_figure_of_the_policy(field: str) -> None:
    """A policy whose figures could be others without any case noticing would not be tested."""
    assert any(outcome(folder, field) != outcome(folder, "") for folder in CASES)


def outcome(folder: Path, changed: str) -> list[tuple[str, int]]:
    """A case's verdicts with one figure of every target changed a little, or none."""
    text = policy_of(folder).read_text(encoding="utf-8")
    smaller = {
        "passing_share": 0.93,
        "min_valid_results": 0.5,
        "min_days": 0.5,
        "required_bits_per_second": 0.9,
        "tolerance_ratio": 0.9,
        "min_lesson_minutes": 0.5,
        "max_loss_ratio": 0.5,
        "max_rtt_p95_seconds": 0.5,
        "max_jitter_seconds": 0.5,
        "max_gap_seconds": 0.5,
        "min_observed_seconds": 0.5,
    }
    if changed:
        text = re.sub(
            rf"(?m)^({changed} = )([\d_.e]+)", lambda found: f"{found[1]}{_less(found[2], smaller[changed])}", text
        )
    return [(str(each.verdict), each.evidence.passing_results) for _, each in judged(folder, read_policy(text))]


def _less(number: str, factor: float) -> str:
    value = float(number) * factor
    return str(max(1, int(value))) if re.fullmatch(r"\d+", number) else repr(value)


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_case(folder: Path) -> None:
    argued = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    for expected, found in judged(folder, read_policy(policy_of(folder).read_text(encoding="utf-8"))):
        said: dict[str, Any] = {
            "verdict": str(found.verdict),
            "diagnosis": found.diagnosis,
            "valid_results": found.evidence.valid_results,
            "passing_results": found.evidence.passing_results,
            "invalid_results": found.evidence.invalid_results,
            "failed_results": found.evidence.failed_results,
            "skipped_results": found.evidence.skipped_results,
            "days": found.evidence.days,
            "broken_limits": found.broken_limits,
            "worst_lesson": _worst(found),
        }
        wanted = {key: value for key, value in expected.items() if key in said}
        assert {key: said[key] for key in wanted} == wanted, argued["why"]


def _worst(found: SubjectVerdict) -> list[Any] | None:
    """Day, beginning and bad minutes of the worst lesson."""
    worst = found.worst_lesson
    if worst is None:
        return None
    return [worst.day.isoformat(), f"{worst.lesson.start // 60:02d}:{worst.lesson.start % 60:02d}", worst.lesson.bad]


def judged(folder: Path, policy: Policy) -> Iterator[tuple[dict[str, Any], SubjectVerdict]]:
    """What a case argues for, with what comes out."""
    shorts = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    argued = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    lessons = tuple(hours for text in argued.get("lessons", ()) if (hours := hours_of(text)) is not None)
    results = []
    for number, short in enumerate(shorts):
        results += streams(short, number) if short["kind"] == "lesson_stream" else [result(short, number)]
    for expected in argued["verdicts"]:
        month = parse_month(expected["month"], ZONE)
        target, subject = expected["target"], expected["subject"]
        rule = policy.in_force(target, month.first_day)
        required = rule.required_bits_per_second if rule else None
        judged_kind = rule_of(target, rule).result_kind
        kinds = {kind: [each for each in results if kind_of(each) == kind] for kind in ("port", judged_kind)}
        about = JudgedSubject(target, "t01", "s001", subject, required, argued.get("exempt_reason", ""))
        inside = [each for each in kinds[judged_kind] if month.start <= each.started_at < month.end]
        days = evidence_by_day(inside, kinds["port"], rule, policy, ZONE, required, lessons) if rule else {}
        yield expected, judge_month(about, days, month, policy)
