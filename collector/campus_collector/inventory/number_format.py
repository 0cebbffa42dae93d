"""What does a spreadsheet program show for a number in a number format (ECMA-376 part 1, 18.8.30 and 18.8.31)? Pure."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from campus_collector.inventory.cells import A_DATE, NOT_AS_SHOWN, TOO_LONG_A_NUMBER, AnyCell, Cell

MAX_EXACT_DIGITS = 15
"""A spreadsheet program keeps no more (IEEE 754 binary64)."""
MAX_FORMAT_CHARACTERS = 255
GENERAL = "General"
BUILT_IN = {1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
            37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 48: "##0.0E+0", 49: "@"}  # fmt: skip
BUILT_IN |= dict.fromkeys([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)], "yyyy/m/d")
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|(?P<gap>[_*].)|(?P<bracket>\[[^\]]*\])'
    r"|(?P<general>(?i:General)|G/通用格式)|(?P<digit>[0#?])|(?P<point>\.)|(?P<comma>,)|(?P<percent>%)|(?P<text>@)"
    r"|(?P<scientific>E[+-])|(?P<moment>[ymdhseYMDHSaAbBgG上下]|am/pm|AM/PM)|(?P<literal>.)",
    re.DOTALL,
)
_PLAIN = re.compile("0|[1-9][0-9]*")
_UNKNOWN = ("scientific", "moment")
Token = tuple[str, str]


def numeric_cell(number: str, code: str, epoch_1904: bool) -> AnyCell:
    """The cell of a number as it stands in the file, in its format: plain text where what is shown is the number itself."""
    if code in (GENERAL, "0", "@") and len(number) <= MAX_EXACT_DIGITS and _PLAIN.fullmatch(number):
        return number
    try:
        value = Decimal(number.strip())
    except InvalidOperation:
        return Cell(None, number, NOT_AS_SHOWN)
    if not value.is_finite() or abs(value.adjusted()) > 300:
        return Cell(None, number, NOT_AS_SHOWN)
    section = _section(code, value)
    tokens = _tokens(section)
    if any(
        kind == "moment" or (kind == "bracket" and re.fullmatch(r"\[[hms]+\]", part, re.I)) for kind, part in tokens
    ):
        return Cell(None, _moment(value, epoch_1904), A_DATE)
    plain = str(int(value)) if value == value.to_integral_value() else f"{float(value):.10g}"
    if len(plain.lstrip("-")) > MAX_EXACT_DIGITS and value == value.to_integral_value():
        return Cell(None, plain, TOO_LONG_A_NUMBER, broken=True)
    text = _shown(value, tokens, plain, negative_is_marked=";" not in code)
    text = text.strip() if text is not None else None
    if text == plain:
        return plain
    return Cell(text, plain, NOT_AS_SHOWN)


def _section(code: str, value: Decimal) -> str:
    """The part of a format that holds for this number: positive; negative; zero."""
    parts = [""]
    for match in _TOKEN.finditer(code[:MAX_FORMAT_CHARACTERS]):
        if match.lastgroup == "literal" and match[0] == ";":
            parts.append("")
        else:
            parts[-1] += match[0]
    if value < 0 and len(parts) > 1:
        return parts[1]
    if value == 0 and len(parts) > 2:
        return parts[2]
    return parts[0]


def _tokens(section: str) -> list[Token]:
    return [(match.lastgroup or "", match[match.lastgroup or 0]) for match in _TOKEN.finditer(section)]


def _shown(value: Decimal, tokens: Sequence[Token], plain: str, *, negative_is_marked: bool) -> str | None:
    """The number written by these tokens; None when they say something that is not known here."""
    kinds = [kind for kind, _ in tokens]
    changes = any(kind == "bracket" and re.match(r"\[([<>=]|DBNum)", part, re.I) for kind, part in tokens)
    if changes or any(kind in _UNKNOWN for kind in kinds) or ("literal", "/") in tokens:
        return None
    number = abs(value) * 100 if "percent" in kinds else abs(value)
    sign = "-" if value < 0 and negative_is_marked else ""
    if "general" in kinds or "text" in kinds:
        written = plain.lstrip("-")
        return sign + "".join(written if kind in ("general", "text") else _literal(kind, part) for kind, part in tokens)
    if "digit" not in kinds:
        return None
    return sign + _written(number, list(tokens))


def _written(number: Decimal, tokens: list[Token]) -> str:
    """Digits put into their places, from the right; what has no place of its own stands before the first."""
    kinds = [kind for kind, _ in tokens]
    point = kinds.index("point") if "point" in kinds else len(tokens)
    decimals = kinds[point:].count("digit")
    rounded = f"{number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP):f}"
    whole, _, fraction = rounded.partition(".")
    whole = whole.lstrip("0")
    places = [index for index, kind in enumerate(kinds[:point]) if kind == "digit"]
    grouped = any(kind == "comma" and places and index > places[0] for index, kind in enumerate(kinds[:point]))
    filled: dict[int, str] = {}
    for left, index in zip(range(len(places), 0, -1), reversed(places), strict=True):
        digits, whole = (whole, "") if left == 1 else (whole[-1:], whole[:-1])
        filled[index] = digits or {"0": "0", "?": " "}.get(tokens[index][1], "")
    if grouped:
        together = "".join(filled[index] for index in places)
        filled = dict.fromkeys(places, "") | ({places[0]: f"{int(together):,}"} if together.strip() else {})
    rest = iter(fraction)
    for index in range(point, len(tokens)):
        if kinds[index] == "digit":
            filled[index] = next(rest, "0")
    return "".join(
        filled[index] if index in filled else _literal(kind, part) for index, (kind, part) in enumerate(tokens)
    )


def _literal(kind: str, part: str) -> str:
    if kind in ("quoted", "escaped", "literal"):
        return part
    return {"point": ".", "percent": "%"}.get(kind, "")


def _moment(value: Decimal, epoch_1904: bool) -> str:
    """A serial number as an ISO date, time or both; the number itself beyond the years it can name."""
    days, share = int(value), value - int(value)
    seconds = int((share * 86_400).to_integral_value(ROUND_HALF_UP))
    clock = datetime(2000, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001  a time of day
    if days == 0 and not epoch_1904:
        return clock.time().isoformat("minutes")
    # 1900 is a leap year to these programs: days before its 29 February count from another day.
    epoch = date(1904, 1, 1) if epoch_1904 else date(1899, 12, 30) if days > 59 else date(1899, 12, 31)
    try:
        day = epoch + timedelta(days=days)
    except OverflowError:
        return str(value)
    return day.isoformat() if not seconds else f"{day.isoformat()} {clock.time().isoformat('minutes')}"
