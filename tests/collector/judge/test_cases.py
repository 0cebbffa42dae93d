"""A folder a case: results in short, the policy, and the verdict somebody argued for. Add a folder, and it is tested.

`results.json` is in short: local times, rates in Mbit/s of line rate (or `goodput`); `verdicts.json` says why.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from campus_collector.judge.day import evidence_by_day
from campus_collector.judge.month import parse_month
from campus_collector.judge.policy import read_policy
from campus_collector.judge.rules import RULES
from campus_collector.judge.verdict import About, judge_month
from campus_wire.encapsulation import Encapsulation, goodput_from_line_rate
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity
from campus_wire.records import (
    AnyResult,
    DirectionRecord,
    LatencyRecord,
    PortRecord,
    PortResult,
    RoomRecord,
    RoomResult,
    ThroughputRecord,
    ThroughputResult,
    kind_of,
)
from tests.collector.world import service

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())
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


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_case(folder: Path) -> None:
    shorts = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    argued = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    policy = read_policy((folder / "policy.toml").read_text(encoding="utf-8"))
    results = [result(short, number) for number, short in enumerate(shorts)]
    for expected in argued["verdicts"]:
        month = parse_month(expected["month"], ZONE)
        target, subject = expected["target"], expected["subject"]
        rule = policy.in_force(target, month.first_day)
        required = rule.required_bits_per_second if rule else None
        kinds = {kind: [one for one in results if kind_of(one) == kind] for kind in ("port", RULES[target].result_kind)}
        about = About(target, "t01", "s001", subject, required, argued.get("exempt_reason", ""))
        inside = [one for one in kinds[RULES[target].result_kind] if month.start <= one.started_at < month.end]
        days = evidence_by_day(inside, kinds["port"], rule, policy, ZONE, required) if rule else {}
        found = judge_month(about, days, month, policy)
        said: dict[str, Any] = {
            "verdict": str(found.verdict),
            "diagnosis": found.diagnosis,
            "valid_results": found.evidence.valid_results,
            "passing_results": found.evidence.passing_results,
            "invalid_results": found.evidence.invalid_results,
            "failed_results": found.evidence.failed_results,
            "skipped_results": found.evidence.skipped_results,
        }
        wanted = {key: value for key, value in expected.items() if key in said}
        assert {key: said[key] for key in wanted} == wanted, argued["why"]
