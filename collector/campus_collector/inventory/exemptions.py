"""Which words in the column of exemption reasons mean that there is none? Pure."""

import unicodedata

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
YES_WORDS = frozenset(["是", "有", "免", "免考", "免考核", "对", "真", "yes", "y", "true", "t", "1", "exempt"])


def is_none(text: str) -> bool:
    """Is it empty, a word for none, or nothing but signs such as - or /, in any width?"""
    word = _word(text)
    return word in NONE_WORDS or (not word and not _marks(text))


def lacks_a_reason(text: str) -> bool:
    """Does it only say that it is exempt, or hold a bare number, where the reason is asked for?"""
    word = _word(text)
    return word in YES_WORDS or word.isdigit() or (not word and _marks(text))


def _word(text: str) -> str:
    """Letters and digits alone: n/a, N.A. and Ｎ／Ａ are one word."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _marks(text: str) -> bool:
    """Is there a tick?"""
    return any(letter in "√✓✔☑" for letter in text)
