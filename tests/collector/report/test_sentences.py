"""The sentences of the report: right numbers, right measure words, what changed and where."""

import re

import msgspec
import pytest

from campus_base.figures import percent
from campus_collector.domain.official import Official
from campus_collector.report import sentences
from campus_collector.report.figures import (
    CarrierLine,
    Count,
    Figures,
    Forecast,
    LedgerFigures,
    TargetChange,
    TargetFigures,
    excerpt,
)
from campus_collector.report.test_servers import MOST_SERVERS, servers_from
from tests.collector.report.county import figures, nothing


def chinese(whole: Figures) -> str:
    """What the first two sections say."""
    return sentences.state(whole, "zh") + sentences.towns(whole, "zh") + sentences.ledger(whole, "zh")


def test_the_month_s_servers_go_before_those_of_the_configuration() -> None:
    known = (("县测速服务器", "机房", "speed.example"), ("备用", ""))
    servers = servers_from({"s1": {"speed.example": 4, "": 1}, "s2": {"speed.example": 3, "192.0.2.7": 2}}, known)
    assert [(each.host, each.name, each.place, each.schools, each.tests) for each in servers] == [
        ("speed.example", "县测速服务器", "机房", 2, 7), ("192.0.2.7", "", "", 1, 2), ("", "", "", 1, 1),
    ]  # fmt: skip
    month = figures(servers=servers, official=Official(test_servers=known))
    assert sentences.test_servers(month, "zh") == "当月学校出口的测速服务器：县测速服务器（机房）、192.0.2.7。"
    many = servers_from({"s1": {f"192.0.2.{number}": 1 for number in range(50)}}, ())
    assert len(many) == MOST_SERVERS
    text = sentences.test_servers(figures(servers=many), "en")
    assert text.endswith(f"and {MOST_SERVERS - sentences.MOST_NAMES} other servers.")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (Count(6, 2, 2, 5), "10个班级中，有效测量充足、可作判定的8个，占80.0%；其余计入未达标。"),
        (Count(3, 1, 0, 0), "4个班级的有效测量均已充足，可作判定。"), (Count(0, 0, 0, 3), ""),
    ],
)  # fmt: skip
def test_how_many_classrooms_are_covered(count: Count, text: str) -> None:
    target = TargetFigures("classroom_bandwidth", count, None, None)
    assert sentences.coverage(figures(targets=[target]), "zh") == text


def test_the_whole_in_chinese() -> None:
    assert chinese(figures()) == (
        "2026年10月，全县应考核的40个班级中，38个达到百兆进班要求，达标率95.0%，较上月上升2.5个百分点；"
        "千兆进校100%，录播室可用0.0%，三个课堂线路50.0%，云平台可访问66.7%。"
        "与上月相比，青石镇提升最快，综合达标率上升5.0个百分点；柳河镇降幅最大，下降2.0个百分点，综合达标率80.0%，居全县末位，有2个班级未达标。"
        "问题台账本月新增3个、销号2个，月末未销号5个，其中逾期1个，复测未通过1个。"
    )


def test_the_whole_in_english() -> None:
    assert sentences.state(figures(), "en").startswith(
        "In 2026-10, 38 of 40 classrooms in the county met “100 Mbit/s per class”: 95.0%, 2.5 points more"
    )
    assert "it is also last with 80.0% and 2 classrooms to mend" in sentences.towns(figures(), "en")
    assert "1 failed the new test" in sentences.ledger(figures(), "en")


def test_what_uplinks_are_tested_against_is_said_where_it_is_configured() -> None:
    whole = figures()
    assert sentences.test_servers(whole, "zh") == ""
    official = Official(test_servers=(("甲服务器", "机房"), ("乙服务器", "")))
    named = msgspec.structs.replace(whole, official=official)
    assert sentences.test_servers(named, "zh") == "学校出口的测速服务器：甲服务器（机房）、乙服务器。"
    assert sentences.test_servers(named, "en") == "Lines are tested against 甲服务器 (机房), 乙服务器."


@pytest.mark.parametrize(
    ("last", "words"),
    [(None, "达标率95.0%；"), (0.95, "与上月持平"), (0.97, "较上月下降2.0个百分点"), (0.9497, "与上月持平")],
)
def test_the_change(last: float | None, words: str) -> None:
    first = TargetFigures("classroom_bandwidth", Count(38, 2), last, None)
    assert words in sentences.state(figures(targets=[first, *figures().targets[1:]]), "zh")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("uplink_bandwidth", "应考核的5所学校中，3所达到千兆进校要求"),
        ("recording_room", "应考核的5所镇中心校中，3所达到录播室可用要求"),
        ("platform_access", "应考核的5项（学校×平台）中，3项达到云平台可访问要求"),
    ],
)
def test_measure_words(target: str, words: str) -> None:
    assert words in sentences.state(figures(targets=[TargetFigures(target, Count(3, 2), None, None)]), "zh")


@pytest.mark.parametrize(
    ("ended", "chinese_words", "english"),
    [
        (
            8,
            "问题台账月初未销号3个，本月新增17个、销号0个，并入全校问题或不再考核8个，月末未销号12个。",
            "8 joined to a school's problem or no longer judged, 12 are open at its end",
        ),
        (
            0,
            "问题台账月初未销号3个，本月新增17个、销号0个，月末未销号20个。",
            "17 were opened, 0 struck off, 20 are open at its end",
        ),
    ],
)
def test_the_ledger_s_sentence_balances(ended: int, chinese_words: str, english: str) -> None:
    ledger = LedgerFigures(opening=3, opened=17, struck_off=0, ended_otherwise=ended, open=20 - ended)
    assert chinese_words in chinese(figures(ledger=ledger))
    assert english in sentences.ledger(figures(ledger=ledger), "en")


