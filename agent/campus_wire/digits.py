"""Whole numbers in text from outside: ASCII digits only, bounded. `str.isdigit` also takes a superscript, and `int` reads 5 000 digits for long."""

NARROW = {0xFF01 + offset: 0x21 + offset for offset in range(94)} | {0x3000: 0x20}
"""For `str.translate`: full-width letters, digits and marks, as Chinese input methods type them, to ASCII (Unicode: Halfwidth and Fullwidth Forms).

What people type in lessons, days, ports and statuses is read so; a superscript is no digit.
"""


def ascii_integer(text: str, maximum: int) -> int | None:
    """The number that these digits write; None for anything but ASCII digits, and for more than `maximum`."""
    digits = text.lstrip("0") or text[-1:]
    if not (text.isascii() and text.isdigit()) or len(digits) > len(str(maximum)):
        return None
    number = int(digits)
    return number if number <= maximum else None
