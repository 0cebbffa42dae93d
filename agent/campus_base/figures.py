"""How a measured figure is written: rounded as usual, but never over a limit it does not reach, nor up to all, nor down to nothing. Pure.

A reader who compares what is written with the requirement beside it comes to the verdict that the program came to.
"""

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

MOST_DECIMALS = 9


def rounded(value: float, decimals: int, at_least: Iterable[float] = (), at_most: Iterable[float] = ()) -> Decimal:
    """`value` with so many decimals; rounded the other way, or with more decimals, where it would else change sides.

    What is written reaches each limit of `at_least`, and keeps each of `at_most`, exactly if the value does; it is 0 only if the value is.
    """
    exact = _decimal(value)
    lower, upper = [_decimal(limit) for limit in at_least], [_decimal(limit) for limit in at_most]

    def sides(number: Decimal) -> list[bool]:
        return [number > 0, number < 0, *(number >= limit for limit in lower), *(number <= limit for limit in upper)]

    for places in range(decimals, MOST_DECIMALS + 1):
        step = Decimal(1).scaleb(-places)
        for mode in (ROUND_HALF_EVEN, ROUND_FLOOR, ROUND_CEILING):
            if sides(written := exact.quantize(step, mode)) == sides(exact):
                return written
    return exact


def percent(share: float, *at_least: float, space: str = "", decimals: int = 1) -> str:
    """A share 0-1: `99.9%`; 100 only if it is all. `at_least` are shares it is compared with."""
    number = rounded(_scaled(share, 2), decimals, [100, *(_scaled(limit, 2) for limit in at_least)])
    return f"{number}{space}%"


def percent_as_written(share: float, space: str = "") -> str:
    """A share that somebody asked for, such as a policy's: `80%`, `99.5%`; not rounded (beyond a float's own noise)."""
    return f"{_plain(_decimal(round(share, 9)).scaleb(2))}{space}%"


def megabits(bits_per_second: float, *at_least: float, decimals: int = 1) -> str:
    """A rate in Mbit/s, without the unit; `at_least` are rates in bits per second that it is compared with."""
    return str(rounded(_scaled(bits_per_second, -6), decimals, [_scaled(limit, -6) for limit in at_least]))


def megabits_short(bits_per_second: float) -> str:
    """A rate that fell short, in Mbit/s with one decimal: cut, so that it never reads as enough."""
    return str(_decimal(_scaled(bits_per_second, -6)).quantize(Decimal("0.1"), ROUND_FLOOR))


def milliseconds(seconds: float, *at_most: float, decimals: int = 1) -> str:
    """A time in milliseconds, without the unit; `at_most` are times in seconds that it is compared with."""
    return str(rounded(_scaled(seconds, 3), decimals, at_most=[_scaled(limit, 3) for limit in at_most]))


def _decimal(value: float) -> Decimal:
    """As it is written in base 10, not as the nearest binary fraction."""
    return Decimal(repr(value))


def _scaled(value: float, places: int) -> float:
    return float(_decimal(value).scaleb(places))


def _plain(number: Decimal) -> str:
    """Without zeros at its end, never with an exponent."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
