"""Figures made by hand: a county of two towns, so that tests need no store."""

from typing import Any

import msgspec

from campus_collector.domain.official import Official
from campus_collector.report.figures import (
    LAYOUT,
    AgreementFigures,
    CarrierLine,
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
    TargetChange,
    TargetFigures,
    TownFigures,
    TrendPoint,
    total,
)
from campus_wire.bandwidth import Verdict

OFFICE = Official(
    heading="示例县教育局文件",
    issuer="示例县教育局",
    number="示教电〔2026〕10号",
    signer="张三",
    addressees=("各镇街中心校", "县直各学校"),
    copies_to=("县政府办公室", "市教育局"),
    printed_by="示例县教育局办公室",
    print_date="2026-11-05",
    address="https://campus.example",
)
"""Everything an office can say."""
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


def large(schools: int = 100, rooms: int = 40, towns: int = 12, **changes: Any) -> Figures:
    """A county of so many schools and rooms: in the first school one cause hits all its rooms and five more, others have a few each, long names
    among them; every part of a report has something to say."""
    names = [f"{'青柳梅兰松竹荷桂石泉河岭'[number % 12]}{'山坡湾桥'[number // 12 % 4]}镇" for number in range(towns)]
    listed, unmet, lines, rooms_of_seats, heads = [], [], [], [], []
    for number in range(1, schools + 1):
        town = number % towns
        school_id, name = f"s{number:03d}", f"{names[town]}第{number}小学"
        few = 45 if number == 1 else number % 7
        of_school = max(rooms, few)
        causes = ("port_speed_10", "endpoint_off", "flat_rate")
        for room in range(few):
            cause = "flat_rate" if number == 1 else causes[room % 3]
            insufficient = cause == "endpoint_off"
            unmet.append(
                failing(
                    f"{'一二三四五六'[room % 6]}年级{room // 6 + 1}班", name, school=school_id, town=f"t{town:02d}",
                    town_name=names[town], subject=f"c{room + 101}", cause=cause,
                    unit={"flat_rate": "carrier", "port_speed_10": "integrator"}.get(cause, "school"),
                    verdict=Verdict.INSUFFICIENT if insufficient else Verdict.NOT_MET,
                    measured_bits_per_second=None if insufficient else 48e6 + room * 1e5, since=f"2026-09-0{number % 9 + 1}",
                )
            )  # fmt: skip
        slow = number % 8 == 0
        if slow:
            unmet.append(
                failing(
                    "uplink", name, target="uplink_bandwidth", school=school_id, town=f"t{town:02d}", town_name=names[town],
                    subject="uplink", measured_bits_per_second=5.2e8, required_bits_per_second=1e9, since="2026-08-12",
                )
            )  # fmt: skip
        counts = {
            "classroom_bandwidth": Count(of_school - few, few),
            "uplink_bandwidth": Count(0, 1) if slow else Count(1),
            "live_class": Count(0, 0, 1) if slow else Count(1),
            "platform_access": Count(2, 0, 1),
        }
        seat = number <= towns
        if seat:
            counts["recording_room"] = Count(0, 1) if number % 3 == 0 else Count(1)
            rooms_of_seats.append(
                RoomFigures(
                    school_id, name, f"t{town:02d}", names[town], Verdict.NOT_MET if number % 3 == 0 else Verdict.MET, 2000,
                    0.61 if number % 3 == 0 else 0.999, "room_down" if number % 3 == 0 else "",
                )
            )  # fmt: skip
        listed.append(SchoolFigures(school_id, name, f"t{town:02d}", names[town], seat, counts, 4000))
        carrier = ("中国电信示例分公司", "中国移动示例分公司", "中国联通示例分公司", "广电网络示例分公司", "")[
            number % 5
        ]
        lines.append(
            CarrierLine(
                school_id, name, f"t{town:02d}", names[town], carrier, f"HT-2025-{number:04d}", 1_000_000_000,
                5.2e8 if slow else 9.98e8, not slow, "2026-08-12" if slow else "",
            )
        )  # fmt: skip
        heads.append(Head(school_id, 40_000 + number, f"{number:02x}" * 32))
    of_towns = {town: [each for each in listed if each.town == town] for town in sorted({each.town for each in listed})}
    counted = {
        town: {
            name: total(each.counts[name] for each in members if name in each.counts)
            for name in TARGETS
            if any(name in each.counts for each in members)
        }
        for town, members in of_towns.items()
    }
    scores = {town: counts["classroom_bandwidth"].ratio or 0.0 for town, counts in counted.items()}
    ranked = sorted(scores, key=lambda town: -scores[town])
    whole = {name: total(counts[name] for counts in counted.values() if name in counts) for name in TARGETS}
    months = [f"{2025 + (month > 12)}-{(month - 1) % 12 + 1:02d}" for month in range(11, 23)]
    trend = [
        TrendPoint(month, {name: Count(place + 20, 20 - place) for name in TARGETS})
        for place, month in enumerate(months)
    ]
    ratios: list[float | None] = [round(0.5 + 0.04 * place, 2) for place in range(12)]
    values: dict[str, Any] = {
        "schools_total": schools, "schools": listed, "failing": unmet, "lines": lines, "rooms": rooms_of_seats, "heads": heads,
        "towns": [
            TownFigures(town, of_towns[town][0].town_name, len(of_towns[town]), counted[town], scores[town], rank, scores[town] - 0.02 * (rank % 5 - 2))
            for rank, town in enumerate(ranked, start=1)
        ],
        "targets": [TargetFigures(name, whole[name], 0.9, 0.7) for name in TARGETS],
        "compared_on": list(TARGETS), "trend": trend, "as_of": "2026-11-05 06:00", "layout": LAYOUT,
        "forecasts": [Forecast(name, "given", 12, "2026-11", "2027-01") for name in TARGETS],
        "changes": [
            TargetChange(name, 120, 45, [(listed[2].name, 9), (listed[3].name, 7), (listed[4].name, 5)], [(listed[0].name, 45)])
            for name in TARGETS
        ],
        "ledger": LedgerFigures(35, 22, 3, 120, 40, {"carrier": 40, "integrator": 40, "school": 25, "bureau": 10, "platform": 5}, 107),
        "ledger_lines": [
            LedgerLine(
                number, listed[number % schools].name, listed[number % schools].town, listed[number % schools].town_name,
                "classroom_bandwidth", "一年级1班", "flat_rate", "carrier", "2026-09-01", "2026-10-05", True, number % 13 == 0,
                listed[number % schools].id,
            )
            for number in range(1, 41)
        ],
        "data": DataFigures(900_000, 870_000, 12_000, 3_000, 40_000, {"invalid:cross_traffic": 120}, [each.name for each in listed[10:17]]),
        "area_trends": {f"town:{town}": dict.fromkeys(TARGETS, ratios) for town in of_towns}
        | {f"school:{each.id}": dict.fromkeys(each.counts, ratios) for each in listed},
    }  # fmt: skip
    return figures(**(values | changes))
