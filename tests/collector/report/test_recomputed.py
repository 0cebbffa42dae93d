"""Every figure worked out a second time, from the octets that are stored: sqlite3, json and the written policy, nothing of the judge."""

import json
import os
import sqlite3
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from statistics import fmean, median
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest

from campus_collector.config import load_config, shipped_policy
from campus_collector.http.service import open_service
from campus_collector.judge.month import Month
from campus_collector.report.figures import Figures
from tests.collector.stored import stored_results

SHANDONG = timezone(timedelta(hours=8))
POLICY = tomllib.loads(shipped_policy().read_text(encoding="utf-8"))
TOLERANCE = POLICY["tolerance_ratio"]
RULES = {each["name"]: each for each in POLICY["target"] if each["effective_from"] <= date(2026, 6, 1)}
HOURS = [tuple(text.split("-")) for text in POLICY["school_hours"]]
MONTHS = ("2026-05", "2026-06")
Key = tuple[str, str, str]


@dataclass
class Seen:
    """What a subject's results of a month say on one target."""

    passes: list[bool] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    days: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    exempt: bool = False

    def verdict(self, target: str) -> str:
        rule = RULES[target]
        if self.exempt:
            return "exempt"
        if len(self.passes) < rule["min_valid_results"] or len(self.days) < rule["min_days"]:
            return "insufficient"
        return "met" if sum(self.passes) >= rule["passing_share"] * len(self.passes) - 1e-9 else "not_met"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of a small county, with its faults; or a county that is there (CAMPUS_COUNTY=folder), with these months in it."""
    if given := os.environ.get("CAMPUS_COUNTY"):
        return Path(given)
    folder = tmp_path_factory.mktemp("county")
    command = [
        "simulate",
        "--schools",
        "8",
        "--classrooms",
        "6",
        "--month",
        "2026-06",
        "--months",
        "2",
        "--density",
        "0.6",
    ]
    subprocess.run(
        [sys.executable, "-m", "campus_collector", *command, "--state-dir", str(folder)], check=True, timeout=300
    )
    return folder


@pytest.fixture(scope="module")
def figures(state: Path) -> Iterator[Figures]:
    service = open_service(load_config(None, state, {}))
    yield service.reports.figures(Month(2026, 6, ZoneInfo("Asia/Shanghai")), datetime(2026, 7, 2, tzinfo=UTC))
    service.store.close()


@pytest.fixture(scope="module")
def seen(state: Path) -> dict[str, dict[Key, Seen]]:
    """By month, then (target, school, subject)."""
    database = sqlite3.connect(state / "campus.db")
    found: dict[str, dict[Key, Seen]] = {month: defaultdict(Seen) for month in MONTHS}
    subjects = "SELECT kind, school, id, exempt_reason <> '' FROM subject WHERE removed_at IS NULL"
    for kind, school, subject, exempt in database.execute(subjects):
        targets = {
            "classroom": ["classroom_bandwidth"], "uplink": ["uplink_bandwidth", "live_class"],
            "recording_room": ["recording_room"], "service": ["platform_access"],
        }[kind]  # fmt: skip
        for target in targets:
            for month in MONTHS:
                found[month][target, school, subject] = Seen(exempt=bool(exempt))
    for stored in stored_results(state / "campus.db"):
        school, subject, result = stored.school, stored.subject, json.loads(stored.raw)
        local = datetime.fromisoformat(result["started_at"]).astimezone(SHANDONG)
        month = f"{local:%Y-%m}"
        if month not in found:
            continue
        for target, passes, value in contributions(result, local):
            verdict = found[month].get((target, school, subject))
            if verdict is None:
                continue
            if passes is None:
                verdict.outcomes[outcome(result)] += 1
                continue
            verdict.passes.append(passes)
            verdict.days.add(f"{local:%d}")
            if value is not None:
                verdict.values.append(value)
    return found


def outcome(result: dict[str, Any]) -> str:
    if result.get("skipped"):
        return "skipped"
    if result.get("failure"):
        return "failed"
    return "invalid"


def in_school_hours(local: datetime) -> bool:
    return chinese_calendar.is_workday(local.date()) and any(start <= f"{local:%H:%M}" < end for start, end in HOURS)


def contributions(result: dict[str, Any], local: datetime) -> Iterator[tuple[str, bool | None, float | None]]:
    """What a result says on which target: passes, or None for nothing; the value that was compared."""
    sound = result["validity"] == "ok" and not result.get("failure") and not result.get("skipped")
    record = result.get("record")
    if result["kind"] == "throughput":
        target = "uplink_bandwidth" if result["subject"] == "uplink" else "classroom_bandwidth"
        yield target, *bandwidth(record if sound else None, RULES[target]["required_bits_per_second"])
        if target == "uplink_bandwidth":
            yield "live_class", *live(record if sound else None)
    elif result["kind"] == "service" and in_school_hours(local):
        if result["validity"] != "ok" or result.get("skipped"):
            yield "platform_access", None, None
        else:
            first = (record or {}).get("first_byte_seconds")
            well = bool(record) and record["success"] and not result.get("failure") and first is not None
            yield "platform_access", bool(well and first <= RULES["platform_access"]["max_first_byte_seconds"]), first
    elif result["kind"] == "room" and in_school_hours(local):
        yield "recording_room", (record["up"] if sound and record else None), None


def bandwidth(record: dict[str, Any] | None, required: float) -> tuple[bool | None, float | None]:
    if record is None:
        return None, None
    rates = []
    for name in ("down", "up"):
        direction = record.get(name)
        if direction is None:
            return None, None
        rate = direction.get("line_rate_bits_per_second") or direction["goodput_bits_per_second"] * 1538 / 1448
        if direction.get("lower_bound") and rate < required * TOLERANCE:
            return None, None
        rates.append(rate)
    return min(rates) >= required * TOLERANCE, min(rates)


def live(record: dict[str, Any] | None) -> tuple[bool | None, float | None]:
    if record is None or not record.get("idle") or not record.get("working"):
        return None, None
    rule, idle, working = RULES["live_class"], record["idle"], record["working"]["rtt_p95_seconds"]
    return (
        idle["rtt_median_seconds"] <= rule["max_rtt_seconds"]
        and idle["jitter_seconds"] <= rule["max_jitter_seconds"]
        and idle["loss_ratio"] <= rule["max_loss_ratio"]
        and working <= rule["max_working_rtt_seconds"]
    ), working


def tally(seen: dict[Key, Seen], target: str, schools: set[str] | None = None) -> tuple[int, int, int]:
    verdicts = Counter(
        each.verdict(name)
        for (name, school, _), each in seen.items()
        if name == target and (schools is None or school in schools)
    )
    return verdicts["met"], verdicts["not_met"], verdicts["insufficient"]


def test_the_targets(figures: Figures, seen: dict[str, dict[Key, Seen]]) -> None:
    for target in figures.targets:
        now, before = tally(seen["2026-06"], target.target), tally(seen["2026-05"], target.target)
        assert (target.count.met, target.count.not_met, target.count.insufficient) == now, target.target
        assert target.last_month == pytest.approx(before[0] / sum(before)), target.target
        assert target.last_year is None
    assert sum(tally(seen["2026-06"], "classroom_bandwidth")[1:]) > 3, "the county has faults"


def test_towns_and_schools(figures: Figures, seen: dict[str, dict[Key, Seen]]) -> None:
    for school in figures.schools:
        for target, count in school.counts.items():
            assert (count.met, count.not_met, count.insufficient) == tally(seen["2026-06"], target, {school.id})
        valid = sum(
            len(each.passes)
            for (target, own, _), each in seen["2026-06"].items()
            if own == school.id and target != "live_class"
        )
        assert school.valid_results == valid
    scores = {}
    for town in figures.towns:
        schools = {school.id for school in figures.schools if school.town == town.id}
        ratios = []
        for target in RULES:
            met, *rest = tally(seen["2026-06"], target, schools)
            if met + sum(rest):
                ratios.append(met / (met + sum(rest)))
        scores[town.id] = fmean(ratios)
        assert town.score == pytest.approx(scores[town.id])
        assert town.schools == len(schools)
    for town in figures.towns:
        assert town.rank == 1 + sum(score > scores[town.id] + 1e-12 for score in scores.values())


def test_what_fails_and_its_rates(figures: Figures, seen: dict[str, dict[Key, Seen]]) -> None:
    listed = {(each.target, each.school, each.subject): each for each in figures.failing}
    unmet = {
        key
        for key, each in seen["2026-06"].items()
        if key[0] != "platform_access" and each.verdict(key[0]) not in ("met", "exempt")
    }
    assert set(listed) == unmet
    for key, verdict in listed.items():
        own = seen["2026-06"][key]
        assert (verdict.valid_results, verdict.passing_results) == (len(own.passes), sum(own.passes))
        assert verdict.verdict == own.verdict(key[0])
        if key[0] in ("classroom_bandwidth", "uplink_bandwidth"):
            expected = median(own.values) if own.values else None
            assert verdict.measured_bits_per_second == (pytest.approx(expected) if expected is not None else None)


def test_rooms_platforms_and_data(figures: Figures, seen: dict[str, dict[Key, Seen]]) -> None:
    for room in figures.rooms:
        own = seen["2026-06"]["recording_room", room.school, "recording_room"]
        share = sum(own.passes) / len(own.passes) if own.passes else None
        assert room.polls == len(own.passes)
        assert room.availability == (pytest.approx(share) if share is not None else None)
    for platform in figures.platforms:
        every = [
            each
            for (target, _, subject), each in seen["2026-06"].items()
            if target == "platform_access" and subject == platform.service
        ]
        requests = sum(len(each.passes) for each in every)
        assert platform.requests == requests
        assert platform.success_ratio == pytest.approx(sum(sum(each.passes) for each in every) / requests)
        assert platform.first_byte_seconds == pytest.approx(
            median(median(each.values) for each in every if each.values)
        )
    counted = [each for (target, _, _), each in seen["2026-06"].items() if target != "live_class"]
    data = figures.data
    assert data.valid == sum(len(each.passes) for each in counted)
    assert data.passing == sum(sum(each.passes) for each in counted)
    for name in ("invalid", "failed", "skipped"):
        assert getattr(data, name) == sum(each.outcomes[name] for each in counted), name


def test_the_trend(figures: Figures, seen: dict[str, dict[Key, Seen]]) -> None:
    known = {each.month: each.counts for each in figures.trend if each.counts}
    assert set(known) >= set(MONTHS)
    for month in MONTHS:
        for target, count in known[month].items():
            assert (count.met, count.not_met, count.insufficient) == tally(seen[month], target)
