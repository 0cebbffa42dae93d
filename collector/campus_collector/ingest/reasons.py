"""Why a result is not accepted: our reasons by code, and the decoder's messages, in words for people. Pure."""

import re
from dataclasses import dataclass

from campus_base.messages import Message, joined, message, pmessage, verbatim
from campus_wire.codec import WireError
from campus_wire.ids import ID_PATTERN
from campus_wire.records import READING_PATTERN, RESULT_ID_PATTERN, SHA256_PATTERN

PATTERN_WORDS = {
    ID_PATTERN: message("1 to 64 lower-case letters, digits, '-' and '_', beginning with a letter or digit"),
    RESULT_ID_PATTERN: message("letters, digits, '_', '.', ':' and '-'"),
    READING_PATTERN: message("1 to 64 lower-case letters, digits and '_', beginning with a letter"),
    SHA256_PATTERN: message("64 hexadecimal digits in lower case"),
}
"""What the patterns of the contract allow."""
_MATCHING = re.compile(r"`str` matching regex ('(?:[^'\\]|\\.)*')")
_TYPES = {
    "str": message("a text"),
    "int": message("a whole number"),
    "float": pmessage("type of a field", "a number"),
    "bool": message("true or false"),
    "object": message("an object"),
    "array": message("a list"),
    "null": pmessage("type of a field", "nothing"),
    "datetime": message("a time"),
}
_FIELDS = {
    "id": pmessage("field id", "{field}"),
    "kind": pmessage("field kind", "{field}"),
    "school": pmessage("field school", "{field}"),
    "subject": pmessage("field subject", "{field}"),
    "started_at": pmessage("field started_at", "{field}"),
    "duration_seconds": pmessage("field duration_seconds", "{field}"),
    "monotonic_seconds": pmessage("field monotonic_seconds", "{field}"),
    "clock_offset_seconds": pmessage("field clock_offset_seconds", "{field}"),
    "boot_id": pmessage("field boot_id", "{field}"),
    "validity": pmessage("field validity", "{field}"),
    "failure": pmessage("field failure", "{field}"),
    "skipped": pmessage("field skipped", "{field}"),
    "detail": pmessage("field detail", "{field}"),
    "record": pmessage("field record", "{field}"),
}
"""What people call the fields of a result: in English by their names, in Chinese by a word with the name behind it."""
_PATTERN_FORMS = {text.template: text for text in PATTERN_WORDS.values()} | {"another form": message("another form")}


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason of ours: the sentence that is stored and sent, with a place for each value, and how people read it."""

    sentence: str
    words: Message


REASONS: dict[str, Reason] = {
    "too_large": Reason("result of {0} bytes is larger than {1} bytes", message("{a} bytes; a result has at most {b}")),
    "another_school": Reason("subject of another school: {0}, the token is for {1}", message("belongs to school {a}; the token is of {b}")),
    "no_time": Reason("started_at {0} is no time any clock shows", message("started_at {a}: no time any clock shows")),
    "future": Reason("started_at {0} is in the future", message("started_at {a}: is in the future")),
    "past": Reason("started_at {0} is before {1}", message("started_at {a}: is before {b}")),
    "says_nothing": Reason("validity is ok, but there is neither a record nor a failure", message("validity is ok, but there is neither a record nor a failure")),
    "quota_results": Reason("quota: more than {0} results of one school in a day", message("quota: more than {a} results of one school in a day")),
    "quota_bytes": Reason("quota: more than {0} bytes of one school in a day", message("quota: more than {a} bytes of one school in a day")),
    "quota_subjects": Reason("quota: more than {0} subjects of kind {1} in one school", message("quota: more than {a} subjects of kind {b} in one school")),
}  # fmt: skip
"""The database and the receipt hold the sentence alone: what a stored one says is found by its form. The quotas' are given by `store.quota`."""
_MISSING_FIELD = message("{at}: the field {a} is missing")
_DECODER_REASONS = (
    (r"Expected `str` of length <= (\d+)", message("{at}: at most {a} characters")),
    (r"Expected `str` of length >= (\d+)", message("{at}: at least {a} character(s)")),
    (r"Expected `\w+` of length <= (\d+)", message("{at}: at most {a} entries")),
    (r"Expected `\w+` of length >= (\d+)", message("{at}: at least {a} entries")),
    (r"Expected `str` of (.+)", message("{at}: must be {form}")),
    (r"Expected `\w+` >= ([-+.e\d]+)", message("{at}: must be at least {a}")),
    (r"Expected `\w+` <= ([-+.e\d]+)", message("{at}: must be at most {a}")),
    (r"Expected `datetime` with a timezone component", message("{at}: a time without its zone")),
    (r"Expected `([^`]+)`, got `([^`]+)`", message("{at}: must be {wanted}, not {got}")),
    (r"Object missing required field `([^`]+)`", _MISSING_FIELD),
    (r"Invalid (?:enum )?value '(.*)'", message("{at}: '{a}' is not a known value")),
    (r"Invalid RFC3339 encoded datetime", message("{at}: not a time with date and zone")),
    (r"(JSON is malformed: .*|Input data was truncated)", message("is no readable JSON ({a})")),
    (r"text is not valid UTF-8", message("its text is not valid UTF-8")),
    (r"nested too deeply", message("nested too deeply")),
    (r"(\S+) is not a word of (\w+)", message("{at}: {a} is not a text")),
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


def without_patterns(reason: str) -> str:
    """A decoder's message with the words for a pattern in place of the pattern."""
    words = {repr(pattern): text.en for pattern, text in PATTERN_WORDS.items()}
    return _MATCHING.sub(lambda match: f"`str` of {words.get(match[1], 'another form')}", reason)


def reason_words(reason: str) -> Message:
    """Why it was not accepted, for people; the reasons of earlier versions too. A reason that is not known here stays as it was stored."""
    reason = without_patterns(reason)
    place = _PLACE.search(reason)
    sentence = reason[: place.start()] if place else reason
    for form, words in _FORMS:
        match = form.fullmatch(sentence)
        if match is not None:
            return _filled(words, match.groups(), place[1] if place else "")
    return verbatim(reason)


def _filled(text: Message, groups: tuple[str, ...], place: str) -> Message:
    values: dict[str, Message] = {"at": _field_words(place) if place else message("the result")}
    values |= {name: verbatim(group) for name, group in zip("ab", groups, strict=False)}
    if text == _MISSING_FIELD:
        values["a"] = _field_words(groups[0])
    if groups:
        values["form"] = _PATTERN_FORMS.get(groups[0], verbatim(groups[0]))
    if len(groups) == 2:
        values |= {"wanted": _type_words(groups[0]), "got": _type_words(groups[1])}
    return text.with_(**values)


def _field_words(place: str) -> Message:
    """The words for a field such as `record.down.bytes`: those of the field of the result that it lies in."""
    words = _FIELDS.get(re.split(r"[.\[]", place, maxsplit=1)[0])
    return verbatim(place) if words is None else words.with_(field=place)


def _type_words(names: str) -> Message:
    """The words for what a decoder calls `int | null`."""
    words = [_TYPES.get(name, verbatim(name)) for name in names.split(" | ")]
    return joined(words, message("{left} or {right}"))
