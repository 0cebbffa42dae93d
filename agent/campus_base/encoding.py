"""Which encoding that is no UTF-8 does a text have, where it can be known? Pure."""

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_LOOKED_AT_BYTES = 4096


def wide_encoding(raw: bytes) -> str | None:
    """UTF-32 or UTF-16, by its mark, or by zeros in every other place of a text that is mostly ASCII. None for neither."""
    beginning = raw[:_LOOKED_AT_BYTES]
    if beginning[:4] in _UTF32_MARKS:
        return "UTF-32"
    if beginning[:2] in UTF16_MARKS:
        return "UTF-16"
    zeros = [beginning[place::2].count(0) for place in (0, 1)]
    return "UTF-16" if max(zeros) > len(beginning) // 8 and not min(zeros) else None
