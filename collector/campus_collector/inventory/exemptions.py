"""Which words in the column of exemption reasons mean that there is none? Pure."""

import re
import unicodedata

MAX_WORD = 40
NONE_WORDS = frozenset(
    [
        "无",
        "没",
        "没有",
        "暂无",
        "空",
        "否",
        "不",
        "非",
        "不是",
        "不免",
        "不免考",
        "不免考核",
        "未免",
        "无免考核",
        "无原因",
        "无需免考核",
        "不适用",
        "正常",
        "考核",
        "参加考核",
        "正常考核",
        "要考核",
        "应考核",
        "需考核",
        "none",
        "no",
        "not",
        "nil",
        "null",
        "na",
        "nan",
        "false",
        "f",
        "n",
        "0",
        "00",
        "x",
    ]
)
_NO_EXEMPTION = re.compile(
    r"(?:无|没有|并无|暂无|尚无|不存在|不|暂不|并不|不予|不能|不可|不得|未|未予|未获|不是|不属于|不符合|不享受|未申请|不申请|无需|不需要|不用)"
    r"(?:任何|其他|其它|特殊|相关|申请|需要)*(?:免除?(?:考|检|试|测|考核)?|可免(?:考|考核)?)(?:考核)?的?(?:原因|情况|情形|理由|条件|范围|申请|班级|教室)?"
    r"|(?:无|没有|并无|暂无|尚无|不存在)(?:任何|其他|其它|特殊|相关)*(?:原因|情况|情形|理由|说明|备注|事项|问题|内容|申请)"
    r"|(?:不涉及|不存在|不属于|不符合|不享受|未申请|不申请|不在此列)"
    r"|(?:正常|照常|均|都|全部|必须|需要|须|应当|可以|按时|参加|参与|纳入|列入|属于)+(?:参加|参与|纳入|列入)?(?:考核|测试|使用)?(?:范围)?"
    r"|no(?:t|n|ne)?(?:applicable|exempt|exempted|exemption|reason|yet)+|tobeassessed|assessed|normal"
)
"""Sentences that say that there is no exemption, and nothing else: 无网络 (no network) and 未建成 (not built) are reasons."""
_NO_REASON = frozenset(
    ["同上", "同前", "同左", "待定", "待核", "待核实", "待确认", "待查", "不详", "未知", "不明", "不知道", "其他", "其它", "无需",
     "不需要", "不用", "无需考核", "不需要考核", "不用考核", "不考核", "不考", "不参加", "不参加考核", "不参与考核", "不纳入考核",
     "ditto", "sameasabove", "tbd", "tba", "tbc", "pending", "unknown", "other", "xx", "xxx"]
)  # fmt: skip
"""Not exempt for any reason that could stand in a report, or not decided: whoever wrote it is asked."""
YES_WORDS = frozenset(
    [
        "是",
        "有",
        "免",
        "免考",
        "免考核",
        "免检",
        "免测",
        "免试",
        "免除",
        "对",
        "真",
        "yes",
        "y",
        "true",
        "t",
        "1",
        "exempt",
    ]
)


def is_none(text: str) -> bool:
    """Is it empty, a word for none, or nothing but signs such as - or /, in any width?"""
    word = _word(text)
    if word in NONE_WORDS or (len(word) <= MAX_WORD and word not in _NO_REASON and _NO_EXEMPTION.fullmatch(word)):
        return True
    return not word and not _marks(text) and not _repeats(text)


def lacks_a_reason(text: str) -> bool:
    """Does it only say that it is exempt, or hold a bare number, or refer to another row, where the reason is asked for?"""
    word = _word(text)
    return word in YES_WORDS or word in _NO_REASON or word.isdigit() or (not word and (_marks(text) or _repeats(text)))


def _word(text: str) -> str:
    """Letters and digits alone: n/a, N.A. and Ｎ／Ａ are one word."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _repeats(text: str) -> bool:
    """Is there a sign for "as above"?"""
    return any(letter in "〃々″" for letter in text) or text.strip() in ('"', "”", "''")


def _marks(text: str) -> bool:
    return any(letter in "√✓✔☑" for letter in text)
