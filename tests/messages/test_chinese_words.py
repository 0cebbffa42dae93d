"""Chinese words that officials and clerks stumble over stand nowhere; each has its better word, and one idea has one word."""

import re
from functools import cache

import pytest

from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.report.words import TARGETS
from tests.messages.chinese_texts import chinese_texts

NOT_USED = {
    # one word for one idea
    "不达标": "未达标",
    "已超期": "逾期",
    "完成时限": "整改期限",
    "立案": "列入台账、登记",
    "结账": "定稿",
    "采集端|采集器": "采集平台（机器：采集服务器；程序：采集程序）",
    "测试端": "教室电脑（或测速服务器）",
    "上联线路|宽带线路": "学校出口",
    "录播教室(?!）)": "录播室",
    "(?<![镇街])中心校": "镇中心校",
    "禁测": "停测",
    "政策": "考核规则、规则文件",
    "考核办法": "考核规则",
    "容差": "允许误差",
    "月报(?!告)": "月通报",
    "测试服务器": "测速服务器",
    "快速测量|快速测试": "快速测速",
    "基准测量|基准测试": "基准测速",
    "轮询": "巡检",
    "结果链": "校验链",
    "链头|链首": "末条校验码",
    "云平台可达": "云平台可访问",
    "录播室覆盖": "录播室可用",
    "三个课堂就绪": "三个课堂线路",
    # units and figures
    "Mbit/s|Gbit/s": "Mbps、Gbps",
    "兆字节": "MB",
    "空闲时延|空闲时，时延|空闲时时|空闲丢包": "空载……",
    "负载时延|负载下": "满载……",
    "首字节|首包": "响应时间",
    "威尔逊": "统计误差范围",
    "2\\.0%": "2%",
    # what clerks do
    "受理": "签收",
    "报整改完成": "申请销号",
    "移交": "交办",
    "指定责任单位": "交办",
    "调整时限": "调整整改期限",
    "与实测不符|整改结论不符": "复测未通过",
    "有结果日": "测量日",
    "电教站|信息中心": "教育局",
    # words of programmers
    "隔离": "异常、未入库",
    "可达(?!到)": "可访问、连得上",
    "证据：": "依据：",
    "卡死": "停止响应",
    "只能是.*之一(?=$|。)": "请选择",
    "展望": "进度预测",
}
"""A pattern of what must not appear, and what is written instead."""
ALLOWED = (
    r"（有的文件称录播教室）",  # the glossary names the other word of official documents
    r"\[\[|`[^`]*`",  # keys of configuration and code
    r"^\s*//|100 Mbit/s to every class",  # comments; the English name of a target
)
"""What is taken out of a text before it is looked at."""
CODE_FILES = {"reference.py", "pictures.py", "hooks.py", "architecture_picture.py", "build.py", "main.html"}
"""Files in which a line may hold both languages: the English unit is no Chinese text."""


@cache
def lines_to_read() -> list[tuple[str, str]]:
    texts = []
    for file, text in chinese_texts():
        for pattern in ALLOWED:
            text = re.sub(pattern, "", text)
        texts.append((file, text))
    return texts


@pytest.mark.parametrize("old", NOT_USED)
def test_a_word_that_is_not_used_stands_nowhere(old: str) -> None:
    wrong = [
        (file, text[:80])
        for file, text in lines_to_read()
        if re.search(old, text) and not (old.startswith("Mbit") and file in CODE_FILES)
    ]
    assert wrong == [], f"write {NOT_USED[old]}"


def test_a_target_has_one_chinese_name() -> None:
    """The report leaves out what a name says in brackets, and nothing else."""
    short = {target: re.sub("（.*）", "", words.zh) for target, words in TARGET_WORDS.items()}
    assert {target: words.zh for target, words in TARGETS.items()} == short
