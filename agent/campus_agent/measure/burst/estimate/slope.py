"""How fast does a curve of bytes over time rise, whatever stalls and noise are in it? Pure.

Times are nanoseconds, rates bits per second.
"""

from statistics import median
from typing import NamedTuple

from campus_agent.measure.burst.spec import CHUNKS, MIN_CHUNK_SECONDS, NEAR_RATIO, SPREAD_FLOOR_RATIO, STEADY_RATIO

_MIN_CHUNK_NS = int(MIN_CHUNK_SECONDS * 1e9)
_BITS_PER_BYTE_NS = 8e9
_MAX_BASELINE_POINTS = 60


class Slope(NamedTuple):
    """A rate along a curve of bytes over time: robust value, its standard error, and the plain mean."""

    rate: float
    spread: float
    mean: float


Point = tuple[int, int]
"""A moment in nanoseconds, and the bytes so far."""
Curve = list[Point]


def slope(curve: Curve) -> Slope | None:
    """How fast does a curve rise? None for fewer than four points.

    The mean over the chunks that lie near their median: a stall of the box, and the burst that makes up for it, are left out, while
    stamps in steps (a NIC that saves interrupts) average out, which they would not in the median itself. Where most chunks lie
    elsewhere, the median over long baselines.
    """
    if len(curve) < 4 or curve[-1][0] <= curve[0][0]:
        return None
    mean = rate_between(curve[0], curve[-1])
    chunks = _chunks(curve)
    if len(chunks) < 3:
        return Slope(mean, abs(mean) * STEADY_RATIO, mean)
    rates = [rate_between(*chunk) for chunk in chunks]
    middle = median(rates)
    near = [chunk for chunk, rate in zip(chunks, rates, strict=True) if abs(rate - middle) <= NEAR_RATIO * abs(middle)]
    sigma = 1.4826 * median(abs(rate - middle) for rate in rates)
    error = max(sigma / len(rates) ** 0.5, abs(middle) * SPREAD_FLOOR_RATIO)
    if 2 * len(near) < len(chunks):
        return Slope(_long_baseline_rate(curve), 1.25 * error, mean)
    total_bytes, nanoseconds = (sum(end[axis] - start[axis] for start, end in near) for axis in (1, 0))
    return Slope(total_bytes * _BITS_PER_BYTE_NS / nanoseconds, error, mean)


def steady_from(curve: Curve) -> Point | None:
    """From which point to its end is a curve even, that rose faster at first? None: it did not, or is nowhere even."""
    chunks = _chunks(curve)
    if len(chunks) < 3:
        return None
    rates = [rate_between(*chunk) for chunk in chunks]
    middle = median(rates)
    fast = [chunk for chunk, rate in zip(chunks, rates, strict=True) if rate - middle > NEAR_RATIO * abs(middle)]
    return fast[-1][1] if fast else None


def _chunks(curve: Curve) -> list[tuple[Point, Point]]:
    length = max(_MIN_CHUNK_NS, (curve[-1][0] - curve[0][0]) // CHUNKS)
    chunks = []
    start = curve[0]
    for point in curve[1:]:
        if point[0] - start[0] >= length:
            chunks.append((start, point))
            start = point
    return chunks


def _long_baseline_rate(curve: Curve) -> float:
    thin = curve[:: -(-len(curve) // _MAX_BASELINE_POINTS)]
    baseline = 0.4 * (thin[-1][0] - thin[0][0])
    return median(rate_between(a, b) for i, a in enumerate(thin) for b in thin[i + 1 :] if b[0] - a[0] >= baseline)


def rate_between(start: Point, end: Point) -> float:
    """The mean rate from one point of a curve to another."""
    return (end[1] - start[1]) * _BITS_PER_BYTE_NS / (end[0] - start[0])
