"""Figures made by hand: a county of two towns, so that tests need no store."""

from typing import Any

import msgspec

from campus_collector.report.figures import (
    AgreementFigures,
    Correction,
    Count,
    DataFigures,
    Failing,
    Figures,
    Forecast,
    Head,
    LedgerFigures,
    LedgerLine,
    PlatformFigures,
    RoomFigures,
    SchoolFigures,
    TargetFigures,
    TownFigures,
    TrendPoint,
)
from campus_wire.bandwidth import Verdict

TARGETS = ("classroom_bandwidth", "uplink_bandwidth", "recording_room", "live_class", "platform_access")


def school(number: int, town: str, name: str, met: int, unmet: int) -> SchoolFigures:
    """A school with its classrooms."""
    counts = {"classroom_bandwidth": Count(met, unmet), "uplink_bandwidth": Count(1), "platform_access": Count(2, 0, 1)}
    return SchoolFigures(f"s{number:03d}", name, town, f"{town}镇", number == 1, counts, 120)


def failing(name: str = "一年级1班", school_name: str = "柳河镇中心小学", **more: Any) -> Failing:
    """A classroom below its target."""
    values: dict[str, Any] = {
        "target": "classroom_bandwidth", "school": "s001", "school_name": school_name, "town": "柳河", "town_name": "柳河镇",
        "subject": "c101", "name": name, "verdict": Verdict.NOT_MET, "measured_bits_per_second": 49.94e6,
        "required_bits_per_second": 1e8, "valid_results": 20, "passing_results": 1, "cause": "flat_rate", "unit": "carrier",
    }  # fmt: skip
    return Failing(**(values | more))


def figures(**changes: Any) -> Figures:
    """A month; `changes` replace fields."""
    schools = [school(1, "柳河", "柳河镇中心小学", 30, 2), school(2, "青石", "青石镇小学", 8, 0)]
    towns = [
        TownFigures("青石", "青石镇", 1, schools[1].counts, 0.9, 1, 0.85),
        TownFigures("柳河", "柳河镇", 1, schools[0].counts, 0.8, 2, 0.82),
    ]
    whole = Figures(
        month="2026-10",
        county="示例县",
        scope="",
        scope_name="示例县",
        issued_on="2026-11-05",
        closed=True,
        complete=True,
        simulated=False,
        policy_version="abc123",
        tolerance_ratio=0.98,
        rules_changed=[],
        schools_total=2,
        targets=[
            TargetFigures("classroom_bandwidth", Count(38, 2), 0.925, 0.5, 1e8),
            TargetFigures("uplink_bandwidth", Count(2), 1.0, None, 1e9),
            TargetFigures("recording_room", Count(0, 1), None, None),
            TargetFigures("live_class", Count(1, 0, 1), 0.5, None),
            TargetFigures("platform_access", Count(4, 0, 2, 1), 0.7, None),
        ],
        towns=towns,
        schools=schools,
        failing=[failing(), failing("一年级2班", cause="port_speed_10", unit="integrator")],
        rooms=[RoomFigures("s001", "柳河镇中心小学", "柳河", "柳河镇", Verdict.NOT_MET, 2000, 0.6125, "room_down")],
        platforms=[PlatformFigures("smartedu-cn", "国家中小学智慧教育平台", Count(2), 5000, 0.9991, 0.1834)],
        ledger=LedgerFigures(3, 2, 1, 5, 1, {"carrier": 4, "school": 1}),
        ledger_lines=[
            LedgerLine(
                7, "柳河镇中心小学", "柳河", "柳河镇", "classroom_bandwidth", "一年级1班", "flat_rate", "carrier",
                "2026-09-20", "2026-10-05", True, True, "s001",
            )
        ],
        data=DataFigures(9000, 8700, 120, 30, 400, {"invalid:cross_traffic": 120, "failed:connect/timeout": 30}, []),
        agreement=[AgreementFigures("classroom", 40, 39, 1.004), AgreementFigures("uplink", 0, 0, None)],
        trend=[TrendPoint(f"2026-{n:02d}", {"classroom_bandwidth": Count(30 + n, 10 - n + 1)}) for n in range(1, 11)],
        forecasts=[Forecast("classroom_bandwidth", "given", 10, "2026-11", "2027-01")],
        corrections=[
            Correction(
                "2026-09", "classroom_bandwidth", "s001", "柳河镇中心小学", "c101", "一年级1班",
                Verdict.INSUFFICIENT, Verdict.MET,
            )
        ],
        heads=[Head("s001", 9000, "ab" * 32)],
        rules={name: (f"{name} rule", "双向线路速率均不低于要求为合格") for name in TARGETS},
        program_version="0.1.0",
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changes)


def nothing() -> Figures:
    """A month in which nothing was judged."""
    return figures(
        schools_total=0, targets=[TargetFigures(name, Count(), None, None) for name in TARGETS], towns=[], schools=[],
        failing=[], rooms=[], platforms=[], ledger=LedgerFigures(), ledger_lines=[],
        data=DataFigures(0, 0, 0, 0, 0, {}, []), agreement=[], trend=[], forecasts=[], corrections=[], heads=[],
    )  # fmt: skip
