"""The sentences of the summary: right numbers, right measure words, what changed and where."""

import re

import pytest

from campus_base.figures import percent
from campus_collector.report.figures import Count, Figures, LedgerFigures, TargetFigures, excerpt
from campus_collector.report.sentences import sentences
from tests.collector.report.county import figures, nothing


def chinese(whole: Figures) -> str:
    return "".join(sentences(whole, "zh"))


def test_the_whole_in_chinese() -> None:
    assert chinese(figures()) == (
        "2026年10月，全县应考核的40个班级中，38个达到百兆进班要求，达标率95.0%，比上月提高2.5个百分点；"
        "千兆进校100.0%，录播室覆盖0.0%，三个课堂就绪（课外测线路）50.0%，云平台可达66.7%。"
        "从综合达标率看，青石镇进步最大（提高5.0个百分点），柳河镇下降最多（2.0个百分点），且为全县最低（80.0%），有2个班级未达标。"
        "问题台账本月新立案3个、销号2个，月末尚有5个未销号，其中1个逾期；1个已报整改完成但实测不符。"
    )


def test_the_whole_in_english() -> None:
    text = " ".join(sentences(figures(), "en"))
    assert text.startswith(
        "In 2026-10, 38 of 40 classrooms in the county met “100 Mbit/s to every class”: 95.0%, 2.5 points more"
    )
    assert "it is also last with 80.0% and 2 classrooms to mend" in text
    assert "measurements contradicted 1 claims" in text


@pytest.mark.parametrize(
    ("last", "words"),
    [(None, "达标率95.0%；"), (0.95, "与上月持平"), (0.97, "比上月下降2.0个百分点"), (0.9497, "与上月持平")],
)
def test_the_change(last: float | None, words: str) -> None:
    first = TargetFigures("classroom_bandwidth", Count(38, 2), last, None)
    assert words in chinese(figures(targets=[first, *figures().targets[1:]]))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("uplink_bandwidth", "应考核的5所学校中，3所达到千兆进校要求"),
        ("recording_room", "应考核的5所中心校中，3所达到录播室覆盖要求"),
        ("platform_access", "应考核的5项学校访问平台任务中，3项达到云平台可达要求"),
    ],
)
def test_measure_words(target: str, words: str) -> None:
    assert words in chinese(figures(targets=[TargetFigures(target, Count(3, 2), None, None)]))


@pytest.mark.parametrize(
    ("ended", "chinese_words", "english"),
    [
        (
            8,
            "问题台账月初未销号3个，本月新立案17个、销号0个、并入全校问题或不再考核8个，月末尚有12个未销号。",
            "8 merged into one of",
        ),
        (0, "问题台账月初未销号3个，本月新立案17个、销号0个，月末尚有20个未销号。", "20 were open at the month's end"),
    ],
)
def test_the_ledger_s_sentence_balances(ended: int, chinese_words: str, english: str) -> None:
    ledger = LedgerFigures(opening=3, opened=17, struck_off=0, ended_otherwise=ended, open=20 - ended)
    assert chinese_words in chinese(figures(ledger=ledger))
    assert english in " ".join(sentences(figures(ledger=ledger), "en"))


def test_a_ledger_whose_problems_all_ended_otherwise_has_its_sentence() -> None:
    assert "月初未销号3个" in chinese(figures(ledger=LedgerFigures(opening=3, ended_otherwise=3)))


def test_towns_that_stand_alike_and_an_empty_ledger() -> None:
    towns = [type(town)(town.id, town.name, 1, town.counts, 0.8, 1, 0.8) for town in figures().towns]
    text = chinese(figures(towns=towns, ledger=LedgerFigures()))
    assert "各镇街综合达标率相同。" in text
    assert "台账" not in text


def test_nothing_and_all_exempt() -> None:
    assert sentences(nothing(), "zh") == []
    exempt = [TargetFigures("classroom_bandwidth", Count(0, 0, 0, 4), None, None)]
    assert chinese(figures(targets=exempt)).startswith("本月全部对象免考核。")


def test_an_excerpt_speaks_of_its_school() -> None:
    whole = excerpt(figures(), school="s001")
    assert chinese(whole).startswith("2026年10月，柳河镇中心小学应考核的32个班级中，30个达到百兆进班要求，达标率93.8%")
    assert "尚有2项未达标" in chinese(whole)


def test_every_number_is_one_of_the_figures() -> None:
    whole = figures()
    known = {f"{whole.targets[0].count.judged}", "2026", "10", f"{whole.targets[0].count.met}"}
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
