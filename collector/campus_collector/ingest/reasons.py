"""Why a result is not accepted: our reasons by code, and the decoder's messages, in words for people. Pure."""

import re
from dataclasses import dataclass

from campus_base.language import Text
from campus_wire.codec import WireError
from campus_wire.ids import ID_PATTERN
from campus_wire.records import READING_PATTERN, RESULT_ID_PATTERN, SHA256_PATTERN

PATTERN_WORDS = {
    ID_PATTERN: Text(
        "1 to 64 lower-case letters, digits, '-' and '_', beginning with a letter or digit",
        "1 至 64 个小写字母、数字、“-”或“_”，以字母或数字开头",
    ),
    RESULT_ID_PATTERN: Text("letters, digits, '_', '.', ':' and '-'", "字母、数字、“_”、“.”、“:”或“-”"),
    READING_PATTERN: Text(
        "1 to 64 lower-case letters, digits and '_', beginning with a letter",
        "1 至 64 个小写字母、数字或“_”，以字母开头",
    ),
    SHA256_PATTERN: Text("64 hexadecimal digits in lower case", "64 位小写十六进制数字"),
}
"""What the patterns of the contract allow."""
_MATCHING = re.compile(r"`str` matching regex ('(?:[^'\\]|\\.)*')")
_TYPES = {
    "str": Text("a text", "文本"),
    "int": Text("a whole number", "整数"),
    "float": Text("a number", "数值"),
    "bool": Text("true or false", "true 或 false"),
    "object": Text("an object", "对象"),
    "array": Text("a list", "列表"),
    "null": Text("nothing", "空值"),
    "datetime": Text("a time", "时间"),
}
_PATTERNS_ZH = {text.en: text.zh for text in PATTERN_WORDS.values()} | {"another form": "规定格式"}


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason of ours: the sentence that is stored and sent, with a place for each value, and how people read it."""

    sentence: str
    words: Text


REASONS: dict[str, Reason] = {
    "too_large": Reason("result of {0} bytes is larger than {1} bytes", Text("{0} bytes; a result has at most {1}", "共 {0} 字节，单条结果不能超过 {1} 字节")),
    "another_school": Reason("subject of another school: {0}, the token is for {1}", Text("belongs to school {0}; the token is of {1}", "属于学校 {0}，而令牌属于 {1}")),
    "no_time": Reason("started_at {0} is no time any clock shows", Text("started_at {0}: no time any clock shows", "started_at {0}：不是可能的时间")),
    "future": Reason("started_at {0} is in the future", Text("started_at {0}: is in the future", "started_at {0}：时间在未来")),
    "past": Reason("started_at {0} is before {1}", Text("started_at {0}: is before {1}", "started_at {0}：早于 {1}")),
    "says_nothing": Reason("validity is ok, but there is neither a record nor a failure", Text("validity is ok, but there is neither a record nor a failure", "validity 为 ok，但既无测量记录也无失败原因")),
    "quota_results": Reason("quota: more than {0} results of one school in a day", Text("quota: more than {0} results of one school in a day", "quota：该校一天内上报的结果超过 {0} 条")),
    "quota_bytes": Reason("quota: more than {0} bytes of one school in a day", Text("quota: more than {0} bytes of one school in a day", "quota：该校一天内上报的数据超过 {0} 字节")),
    "quota_subjects": Reason("quota: more than {0} subjects of kind {1} in one school", Text("quota: more than {0} subjects of kind {1} in one school", "quota：该校 {1} 类对象超过 {0} 个")),
}  # fmt: skip
"""The database and the receipt hold the sentence alone: what a stored one says is found by its form. The quotas' are given by `store.quota`."""
_DECODER_REASONS = (
    (r"Expected `str` of length <= (\d+)", Text("{at}: at most {0} characters", "{at}：不能超过 {0} 个字符")),
    (r"Expected `str` of length >= (\d+)", Text("{at}: at least {0} character(s)", "{at}：至少 {0} 个字符")),
    (r"Expected `\w+` of length <= (\d+)", Text("{at}: at most {0} entries", "{at}：不能超过 {0} 项")),
    (r"Expected `\w+` of length >= (\d+)", Text("{at}: at least {0} entries", "{at}：至少 {0} 项")),
    (r"Expected `str` of (.+)", Text("{at}: must be {0}", "{at}：应为 {form}")),
    (r"Expected `\w+` >= ([-+.e\d]+)", Text("{at}: must be at least {0}", "{at}：不能小于 {0}")),
    (r"Expected `\w+` <= ([-+.e\d]+)", Text("{at}: must be at most {0}", "{at}：不能大于 {0}")),
    (r"Expected `datetime` with a timezone component", Text("{at}: a time without its zone", "{at}：时间缺少时区")),
    (r"Expected `([^`]+)`, got `([^`]+)`", Text("{at}: must be {wanted}, not {got}", "{at}：应为{wanted}，而不是{got}")),
    (r"Object missing required field `([^`]+)`", Text("{at}: the field {0} is missing", "{at}：缺少字段 {0}")),
    (r"Invalid (?:enum )?value '(.*)'", Text("{at}: '{0}' is not a known value", "{at}：“{0}”不是已知的值")),
    (r"Invalid RFC3339 encoded datetime", Text("{at}: not a time with date and zone", "{at}：不是带日期和时区的时间")),
    (r"(JSON is malformed: .*|Input data was truncated)", Text("is no readable JSON ({0})", "不是可读取的 JSON（{0}）")),
    (r"text is not valid UTF-8", Text("its text is not valid UTF-8", "文本不是有效的 UTF-8")),
    (r"nested too deeply", Text("nested too deeply", "嵌套过深")),
    (r"(\S+) is not a word of (\w+)", Text("{at}: {0} is not a text", "{at}：{0} 不是文本")),
)  # fmt: skip
"""What msgspec and `campus_wire.codec` say of a result that breaks the contract."""
_FORMS = [
    *((re.compile(pattern, re.DOTALL), words) for pattern, words in _DECODER_REASONS),
    *((re.compile(re.sub(r"\\{\d\\}", r"(\\S+)", re.escape(each.sentence))), each.words) for each in REASONS.values()),
]
_PLACE = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`\Z")


def rejection(code: str, *values: object) -> WireError:
    """The error of a result that is not accepted for one of our reasons."""
    return WireError(code, REASONS[code].sentence.format(*values))


def without_patterns(message: str) -> str:
    """A decoder's message with the words for a pattern in place of the pattern."""
    words = {repr(pattern): text.en for pattern, text in PATTERN_WORDS.items()}
    return _MATCHING.sub(lambda match: f"`str` of {words.get(match[1], 'another form')}", message)


def reason_words(reason: str) -> Text:
    """Why it was not accepted, for people; the reasons of earlier versions too. A reason that is not known here stays as it was stored."""
    reason = without_patterns(reason)
    place = _PLACE.search(reason)
    message = reason[: place.start()] if place else reason
    for form, words in _FORMS:
        match = form.fullmatch(message)
        if match is not None:
            return _filled(words, match.groups(), place[1] if place else "")
    return Text(reason, reason)


def _filled(text: Text, groups: tuple[str, ...], place: str) -> Text:
    at = Text(place or "the result", place or "该结果")
    wanted, got = (_type_words(groups[index]) if len(groups) == 2 else Text("", "") for index in (0, 1))
    form = _PATTERNS_ZH.get(groups[0], groups[0]) if groups else ""
    return Text(
        text.en.format(*groups, at=at.en, wanted=wanted.en, got=got.en),
        text.zh.format(*groups, at=at.zh, wanted=wanted.zh, got=got.zh, form=form),
    )


def _type_words(names: str) -> Text:
    """The words for what a decoder calls `int | null`."""
    words = [_TYPES.get(name, Text(name, name)) for name in names.split(" | ")]
    return Text(" or ".join(word.en for word in words), "或".join(word.zh for word in words))
