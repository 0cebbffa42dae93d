"""How fast is a port? From ifHighSpeed and ifSpeed (RFC 2863), which some switches fill in other units than the MIB's. Pure."""

LOWEST, HIGHEST = 1e6, 8e11
"""From 1 Mbit/s to 800 Gbit/s: what a port of Ethernet, or several together, can be."""
SPEED_LIMIT = 2**32 - 1
"""ifSpeed for anything faster than it can say."""
_LIMIT_IN_MEGABITS = (SPEED_LIMIT // 10**6, SPEED_LIMIT // 10**6 + 1)
SAME = 0.05
RATES = frozenset({1e7, 1e8, 1e9, 2.5e9, 5e9, 1e10, 2.5e10, 4e10, 5e10, 1e11, 2e11, 4e11, 8e11})
"""Rates of Ethernet."""


def speed_of(high: int | None, low: int | None) -> float | None:
    """Bits a second, from ifHighSpeed (Mbit/s) and ifSpeed (bit/s); None where they contradict each other, or a port cannot be so fast.

    D-Link writes bits a second into ifHighSpeed, others kbit/s; some write Mbit/s into ifSpeed, or what is left of it in 32 bits.
    """
    by_high = high * 1e6 if high and LOWEST <= high * 1e6 <= HIGHEST else None
    by_low = float(low) if low and LOWEST <= low < SPEED_LIMIT else None
    if low == SPEED_LIMIT and high in _LIMIT_IN_MEGABITS:  # worked out of ifSpeed: it is faster, by an unknown amount
        return None
    if by_low is None:
        return by_high if by_high is not None else _misplaced(high, low)
    if by_high is None:
        return by_low
    if abs(by_high - by_low) <= SAME * by_high or low == int(by_high) % 2**32:
        return by_high
    if high in (low, by_low / 1e3):
        return by_low
    likely = [rate for rate in (by_high, by_low) if rate in RATES]
    return likely[0] if len(likely) == 1 else None


def _misplaced(high: int | None, low: int | None) -> float | None:
    """ifHighSpeed in bits or kbits a second without an ifSpeed to compare, if that is a rate of Ethernet."""
    if low:
        return None
    return next((float(high * scale) for scale in (1, 1_000) if high and high * scale in RATES), None)