def test_a_ledger_whose_problems_all_ended_otherwise_has_its_sentence() -> None:
    assert "月初未销号3个" in chinese(figures(ledger=LedgerFigures(opening=3, ended_otherwise=3)))


def test_towns_that_stand_alike_and_an_empty_ledger() -> None:
    towns = [type(town)(town.id, town.name, 1, town.counts, 0.8, 1, 0.8) for town in figures().towns]
    assert sentences.towns(figures(towns=towns), "zh") == "各镇街综合达标率相同。"
    assert sentences.ledger(figures(ledger=LedgerFigures()), "zh") == "问题台账没有未销号的问题。"


def test_the_last_town_is_another_than_the_one_that_lost_most() -> None:
    first, second = figures().towns
    towns = [type(first)(first.id, first.name, 1, first.counts, 0.9, 1, 0.95), second]
    towns[1] = type(second)(second.id, second.name, 1, second.counts, 0.8, 2, 0.79)
    assert sentences.towns(figures(towns=towns), "zh") == (
        "与上月相比，柳河镇提升最快，综合达标率上升1.0个百分点；青石镇降幅最大，下降5.0个百分点。"
        "柳河镇综合达标率80.0%，居全县末位，有2个班级未达标。"
    )


def test_nothing_and_all_exempt() -> None:
    assert sentences.state(nothing(), "zh") == ""
    exempt = [TargetFigures("classroom_bandwidth", Count(0, 0, 0, 4), None, None)]
    assert sentences.state(figures(targets=exempt), "zh") == "本月全部对象免考核。"


def test_an_excerpt_speaks_of_its_school() -> None:
    whole = excerpt(figures(), school="s001")
    assert sentences.state(whole, "zh").startswith(
        "2026年10月，柳河镇中心小学应考核的32个班级中，30个达到百兆进班要求，达标率93.8%"
    )
    assert sentences.failing(whole, "zh") == "尚有2项未达标，原因和责任单位见下表。"


def test_what_changed_since_last_month() -> None:
    changes = [
        TargetChange("classroom_bandwidth", 12, 5, [("青石镇小学", 12)], [("柳河镇中心小学", 5)]),
        TargetChange("uplink_bandwidth", 0, 1),
        TargetChange("live_class", 0, 0),
    ]
    assert sentences.changes(figures(changes=changes), "zh") == [
        "与上月相比，百兆进班新增达标12个、新增未达标5个；千兆进校新增达标0所、新增未达标1所。"
        "新增未达标班级较多的学校：柳河镇中心小学（5个）。整改见效、新增达标班级较多的学校：青石镇小学（12个）。"
    ]
    assert sentences.changes(figures(changes=[]), "zh") == ["与上月相比，各项判定没有变化。"]
    assert sentences.changes(figures(), "zh") == ["没有上月数据，暂不比较。"]


def test_targets_with_the_same_forecast_share_a_sentence() -> None:
    forecasts = [
        Forecast("classroom_bandwidth", "given", 12, "2026-11", "2027-01"),
        Forecast("uplink_bandwidth", "reached", 12),
        Forecast("live_class", "too_few_months", 3),
        Forecast("platform_access", "too_few_months", 3),
    ]
    assert sentences.forecasts(figures(forecasts=forecasts), "zh") == (
        "按近期进度推算全部达标的时间，仅供参考：百兆进班预计2026年11月至2027年1月；千兆进校已全部达标；"
        "三个课堂线路、云平台可访问数据仅3个月，暂不推算。"
    )


def line(school: str, kept: bool | None, since: str = "") -> CarrierLine:
    return CarrierLine(school, school, "t1", "青石镇", "中国电信", "HT-1", 1_000_000_000, 5e8, kept, since)


def test_lines_that_do_not_keep_their_promise() -> None:
    assert "未登记运营商" in sentences.carriers(figures(lines=[]), "zh")
    assert "均不低于合同速率" in sentences.carriers(figures(lines=[line("s1", True), line("s2", None)]), "zh")
    lines = [line("s1", False, "2026-09-01"), line("s2", False, "2026-03-05"), line("s3", True)]
    assert sentences.carriers(figures(lines=lines), "zh") == (
        "基础信息已登记运营商或合同的线路3条，其中登记合同速率的3条。实测低于合同速率的2条，时间最长的自2026年3月5日起。"
    )


def test_every_number_is_one_of_the_figures() -> None:
    whole = figures()
    known = {f"{whole.targets[0].count.judged}", "2026", "10", f"{whole.targets[0].count.met}", "100"}
    known |= {percent(target.count.ratio or 0).rstrip("%") for target in whole.targets}
    known |= {f"{abs((whole.targets[0].count.ratio or 0) - (whole.targets[0].last_month or 0)) * 100:.1f}"}
    for town in whole.towns:
        known |= {percent(town.score or 0).rstrip("%"), f"{abs((town.score or 0) - (town.last_score or 0)) * 100:.1f}"}
        known.add(str(town.counts["classroom_bandwidth"].unmet))
    ledger = whole.ledger
    known |= {
        str(number) for number in (ledger.opened, ledger.struck_off, ledger.open, ledger.overdue, ledger.contradicted)
    }
    assert set(re.findall(r"\d+(?:\.\d+)?", chinese(whole))) <= known
