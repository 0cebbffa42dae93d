"""Which encoding a text has, where it can be known. Pure."""

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_EXAMINED_BYTES = 4096


def wide_encoding(raw: bytes) -> str | None:
    """UTF-32 or UTF-16, by its mark, or by zeros in every other place of a text that is mostly ASCII. None for neither."""
    beginning = raw[:_EXAMINED_BYTES]
    if beginning[:4] in _UTF32_MARKS:
        return "UTF-32"
    if beginning[:2] in UTF16_MARKS:
        return "UTF-16"
    zeros = [beginning[offset::2].count(0) for offset in (0, 1)]
    return "UTF-16" if max(zeros) > len(beginning) // 8 and not min(zeros) else None


def chinese_encoding(raw: bytes) -> str:
    """UTF-8 or GB18030 of Chinese text; "" for neither.

    What reads as UTF-8 without any Chinese letter or sign is GB18030 that does so by chance: 学校 would be ѧУ.
    """
    try:
        if any(letter > "\u1fff" for letter in raw.decode("utf-8")):
            return "utf-8"
    except UnicodeDecodeError:
        pass
    for encoding in ("gb18030", "utf-8"):
        try:
            raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return ""
