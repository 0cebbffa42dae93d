"""Why a result is not accepted, in words: the messages of the decoder and of intake name fields and patterns, people read sentences. Pure."""

import re

from campus_base.language import Text
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
_REASONS = [
    (re.compile(pattern, re.DOTALL), Text(en, zh))
    for pattern, en, zh in (
        (r"Expected `str` of length <= (\d+)", "{at}: at most {0} characters", "{at}：不能超过 {0} 个字符"),
        (r"Expected `str` of length >= (\d+)", "{at}: at least {0} character(s)", "{at}：至少 {0} 个字符"),
        (r"Expected `\w+` of length <= (\d+)", "{at}: at most {0} entries", "{at}：不能超过 {0} 项"),
        (r"Expected `\w+` of length >= (\d+)", "{at}: at least {0} entries", "{at}：至少 {0} 项"),
        (r"Expected `str` of (.+)", "{at}: must be {0}", "{at}：应为 {form}"),
        (r"Expected `\w+` >= ([-+.e\d]+)", "{at}: must be at least {0}", "{at}：不能小于 {0}"),
        (r"Expected `\w+` <= ([-+.e\d]+)", "{at}: must be at most {0}", "{at}：不能大于 {0}"),
        (r"Expected `datetime` with a timezone component", "{at}: a time without its zone", "{at}：时间缺少时区"),
        (r"Expected `([^`]+)`, got `([^`]+)`", "{at}: must be {wanted}, not {got}", "{at}：应为{wanted}，而不是{got}"),
        (r"Object missing required field `([^`]+)`", "{at}: the field {0} is missing", "{at}：缺少字段 {0}"),
        (r"Invalid (?:enum )?value '(.*)'", "{at}: '{0}' is not a known value", "{at}：“{0}”不是已知的值"),
        (r"Invalid RFC3339 encoded datetime", "{at}: not a time with date and zone", "{at}：不是带日期和时区的时间"),
        (r"(JSON is malformed: .*|Input data was truncated)", "is no readable JSON ({0})", "不是可读取的 JSON（{0}）"),
        (r"text is not valid UTF-8", "its text is not valid UTF-8", "文本不是有效的 UTF-8"),
        (r"nested too deeply", "nested too deeply", "嵌套过深"),
        (r"(\S+) is not a word of (\w+)", "{at}: {0} is not a text", "{at}：{0} 不是文本"),
        (r"result of (\d+) bytes is larger than (\d+) bytes", "{0} bytes; a result has at most {1}", "共 {0} 字节，单条结果不能超过 {1} 字节"),
        (r"subject of another school: (\S+), the token is for (\S+)", "belongs to school {0}; the token is of {1}", "属于学校 {0}，而令牌属于 {1}"),
        (r"started_at (\S+) is no time any clock shows", "started_at {0}: no time any clock shows", "started_at {0}：不是可能的时间"),
        (r"started_at (\S+) is in the future", "started_at {0}: is in the future", "started_at {0}：时间在未来"),
        (r"started_at (\S+) is before (\S+)", "started_at {0}: is before {1}", "started_at {0}：早于 {1}"),
        (r"validity is ok, but there is neither a record nor a failure", "validity is ok, but there is neither a record nor a failure", "validity 为 ok，但既无测量记录也无失败原因"),
        (r"quota: more than (\d+) results of one school in a day", "quota: more than {0} results of one school in a day", "quota：该校一天内上报的结果超过 {0} 条"),
        (r"quota: more than (\d+) bytes of one school in a day", "quota: more than {0} bytes of one school in a day", "quota：该校一天内上报的数据超过 {0} 字节"),
        (r"quota: more than (\d+) subjects of kind (\S+) in one school", "quota: more than {0} subjects of kind {1} in one school", "quota：该校 {1} 类对象超过 {0} 个"),
    )
]  # fmt: skip
"""The reasons that intake and the decoder give (`ingest.examine`, `store.quota`), and how people read them."""
_PLACE = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`\Z")


def without_patterns(message: str) -> str:
    """A decoder's message with the words for a pattern in place of the pattern."""
    words = {repr(pattern): text.en for pattern, text in PATTERN_WORDS.items()}
    return _MATCHING.sub(lambda match: f"`str` of {words.get(match[1], 'another form')}", message)


def reason_words(reason: str) -> Text:
    """Why it was not accepted, for people; the reasons of earlier versions too. A reason that is not known here stays as it was stored."""
    reason = without_patterns(reason)
    place = _PLACE.search(reason)
    message = reason[: place.start()] if place else reason
    for pattern, text in _REASONS:
        match = pattern.fullmatch(message)
        if match is not None:
            return _filled(text, match.groups(), place[1] if place else "")
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
