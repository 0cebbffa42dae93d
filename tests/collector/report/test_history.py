"""What a month is compared with: changed verdicts, a year by area, lines that do not keep their promise."""

from datetime import date

import msgspec
import pytest

from campus_collector.domain.inventory import InventorySchool
from campus_collector.domain.schools import School
from campus_collector.judge.evidence import MonthEvidence
from campus_collector.judge.policy import Target
from campus_collector.judge.verdict import SubjectVerdict
from campus_collector.report.figures import CarrierLine, Count, TargetChange
from campus_collector.report.history import area_trends, carrier_lines, changes_since
from campus_wire.bandwidth import Verdict

MET, NOT_MET, LACKING = Verdict.MET, Verdict.NOT_MET, Verdict.INSUFFICIENT
ROOMS = "classroom_bandwidth"
GIGABIT = 1_000_000_000


def verdict(
    school: str,
    subject: str,
    now: Verdict,
    target: str = ROOMS,
    median: float | None = None,
    rule: Target | None = None,
) -> SubjectVerdict:
    evidence = MonthEvidence(10, 5, 5, 0, 0, 0, median, median)
    return SubjectVerdict(target, "t1", school, subject, now, evidence, rule, "p")


def test_changes_are_counted_by_target_and_school() -> None:
    before = {
        (ROOMS, "s1", "c1"): MET, (ROOMS, "s1", "c2"): MET, (ROOMS, "s1", "c3"): NOT_MET, (ROOMS, "s2", "c1"): LACKING,
        (ROOMS, "s2", "c2"): NOT_MET, (ROOMS, "s2", "c3"): MET,
    }  # fmt: skip
    now = [
        verdict("s1", "c1", NOT_MET), verdict("s1", "c2", LACKING), verdict("s1", "c3", LACKING), verdict("s2", "c1", MET),
        verdict("s2", "c2", MET), verdict("s2", "c3", Verdict.EXEMPT), verdict("s2", "c9", NOT_MET),
    ]  # fmt: skip
    schools = {"s1": School("s1", "一小", "t1", "镇", "inventory"), "s2": School("s2", "二小", "t1", "镇", "inventory")}
    rooms, *others = changes_since(before, now, schools)
    assert rooms == TargetChange(ROOMS, 2, 2, [("二小", 2)], [("一小", 2)])
    assert all(not change.repaired and not change.worse for change in others)


def test_the_year_of_an_area_has_gaps_where_there_are_no_data() -> None:
    months = [
        {},
        {"school:s1": {ROOMS: Count(1, 1)}},
        {"school:s1": {ROOMS: Count(0, 0, 2)}},
        {"school:s1": {ROOMS: Count(2)}},
    ]
    assert area_trends(months, ["school:s1", "town:t1"]) == {
        "school:s1": {ROOMS: [None, 0.5, None, 1.0]},
        "town:t1": {},
    }


def lines(
    promised: int | None, median: float | None, now: Verdict, before: list[CarrierLine], **opened: str
) -> CarrierLine:
    row = InventorySchool(
        "t1", "镇", "s1", "一小", False, carrier="电信", contract="HT-1", contract_bits_per_second=promised
    )
    rule = Target("uplink_bandwidth", date(2023, 1, 1), 0.8, 4, 2, "", required_bits_per_second=GIGABIT)
    judged = [verdict("s1", "uplink", now, "uplink_bandwidth", median, rule)]
    (line,) = carrier_lines([row], judged, 0.98, "2026-10-01", opened, before)
    return line


@pytest.mark.parametrize(
    ("promised", "median", "now", "kept"),
    [
        (GIGABIT, 0.99e9, MET, True),
        (GIGABIT, 0.5e9, NOT_MET, False),
        (200_000_000, 0.3e9, NOT_MET, True),  # the promise is kept, the target is not met
        (2 * GIGABIT, 1.0e9, MET, None),  # the test ends at the target
        (2 * GIGABIT, 0.5e9, NOT_MET, False),
        (None, 0.5e9, NOT_MET, None),
        (GIGABIT, 0.5e9, LACKING, None),
    ],
)
def test_a_promise(promised: int | None, median: float, now: Verdict, kept: bool | None) -> None:
    assert lines(promised, median, now, []).kept is kept


def test_since_when_a_promise_is_not_kept() -> None:
    line = lines(GIGABIT, 0.5e9, NOT_MET, [])
    assert line.since == "2026-10-01"
    assert lines(GIGABIT, 0.5e9, NOT_MET, [], s1="2026-09-14").since == "2026-09-14"
    earlier = replace_since(line, "2026-05-01")
    assert lines(GIGABIT, 0.5e9, NOT_MET, [earlier]).since == "2026-05-01"
    assert lines(GIGABIT, 0.99e9, MET, [earlier]).since == ""


def replace_since(line: CarrierLine, since: str) -> CarrierLine:
    return msgspec.structs.replace(line, since=since)


def test_a_school_that_names_nothing_has_no_line() -> None:
    row = InventorySchool("t1", "镇", "s1", "一小", False)
    assert carrier_lines([row, replace_row(row)], [], 0.98, "2026-10-01", {}, [])[0].carrier == "电信"
    assert len(carrier_lines([row], [], 0.98, "2026-10-01", {}, [])) == 0


def replace_row(row: InventorySchool) -> InventorySchool:
    return msgspec.structs.replace(row, carrier="电信")
