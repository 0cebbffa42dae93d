"""What a month is compared with: which verdicts changed since the month before, how each town and school did over the year, since when a line falls short. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from campus_collector.domain.inventory import InventorySchool
from campus_collector.domain.schools import School
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.judge.verdict import UNMET, SubjectVerdict
from campus_collector.report.figures import CarrierLine, Count, TargetChange
from campus_wire.bandwidth import Verdict

MOST_SCHOOLS_NAMED = 3
Areas = Mapping[str, Mapping[str, Count]]
"""Counts by area (`town:ID`, `school:ID`) and target."""


def changes_since(
    before: Mapping[tuple[str, str, str], Verdict],
    verdicts: Sequence[SubjectVerdict],
    schools: Mapping[str, School],
) -> list[TargetChange]:
    """By target; `before` is by (target, school, subject). Subjects that were not judged in both months are left out."""
    repaired: dict[str, Counter[str]] = {name: Counter() for name in TARGET_NAMES}
    worse: dict[str, Counter[str]] = {name: Counter() for name in TARGET_NAMES}
    for verdict in verdicts:
        was = before.get((verdict.target, verdict.school, verdict.subject))
        if was in UNMET and verdict.verdict is Verdict.MET:
            repaired[verdict.target][verdict.school] += 1
        elif was is Verdict.MET and verdict.verdict in UNMET:
            worse[verdict.target][verdict.school] += 1
    return [
        TargetChange(
            name,
            repaired[name].total(),
            worse[name].total(),
            _most(repaired[name], schools),
            _most(worse[name], schools),
        )
        for name in TARGET_NAMES
    ]


def _most(counted: Counter[str], schools: Mapping[str, School]) -> list[tuple[str, int]]:
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_SCHOOLS_NAMED]
    return [(schools[school].name if school in schools else school, number) for school, number in ordered]


def area_trends(months: Sequence[Areas], areas: Sequence[str]) -> dict[str, dict[str, list[float | None]]]:
    """The ratios of each month, oldest first, by area and target; targets without any are left out."""
    trends: dict[str, dict[str, list[float | None]]] = {}
    for area in areas:
        by_target = {name: [_ratio(month.get(area, {}).get(name)) for month in months] for name in TARGET_NAMES}
        trends[area] = {
            name: ratios for name, ratios in by_target.items() if any(ratio is not None for ratio in ratios)
        }
    return trends


def _ratio(count: Count | None) -> float | None:
    ratio = None if count is None else count.known_ratio
    return None if ratio is None else round(ratio, 6)


def carrier_lines(
    rows: Sequence[InventorySchool],
    verdicts: Sequence[SubjectVerdict],
    tolerance_ratio: float,
    first_day: str,
    opened: Mapping[str, str],
    before: Sequence[CarrierLine],
) -> list[CarrierLine]:
    """Of the schools that name a carrier, a contract or a promised rate. `opened` says since when the ledger has an open problem of a school's
    line, `before` are the lines of the month before; days are YYYY-MM-DD."""
    judged = {verdict.school: verdict for verdict in verdicts if verdict.target == "uplink_bandwidth"}
    short = {line.school: line.since for line in before if line.kept is False and line.since}
    lines = []
    for row in sorted(rows, key=lambda row: (row.carrier, row.town, row.id)):
        if not (row.carrier or row.contract or row.contract_bits_per_second):
            continue
        verdict = judged.get(row.id)
        measured = (
            verdict.evidence.median_value if verdict and verdict.verdict in (Verdict.MET, Verdict.NOT_MET) else None
        )
        kept = _kept(row.contract_bits_per_second, measured, verdict, tolerance_ratio)
        days = [day for day in (short.get(row.id), opened.get(row.id), first_day) if day]
        lines.append(
            CarrierLine(
                row.id,
                row.name,
                row.town,
                row.town_name or row.town,
                row.carrier,
                row.contract,
                row.contract_bits_per_second,
                measured,
                kept,
                min(days) if kept is False else "",
            )
        )
    return lines


def _kept(
    promised: int | None, measured: float | None, verdict: SubjectVerdict | None, tolerance_ratio: float
) -> bool | None:
    """Not known of a promise above the target whose target is met: a test ends as soon as it is sure of the target."""
    if promised is None or measured is None:
        return None
    if measured >= promised * tolerance_ratio:
        return True
    required = verdict.rule.required_bits_per_second if verdict and verdict.rule else None
    beyond = required is not None and promised > required and measured >= required * tolerance_ratio
    return None if beyond else False
