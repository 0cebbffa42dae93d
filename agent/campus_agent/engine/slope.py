"""How fast does a curve of octets over time rise, whatever stalls and noise are in it? Pure.

Times are nanoseconds, rates bits per second.
"""

from statistics import median
from typing import NamedTuple

from campus_agent.engine.spec import CHUNKS, MIN_CHUNK_SECONDS, SPREAD_FLOOR_RATIO, STEADY_RATIO

_MIN_CHUNK_NS = int(MIN_CHUNK_SECONDS * 1e9)
_BITS_PER_OCTET_NS = 8e9
_MAX_BASELINE_POINTS = 60


class Slope(NamedTuple):
    """A rate along a curve of octets over time: robust value, its standard error, and the plain mean."""

    rate: float
    spread: float
    mean: float


Curve = list[tuple[int, int]]
"""Points of nanoseconds and octets so far."""


def slope(curve: Curve) -> Slope | None:
    """How fast does a curve rise? None for fewer than four points.

    Steady chunks: their median, which a stall of the box does not touch. Else the median over long baselines, which noise at the
    edges of chunks (interrupt coalescing, aggregation) does not touch.
    """
    if len(curve) < 4 or curve[-1][0] <= curve[0][0]:
        return None
    mean = rate_between(curve[0], curve[-1])
    rates = _chunk_rates(curve)
    if len(rates) < 3:
        return Slope(mean, abs(mean) * STEADY_RATIO, mean)
    middle = median(rates)
    sigma = 1.4826 * median(abs(rate - middle) for rate in rates)
    error = max(1.25 * sigma / len(rates) ** 0.5, abs(middle) * SPREAD_FLOOR_RATIO)
    if sigma <= STEADY_RATIO * abs(middle):
        return Slope(middle, error, mean)
    return Slope(_long_baseline_rate(curve), error, mean)


def _chunk_rates(curve: Curve) -> list[float]:
    length = max(_MIN_CHUNK_NS, (curve[-1][0] - curve[0][0]) // CHUNKS)
    rates = []
    start = curve[0]
    for point in curve[1:]:
        if point[0] - start[0] >= length:
            rates.append(rate_between(start, point))
            start = point
    return rates


def _long_baseline_rate(curve: Curve) -> float:
    thin = curve[:: -(-len(curve) // _MAX_BASELINE_POINTS)]
    baseline = 0.4 * (thin[-1][0] - thin[0][0])
    return median(rate_between(a, b) for i, a in enumerate(thin) for b in thin[i + 1 :] if b[0] - a[0] >= baseline)


def rate_between(start: tuple[int, int], end: tuple[int, int]) -> float:
    """The mean rate from one point of a curve to another."""
    return (end[1] - start[1]) * _BITS_PER_OCTET_NS / (end[0] - start[0])
