"""Whole numbers from text that comes from outside: ASCII digits only, bounded before they are read. Pure."""


def ascii_integer(text: str, maximum: int) -> int | None:
    """The number that `text` writes in the digits 0 to 9, at most `maximum`; None for anything else.

    `str.isdigit` takes "²" and Arabic digits too, and `int` refuses more than 4 300 digits with an error of its own.
    """
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    if len(digits) > len(str(maximum)):
        return None
    number = int(digits)
    return number if number <= maximum else None
